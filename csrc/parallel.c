/*
 * OpenMP, fork, and whether threads pay; nothing else.
 *
 * GNU's OpenMP keeps its team of threads across calls; a forked child inherits the team's records without its
 * threads, and waits for them for ever. Another library of the process may have started that team, so a child
 * forked after this library was loaded runs everything in its one thread.
 *
 * A team costs what the machine's other work makes of it. Between regions, and at the end of one, GNU's threads spin
 * for some milliseconds: a call that comes meanwhile finds them at once, but they hold cores that another process or
 * another library's threads (a BLAS) could use, and who spins for a thread without a core waits for the kernel's next
 * time slice. A team that sleeps holds nothing, and costs some tens of microseconds to wake. So:
 *
 *   a spinning team  is for a caller that does nothing but call: who came back at once, and has done so for a while;
 *   a sleeping team  is for a call that is long enough to be worth waking it;
 *   one thread       is for all else.
 *
 * Each kind of team has its record, of what calls saved by it; see record.h.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "parallel.h"

#include <pthread.h>
#include <time.h>

#include "common.h"

#ifdef _OPENMP
#include <omp.h>

#include "ranges.h"
#include "record.h"

/* Nanoseconds. Measured on 2 cores of a virtual machine: benchmarks/README.md. */
enum {
    LONG_STREAK = 100000000,   /* twenty times as long as the threads may go on spinning after the last call */
    WORTH_WAKING = 250000,     /* what a team must save to be woken: five times what waking takes */
    WORTH_SPINNING = 10000000, /* the same of one that cannot be put to sleep: as long as it may spin afterwards */
    LONG = 3000000             /* one thread's time from which on waking a team is no matter */
};

enum { KINDS = 256 };

static int forked, cpus;
static fd_alone alone[KINDS]; /* calls of a kind do the same to about as many chunks */
static fd_record spinning, sleeping;
static fd_streak streak;
static _Atomic int always;

static void note_fork(void) { forked = 1; }

FD_AT_LOAD static void prepare(void) {
    cpus = omp_get_num_procs();
    pthread_atfork(NULL, NULL, note_fork);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static fd_alone *alone_of(fd_body *body, size_t chunks) {
    size_t kind = (size_t)body / 16;
    for (; chunks > 0; chunks /= 2)
        kind += 37;
    return &alone[kind % KINDS];
}

/* All that is left, its own range first; how many chunks it did. */
static size_t drain(fd_range *ranges, int count, int me, fd_body *body, const void *job) {
    size_t begin, end, chunks = 0;
    for (int i = 0; i < count; i++)
        while (fd_take(&ranges[(me + i) % count], i == 0, &begin, &end)) {
            body(job, begin, end);
            chunks += end - begin;
        }
    return chunks;
}

/* On a team of which `threads` work; how long one thread would have taken, as far as this one can tell. */
static int64_t in_team(int team, int threads, size_t chunks, fd_body *body, const void *job, int64_t start) {
    fd_range ranges[FD_RANGES];
    const int count = threads < FD_RANGES ? threads : FD_RANGES;
    int64_t working = 0;
    size_t own = 0;
    _Atomic int arrived = 1; /* the first to come work: a thread that has no core yet is not waited for */
    for (int i = 0; i < count; i++)
        ranges[i] = fd_range_of(chunks, (size_t)i, (size_t)count);
#pragma omp parallel num_threads(team)
    {
        if (omp_get_thread_num() == 0) {
            const int64_t first = now();
            own = drain(ranges, count, 0, body, job);
            working = now() - first;
        } else {
            const int me = atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
            if (me < threads)
                drain(ranges, count, me, body, job);
        }
    }
    return own ? (int64_t)((double)working / (double)own * (double)chunks) : now() - start;
}

/*
 * GNU's threads spin a hundred times instead of 300,000 where there are more of them than processors (do_spin and
 * gomp_managed_threads in libgomp's sources for Linux): a team that is one larger than the machine sleeps at once, and
 * so does who waits for it. The one that is too many does nothing. 0: so few threads cannot be put to sleep.
 */
static int sleeping_team(int threads) { return threads > cpus ? threads : threads == cpus ? cpus + 1 : 0; }

/* The team for a call that one thread would take `time` for, and its record; NULL: one thread. */
static fd_record *choose(int threads, int64_t time, int64_t start, int *team) {
    const int asleep = sleeping_team(threads), close = fd_streak_length(&streak, start) > LONG_STREAK;
    const int64_t saving = time / threads * (threads - 1);
    const int spin = asleep ? close && time < LONG : close || saving > WORTH_SPINNING;
    *team = threads;
    if (spin && time > 0 && fd_record_pause(&spinning, start) == 0)
        return &spinning;
    *team = asleep;
    return asleep && saving > WORTH_WAKING && fd_record_pause(&sleeping, start) == 0 ? &sleeping : NULL;
}

static void timed(int threads, size_t chunks, fd_body *body, const void *job) {
    const int64_t start = now();
    fd_alone *one = alone_of(body, chunks);
    const int64_t time = fd_alone_time(one, (int64_t)chunks);
    int team = 0;
    fd_record *record = choose(threads, time, start, &team);
    if (record) {
        const int64_t seen = in_team(team, threads, chunks, body, job, start), stop = now();
        fd_record_note(record, stop, (seen < time ? seen : time) - (stop - start));
        fd_streak_end(&streak, stop);
    } else {
        body(job, 0, chunks);
        const int64_t stop = now();
        fd_alone_note(one, (int64_t)chunks, stop - start);
        fd_streak_end(&streak, stop);
    }
}

int fd_has_openmp(void) { return 1; }

int fd_max_threads(void) { return omp_get_max_threads(); }

void fd_parallel(int threads, size_t chunks, fd_body *body, const void *job) {
    if ((size_t)threads > chunks)
        threads = (int)chunks;
    if (threads <= 1 || forked) {
        body(job, 0, chunks);
        return;
    }
    if (atomic_load_explicit(&always, memory_order_relaxed))
        in_team(threads, threads, chunks, body, job, now());
    else
        timed(threads, chunks, body, job);
}

double fd_threads_pause(void) {
    const int64_t start = now(), a = fd_record_pause(&spinning, start), b = fd_record_pause(&sleeping, start);
    return (double)(a > b ? a : b) * 1e-9;
}

void fd_threads_always(int on) { atomic_store_explicit(&always, on, memory_order_relaxed); }

#else

int fd_has_openmp(void) { return 0; }

int fd_max_threads(void) { return 1; }

void fd_parallel(int threads, size_t chunks, fd_body *body, const void *job) {
    (void)threads;
    body(job, 0, chunks);
}

double fd_threads_pause(void) { return 0; }

void fd_threads_always(int on) { (void)on; }

#endif
