/* Ranges that are shared out, threads that are late, and the record of what threads saved, in made-up time. */
#include "check.h"

#include <stdatomic.h>
#include <time.h>

#include "parallel.h"
#include "ranges.h"
#include "record.h"

enum { UNITS = 6000, MS = 1000000 };

static _Atomic int times_done[UNITS];
static _Atomic size_t units_done;
static _Thread_local int caller; /* whether this is the thread that calls */

static double seconds(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void note_units(const void *job, size_t begin, size_t end) {
    (void)job;
    for (size_t u = begin; u < end; u++)
        atomic_fetch_add(&times_done[u], 1);
    atomic_fetch_add(&units_done, end - begin);
}

static void check_once(const char *what, size_t chunks) {
    for (size_t u = 0; u < UNITS; u++)
        if (atomic_exchange(&times_done[u], 0) != (u < chunks))
            fail(what, u);
    atomic_store(&units_done, 0);
}

/* Taken from both ends in any order, the ranges are all chunks once. The back may refuse the last one. */
static void check_ranges(void) {
    static const size_t sizes[] = {1, 2, 3, 31, 32, 33, 63, 64, 65, 1000, 4097, UNITS};
    if (!begin("threads-ranges"))
        return;
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (size_t n = 1; n <= 64 && n <= sizes[s]; n += n < 7 ? 1 : 19) {
            for (size_t i = 0; i < n; i++) {
                fd_range range = fd_range_of(sizes[s], i, n);
                size_t from, to;
                for (uint64_t k = 0; k < 2 * UNITS; k++)
                    if (fd_take(&range, (int)(random_word(k + s + n) & 1), &from, &to))
                        note_units(NULL, from, to);
            }
            check_once("chunks of a range", sizes[s]);
        }
}

/* The first portion of a thread other than the caller's is not done until all others but the last are, by others. */
static void wait_for_all(const void *job, size_t begin, size_t end) {
    const size_t *chunks = job;
    const double until = seconds() + 20;
    static _Atomic int waiting;
    if (!caller && !atomic_exchange(&waiting, 1)) {
        while (atomic_load(&units_done) + 2 * (end - begin) < *chunks && seconds() < until)
            ;
        if (atomic_load(&units_done) + 2 * (end - begin) < *chunks)
            fail("nobody helped", begin);
        atomic_store(&waiting, 0);
    }
    note_units(NULL, begin, end);
}

static void check_helping(void) {
    static const size_t sizes[] = {2, 3, 64, 97, 1000, UNITS};
    if (!begin("threads-helping"))
        return;
    caller = 1;
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (int threads = 1; threads <= 7; threads += 2) {
            fd_parallel(threads, sizes[s], note_units, NULL);
            check_once("chunks of a call", sizes[s]);
            fd_parallel(threads, sizes[s], wait_for_all, &sizes[s]);
            check_once("chunks of a call with a late thread", sizes[s]);
        }
}

/* By the figures of record.h: 16 times the loss, doubled, at most half a second; what was saved before is used up. */
static void check_record(void) {
    static const int64_t pauses[] = {16 * MS, 32 * MS, 64 * MS, 128 * MS, 256 * MS, 500 * MS, 500 * MS};
    fd_record record = {0};
    int64_t at = 1000;
    if (!begin("threads-record"))
        return;
    fd_record_note(&record, at, -MS / 2);
    if (fd_record_pause(&record, at) != 0)
        fail("pause after a small loss", 0);
    fd_record_note(&record, at, MS / 2);
    for (size_t i = 0; i < COUNT(pauses); i++, at += pauses[i - 1]) {
        fd_record_note(&record, at, -MS);
        if (fd_record_pause(&record, at) != pauses[i] || fd_record_pause(&record, at + pauses[i]) != 0)
            fail("pause", i);
    }
    fd_record_note(&record, at, -INT64_C(100) * MS);
    if (fd_record_pause(&record, at) != INT64_C(1600) * MS)
        fail("pause after a loss of more than its sixteenth", 0);
    at += INT64_C(1600) * MS;
    for (int i = 0; i < 30; i++)
        fd_record_note(&record, at, MS);
    fd_record_note(&record, at, -10 * MS);
    if (fd_record_pause(&record, at) != 0)
        fail("pause though as much was saved before", 0);
    fd_record_note(&record, at, -MS);
    if (fd_record_pause(&record, at) != 16 * MS)
        fail("pause after a full balance", 0);
}

/* One thread's time for a kind of call: the mean, in which the last 50 ms count most. */
static void check_alone(void) {
    fd_alone alone = {0};
    if (!begin("threads-alone"))
        return;
    if (fd_alone_time(&alone, 10) != 0)
        fail("time of what was never done", 0);
    fd_alone_note(&alone, 10, 20000);
    fd_alone_note(&alone, 30, 20000);
    if (fd_alone_time(&alone, 20) != 20000)
        fail("mean time", 0);
    for (int i = 0; i < 200; i++)
        fd_alone_note(&alone, 1000, 3 * MS);
    const int64_t time = fd_alone_time(&alone, 1000);
    if (time < 3 * MS - 3000 || time > 3 * MS + 3000)
        fail("time after the work became slower", (size_t)time);
}

/* Calls close upon one another add up; a short break costs little of it, a long one all. */
static void check_streak(void) {
    enum { CALL = 100000 };
    fd_streak streak = {0};
    int64_t at = INT64_C(1000000) * MS;
    if (!begin("threads-streak"))
        return;
    for (int i = 0; i < 1000; i++, at += CALL) {
        if (fd_streak_length(&streak, at + 50000) != i * INT64_C(150000) && i * INT64_C(150000) < 110 * MS)
            fail("length", (size_t)i);
        at += 50000;
        fd_streak_end(&streak, at + CALL);
    }
    if (fd_streak_length(&streak, at + 1 * MS) != 90 * MS)
        fail("length after a break", 0);
    fd_streak_end(&streak, at + 2 * MS);
    if (fd_streak_length(&streak, at + 7 * MS) != 0)
        fail("length after a long break", 0);
}

typedef struct {
    double work, wait; /* seconds a chunk takes, and a thread that is not the caller's takes too long */
    _Atomic int helpers;
} slow_job;

static void be_slow(const void *job_, size_t begin, size_t end) {
    slow_job *job = (slow_job *)(uintptr_t)job_;
    const double until = seconds() + (double)(end - begin) * job->work + (caller ? 0 : job->wait);
    if (!caller)
        atomic_fetch_add(&job->helpers, 1);
    while (seconds() < until)
        ;
}

/* Calls that one thread does as fast: not known, then tried in a team, which loses time, then in one thread. */
static void check_choice(void) {
    enum { FEW = 64 };
    static int done;
    slow_job job = {.work = 0.0006};
    if (!begin("threads-choice") || !fd_has_openmp() || done++)
        return;
    fd_threads_always(0);
    const double start = seconds();
    fd_parallel(2, FEW, be_slow, &job);
    if (job.helpers != 0)
        fail("a team for a call of which nothing is known", 0);
    job.wait = 10 * (seconds() - start);
    fd_parallel(2, FEW, be_slow, &job);
    if (job.helpers == 0)
        fail("no team for a long call", 0);
    if (fd_threads_pause() <= 0)
        fail("no pause after a team that was slow", 0);
    job.helpers = 0;
    fd_parallel(2, FEW, be_slow, &job);
    if (job.helpers != 0)
        fail("a team during a pause", 0);
    fd_threads_always(1);
    job.wait = 0;
    fd_parallel(2, FEW, be_slow, &job);
    if (job.helpers == 0)
        fail("no team though all calls take one", 0);
}

void check_threads(void) {
    check_ranges();
    check_helping();
    check_record();
    check_alone();
    check_streak();
    check_choice();
}
