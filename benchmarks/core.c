/*
 * The C entry points beside the roof, in turn: the core's own speed, without what a Python call adds. From the top:
 *
 *   cc -O2 -march=native -fopenmp -c src/fastdrop/_commands/benchmark/roof.c -o roof.o
 *   cc -O2 -std=c11 -fopenmp -ffp-contract=off -Icsrc benchmarks/core.c roof.o \
 *       $(find csrc -name '*.c' ! -name example.c) -o core
 *   ./core [quick | WORK]
 *
 * `quick` is one size and few repetitions, which shows that it runs; WORK is the name of a kind of row. The array
 * begins at a page of 2 MiB, or 16 bytes behind one, as NumPy allocates: the roof is that of the same array. Each row
 * is checked before it is timed, by the same call: portable C has to give the same bytes.
 * Threads are always taken. Last come rows of prefetching: median time ratios off / on of neighbouring calls.
 *
 * A row: the roof's median in ns per element, and the median of the ratios roof / fastdrop of neighbouring calls, over
 * the repetitions in which the roof was within 15 % of its fastest: the others shared the processor with somebody.
 */
#define _GNU_SOURCE
#include <fastdrop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { KI = 1 << 10, MI = 1 << 20, REPETITIONS = 101 };

typedef enum { FORWARD, RECIPE, BACKWARD, CHANNEL, ROW, UNIT, KINDS } kind;

static const char *const names[KINDS] = {"forward", "forward, no bits", "backward", "channels of 1 Ki", "rows",
                                         "units"};

/* The scale is 1 and a bit, so that it is multiplied by, and the contents stay what they are. */
static const float SCALE = 1.0000002f;
static const fd_values VALUES = {.scale = 1.0000002f};

void fastdrop_roof(float *x, size_t n, float scale, int threads);

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void apply(const fd_run *run, kind what, size_t n, const uint8_t *bits, float *x) {
    size_t rows = KI;
    if (what == CHANNEL)
        rows = n / KI;
    const ptrdiff_t row_bit = what == UNIT ? 0 : 1, bit = what == UNIT ? 1 : 0;
    fd_axis axes[2] = {{rows, row_bit, (ptrdiff_t)(n / rows * 4), (ptrdiff_t)(n / rows * 4), 0},
                       {n / rows, bit, 4, 4, 0}};
    const fd_axis flat = {n, 1, 4, 4, 0};
    if (what == BACKWARD)
        axes[0] = flat;
    fd_apply(run, FD_F32, what == BACKWARD ? 1 : 2, axes, &VALUES, bits, x, x);
}

/* One call: what is checked, and what is timed. */
static void call(const fd_run *run, kind what, size_t n, double p, uint64_t stream, uint8_t *bits, float *x) {
    const fd_draw draw = fd_draw_init((fd_key){1, 2}, stream, p);
    if (what <= RECIPE)
        fd_dropout(run, &draw, FD_F32, 0, n, &VALUES, x, x, what == FORWARD ? bits : NULL);
    else
        apply(run, what, n, bits, x);
}

static void fill(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = 1 + (float)(i % 1000);
}

/* Ends the program unless portable C gives the same data and the same bits; the first elements of large arrays. */
static void check(const fd_run *run, kind what, size_t n, double p, float *x, uint8_t *bits) {
    fd_run plain = {fd_backend_at(0), 1, SIZE_MAX, 0};
    const size_t some = n < MI ? n : MI;
    float *other_x = malloc(some * sizeof *x);
    uint8_t *other_bits = malloc(some / 8);
    for (int i = 0; fd_backend_at(i); i++)
        plain.backend = fd_backend_at(i); /* the last */
    if (!other_x || !other_bits)
        exit(1);
    fill(x, some);
    fill(other_x, some);
    memcpy(other_bits, bits, some / 8);
    call(run, what, some, p, 0, bits, x);
    call(&plain, what, some, p, 0, other_bits, other_x);
    if (memcmp(x, other_x, some * sizeof *x) != 0 || memcmp(bits, other_bits, some / 8) != 0) {
        printf("%s: wrong\n", names[what]);
        exit(1);
    }
    free(other_x);
    free(other_bits);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(kind what, size_t n, double p, int threads, int repetitions, float *x, uint8_t *bits) {
    static uint64_t stream;
    fd_run run = fd_run_default();
    run.threads = threads;
    const int calls = n < MI ? 20 : 1; /* of one clock reading */
    double roof[REPETITIONS], own[REPETITIONS], fastest = 1e300, ratio[REPETITIONS];
    check(&run, what, n, p, x, bits);
    fill(x, n);
    for (int r = 0; r < repetitions; r++) {
        double start = now();
        for (int c = 0; c < calls; c++)
            fastdrop_roof(x, n, SCALE, threads);
        roof[r] = now() - start;
        fastest = roof[r] < fastest ? roof[r] : fastest;
        start = now();
        for (int c = 0; c < calls; c++)
            call(&run, what, n, p, stream++, bits, x); /* a fresh stream: predictors learn a mask that repeats */
        own[r] = now() - start;
    }
    int kept = 0;
    for (int r = 0; r < repetitions; r++)
        if (roof[r] < 1.15 * fastest)
            ratio[kept++] = roof[r] / own[r];
    qsort(ratio, (size_t)kept, sizeof *ratio, ascending);
    qsort(roof, (size_t)repetitions, sizeof *roof, ascending);
    printf("%-18s %6zu Ki %s p=%.1f  %d threads  roof %.4f  ratio %.3f  (%.3f - %.3f, %d of %d)\n", names[what], n / KI,
           (uintptr_t)x % 64 ? "NumPy's" : "aligned", p, threads, roof[repetitions / 2] / calls / (double)n,
           ratio[kept / 2], ratio[kept / 4], ratio[kept * 3 / 4], kept, repetitions);
}

/* Prefetching on and off in turn, in a new order each time. */
static void compare_prefetch(kind what, size_t n, double p, int threads, int repetitions, float *x, uint8_t *bits) {
    fd_run run = fd_run_default();
    double ratio[REPETITIONS];
    run.threads = threads;
    for (int r = 0; r < repetitions; r++) {
        double took[2];
        for (int i = 0; i < 2; i++) {
            run.prefetch = (r + i) % 2;
            const fd_draw draw = fd_draw_init((fd_key){1, 2}, (uint64_t)(2 * r + i), p);
            const double start = now();
            if (what == BACKWARD)
                apply(&run, what, n, bits, x);
            else
                fd_dropout(&run, &draw, FD_F32, 0, n, &VALUES, x, x, bits);
            took[run.prefetch] = now() - start;
        }
        ratio[r] = took[0] / took[1];
    }
    qsort(ratio, (size_t)repetitions, sizeof *ratio, ascending);
    printf("prefetch, %-9s %6zu Ki  p=%.1f  %d threads  off / on %.3f  (%.3f - %.3f)\n", names[what], n / KI, p,
           threads, ratio[repetitions / 2], ratio[repetitions / 4], ratio[repetitions * 3 / 4]);
}

int main(int argc, char **argv) {
    static const size_t sizes[] = {64 * KI, 4 * MI, 64 * MI};
    uint8_t *memory = aligned_alloc(2 * MI, 66 * MI * sizeof(float));
    uint8_t *bits = malloc(64 * MI / 8);
    const fd_run run = fd_run_default();
    const int quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    if (!memory || !bits)
        return 1;
    madvise(memory, 66 * MI * sizeof(float), MADV_HUGEPAGE); /* as NumPy does */
    fd_threads_always(1);
    printf("%s, %s\n", fd_backend_name(run.backend), fd_compiler());
    for (kind what = FORWARD; what < KINDS; what++)
        for (int s = 0; s < (quick ? 1 : 3); s++)
            for (int threads = 1; threads <= run.threads; threads += run.threads > 1 ? run.threads - 1 : 1)
                for (int p = 1; p <= 5; p += 4) {
                    const int few = sizes[s] < MI && threads > 1, once = what >= BACKWARD && p == 1;
                    if (few || once || (argc > 1 && !quick && strcmp(argv[1], names[what]) != 0))
                        continue;
                    for (size_t i = 0; i < sizes[s] / 8; i++)
                        bits[i] = (uint8_t)rand();
                    for (int offset = 0; offset <= 16; offset += 16)
                        measure(what, sizes[s], p / 10.0, threads, quick ? 5 : REPETITIONS,
                                (float *)(void *)(memory + offset), bits);
                }
    for (int s = 1; s < (quick ? 1 : 3); s++)
        for (int threads = 1; threads <= run.threads; threads += run.threads > 1 ? run.threads - 1 : 1)
            for (int p = 1; p <= 5; p += 4)
                for (kind what = FORWARD; what <= BACKWARD; what += BACKWARD - FORWARD)
                    if (argc == 1 || strcmp(argv[1], "prefetch") == 0)
                        compare_prefetch(what, sizes[s], p / 10.0, threads, REPETITIONS, (float *)(void *)memory, bits);
    free(memory);
    free(bits);
    return 0;
}
