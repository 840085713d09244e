/* What y must be, one real at a time: patterns of every kind, their sums and their products. */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdint.h>

#include "fastdrop.h"

extern const struct type {
    const char *name;
    size_t real, reals; /* bytes of a real, reals in an element */
    int mantissa;       /* bits of a fraction */
} types[FD_DTYPES];

void make_oracle(void);

uint64_t random_word(uint64_t z);

/* Patterns in memory. */
uint64_t load(fd_dtype d, const uint8_t *from);
void store(fd_dtype d, uint8_t *to, uint64_t bits);
int is_nan(fd_dtype d, uint64_t bits);

/* n elements whose reals are, in turn, special ones, any pattern, and numbers near 1. */
void fill(fd_dtype d, uint8_t *x, size_t n, uint64_t seed);

/* The number of a pattern, and the pattern nearest to a number of the compute type, ties to even. */
double number_of(fd_dtype d, uint64_t bits);
uint64_t pattern_of(fd_dtype d, double number);

/* Rounded to the compute type, which is that of the operands. */
double computed(fd_dtype d, double a);
double sum(fd_dtype d, double a, double b);
double product(fd_dtype d, double a, double b);

/* What an element at x becomes at y; p is its own, of an array p. */
void become(fd_dtype d, const fd_values *values, double p, int kept, const uint8_t *x, uint8_t *y);

#endif
