/* The mask stream from csrc/README.md, as slow as it is written there: keys, and the mask of an array p. */
#ifndef STREAM_H
#define STREAM_H

#include "fastdrop.h"

fd_key slow_fold_in(fd_key key, uint64_t v);

/* U of the elements index .. index+n-1. */
void slow_uniforms(fd_key key, uint64_t stream, uint64_t index, size_t n, uint64_t *u);

/* round_half_even(p * 2^64) of a p below 1, in integers. */
uint64_t slow_threshold(double p);

int slow_kept(uint64_t u, double p);

#endif
