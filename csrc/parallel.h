/* "Run this over chunks [begin, end)": the only door to threads. */
#ifndef FD_PARALLEL_H
#define FD_PARALLEL_H

#include "fastdrop.h"

/* The threads worth waking for n elements, where one thread must have `share` of them to be worth its waking. */
static inline int fd_useful(int threads, size_t n, size_t share) {
    return n / share < (size_t)threads ? (int)(n / share) + 1 : threads;
}

typedef void fd_body(const void *job, size_t begin, size_t end);

/*
 * Calls body on ranges that cover [0, chunks), each chunk once, on at most `threads` threads: on fewer where threads do
 * not pay at the moment.
 */
void fd_parallel(int threads, size_t chunks, fd_body *body, const void *job);

#endif
