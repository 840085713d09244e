#include "calls.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const fd_key key = {0x0123456789ABCDEF, 0xFEDCBA9876543210};
static const double ps[] = {.1, .5, 0, 1};
static const uint64_t indices[] = {5, 0, 3 * 4096 + 70};

/* How many of these to try: where the arrays are large, the first is enough. */
static size_t some(const operands *in, size_t count) { return in->n < 1 << 16 ? count : 1; }

static uint64_t mixed(uint64_t z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    return z ^ z >> 31;
}

static uint64_t digest(uint64_t so_far, const uint8_t *bytes, size_t n) {
    for (size_t at = 0; at < n; at += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, n - at < 8 ? n - at : 8);
        so_far = mixed(so_far + word + 1);
    }
    return so_far;
}

static size_t packed(size_t n) { return (n + 7) / 8; }

static uint8_t *copy(place where, const uint8_t *from, size_t bytes) {
    uint8_t *to = take(where, bytes);
    if (bytes > 0)
        memcpy(to, from, bytes);
    return to;
}

/* Numbers in [1, 2) of both signs, whose sums and products are finite in every type. */
static uint8_t *numbers(place where, fd_dtype dtype, size_t n, uint64_t seed) {
    static const struct {
        size_t size;
        uint64_t one, fraction;
    } reals[FD_DTYPES] = {
        [FD_F16] = {2, 0x3C00, 0x3FF},        [FD_BF16] = {2, 0x3F80, 0x7F},
        [FD_F32] = {4, 0x3F800000, 0x7FFFFF}, [FD_F64] = {8, 0x3FF0000000000000, 0xFFFFFFFFFFFFF},
        [FD_C64] = {4, 0x3F800000, 0x7FFFFF}, [FD_C128] = {8, 0x3FF0000000000000, 0xFFFFFFFFFFFFF},
    };
    const size_t size = reals[dtype].size, bytes = n * fd_itemsize(dtype);
    uint8_t *to = take(where, bytes);
    for (size_t i = 0; i < bytes / size; i++) {
        const uint64_t r = mixed(seed + i), number = reals[dtype].one | (r & reals[dtype].fraction);
        const uint64_t signed_number = number | (r >> 63) << (8 * size - 1);
        for (size_t byte = 0; byte < size; byte++) /* little-endian or big */
            to[i * size + (*(const uint8_t *)&(const uint16_t){1} ? byte : size - 1 - byte)] =
                (uint8_t)(signed_number >> 8 * byte);
    }
    return to;
}

operands make_operands(place where, fd_dtype dtype, size_t n) {
    operands in = {.where = where, .dtype = dtype, .n = n, .period = n % 3 == 0 ? n / 3 : n};
    in.x = numbers(where, dtype, n, 1);
    in.residual = numbers(where, dtype, n, 2);
    in.bias = numbers(where, dtype, in.period + FD_BIAS_SLACK, 3);
    for (size_t i = in.period; in.period > 0 && i < in.period + FD_BIAS_SLACK; i++)
        memcpy(in.bias + i * fd_itemsize(dtype), in.bias + (i - in.period) * fd_itemsize(dtype), fd_itemsize(dtype));
    in.bits = take(where, packed(n));
    for (size_t i = 0; i < packed(n); i++)
        in.bits[i] = (uint8_t)(mixed(i) & (i == n / 8 ? (1U << n % 8) - 1 : 0xFF));
    in.p = take(where, n * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        const double p = i % 9 == 0 ? 0 : (double)(mixed(i) >> 32) * 0x1p-32;
        memcpy(in.p + i * sizeof p, &p, sizeof p);
    }
    return in;
}

void give_operands(const operands *in) {
    const size_t size = fd_itemsize(in->dtype);
    give(in->where, in->x, in->n * size);
    give(in->where, in->residual, in->n * size);
    give(in->where, in->bias, (in->period + FD_BIAS_SLACK) * size);
    give(in->where, in->bits, packed(in->n));
    give(in->where, in->p, in->n * sizeof(double));
}

/* fd_dropout by one draw: apart with bits, apart without, and in place. */
static uint64_t forward(const operands *in, const fd_run *run, const fd_draw *draw, uint64_t index,
                        const fd_values *values) {
    const size_t bytes = in->n * fd_itemsize(in->dtype);
    uint64_t sum = 0;
    for (int variant = 0; variant < 3; variant++) {
        uint8_t *y = variant == 2 ? copy(in->where, in->x, bytes) : take(in->where, bytes);
        uint8_t *bits = variant == 0 ? take(in->where, packed(in->n)) : NULL;
        fd_dropout(run, draw, in->dtype, index, in->n, values, variant == 2 ? y : in->x, y, bits);
        sum = digest(sum, y, bytes);
        if (bits) {
            sum = digest(sum, bits, packed(in->n));
            give(in->where, bits, packed(in->n));
        }
        give(in->where, y, bytes);
    }
    return sum;
}

static uint64_t dropout(const operands *in, const fd_run *run) {
    uint64_t sum = 0;
    for (size_t p = 0; p < some(in, COUNT(ps)); p++)
        for (size_t i = 0; i < some(in, COUNT(indices)); i++) {
            const fd_draw draw = fd_draw_init(key, i, ps[p]);
            const fd_values plain = {ps[p] < 1 ? 1 / (1 - ps[p]) : 1, 0, 0, NULL}, alpha = {1.25, .5, -.75, NULL};
            sum += mixed(sum ^ forward(in, run, &draw, indices[i], &plain));
            if (in->dtype < FD_C64)
                sum += mixed(sum ^ forward(in, run, &draw, indices[i], &alpha));
        }
    return sum;
}

/* An array p of n values, and one whose only value repeats. */
static uint64_t dropout_p_array(const operands *in, const fd_run *run) {
    const double *p = (const double *)(const void *)in->p;
    uint64_t sum = 0;
    for (size_t i = 0; in->n > 0 && i < some(in, COUNT(indices)); i++)
        for (ptrdiff_t step = 0; step <= 8; step += 8) {
            const fd_p_array rates = fd_p_array_of(p, 1, &in->n, &step);
            const fd_draw draw = fd_draw_init_array(key, 3, &rates);
            const fd_values same = {1, 0, 0, NULL}, own = {1, 0, 0, p};
            sum += mixed(sum ^ forward(in, run, &draw, indices[i], &same));
            if (step > 0)
                sum += mixed(sum ^ forward(in, run, &draw, indices[i], &own));
        }
    return sum;
}

/* The bits of five rows of n, far apart and close; the same rows by an array p. */
static uint64_t window(const operands *in, const fd_run *run) {
    const size_t shape[] = {5, in->n}, bytes = packed(5 * in->n);
    const ptrdiff_t step[] = {0, 8};
    uint64_t sum = 0;
    for (size_t p = 0; p < some(in, COUNT(ps)) + 1; p++)
        for (size_t i = 0; i < some(in, COUNT(indices)); i++) {
            const uint64_t stride[] = {i % 2 ? in->n : in->n + 9000, 1};
            const fd_p_array rates = fd_p_array_of((const double *)(const void *)in->p, 2, shape, step);
            const fd_draw draw =
                p < some(in, COUNT(ps)) ? fd_draw_init(key, 4, ps[p]) : fd_draw_init_array(key, 4, &rates);
            uint8_t *bits = take(in->where, bytes);
            fd_bits(run, &draw, 2, shape, stride, indices[i], bits);
            sum = digest(sum, bits, bytes);
            give(in->where, bits, bytes);
        }
    return sum;
}

/* fd_apply over rows of COLUMNS elements, in buffers that end where the last element does. */
enum { COLUMNS = 7, C_ORDER = 0, FORTRAN = 1, GAPS = 2, BACKWARDS = 3, LAYOUTS };

/* The steps of a layout in elements; returns how many it spans, *first is the place of element (0, 0). */
static size_t lay_out(int layout, size_t rows, ptrdiff_t step[2], size_t *first) {
    const ptrdiff_t gap = layout == GAPS ? 2 : 1, sign = layout == BACKWARDS ? -1 : 1;
    step[0] = layout == FORTRAN ? 1 : sign * gap * COLUMNS;
    step[1] = layout == FORTRAN ? (ptrdiff_t)rows : sign * gap;
    *first = layout == BACKWARDS ? rows * COLUMNS - 1 : 0;
    return rows * COLUMNS * (size_t)gap - (size_t)(gap - 1);
}

static uint64_t apply_layout(const operands *in, const fd_run *run, int x_layout, int y_layout, int repeated,
                             int with_p) {
    const size_t size = fd_itemsize(in->dtype), rows = in->n / COLUMNS / 2;
    const ptrdiff_t element = (ptrdiff_t)size;
    ptrdiff_t x_step[2], y_step[2];
    size_t x_first, y_first;
    const size_t x_bytes = lay_out(x_layout, rows, x_step, &x_first) * size;
    const size_t y_bytes = lay_out(y_layout, rows, y_step, &y_first) * size;
    const size_t bit_bytes = packed(repeated ? rows : rows * COLUMNS);
    uint8_t *x = copy(in->where, in->x, x_bytes), *y = take(in->where, y_bytes);
    uint8_t *bits = copy(in->where, in->bits, bit_bytes), *p = copy(in->where, in->p, rows * sizeof(double));
    const fd_values values = {1.25, 0, 0, with_p ? (const double *)(const void *)p : NULL};
    fd_axis axes[] = {
        {rows, repeated ? 1 : COLUMNS, x_step[0] * element, y_step[0] * element, with_p ? 8 : 0},
        {COLUMNS, repeated ? 0 : 1, x_step[1] * element, y_step[1] * element, 0},
    };
    memset(y, 0, y_bytes);
    fd_apply(run, in->dtype, 2, axes, &values, bits, x + x_first * size, y + y_first * size);
    const uint64_t sum = digest(0, y, y_bytes);
    give(in->where, x, x_bytes);
    give(in->where, y, y_bytes);
    give(in->where, bits, bit_bytes);
    give(in->where, p, rows * sizeof(double));
    return sum;
}

static uint64_t apply(const operands *in, const fd_run *run) {
    uint64_t sum = 0;
    for (int layout = 0; in->n >= 2 * COLUMNS && layout < LAYOUTS * LAYOUTS; layout += in->n < 1 << 16 ? 1 : 5)
        for (int variant = 0; variant < 4; variant++)
            sum += mixed(sum ^ apply_layout(in, run, layout % LAYOUTS, layout / LAYOUTS, variant % 2, variant / 2));
    return sum;
}

static uint64_t bias_residual(const operands *in, const fd_run *run) {
    const size_t bytes = in->n * fd_itemsize(in->dtype);
    uint64_t sum = 0;
    for (int variant = 0; in->n > 0 && variant < 8; variant++) {
        const double p = ps[variant % 4];
        const fd_draw draw = fd_draw_init(key, 5, p);
        uint8_t *y = variant & 4 ? copy(in->where, in->x, bytes) : take(in->where, bytes);
        uint8_t *bits = variant & 4 ? NULL : take(in->where, packed(in->n));
        fd_bias_residual(run, &draw, in->dtype, indices[variant % 3], in->n, p < 1 ? 1 / (1 - p) : 1,
                         variant & 4 ? y : in->x, variant & 1 ? in->bias : NULL, in->period,
                         variant & 2 ? in->residual : NULL, y, bits);
        sum = digest(sum, y, bytes);
        if (bits) {
            sum = digest(sum, bits, packed(in->n));
            give(in->where, bits, packed(in->n));
        }
        give(in->where, y, bytes);
    }
    return sum;
}

static uint64_t bias_residual_backward(const operands *in, const fd_run *run) {
    if (in->n == 0)
        return 0;
    const size_t bytes = in->n * fd_itemsize(in->dtype), reals = in->dtype >= FD_C64 ? 2 : 1;
    const size_t sum_bytes = (fd_bias_parts(in->n) + 1) * 2 * reals * in->period * sizeof(double);
    uint8_t *dx = take(in->where, bytes), *sums = take(in->where, sum_bytes);
    memset(sums, 0, sum_bytes);
    fd_bias_residual_backward(run, in->dtype, in->n, in->period, 1.25, in->bits, in->x, dx, (double *)(void *)sums);
    const uint64_t sum = digest(digest(0, dx, bytes), sums, reals * in->period * sizeof(double));
    give(in->where, dx, bytes);
    give(in->where, sums, sum_bytes);
    return sum;
}

static uint64_t samples(const operands *in, const fd_run *run) {
    enum { SAMPLES = 3 };
    const size_t bytes = SAMPLES * in->n * fd_itemsize(in->dtype);
    uint64_t sum = 0;
    for (size_t p = 0; p < some(in, COUNT(ps)); p++) {
        uint8_t *y = take(in->where, bytes);
        fd_samples(run, key, ps[p], in->dtype, indices[p % COUNT(indices)], in->n, SAMPLES, in->x, y);
        sum = digest(sum, y, bytes);
        give(in->where, y, bytes);
    }
    return sum;
}

/* Every other row, and columns 0, 3 and 7, of a matrix that ends where its last element does. */
static uint64_t part(const operands *in, const fd_run *run) {
    static const ptrdiff_t column[] = {0, 3, 7};
    const size_t size = fd_itemsize(in->dtype), all_rows = in->n / 8, rows = all_rows / 2;
    if ((in->dtype != FD_F32 && in->dtype != FD_F64) || rows == 0)
        return 0;
    const size_t bytes = all_rows * 8 * size, packed_bytes = rows * COUNT(column) * size;
    uint8_t *whole = copy(in->where, in->x, bytes), *matrix = take(in->where, packed_bytes);
    uint8_t *row = take(in->where, rows * sizeof(ptrdiff_t));
    for (size_t i = 0; i < rows; i++)
        ((ptrdiff_t *)(void *)row)[i] = (ptrdiff_t)(2 * i + all_rows % 2);
    const fd_part where = {rows,   COUNT(column),       (const ptrdiff_t *)(const void *)row,
                           column, 8 * (ptrdiff_t)size, (ptrdiff_t)size};
    fd_gather(run, in->dtype, &where, whole, matrix);
    uint64_t sum = digest(0, matrix, packed_bytes);
    fd_sgd_step(run, in->dtype, &where, .25, matrix, whole);
    sum = digest(sum, whole, bytes);
    fd_scatter(run, in->dtype, &where, matrix, whole);
    sum = digest(sum, whole, bytes);
    give(in->where, whole, bytes);
    give(in->where, matrix, packed_bytes);
    give(in->where, row, rows * sizeof(ptrdiff_t));
    return sum;
}

static uint64_t rates_copy(const operands *in, const fd_run *run) {
    const size_t bytes = in->n * sizeof(double);
    uint8_t *to = take(in->where, bytes);
    const size_t wrong = fd_p_array_copy(run, (const double *)(const void *)in->p, in->n, (double *)(void *)to);
    const uint64_t sum = digest(wrong, to, bytes);
    give(in->where, to, bytes);
    return sum;
}

const entry_point entry_points[] = {
    {"dropout", dropout},
    {"dropout-each", dropout_p_array},
    {"bits", window},
    {"apply", apply},
    {"bias-residual", bias_residual},
    {"bias-residual-backward", bias_residual_backward},
    {"samples", samples},
    {"part", part},
    {"rates-copy", rates_copy},
};
const size_t entry_point_count = COUNT(entry_points);
