/*
 * Calls every entry point where a touch of anything but its operands is noticed: `check_memory MODE [BACKEND]`.
 *
 *   pages    between pages without access: native, or under an emulator
 *   heap     in buffers of malloc: for valgrind and the address sanitizer
 *   threads  from many threads that share their operands, each with a team: for the thread sanitizer
 *
 * What a call writes must be what the portable backend writes in one thread. A line a backend; exit status 1 if not.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { THREADS = 4, ENTRY_POINTS = 16 };

static const fd_backend *portable;
static char id[200]; /* of the call that runs, where there is one thread */
static long cases, failures;

static void crashed(int number) {
    printf("FAIL %s: signal %d\n", id, number);
    fflush(stdout);
    _Exit(1);
}

/* The digest of each entry point's work by the portable backend. */
static void expect(fd_dtype dtype, size_t n, uint64_t *expected) {
    const fd_run once = {portable, 1, SIZE_MAX, 0};
    const operands in = make_operands(HEAP, dtype, n);
    for (size_t e = 0; e < entry_point_count; e++)
        expected[e] = entry_points[e].call(&in, &once);
    give_operands(&in);
}

/* All in the cache, and nothing: then lines are fetched ahead, and stored around it. */
static void check_places(const fd_backend *backend, fd_dtype dtype, size_t n, place first, place last) {
    const fd_run runs[] = {{backend, 1, SIZE_MAX, 0}, {backend, 3, 0, 1}};
    uint64_t expected[ENTRY_POINTS];
    expect(dtype, n, expected);
    for (place where = first; where <= last; where++) {
        const operands in = make_operands(where, dtype, n);
        for (size_t e = 0; e < entry_point_count; e++)
            for (size_t r = 0; r < COUNT(runs); r++, cases++) {
                snprintf(id, sizeof id, "%s-%s-dtype%d-n%zu-%s-run%zu", fd_backend_name(backend), entry_points[e].name,
                         (int)dtype, n, place_names[where], r);
                if (entry_points[e].call(&in, &runs[r]) != expected[e] && failures++ < 10)
                    printf("FAIL %s\n", id);
            }
        give_operands(&in);
    }
}

typedef struct {
    const fd_backend *backend;
    const operands *in;
    const uint64_t *expected;
    int first; /* the entry point to begin with: not all threads do the same */
    long failures;
} work;

static void *run_all(void *work_) {
    work *w = work_;
    const fd_run run = {w->backend, 3, w->first % 2 ? 0 : SIZE_MAX, w->first % 4 == 1};
    for (size_t i = 0; i < entry_point_count; i++) {
        const size_t e = (i + (size_t)w->first) % entry_point_count;
        w->failures += entry_points[e].call(w->in, &run) != w->expected[e];
    }
    return NULL;
}

static void check_threads(const fd_backend *backend, fd_dtype dtype, size_t n) {
    uint64_t expected[ENTRY_POINTS];
    expect(dtype, n, expected);
    const operands in = make_operands(HEAP, dtype, n);
    pthread_t threads[THREADS];
    work works[THREADS];
    for (int t = 0; t < THREADS; t++) {
        works[t] = (work){backend, &in, expected, t, 0};
        if (pthread_create(&threads[t], NULL, run_all, &works[t]) != 0)
            exit(2);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        cases += (long)entry_point_count;
        failures += works[t].failures;
    }
    give_operands(&in);
}

static void check(const fd_backend *backend, const char *mode) {
    static const size_t sizes[] = {0, 1, 7, 63, 64, 65, 513, 1000, 4097, 8200};
    static const size_t shared[] = {70, 4100}, large = (1 << 19) + 100; /* worth a team to every entry point */
    for (fd_dtype d = 0; d < FD_DTYPES; d++)
        if (strcmp(mode, "threads") == 0)
            for (size_t s = 0; s < COUNT(shared); s++)
                check_threads(backend, d, shared[s]);
        else
            for (size_t s = 0; s < COUNT(sizes); s++)
                check_places(backend, d, sizes[s], strcmp(mode, "heap") == 0 ? HEAP : LOW,
                             strcmp(mode, "heap") == 0 ? HEAP : HIGH);
    if (strcmp(mode, "pages") == 0)
        check_places(backend, FD_F32, large, LOW, HIGH);
    if (strcmp(mode, "threads") == 0)
        for (int always = 0; always < 2; always++) { /* as the record of earlier calls decides, which is shared too */
            fd_threads_always(always);
            check_threads(backend, FD_F32, large);
        }
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "pages", *only = argc > 2 ? argv[2] : NULL;
    for (int i = 0; fd_backend_at(i); i++)
        portable = fd_backend_at(i); /* the last */
    fd_threads_always(1);
    if (strcmp(mode, "pages") == 0) {
        signal(SIGSEGV, crashed);
        signal(SIGBUS, crashed);
    }
    long all_failures = 0;
    for (int i = 0; fd_backend_at(i); i++) {
        const fd_backend *backend = fd_backend_at(i);
        if (!fd_backend_supported(backend) || (only && strcmp(only, fd_backend_name(backend)) != 0))
            continue;
        cases = failures = 0;
        check(backend, mode);
        printf("backend %s %ld %s\n", fd_backend_name(backend), cases, failures ? "FAILED" : "ok");
        all_failures += failures;
    }
    return all_failures > 0;
}
