/* fd_dropout of plain p: every dtype, place and mode, inverted, not inverted, and affine as alpha dropout is. */
#include "check.h"

#include <math.h>

void check_modes(const drop *call, uint64_t index, size_t n) {
    static const struct {
        const char *name;
        int in_place;
        size_t y_shift, cache_bytes; /* the shift is in reals */
        int prefetch;
    } modes[] = {{"in-place", 1, 1, 0, 1},    {"in-place-plain", 1, 1, 0, 0},         {"apart", 0, 1, SIZE_MAX, 1},
                 {"nontemporal", 0, 0, 0, 0}, {"nontemporal-prefetched", 0, 0, 0, 1}, {"odd", 0, 1, 4096, 1}};
    const fd_dtype d = call->d;
    const fd_values *values = &call->meant;
    const size_t size = fd_itemsize(d), bytes = n * size + 2 * GUARD;
    const int exact = !values->p && values->scale == 1 && values->shift == 0;
    memset(want, FILL, bytes);
    for (size_t i = 0; i < n; i++)
        if (bit(mask, i))
            memcpy(want + GUARD + i * size, as_kept + i * size, size);
        else
            become(d, values, 0, 0, input + i * size, want + GUARD + i * size);
    for (size_t m = 0; m < COUNT(modes); m++) {
        const int in_place = modes[m].in_place, with_bits = (m + n + index) % 2 == 0;
        const fd_run run = {backend, 2, modes[m].cache_bytes, modes[m].prefetch};
        uint8_t *y = y_memory + GUARD + 16 + modes[m].y_shift * types[d].real; /* aligned to 16 and no more, or less */
        if (!begin("dropout-%s-n%zu-at%" PRIu64 "-p%s-%s%s", types[d].name, n, index, call->name, modes[m].name,
                   with_bits ? "-bits" : ""))
            continue;
        memset(y - GUARD, FILL, bytes);
        memset(bit_memory, FILL, 2 * GUARD + (n + 7) / 8);
        uint8_t *x = in_place ? memcpy(y, input, n * size) : fenced(X, input, n * size);
        fd_dropout(&run, call->draw, d, index, n, &call->values, x, y, with_bits ? bit_memory + GUARD : NULL);
        check_y(d, y, bytes, exact);
        if (with_bits)
            check_bits(mask, n);
        if (!in_place && memcmp(x, input, n * size) != 0)
            fail("x was written", 0);
    }
}

/* Klambauer et al. 2017: what alpha dropout makes of x. */
static fd_values alpha_values(double p) {
    const double alpha = -1.7580993408473766, a = 1 / sqrt((alpha * alpha * p + 1) * (1 - p));
    return (fd_values){a, -a * alpha * p, a * alpha * (1 - p), NULL};
}

/* What is worth two threads. */
static void check_large(void) {
    const size_t n = (1 << 20) + 4097;
    const fd_draw draw = fd_draw_init(key, 2, .1);
    const fd_values values = {1 / (1 - .1), 0, 0, NULL};
    const drop call = {".1", FD_F32, &draw, values, values};
    fill(FD_F32, input, n, 0);
    keep_all(&call, NULL, n);
    for (uint64_t index = 77; index <= 640; index += 640 - 77) { /* the second begins with a whole word */
        draw_mask(&draw, index, n);
        check_modes(&call, index, n);
    }
}

void check_dropout(void) {
    static const struct {
        const char *name;
        double p;
        enum { INVERTED, NOT_INVERTED, ALPHA, FILLED, SHIFTED, SCALED } kind;
    } draws[] = {{"0", 0, INVERTED},
                 {"1", 1, INVERTED},
                 {".5", .5, INVERTED},
                 {".1", .1, INVERTED},
                 {"3:8", 3. / 8, INVERTED},
                 {"1:512", 1. / 512, INVERTED},
                 {"2^-20", 0x1p-20, INVERTED},
                 {"1-2^-53", 1 - 0x1p-53, INVERTED},
                 {".3-not-inverted", .3, NOT_INVERTED},
                 {"0-alpha", 0, ALPHA},
                 {"1-alpha", 1, ALPHA},
                 {".5-alpha", .5, ALPHA},
                 {".1-alpha", .1, ALPHA},
                 {"0-filled", 0, FILLED},
                 {".1-filled", .1, FILLED},
                 {"1-filled", 1, FILLED},
                 {"0-shifted", 0, SHIFTED},
                 {".5-shifted", .5, SHIFTED},
                 {"1-shifted", 1, SHIFTED},
                 {"0-scaled", 0, SCALED},
                 {"2^-66-scaled", 0x1p-66, SCALED}};
    static const size_t sizes[] = {0, 1, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 20003};
    static const uint64_t indices[] = {0, 1, 5 * 4096 + 575, UINT64_MAX - 20002, 3 * 4096 + 640};
    const size_t largest = sizes[COUNT(sizes) - 1];
    for (fd_dtype d = 0; d < FD_DTYPES; d++) {
        fill(d, input, largest, 0);
        for (size_t i = 0; i < COUNT(draws) * COUNT(indices); i++) {
            const size_t which = i / COUNT(indices), at = i % COUNT(indices);
            const double p = draws[which].p;
            const fd_values plain = {draws[which].kind == INVERTED ? 1 / (1 - p) : 1, 0, 0, NULL};
            const fd_values others[] = {[ALPHA] = alpha_values(p),
                                        [FILLED] = {1.25, 0, -.7, NULL},
                                        [SHIFTED] = {1, .5, 0, NULL},
                                        [SCALED] = {1.25, 0, 0, NULL}};
            const fd_values values = draws[which].kind < ALPHA ? plain : others[draws[which].kind];
            const fd_draw draw = fd_draw_init(key, 1, p);
            drop call = {draws[which].name, d, &draw, values, values};
            if (draws[which].kind >= ALPHA && draws[which].kind != SCALED && types[d].reals > 1)
                continue;
            if (p == 1 || (p == 0 && draws[which].kind == ALPHA))
                call.meant = plain;
            keep_all(&call, NULL, largest);
            draw_mask(&draw, indices[at], largest);
            for (size_t s = 0; s < COUNT(sizes) - at % 2; s++) /* the largest at every other index */
                check_modes(&call, indices[at], sizes[s]);
        }
    }
    check_large();
}
