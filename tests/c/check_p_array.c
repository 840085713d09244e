/* An array p: one U an element against its own T, wherever the values of p lie, in windows and in dropout. */
#include "check.h"
#include "stream.h"

#include <math.h>

enum { MOST = 60000, RATES_OF_A_TEAM = 70001 };

static uint64_t uniforms[MOST];
static double memory[MOST], rates[MOST]; /* where the values lie; those of the elements in C order */

static const struct layout {
    const char *name;
    int ndim;
    size_t shape[4];
    ptrdiff_t step[4];  /* in values */
    uint64_t stride[4]; /* of the index; 0: the array is no part of a larger one */
} layouts[] = {
    {"one", 1, {1}, {1}, {0}},
    {"ones", 3, {1, 1, 1}, {5, 6, 7}, {0}},
    {"63", 1, {63}, {1}, {0}},
    {"65", 1, {65}, {1}, {0}},
    {"elements", 1, {9003}, {1}, {0}},
    {"reversed", 1, {4500}, {-1}, {0}},
    {"gaps", 1, {4500}, {3}, {0}},
    {"repeated", 1, {4500}, {0}, {0}},
    {"last-of-one", 2, {4500, 1}, {1, 7}, {0}},
    {"channels", 4, {3, 5, 40, 21}, {0, 1, 0, 0}, {0}},
    {"samples", 3, {7, 1, 701}, {1, 9, 0}, {0}},
    {"units", 2, {90, 77}, {0, 1}, {0}},
    {"fortran", 3, {9, 30, 41}, {1, 9, 270}, {0}},
    {"mixed", 4, {5, 6, 8, 70}, {-3, 0, 15, 120}, {0}},
    {"threads", 2, {300, 200}, {200, 1}, {0}},
    {"window", 2, {40, 70}, {70, 1}, {100, 1}},
    {"window-far", 2, {5, 600}, {0, 1}, {9001, 1}},
    {"window-3d", 3, {4, 10, 33}, {1, 0, 4}, {5000, 90, 1}},
};

/*
 * Any p, 0 and 1, what has few bits and many; and in every other word one that has its own U for a threshold, or the
 * U of a neighbour: kernels tell U from T by their upper bits, and draw a word again where these are alike.
 */
static double rate(size_t i, uint64_t u) {
    static const double some[] = {0, 1, .5, .1, 0x1p-20, 1 - 0x1p-53, 0x1p-64, 0x1p-65, -0.0, 0x1p-1074, .25, .75};
    const uint64_t r = random_word(i);
    if (i % 64 == random_word(i / 64) % 128)
        return fmin(fmax((double)u * 0x1p-64 + ((double)(r % 9) - 4) * 0x1p-53, 0), 1);
    if (r % 2 == 0)
        return some[r / 2 % COUNT(some)];
    return (double)(r >> 11) * 0x1p-53;
}

static ptrdiff_t place_of(const struct layout *layout, size_t element) {
    ptrdiff_t place = 0;
    for (int a = layout->ndim - 1; a >= 0; a--) {
        place += (ptrdiff_t)(element % layout->shape[a]) * layout->step[a];
        element /= layout->shape[a];
    }
    return place;
}

static uint64_t index_of(const struct layout *layout, const uint64_t *stride, size_t element) {
    uint64_t index = 0;
    for (int a = layout->ndim - 1; a >= 0; a--) {
        index += element % layout->shape[a] * stride[a];
        element /= layout->shape[a];
    }
    return index;
}

/* Lays the values out, sets `rates` and `mask` for n elements, and returns the array p. */
static fd_p_array lay_out(const struct layout *layout, const uint64_t *stride, uint64_t index, size_t n) {
    ptrdiff_t least = 0, most = 0, step[4];
    for (int a = 0; a < layout->ndim; a++) {
        const ptrdiff_t span = ((ptrdiff_t)layout->shape[a] - 1) * layout->step[a];
        *(span < 0 ? &least : &most) += span;
        step[a] = layout->step[a] * (ptrdiff_t)sizeof(double);
    }
    slow_uniforms(key, 3, index, (size_t)index_of(layout, stride, n - 1) + 1, uniforms);
    for (size_t i = 0; i < n; i++) {
        const ptrdiff_t place = place_of(layout, i) - least;
        memory[place] = rate((size_t)place, uniforms[index_of(layout, stride, i)]);
    }
    memset(mask, 0, n / 8 + 1);
    for (size_t i = 0; i < n; i++) {
        rates[i] = memory[place_of(layout, i) - least];
        mask[i / 8] |= (uint8_t)(slow_kept(uniforms[index_of(layout, stride, i)], rates[i]) << i % 8);
    }
    const uint8_t *lowest = fenced(RATES, memory, (size_t)(most - least + 1) * sizeof(double));
    return fd_p_array_of((const double *)(const void *)lowest - least, layout->ndim, layout->shape, step);
}

static void check_layout(const struct layout *layout, uint64_t index) {
    const int contiguous = layout->stride[layout->ndim - 1] == 0;
    const fd_run run = {backend, 2, SIZE_MAX, 0};
    uint64_t stride[4] = {0};
    size_t n = 1;
    for (int a = layout->ndim - 1; a >= 0; a--) {
        stride[a] = contiguous ? n : layout->stride[a];
        n *= layout->shape[a];
    }
    const fd_p_array array = lay_out(layout, stride, index, n);
    const fd_draw draw = fd_draw_init_array(key, 3, &array);
    if (begin("rates-%s-at%" PRIu64, layout->name, index)) {
        if (array.ndim < 1) /* a walk needs an axis, of a single value too */
            fail("axes of p", 0);
        memset(bit_memory, FILL, 2 * GUARD + (n + 7) / 8);
        fd_bits(&run, &draw, layout->ndim, layout->shape, stride, index, bit_memory + GUARD);
        check_bits(mask, n);
    }
    for (fd_dtype d = 0; contiguous && d < FD_DTYPES; d++) {
        if (n > 6000 && (d + index / 64) % FD_DTYPES != 0) /* all of them in turn */
            continue;
        const fd_values own = {1, 0, 0, array.p}, one = {1, 0, 0, NULL};
        const drop inverted = {layout->name, d, &draw, own, own}, not_inverted = {"not-inverted", d, &draw, one, one};
        fill(d, input, n, 0);
        keep_all(&inverted, rates, n);
        check_modes(&inverted, index, n);
        if (layout->ndim == 1) {
            keep_all(&not_inverted, NULL, n);
            check_modes(&not_inverted, index, n);
        }
    }
}

/* A copy is as checked: the first wrong value is found, wherever it is, and nothing after n is touched. */
static void check_copy(void) {
    static const size_t sizes[] = {0, 1, 3, 4095, 4096, 4097, 30000, RATES_OF_A_TEAM};
    static const double wrong[] = {-0x1p-1074, 1 + 0x1p-52, -1, INFINITY, -INFINITY, NAN};
    const fd_run run = {backend, 2, SIZE_MAX, 0};
    static double copy[RATES_OF_A_TEAM + 1], p[RATES_OF_A_TEAM];
    for (size_t s = 0; s < COUNT(sizes); s++) {
        const size_t n = sizes[s];
        if (!begin("rates-copy-%zu", n))
            continue;
        for (size_t i = 0; i < n; i++)
            p[i] = rate(i, 0);
        copy[n] = 7;
        const size_t found =
            fd_p_array_copy(&run, (const double *)(const void *)fenced(RATES, p, n * sizeof *p), n, copy);
        if (found != n || copy[n] != 7 || fd_p_array_copy(&run, p, n, NULL) != n)
            fail("a wrong value found, or one past the end written", found);
        for (size_t i = 0; i < n; i++) {
            const double plus = p[i] == 0 ? 0 : p[i];
            if (memcmp(&copy[i], &plus, sizeof plus) != 0)
                fail("copied value", i);
        }
        for (size_t w = 0; n > 0 && w < COUNT(wrong); w++) {
            const size_t at = w * n / COUNT(wrong);
            p[n - 1] = -2;
            p[at] = wrong[w];
            if (fd_p_array_copy(&run, p, n, copy) != at || fd_p_array_copy(&run, p, n, NULL) != at)
                fail("wrong value not found", at);
            p[at] = 0;
        }
    }
}

void check_p_array(void) {
    static const uint64_t indices[] = {0, 64, 5 * 4096 + 575, UINT64_MAX - MOST};
    for (size_t i = 0; i < COUNT(layouts); i++)
        for (size_t at = 0; at < COUNT(indices); at++)
            check_layout(&layouts[i], indices[at]);
    check_copy();
}
