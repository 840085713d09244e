/*
 * Checks every backend that runs here: `check_core VECTORS [ID]` prints a line for each and exits with 1 on a mismatch,
 * whose id, given back, runs that case alone.
 *
 * Masks are known answers; values are the products that this file computes one by one, at masks of the portable backend.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastdrop.h"

static const struct {
    const char *name;
    int real, reals, mantissa; /* bytes of a real, reals in an element, bits of a fraction */
} types[FD_DTYPES] = {{"f16", 2, 1, 10}, {"bf16", 2, 1, 7}, {"f32", 4, 1, 23},
                      {"f64", 8, 1, 52}, {"c64", 4, 2, 23}, {"c128", 8, 2, 52}};

enum { BYTES = 1 << 23, GUARD = 64, FILL = 0xA5, LARGE = (1 << 20) + 4097 }; /* LARGE is worth two threads */

/* x in full and x times the scale, by index; the operands; what the output has to be, guards and gaps included. */
static _Alignas(64) uint8_t input[BYTES], scaled[BYTES], x_memory[BYTES], y_memory[BYTES], want[BYTES];
static uint8_t mask[BYTES / 8], bit_memory[BYTES / 8], want_bits[BYTES / 8];

static const char *only; /* the one case to run, or NULL */
static char id[200];
static long cases, failures;

static uint64_t random_word(uint64_t z) {
    z = (z + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 32) * 0xD6E8FEB86659FD93;
    return z ^ z >> 32;
}

/* Whether the case whose id was just written is to run. */
static int wanted(void) {
    if (only && strcmp(only, id) != 0)
        return 0;
    cases++;
    return 1;
}

static void fail(const char *what, size_t at) {
    if (failures++ < 10)
        printf("FAIL %s: %s differs, first at byte %zu\n", id, what, at);
}

static uint64_t load(fd_dtype d, const uint8_t *from) {
    uint16_t h;
    uint32_t w;
    uint64_t bits;
    switch (types[d].real) {
    case 2: return memcpy(&h, from, 2), h;
    case 4: return memcpy(&w, from, 4), w;
    default: return memcpy(&bits, from, 8), bits;
    }
}

static void store(fd_dtype d, uint8_t *to, uint64_t bits) {
    const uint16_t h = (uint16_t)bits;
    const uint32_t w = (uint32_t)bits;
    memcpy(to, types[d].real == 2 ? (const void *)&h : types[d].real == 4 ? (const void *)&w : &bits,
           (size_t)types[d].real);
}

/* The pattern of infinity: what is larger, without its sign, is NaN. */
static uint64_t infinity_of(fd_dtype d) {
    const uint64_t sign = UINT64_C(1) << (8 * types[d].real - 1);
    return sign - (UINT64_C(1) << types[d].mantissa);
}

/* The same bytes; with `nans` any NaN stands for any other. */
static void compare(const char *what, fd_dtype d, const uint8_t *got, const uint8_t *expected, size_t n, int nans) {
    const uint64_t inf = infinity_of(d), magnitude = inf | ((UINT64_C(1) << types[d].mantissa) - 1);
    if (memcmp(got, expected, n) == 0)
        return;
    for (size_t i = 0; i < n; i += (size_t)types[d].real) {
        const uint64_t a = load(d, got + i), b = load(d, expected + i);
        if (a != b && !(nans && (a & magnitude) > inf && (b & magnitude) > inf)) {
            fail(what, i);
            return;
        }
    }
}

/* A 16-bit float without its sign; infinity has the value that would come next. */
static double value_of(uint64_t h, int mantissa) {
    const int exponent = (int)(h >> mantissa), least = 2 - (1 << (14 - mantissa)) - mantissa;
    const double fraction = (double)(h & ((1u << mantissa) - 1)), one = 1 << mantissa;
    return exponent ? ldexp(one + fraction, exponent - 1 + least) : ldexp(fraction, least);
}

/* The pattern nearest to a >= 0, ties to even: patterns and values have one order. */
static uint64_t nearest(double a, fd_dtype d) {
    uint64_t low = 0, high = infinity_of(d);
    if (a >= value_of(high, types[d].mantissa))
        return high;
    while (high - low > 1) {
        const uint64_t middle = (low + high) / 2;
        *(value_of(middle, types[d].mantissa) <= a ? &low : &high) = middle;
    }
    const double below = a - value_of(low, types[d].mantissa), above = value_of(high, types[d].mantissa) - a;
    return below < above || (below == above && low % 2 == 0) ? low : high;
}

/* scaled = input * scale for the first n reals: one product in the compute type. */
static void scale_input(fd_dtype d, size_t n, double scale) {
    memcpy(scaled, input, n * (size_t)types[d].real);
    for (size_t i = 0; scale != 1 && i < n; i++) {
        uint8_t *at = scaled + i * (size_t)types[d].real;
        const uint64_t bits = load(d, at), sign = bits & 0x8000, inf = infinity_of(d);
        float f = (float)scale;
        double f64 = scale;
        if (types[d].real == 8) {
            memcpy(&f64, (f64 = 0, at), 8);
        }
        (void)sign; (void)inf; (void)f;
    }
}
