/*
 * What was measured about threads: how long one thread takes, what a team saved, how close calls follow. Times are
 * nanoseconds of a clock that the caller reads, so nothing here depends on the machine. Concurrent calls may lose one
 * another's notes.
 */
#ifndef FD_RECORD_H
#define FD_RECORD_H

#include <stdatomic.h>
#include <stdint.h>

/* One thread's time over the last so many nanoseconds of calls of one kind. */
typedef struct {
    _Atomic int64_t time, chunks;
} fd_alone;

enum { FD_ALONE_WINDOW = 50000000 };

/* One thread did so many chunks in that time. */
static inline void fd_alone_note(fd_alone *alone, int64_t chunks, int64_t time) {
    time += atomic_load_explicit(&alone->time, memory_order_relaxed);
    chunks += atomic_load_explicit(&alone->chunks, memory_order_relaxed);
    const int halved = time > FD_ALONE_WINDOW && chunks > 1;
    atomic_store_explicit(&alone->time, halved ? time / 2 : time, memory_order_relaxed);
    atomic_store_explicit(&alone->chunks, halved ? chunks / 2 : chunks, memory_order_relaxed);
}

/* How long one thread would take for so many chunks; 0: not known yet. */
static inline int64_t fd_alone_time(fd_alone *alone, int64_t chunks) {
    const int64_t seen = atomic_load_explicit(&alone->chunks, memory_order_relaxed);
    const double time = (double)atomic_load_explicit(&alone->time, memory_order_relaxed);
    return seen ? (int64_t)(time / (double)seen * (double)chunks) : 0;
}

/*
 * What calls in a team saved is paid in, what they lost is taken off. Where the balance falls below half a
 * millisecond, calls take one thread for sixteen times what was lost, and twice as long each time that it happens
 * again, up to half a second: so at most a sixteenth is lost to trying. A full balance forgives: on a quiet machine a
 * rare hiccup changes nothing.
 */
typedef struct {
    _Atomic int64_t balance, until; /* until: threads are tried again from this time on */
    _Atomic int failures;           /* since the balance was full */
} fd_record;

enum { FD_BALANCE_LEAST = -500000, FD_BALANCE_MOST = 10000000, FD_PAUSE_FACTOR = 16, FD_PAUSE_MOST = 500000000 };

/* For how long yet one thread is taken. */
static inline int64_t fd_record_pause(fd_record *record, int64_t now) {
    const int64_t until = atomic_load_explicit(&record->until, memory_order_relaxed);
    return until > now ? until - now : 0;
}

/* A call in a team ended now, and took `saved` less than one thread would have; less than 0: more. */
static inline void fd_record_note(fd_record *record, int64_t now, int64_t saved) {
    const int64_t balance = atomic_load_explicit(&record->balance, memory_order_relaxed) + saved;
    int64_t kept = balance;
    if (balance >= FD_BALANCE_MOST) {
        kept = FD_BALANCE_MOST;
        atomic_store_explicit(&record->failures, 0, memory_order_relaxed);
    } else if (balance < FD_BALANCE_LEAST) {
        const int before = atomic_fetch_add_explicit(&record->failures, 1, memory_order_relaxed);
        int64_t pause = -balance * FD_PAUSE_FACTOR;
        for (int i = 0; i < before && pause < FD_PAUSE_MOST; i++)
            pause = pause < FD_PAUSE_MOST / 2 ? 2 * pause : FD_PAUSE_MOST;
        kept = 0;
        atomic_store_explicit(&record->until, now + pause, memory_order_relaxed);
    }
    atomic_store_explicit(&record->balance, kept, memory_order_relaxed);
}

/*
 * For how long a caller has done little but call. A break of more than 50 us takes twenty times its length off, so that
 * now and then the system may interrupt.
 */
typedef struct {
    _Atomic int64_t end, since; /* of the last call; of the streak */
} fd_streak;

enum { FD_BREAK = 50000, FD_BREAK_FACTOR = 20, FD_STREAK_MOST = 110000000 };

/* How long it is as a call begins. */
static inline int64_t fd_streak_length(fd_streak *streak, int64_t now) {
    const int64_t pause = now - atomic_load_explicit(&streak->end, memory_order_relaxed);
    int64_t length = now - atomic_load_explicit(&streak->since, memory_order_relaxed);
    length = length < FD_STREAK_MOST ? length : FD_STREAK_MOST;
    if (pause > FD_BREAK)
        length = pause < length / FD_BREAK_FACTOR ? length - pause * FD_BREAK_FACTOR : 0;
    atomic_store_explicit(&streak->since, now - length, memory_order_relaxed);
    return length;
}

static inline void fd_streak_end(fd_streak *streak, int64_t now) {
    atomic_store_explicit(&streak->end, now, memory_order_relaxed);
}

#endif
