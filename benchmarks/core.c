/*
 * The C entry points beside the roof, in turn: the core's own speed, without what a Python call adds. From the top:
 *
 *   cc -O2 -march=native -fopenmp -c src/fastdrop/_commands/benchmark/roof.c -o roof.o
 *   cc -O2 -std=c11 -fopenmp -ffp-contract=off -Icsrc -Itests/c benchmarks/core.c tests/c/rows.c roof.o \
 *       $(find csrc -name '*.c' ! -name example.c) -o core
 *   ./core [quick | WORK]
 *
 * `quick` is one size and few repetitions, which shows that it runs; WORK is the name of a kind of row. The array
 * begins at a page of 2 MiB, or 16 bytes behind one, as NumPy allocates: the roof is that of the same array. The
 * rows are those that the checks of the core share (tests/c/rows.c): each is checked before it is timed. Threads are
 * always taken: benchmarks/busy.py shows what becomes of them beside other work.
 *
 * Last come rows of prefetching: the median of the time ratios off / on of neighbouring calls.
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

#include "rows.h"

enum { REPETITIONS = 101 };

void fastdrop_roof(float *x, size_t n, float scale, int threads);

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(row what, size_t n, double p, int threads, int repetitions, float *x, uint8_t *bits) {
    static uint64_t stream;
    fd_run run = fd_run_default();
    run.threads = threads;
    const int calls = n < MI ? 20 : 1; /* of one clock reading */
    double roof[REPETITIONS], own[REPETITIONS], fastest = 1e300, ratio[REPETITIONS];
    if (!row_is_right(&run, what, n < MI ? n : MI, p, x, bits)) {
        printf("%s: wrong\n", row_names[what]);
        exit(1);
    }
    row_fill(x, n);
    for (int r = 0; r < repetitions; r++) {
        double start = now();
        for (int c = 0; c < calls; c++)
            fastdrop_roof(x, n, (float)ROW_VALUES.scale, threads);
        roof[r] = now() - start;
        fastest = roof[r] < fastest ? roof[r] : fastest;
        start = now();
        for (int c = 0; c < calls; c++)
            row_call(&run, what, n, p, stream++, bits, x); /* a fresh stream: predictors learn a mask that repeats */
        own[r] = now() - start;
    }
    int kept = 0;
    for (int r = 0; r < repetitions; r++)
        if (roof[r] < 1.15 * fastest)
            ratio[kept++] = roof[r] / own[r];
    qsort(ratio, (size_t)kept, sizeof *ratio, ascending);
    qsort(roof, (size_t)repetitions, sizeof *roof, ascending);
    printf("%-18s %6zu Ki %s p=%.1f  %d threads  roof %.4f  ratio %.3f  (%.3f - %.3f, %d of %d)\n", row_names[what],
           n / KI, (uintptr_t)x % 64 ? "NumPy's" : "aligned", p, threads, roof[repetitions / 2] / calls / (double)n,
           ratio[kept / 2], ratio[kept / 4], ratio[kept * 3 / 4], kept, repetitions);
}

/* Prefetching on and off in turn, in a new order each time. */
static void compare_prefetch(row what, size_t n, double p, int threads, int repetitions, float *x, uint8_t *bits) {
    fd_run run = fd_run_default();
    double ratio[REPETITIONS];
    run.threads = threads;
    for (int r = 0; r < repetitions; r++) {
        double took[2];
        for (int i = 0; i < 2; i++) {
            run.prefetch = (r + i) % 2;
            const double start = now();
            row_call(&run, what, n, p, (uint64_t)(2 * r + i), bits, x);
            took[run.prefetch] = now() - start;
        }
        ratio[r] = took[0] / took[1];
    }
    qsort(ratio, (size_t)repetitions, sizeof *ratio, ascending);
    printf("prefetch, %-9s %6zu Ki  p=%.1f  %d threads  off / on %.3f  (%.3f - %.3f)\n", row_names[what], n / KI, p,
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
    for (row what = FORWARD; what < ROWS; what++)
        for (int s = 0; s < (quick ? 1 : 3); s++)
            for (int threads = 1; threads <= run.threads; threads += run.threads > 1 ? run.threads - 1 : 1)
                for (int p = 1; p <= 5; p += 4) {
                    const int few = sizes[s] < MI && threads > 1, once = what >= BACKWARD && p == 1;
                    if (few || once || (argc > 1 && !quick && strcmp(argv[1], row_names[what]) != 0))
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
                for (row what = FORWARD; what <= BACKWARD; what += BACKWARD - FORWARD)
                    if (argc == 1 || strcmp(argv[1], "prefetch") == 0)
                        compare_prefetch(what, sizes[s], p / 10.0, threads, REPETITIONS, (float *)(void *)(memory + 16),
                                         bits);
    free(memory);
    free(bits);
    return 0;
}
