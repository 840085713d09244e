/*
 * Checks every backend that runs here: `check_core VECTORS [ID]` prints a line for each, and exits with 1 on a
 * mismatch, whose id, given back, runs that case alone.
 *
 * Masks are compared with known answers, and values with the products that this file computes one by one, at places
 * kept by the portable backend's bits.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { BYTES = 1 << 23, GUARD = 64, FILL = 0xA5, LARGE = (1 << 20) + 4097 }; /* LARGE is worth two threads */

/* x, x * scale, memory for the operands, and what y's must be in the end: its guards and gaps included. */
static _Alignas(64) uint8_t input[BYTES], scaled[BYTES], x_memory[BYTES], y_memory[BYTES], want[BYTES];
static uint8_t mask[BYTES / 8], bit_memory[BYTES / 8];

static const fd_key key = {0x0123456789ABCDEF, 0xFEDCBA9876543210};
static const uint64_t unit = 1;
static const fd_backend *portable;
static const char *only; /* the one case to run, or NULL */
static char id[200];
static long cases, failures;

/* Names the next case; whether it is to run. */
#define BEGIN(...) (snprintf(id, sizeof id, __VA_ARGS__), (!only || strcmp(only, id) == 0) && ++cases)

static void fail(const char *what, size_t at) {
    if (failures++ < 10)
        printf("FAIL %s: %s, byte %zu\n", id, what, at);
}

static void scale_input(fd_dtype d, size_t n, double scale) {
    memcpy(scaled, input, n * types[d].real * types[d].reals);
    for (size_t at = 0; scale != 1 && at < n * types[d].real * types[d].reals; at += types[d].real)
        store(d, scaled + at, product(d, load(d, input + at), scale));
}

/* y and its guards are the n bytes of `want`; any NaN stands for any other unless nothing was computed. */
static void check_y(fd_dtype d, const uint8_t *y, size_t n, double scale) {
    const uint8_t *got = y - GUARD;
    if (memcmp(got, want, n) == 0)
        return;
    for (size_t at = 0; at < n; at += types[d].real) {
        const uint64_t a = load(d, got + at), b = load(d, want + at);
        if (a != b && (scale == 1 || !is_nan(d, a) || !is_nan(d, b))) {
            fail("y", at - GUARD);
            return;
        }
    }
}

/* The n bits between guards are those expected, the rest of their last byte is zero. */
static void check_bits(const uint8_t *expected, size_t n) {
    for (size_t i = 0; i < 2 * GUARD + (n + 7) / 8; i++) {
        const int inside = GUARD <= i && i < GUARD + (n + 7) / 8, part = n % 8 != 0 && i == GUARD + n / 8;
        const int byte = inside ? expected[i - GUARD] & (part ? (1 << n % 8) - 1 : 0xFF) : FILL;
        if (bit_memory[i] != byte) {
            fail("bits", i - GUARD);
            return;
        }
    }
}

static int bit(size_t i) { return mask[i / 8] >> i % 8 & 1; }

/* n elements in every mode, half of them with bits: `mask` is that of `index`. */
static void check_modes(const fd_backend *backend, fd_dtype d, const fd_draw *draw, const char *p, uint64_t index,
                        size_t n, double scale) {
    static const struct {
        const char *name;
        int in_place;
        size_t x_shift, y_shift, cache_bytes; /* the shifts are in reals */
    } modes[] = {{"in-place", 1, 0, 1, 0}, {"apart", 0, 0, 1, SIZE_MAX}, {"bypass", 0, 1, 0, 0}, {"odd", 0, 0, 1, 0}};
    const size_t real = types[d].real, size = fd_itemsize(d), bytes = n * size + 2 * GUARD;
    memset(want, FILL, bytes);
    memset(want + GUARD, 0, n * size);
    for (size_t i = 0; i < n; i++)
        if (bit(i))
            memcpy(want + GUARD + i * size, scaled + i * size, size);
    for (size_t m = 0; m < COUNT(modes); m++) {
        const int in_place = modes[m].in_place, with_bits = (m + n + index) % 2 == 0;
        const fd_run run = {backend, 2, modes[m].cache_bytes};
        uint8_t *y = y_memory + GUARD + 16 + modes[m].y_shift * real; /* aligned to 16 and no further, or less */
        uint8_t *x = in_place ? y : x_memory + modes[m].x_shift * real;
        if (!BEGIN("%s-dropout-%s-n%zu-at%" PRIu64 "-p%s-%s%s", fd_backend_name(backend), types[d].name, n, index, p,
                   modes[m].name, with_bits ? "-bits" : ""))
            continue;
        memset(y - GUARD, FILL, bytes);
        memset(bit_memory, FILL, 2 * GUARD + (n + 7) / 8);
        memcpy(x, input, n * size);
        fd_dropout(&run, draw, d, index, n, scale, x, y, with_bits ? bit_memory + GUARD : NULL);
        check_y(d, y, bytes, scale);
        if (with_bits)
            check_bits(mask, n);
        if (!in_place && memcmp(x, input, n * size) != 0)
            fail("x", 0);
    }
}

static void check_dropout(const fd_backend *backend) {
    static const struct {
        const char *name;
        double p;
    } draws[] = {{"0", 0},
                 {"1", 1},
                 {".5", .5},
                 {".1", .1},
                 {"3:8", 3. / 8},
                 {"1:512", 1. / 512},
                 {"2^-20", 0x1p-20},
                 {"1-2^-53", 1 - 0x1p-53},
                 {".3-uninverted", .3}};
    static const size_t sizes[] = {0, 1, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 20003};
    static const uint64_t indices[] = {0, 1, 5 * 4096 + 575, UINT64_MAX - 20002};
    const size_t largest = sizes[COUNT(sizes) - 1];
    const fd_run once = {portable, 1, SIZE_MAX};
    for (fd_dtype d = 0; d < FD_DTYPES; d++) {
        fill(d, input, largest);
        for (size_t p = 0; p < COUNT(draws); p++) {
            const fd_draw draw = fd_draw_init(key, 1, draws[p].p);
            const double scale = p == COUNT(draws) - 1 ? 1 : 1 / (1 - draws[p].p);
            scale_input(d, largest, scale);
            for (size_t i = 0; i < COUNT(indices); i++) {
                fd_bits(&once, &draw, 1, &largest, &unit, indices[i], mask);
                for (size_t s = 0; s < COUNT(sizes) - i % 2; s++) /* the largest at every other index */
                    check_modes(backend, d, &draw, draws[p].name, indices[i], sizes[s], scale);
            }
        }
    }
}

/* What is worth two threads: a forward, and the bits of a window. */
static void check_large(const fd_backend *backend) {
    static const size_t n = LARGE, shape[] = {1100, 1000};
    static const uint64_t strides[] = {1003, 1};
    const fd_run run = {backend, 2, SIZE_MAX}, once = {portable, 1, SIZE_MAX};
    const fd_draw draw = fd_draw_init(key, 2, .1);
    fill(FD_F32, input, n);
    scale_input(FD_F32, n, 1 / .9);
    fd_bits(&once, &draw, 1, &n, &unit, 77, mask);
    check_modes(backend, FD_F32, &draw, ".1", 77, n, 1 / .9);
    if (BEGIN("%s-window-1100x1000", fd_backend_name(backend))) {
        memset(bit_memory, FILL, sizeof bit_memory);
        fd_bits(&once, &draw, 2, shape, strides, 77, mask);
        fd_bits(&run, &draw, 2, shape, strides, 77, bit_memory + GUARD);
        check_bits(mask, shape[0] * shape[1]);
    }
}

/* Every pattern of the 16-bit types. */
static void check_halves(const fd_backend *backend) {
    static const double scales[] = {1 / (1 - .3), 1.25, 0x1.8p-7}; /* the last two make ties, of denormals too */
    const fd_run run = {backend, 1, SIZE_MAX};
    memset(mask, 0xFF, 8192);
    for (fd_dtype d = FD_F16; d <= FD_BF16; d++)
        for (size_t s = 0; s < COUNT(scales); s++)
            if (BEGIN("%s-patterns-%s-%g", fd_backend_name(backend), types[d].name, scales[s])) {
                fd_axis axis = {65536, 1, 2, 2};
                for (uint64_t bits = 0; bits < 65536; bits++)
                    store(d, input + 2 * bits, bits);
                scale_input(d, 65536, scales[s]);
                memset(want, FILL, 131072 + 2 * GUARD);
                memcpy(want + GUARD, scaled, 131072);
                memset(y_memory, FILL, 131072 + 2 * GUARD);
                fd_apply(&run, d, 1, &axis, scales[s], mask, input, y_memory + GUARD);
                check_y(d, y_memory + GUARD, 131072 + 2 * GUARD, scales[s]);
            }
}

/* The steps of an operand that has one of 16 layouts; returns the bytes it spans, *first is where its element 0 is. */
static size_t lay_out(const size_t *extent, int layout, size_t size, ptrdiff_t *step, size_t *first) {
    const int fortran = layout & 1, gaps = layout & 2, negative = layout & 4, swapped = layout & 8;
    size_t span = size;
    *first = 0;
    for (int i = 0; i < 4; i++) {
        const int place = swapped ? i ^ 1 : i, axis = fortran ? place : 3 - place;
        const int backwards = negative && axis % 2 == 0;
        span += gaps && extent[axis] > 1 ? size : 0;
        step[axis] = backwards ? -(ptrdiff_t)span : (ptrdiff_t)span;
        *first += backwards ? (extent[axis] - 1) * span : 0;
        span *= extent[axis];
    }
    return span;
}

/* y = x * scale where `mask` has a one, element by element. */
static void apply_slowly(const fd_axis *axes, size_t size, const uint8_t *x, uint8_t *y) {
    ptrdiff_t i[4];
    const ptrdiff_t extent[4] = {(ptrdiff_t)axes[0].extent, (ptrdiff_t)axes[1].extent, (ptrdiff_t)axes[2].extent,
                                 (ptrdiff_t)axes[3].extent};
#define SUM(field) (i[0] * axes[0].field + i[1] * axes[1].field + i[2] * axes[2].field + i[3] * axes[3].field)
    for (i[0] = 0; i[0] < extent[0]; i[0]++)
        for (i[1] = 0; i[1] < extent[1]; i[1]++)
            for (i[2] = 0; i[2] < extent[2]; i[2]++)
                for (i[3] = 0; i[3] < extent[3]; i[3]++) {
                    if (bit((size_t)SUM(bit)))
                        memcpy(y + SUM(y), x + SUM(x), size);
                    else
                        memset(y + SUM(y), 0, size);
                }
#undef SUM
}

/* Variants: 16 layouts of y, in place, then with an x apart: in the same layout, or C order meets Fortran order. */
static void check_layout(const fd_backend *backend, fd_dtype d, const size_t *extent, int variant, double scale) {
    const int layout = variant % 16, in_place = variant < 16;
    const size_t size = fd_itemsize(d);
    const fd_run run = {backend, 2, 0};
    ptrdiff_t x_step[4], y_step[4], bit_step = 1;
    size_t x_first, y_first;
    const size_t bytes = lay_out(extent, layout, size, y_step, &y_first) + 2 * GUARD;
    lay_out(extent, in_place ? layout : layout * 9 % 16, size, x_step, &x_first);
    fd_axis axes[4];
    for (int i = 3; i >= 0; i--) { /* bits in C order, those of one axis repeated in most variants */
        const int repeated = i + 1 == variant % 5;
        axes[i] = (fd_axis){extent[i], repeated ? 0 : bit_step, x_step[i], y_step[i]};
        bit_step *= repeated ? 1 : (ptrdiff_t)extent[i];
    }
    uint8_t *y = y_memory + GUARD;
    memset(y_memory, FILL, bytes);
    if (in_place)
        memcpy(y, input, bytes - 2 * GUARD);
    memcpy(want, y_memory, bytes);
    apply_slowly(axes, size, scaled + x_first, want + GUARD + y_first);
    int ndim = 4;
    while (ndim > 0 && extent[4 - ndim] == 1)
        ndim--;
    fd_apply(&run, d, ndim, axes + 4 - ndim, scale, mask, (in_place ? y : input) + x_first, y + y_first);
    check_y(d, y, bytes, scale);
}

static void check_apply(const fd_backend *backend) {
    static const size_t extents[][4] = {{1, 1, 1, 1},   {1, 1, 1, 4200}, {1, 1, 3, 0},  {1, 1, 70, 130}, {1, 1, 520, 3},
                                        {1, 1, 130, 1}, {1, 2, 66, 33},  {2, 3, 65, 9}, {1, 1, 512, 520}};
    const size_t room = 1 << 16, large = 540000;
    const double scale = 1 / .7;
    const fd_run once = {portable, 1, SIZE_MAX};
    const fd_draw draw = fd_draw_init(key, 3, .3);
    fd_bits(&once, &draw, 1, &large, &unit, 7, mask);
    for (fd_dtype d = 0; d < FD_DTYPES; d++) {
        fill(d, input, d == FD_F32 ? large : room);
        scale_input(d, d == FD_F32 ? large : room, scale);
        const size_t last = COUNT(extents) - 1, first = d == FD_BF16 || d == FD_C64; /* the sizes of f16 and f64 */
        for (size_t i = first; i < (first ? 2 : COUNT(extents)); i++)
            for (int variant = 0; variant < 32; variant++)
                if (i < last || (d == FD_F32 && variant % 15 < 2)) /* worth two threads: a few will do */
                    if (BEGIN("%s-apply-%s-array%zu-variant%d", fd_backend_name(backend), types[d].name, i, variant))
                        check_layout(backend, d, extents[i], variant, scale);
    }
}

/* The known answers: a case a line, as write_vectors in run.py makes them. */
static int check_vectors(const fd_backend *backend, FILE *file) {
    static char hex[8192];
    static uint8_t expected[4096];
    const fd_run run = {backend, 2, SIZE_MAX};
    fd_key k;
    uint64_t stream, start;
    double p;
    int ndim, line = 0;
    rewind(file);
    while (fscanf(file, "%" SCNx64 "%" SCNx64 "%" SCNu64 "%la%" SCNu64 "%d", &k.k0, &k.k1, &stream, &p, &start,
                  &ndim) == 6) {
        size_t shape[8], n = 1;
        uint64_t strides[8];
        line++;
        for (int i = 0; i < ndim && i < 8; i++) {
            if (fscanf(file, "%zu%" SCNu64, &shape[i], &strides[i]) != 2)
                return 0;
            n *= shape[i];
        }
        if (fscanf(file, "%8191s", hex) != 1 || strlen(hex) != (n + 7) / 8 * 2)
            return 0;
        for (size_t i = 0; i < (n + 7) / 8; i++)
            sscanf(hex + 2 * i, "%2" SCNx8, &expected[i]);
        const fd_draw draw = fd_draw_init(k, stream, p);
        memset(bit_memory, FILL, 2 * GUARD + sizeof expected);
        if (BEGIN("%s-vector-line%d", fd_backend_name(backend), line)) {
            fd_bits(&run, &draw, ndim, shape, strides, start, bit_memory + GUARD);
            check_bits(expected, n);
        }
        if (ndim == 1 && BEGIN("%s-vector-line%d-dropout", fd_backend_name(backend), line)) {
            memset(bit_memory, FILL, 2 * GUARD + sizeof expected);
            fd_dropout(&run, &draw, FD_F16, start, n, 1, x_memory, y_memory, bit_memory + GUARD);
            check_bits(expected, n);
        }
    }
    return line > 0 && feof(file);
}

static void crashed(int number) {
    printf("FAIL %s: signal %d\n", id, number);
    fflush(stdout);
    _Exit(1);
}

int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    long all_failures = 0;
    only = argc > 2 ? argv[2] : NULL;
    for (int i = 0; fd_backend_at(i); i++)
        portable = fd_backend_at(i); /* the last */
    signal(SIGSEGV, crashed);
    signal(SIGILL, crashed);
    make_values();
    printf("%s, %s\n", fd_compiler(), fd_has_openmp() ? "OpenMP" : "serial");
    for (int i = 0; fd_backend_at(i); i++) {
        const fd_backend *backend = fd_backend_at(i);
        if (!fd_backend_supported(backend))
            continue;
        cases = failures = 0;
        if (!file || !check_vectors(backend, file)) {
            printf("no vectors, or not as expected\n");
            return 2;
        }
        check_dropout(backend);
        check_apply(backend);
        check_halves(backend);
        check_large(backend);
        printf("backend %s %ld %s\n", fd_backend_name(backend), cases, failures ? "FAILED" : "ok");
        all_failures += failures;
    }
    fclose(file);
    return all_failures > 0;
}
