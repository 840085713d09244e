/* What the checks of check_core share: their memory, the names of their cases, and comparison byte by byte. */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oracle.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { BYTES = 1 << 23, GUARD = 64, FILL = 0xA5 };

/* x, what its elements become where kept, memory for y, and what that must be in the end: its guards included. */
extern uint8_t input[BYTES], as_kept[BYTES], y_memory[BYTES + 2 * GUARD], want[BYTES + 2 * GUARD];

/* The mask that is right, and memory for bits between guards. */
extern uint8_t mask[BYTES / 8], bit_memory[BYTES / 8 + 2 * GUARD];

extern const fd_backend *backend, *portable; /* what is checked, and what draws masks that are known to be right */
extern const fd_key key;
extern const char *only; /* the one case to run, or NULL */
extern long cases, failures;

/* Names the next case, after the backend; whether it is to run. */
int begin(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *what, size_t at);

/* A copy of n bytes in memory that ends with them: what follows cannot be read. */
enum { X, BIAS, RESIDUAL, RATES, STORED, FENCES };
void make_fences(void);
uint8_t *fenced(int fence, const void *bytes, size_t n);

int bit(const uint8_t *bits, size_t i);

/* The scalar mask of n elements: portable's, which known answers have been held against. */
void draw_mask(const fd_draw *draw, uint64_t index, size_t n);

/* y and its guards are the n bytes of `want`; any NaN stands for any other, unless nothing was to be computed. */
void check_y(fd_dtype d, const uint8_t *y, size_t n, int exact);

/* The n bits between guards in bit_memory are those of the mask, the rest of their last byte is zero. */
void check_bits(const uint8_t *expected, size_t n);

/* A call that drops: its name, what its mask follows from, the values given, and what they are to come to. */
typedef struct {
    const char *name;
    fd_dtype d;
    const fd_draw *draw;
    fd_values values, meant;
} drop;

/* Sets as_kept for n elements of the input; p is that of each element where it is not NULL. */
void keep_all(const drop *call, const double *p, size_t n);

/* fd_dropout of n elements in every mode, under `mask`: in check_dropout.c. */
void check_modes(const drop *call, uint64_t index, size_t n);

/* The checks, each in a file of its name. */
void check_draw(void);
void check_dropout(void);
void check_p_array(void);
void check_apply(void);
void check_residual(void);
void check_samples(void);
void check_packed(void);
void check_rows(void);
void check_threads(void);
int check_vectors(FILE *file);

#endif
