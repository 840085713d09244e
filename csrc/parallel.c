/*
 * OpenMP and fork, and nothing else.
 *
 * GNU's OpenMP keeps its team of threads across calls; a forked child inherits the team's records without its
 * threads, and waits for them for ever. Another library of the process may have started that team, so a child
 * forked after this library was loaded runs everything in its one thread.
 */
#include "parallel.h"

#include <pthread.h>

#include "common.h"

#ifdef _OPENMP
#include <omp.h>

static int forked;

static void note_fork(void) { forked = 1; }

FD_AT_LOAD static void watch_forks(void) { pthread_atfork(NULL, NULL, note_fork); }

int fd_has_openmp(void) { return 1; }

int fd_max_threads(void) { return omp_get_max_threads(); }

void fd_parallel(int threads, size_t units, fd_body *body, const void *job) {
    if ((size_t)threads > units)
        threads = (int)units;
    if (threads <= 1 || forked) {
        body(job, 0, units);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        /* The team may be smaller than asked, as in a nested region. Written so that no product overflows. */
        const size_t team = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
        const size_t share = units / team, rest = units % team;
        const size_t begin = me * share + (me < rest ? me : rest);
        body(job, begin, begin + share + (me < rest));
    }
}

#else

int fd_has_openmp(void) { return 0; }

int fd_max_threads(void) { return 1; }

void fd_parallel(int threads, size_t units, fd_body *body, const void *job) {
    (void)threads;
    body(job, 0, units);
}

#endif
