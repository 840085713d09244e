/* fd_samples, whole and in parts: each sample is dropout by the mask of its own key. */
#include "check.h"
#include "stream.h"

static void check_case(fd_dtype d, double p, uint64_t index, size_t n, size_t samples, size_t cache_bytes) {
    const size_t size = fd_itemsize(d), bytes = n * samples * size + 2 * GUARD;
    const fd_run run = {backend, 2, cache_bytes, 1};
    uint8_t *y = y_memory + GUARD, *to = want + GUARD;
    memset(want, FILL, bytes);
    for (size_t t = 0; t < samples; t++) {
        const fd_draw draw = fd_draw_init(slow_fold_in(key, t), 0, p);
        const fd_values values = {1 / (1 - p), 0, 0, NULL};
        draw_mask(&draw, index, n);
        for (size_t i = 0; i < n; i++, to += size)
            become(d, &values, p, bit(mask, i), input + i * size, to);
    }
    memset(y_memory, FILL, bytes);
    const uint8_t *x = fenced(X, input, n * size);
    fd_samples(&run, key, p, d, index, n, samples, x, y);
    check_y(d, y, bytes, p == 0);
    memset(y_memory, FILL, bytes); /* again, in four parts */
    for (int part = 0; part < 4; part++) {
        const size_t first = part < 2 ? 0 : samples / 2, last = part < 2 ? samples / 2 : samples;
        const size_t at = part % 2 ? n / 2 : 0, count = part % 2 ? n - n / 2 : n / 2;
        fd_samples_part(&run, key, p, d, index + at, count, first, last - first, n, x + at * size,
                        y + (first * n + at) * size);
    }
    check_y(d, y, bytes, p == 0);
}

void check_samples(void) {
    static const struct {
        size_t n, samples;
        uint64_t index;
    } sizes[] = {{0, 3, 0},      {1, 1, 0},         {1, 70, 4095},
                 {63, 3, 1},     {65, 2, 64},       {4096, 3, 0},
                 {4097, 2, 63},  {20003, 4, 21055}, {9001, 3, UINT64_MAX - 9000},
                 {4200, 2, 4095}};
    static const double rates[] = {.1, .5, 0, 1, 0x1p-66};
    for (fd_dtype d = 0; d < FD_DTYPES; d++) {
        fill(d, input, 20003, 0);
        for (size_t i = 0; i < COUNT(sizes); i++)
            for (size_t p = 0; p < COUNT(rates); p++)
                if (begin("samples-%s-n%zu-p%g", types[d].name, sizes[i].n, rates[p]))
                    check_case(d, rates[p], sizes[i].index, sizes[i].n, sizes[i].samples, i % 2 ? SIZE_MAX : 0);
    }
    fill(FD_F32, input, 70001, 0); /* worth two threads */
    if (begin("samples-threads"))
        check_case(FD_F32, .1, 3, 70001, 5, SIZE_MAX);
}
