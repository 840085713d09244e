/* "Run this over units [begin, end)": the only door to threads. */
#ifndef FD_PARALLEL_H
#define FD_PARALLEL_H

#include "fastdrop.h"

typedef void fd_body(const void *job, size_t begin, size_t end);

/* Calls body on consecutive ranges that cover [0, units), one a thread, on at most `threads` threads. */
void fd_parallel(int threads, size_t units, fd_body *body, const void *job);

#endif
