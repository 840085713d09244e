/* What a mask depends on, as C callers read it: T to the last bit, planes and rounds; the tables; far windows. */
#include "check.h"
#include "stream.h"

#include <math.h>

/* Beside p: a p of which T has its fraction of 1/4, 1/2 or 3/4, or none. */
static void check_threshold(void) {
    static const uint64_t steps[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1023, 4097, (UINT64_C(1) << 50) - 1};
    if (!begin("draw-threshold"))
        return;
    for (size_t i = 0; i < 4000; i++) {
        const uint64_t r = random_word(i);
        const double any = (double)(r >> 11) * 0x1p-53, quarters = (double)steps[i % COUNT(steps)] * 0x1p-66;
        const double some[] = {any, quarters, ldexp(any, -(int)(r % 80)), (double)(r % 257) / 256, 1 - any * 0x1p-50};
        for (size_t s = 0; s < COUNT(some); s++) {
            const fd_draw draw = fd_draw_init(key, i, some[s]);
            uint64_t threshold = some[s] < 1 ? slow_threshold(some[s]) : 0, rest = threshold;
            int planes = 0;
            for (; planes < 8 && rest != 0; rest <<= 1)
                planes++;
            if (draw.threshold != threshold || draw.planes != planes || draw.rounds != (threshold << 8 != 0))
                fail("threshold, planes or rounds of draw", i * COUNT(some) + s);
            if (draw.all != (some[s] == 1) || draw.p_array)
                fail("all or rates of draw", i * COUNT(some) + s);
        }
    }
}

/* Children for values past 2^32 and the library's own, and the draw of an array p from such a one. */
static void check_keys(void) {
    static const uint64_t values[] = {0, 1, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};
    if (!begin("draw-keys"))
        return;
    for (size_t i = 0; i < COUNT(values); i++) {
        const fd_key got = fd_fold_in(key, values[i]), right = slow_fold_in(key, values[i]);
        const fd_draw a = fd_draw_init(got, values[i], .3), b = fd_draw_init_array(key, values[i], NULL);
        const fd_draw each = fd_draw_init(slow_fold_in(key, UINT64_MAX - 1), values[i], 0);
        if (got.k0 != right.k0 || got.k1 != right.k1)
            fail("child", i);
        if (b.c0 != each.c0 || b.c1 != each.c1 || b.all || b.threshold != 0)
            fail("draw of an array p", i);
        if (i > 0 && a.c0 == fd_draw_init(got, values[i] & 0xFFFFFFFF, .3).c0 && values[i] >> 32 != 0)
            fail("stream past 2^32", i);
    }
}

static void check_tables(void) {
    static const size_t sizes[FD_DTYPES] = {2, 2, 4, 8, 8, 16};
    const fd_run run = fd_run_default();
    int count = 0, first = -1;
    if (!begin("draw-tables"))
        return;
    for (int d = 0; d < FD_DTYPES; d++)
        if (fd_itemsize((fd_dtype)d) != sizes[d])
            fail("size of dtype", (size_t)d);
    while (fd_backend_at(count)) {
        if (first < 0 && fd_backend_supported(fd_backend_at(count)))
            first = count;
        count++;
    }
    if (fd_backend_at(-1) || fd_backend_at(count) || fd_backend_at(count + 1000))
        fail("a backend past the ends", (size_t)count);
    if (strcmp(fd_backend_name(fd_backend_at(count - 1)), "portable") != 0)
        fail("portable is the last", (size_t)count);
    if (run.backend != fd_backend_at(first) || run.threads != fd_max_threads() || run.threads < 1)
        fail("the run by default", (size_t)first);
    if (run.cache_bytes != 32 << 20)
        fail("the cache by default", run.cache_bytes);
    if (!fd_has_openmp() && fd_max_threads() != 1)
        fail("threads without OpenMP", (size_t)fd_max_threads());
    if (fd_bias_parts(0) < 1 || fd_bias_parts(1) < 1 || fd_bias_parts(SIZE_MAX) != fd_bias_parts(SIZE_MAX / 2))
        fail("parts of a bias", 0);
}

/* Rows far apart, in threads of which the second begins past index 2^32: row by row against the one of a run. */
static void check_far(size_t rows, size_t columns, uint64_t stride, uint64_t start) {
    const size_t shape[] = {rows, columns}, n = rows * columns;
    const uint64_t strides[] = {stride, 1}, unit = 1;
    const fd_run once = {portable, 1, SIZE_MAX, 0};
    const fd_draw draw = fd_draw_init(key, 6, .5);
    static uint8_t row[BYTES / 8];
    if (!begin("draw-far-%zux%zu-step%" PRIu64, rows, columns, stride))
        return;
    for (int threads = 1; threads <= 3; threads++) {
        const fd_run run = {backend, threads, SIZE_MAX, 0};
        memset(bit_memory, FILL, 2 * GUARD + (n + 7) / 8);
        fd_bits(&run, &draw, 2, shape, strides, start, bit_memory + GUARD);
        for (size_t r = 0; r < rows; r += r % 7 + 1) {
            fd_bits(&once, &draw, 1, &columns, &unit, start + r * stride, row);
            for (size_t c = 0; c < columns; c++)
                if (bit(bit_memory + GUARD, r * columns + c) != bit(row, c)) {
                    fail("bit", r * columns + c);
                    return;
                }
        }
        if (bit_memory[GUARD - 1] != FILL || bit_memory[GUARD + (n + 7) / 8] != FILL)
            fail("guard", n);
    }
}

/* Runs of three words in one block, of two in the next, and of three others in the first again. */
static void check_return(void) {
    enum { COLUMNS = 100 };
    const size_t shape[] = {2, 2, COLUMNS}, columns = COLUMNS;
    const uint64_t strides[] = {20 * 64, 4096 + 60 * 64 - 60, 1}, unit = 1;
    const fd_run run = {backend, 1, SIZE_MAX, 0}, once = {portable, 1, SIZE_MAX, 0};
    const fd_draw draw = fd_draw_init(key, 6, .5);
    uint8_t row[COLUMNS / 8 + 1];
    if (!begin("draw-return"))
        return;
    fd_bits(&run, &draw, 3, shape, strides, 60, bit_memory);
    for (size_t r = 0; r < 4; r++) {
        fd_bits(&once, &draw, 1, &columns, &unit, 60 + r / 2 * strides[0] + r % 2 * strides[1], row);
        for (size_t c = 0; c < columns; c++)
            if (bit(bit_memory, r * columns + c) != bit(row, c))
                fail("bit", r * columns + c);
    }
}

void check_draw(void) {
    check_threshold();
    check_keys();
    check_tables();
    check_return();
    check_far(2100, 1024, UINT64_C(1) << 33, 7);
    check_far(2100, 1024, (UINT64_C(1) << 32) + 5, UINT64_C(1) << 40);
    check_far(300, 7001, UINT64_C(1) << 52, UINT64_C(1) << 63);
    check_far(70001, 33, 100, (UINT64_C(1) << 32) - 3500000);
}
