/* Every entry point that touches arrays, on buffers of exactly the size that it asks for. */
#ifndef CALLS_H
#define CALLS_H

#include "fastdrop.h"
#include "memory.h"

/* What calls read: n elements each, a row of bias with its slack, and the packed bits. Threads may share it. */
typedef struct {
    place where; /* for the results too */
    fd_dtype dtype;
    size_t n, period;
    uint8_t *x, *residual, *bias, *bits, *p;
} operands;

operands make_operands(place where, fd_dtype dtype, size_t n);
void give_operands(const operands *in);

typedef struct {
    const char *name;
    uint64_t (*call)(const operands *in, const fd_run *run); /* a digest of all that it wrote */
} entry_point;

extern const entry_point entry_points[];
extern const size_t entry_point_count;

#endif
