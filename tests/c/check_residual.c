/* dropout(x + bias) + residual against its steps, each rounded, and its gradient with the sums of its rows. */
#include "check.h"

#include <float.h>
#include <math.h>

static double rounded(fd_dtype d, double a) { return number_of(d, pattern_of(d, a)); }

/* The steps, one real at a time; bias and residual may be NULL. */
static void residual_slowly(fd_dtype d, double scale, size_t n, const uint8_t *bias, size_t period,
                            const uint8_t *residual, uint8_t *y) {
    const size_t real = types[d].real, size = fd_itemsize(d);
    for (size_t i = 0; i < n; i++)
        for (size_t at = i * size; at < (i + 1) * size; at += real) {
            double a = number_of(d, load(d, input + at));
            if (bias)
                a = rounded(d, sum(d, a, number_of(d, load(d, bias + i % period * size + at - i * size))));
            a = bit(mask, i) ? rounded(d, product(d, a, computed(d, scale))) : 0;
            if (residual)
                a = sum(d, a, number_of(d, load(d, residual + at)));
            store(d, y + at, pattern_of(d, a));
        }
}

enum { APART, OVER_X, OVER_RESIDUAL, PLACES };

static void check_forward(fd_dtype d, uint64_t index, size_t n, size_t period, int operands, int place) {
    static const double rates[] = {.1, .5, 0, 1, .3};
    static uint8_t residual[BYTES], biases[BYTES];
    const size_t size = fd_itemsize(d), bytes = n * size + 2 * GUARD;
    const int with_bias = operands & 1, with_residual = operands & 2, with_bits = (operands + place) % 2 == 0;
    const double p = rates[(n + period + (size_t)operands) % COUNT(rates)], scale = 1 / (1 - p);
    const fd_draw draw = fd_draw_init(key, 4, p);
    const fd_run run = {backend, 2, place == APART && operands == 3 ? 0 : SIZE_MAX, 1};
    fill(d, residual, n, 1);
    fill(d, biases, period, 2);
    for (size_t i = period; i < period + FD_BIAS_SLACK; i++)
        memcpy(biases + i * size, biases + (i - period) * size, size);
    draw_mask(&draw, index, n);
    memset(want, FILL, bytes);
    residual_slowly(d, scale, n, with_bias ? biases : NULL, period, with_residual ? residual : NULL, want + GUARD);
    uint8_t *y = y_memory + GUARD + types[d].real * (n % 3);
    memset(y - GUARD, FILL, bytes);
    memset(bit_memory, FILL, 2 * GUARD + (n + 7) / 8);
    const uint8_t *x = place == OVER_X ? memcpy(y, input, n * size) : fenced(X, input, n * size);
    const uint8_t *bias = fenced(BIAS, biases, (period + FD_BIAS_SLACK) * size);
    const uint8_t *added =
        place == OVER_RESIDUAL ? memcpy(y, residual, n * size) : fenced(RESIDUAL, residual, n * size);
    fd_bias_residual(&run, &draw, d, index, n, scale, x, with_bias ? bias : NULL, period, with_residual ? added : NULL,
                     y, with_bits ? bit_memory + GUARD : NULL);
    check_y(d, y, bytes, 0);
    if (with_bits)
        check_bits(mask, n);
}

enum { WIDEST = 2 * 5000 }; /* reals of a row */

static struct column {
    long double sum, lost, magnitude;
} columns[WIDEST];

/* Neumaier's sum, whose error does not grow; past an infinity there is none to keep. */
static void add(struct column *column, double a) {
    const long double before = column->sum, after = before + a;
    if (isfinite(after))
        column->lost += fabsl(before) >= fabs(a) ? (before - after) + a : (a - after) + before;
    column->sum = after;
    column->magnitude += fabs(a);
}

/*
 * The sum of each column of dx, as it is stored, but for the rounding of sums in double precision; that of doubles is
 * to be as good as if only its last additions had been rounded. Infinities and NaNs are as in any sum.
 */
static void check_sums(fd_dtype d, const uint8_t *dx, size_t n, size_t period, const double *sums) {
    const size_t real = types[d].real, row = period * types[d].reals;
    const long double unit = types[d].real == 8 ? 8 : 8 + (long double)(n / period);
    memset(columns, 0, sizeof columns);
    for (size_t i = 0; i < n * types[d].reals; i++)
        add(&columns[i % row], number_of(d, load(d, dx + i * real)));
    for (size_t i = 0; i < row; i++) {
        const long double right = columns[i].sum + columns[i].lost, magnitude = columns[i].magnitude;
        const int may_overflow = isfinite(magnitude) && magnitude > DBL_MAX;
        const int is_right = !isfinite(magnitude) ? sums[i] == right || (isnan(sums[i]) && isnan(right))
                                                  : fabsl(sums[i] - right) <= unit * DBL_EPSILON * magnitude;
        if (!is_right && !may_overflow)
            fail("sum of column", i);
    }
}

static void check_backward(fd_dtype d, size_t n, size_t period, double p, int in_place) {
    static double memory[2 * 2 * WIDEST + 2];
    const size_t size = fd_itemsize(d), bytes = n * size + 2 * GUARD;
    const size_t length = (fd_bias_parts(n) + 1) * 2 * period * types[d].reals;
    const fd_run run = {backend, 2, in_place ? SIZE_MAX : 0, 1};
    const fd_draw draw = fd_draw_init(key, 5, p);
    const fd_values values = {p < 1 ? 1 / (1 - p) : 1, 0, 0, NULL};
    const drop call = {"", d, &draw, values, values};
    draw_mask(&draw, 0, n);
    keep_all(&call, NULL, n);
    memset(want, FILL, bytes);
    memset(want + GUARD, 0, n * size);
    for (size_t i = 0; i < n; i++)
        if (bit(mask, i))
            memcpy(want + GUARD + i * size, as_kept + i * size, size);
    uint8_t *dx = y_memory + GUARD;
    memset(y_memory, FILL, bytes);
    memset(memory, 0, sizeof memory);
    memory[0] = memory[length + 1] = 7;
    const uint8_t *dy = in_place ? memcpy(dx, input, n * size) : fenced(X, input, n * size);
    const uint8_t *bits = fenced(STORED, mask, (n + 7) / 8);
    fd_bias_residual_backward(&run, d, n, period, values.scale, bits, dy, dx, memory + 1);
    check_y(d, dx, bytes, p == 0);
    check_sums(d, want + GUARD, n, period, memory + 1);
    if (memory[0] != 7 || memory[length + 1] != 7)
        fail("memory around the sums", 0);
}

void check_residual(void) {
    static const struct {
        size_t n, period;
        uint64_t index;
    } sizes[] = {{0, 1, 0},        {1, 1, 5},       {63, 63, 0},   {64, 1, 64},       {65, 13, 1},
                 {4096, 64, 4096}, {4095, 4095, 0}, {8193, 3, 63}, {10000, 5000, 77}, {9003, 83, UINT64_MAX - 9002},
                 {12300, 100, 0}};
    const size_t large = 540000;
    for (fd_dtype d = 0; d < FD_DTYPES; d++) {
        fill(d, input, 12300, 0);
        for (size_t i = 0; i < COUNT(sizes); i++) {
            const size_t n = sizes[i].n, period = sizes[i].period;
            for (int operands = 0; operands < 4; operands++)
                for (int place = 0; place < PLACES; place++)
                    if ((place != OVER_RESIDUAL || operands & 2) &&
                        begin("residual-%s-n%zu-operands%d-place%d", types[d].name, n, operands, place))
                        check_forward(d, sizes[i].index, n, period, operands, place);
            for (int in_place = 0; in_place < 2; in_place++)
                if (begin("gradient-%s-n%zu-%s", types[d].name, n, in_place ? "in-place" : "apart"))
                    check_backward(d, n, period, i % 4 == 3 ? 1 : i % 4 == 2 ? 0 : .1, in_place);
        }
    }
    for (fd_dtype d = FD_F32; d <= FD_F64; d++) { /* worth two threads, and parts of the sums */
        fill(d, input, large, 0);
        if (begin("residual-%s-large", types[d].name))
            check_forward(d, 0, large, 600, 3, APART);
        for (size_t i = 0; i < large; i++) { /* finite specials; what drifts; numbers near 1, but for two */
            const double number = number_of(d, load(d, input + i * types[d].real));
            const double each[] = {isfinite(number) ? number : 0, .1, i == 5 || i == 8 ? INFINITY : number};
            store(d, input + i * types[d].real, pattern_of(d, each[i % 3]));
        }
        if (begin("gradient-%s-large", types[d].name))
            check_backward(d, large, 3, .1, 0);
    }
}
