/* The rows of benchmarks/core.c: what is timed there is checked here too, on every backend. */
#ifndef ROWS_H
#define ROWS_H

#include "fastdrop.h"

enum { KI = 1 << 10, MI = 1 << 20 };

typedef enum { FORWARD, RECIPE, BACKWARD, CHANNEL, ROW, UNIT, ROWS } row;

extern const char *const row_names[ROWS];
extern const fd_values ROW_VALUES;

void row_fill(float *x, size_t n);

/* One call on n elements in place, n a multiple of 1 Ki: FORWARD writes the bits, RECIPE keeps none, others read them.
 */
void row_call(const fd_run *run, row what, size_t n, double p, uint64_t stream, uint8_t *bits, float *x);

/* Whether a call gives what a plain loop gives; x is overwritten, and what FORWARD draws is in bits then. */
int row_is_right(const fd_run *run, row what, size_t n, double p, float *x, uint8_t *bits);

#endif
