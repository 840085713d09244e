/*
 * Chunks of work shared out: each thread has a range of its own, which it takes in portions from the front; who is done
 * early helps the others from the back of theirs. So on a quiet machine each core works on the same part from call to
 * call, which its cache still holds, and nobody waits for a thread that has no core.
 */
#ifndef FD_RANGES_H
#define FD_RANGES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { FD_RANGES = 64, FD_PORTIONS = 8 }; /* threads beyond so many share ranges */

typedef struct {
    _Alignas(64) _Atomic uint64_t left; /* portions: the first that is left, and above it, 32 bits up, the end */
    size_t begin, end, portion;         /* in chunks */
} fd_range;

/* Part i of n equal ones of so many chunks. Written so that no product overflows. */
static inline fd_range fd_range_of(size_t chunks, size_t i, size_t n) {
    const size_t share = chunks / n, rest = chunks % n, own = share + (i < rest);
    const size_t begin = i * share + (i < rest ? i : rest), portion = own / FD_PORTIONS + 1;
    return (fd_range){(uint64_t)((own + portion - 1) / portion) << 32, begin, begin + own, portion};
}

/*
 * The next portion's chunks [*begin, *end), from the front or from the back; 0 where none is left. The last portion is
 * left to a thread that is at work on its range: fetching it from the other core's cache takes longer than that thread
 * does.
 */
static inline int fd_take(fd_range *range, int front, size_t *begin, size_t *end) {
    uint64_t left = atomic_load_explicit(&range->left, memory_order_relaxed), next;
    size_t portion;
    do {
        const uint32_t first = (uint32_t)left, last = (uint32_t)(left >> 32);
        if (first == last || (!front && first > 0 && first + 1 == last))
            return 0;
        portion = front ? first : last - 1;
        next = front ? left + 1 : left - (UINT64_C(1) << 32);
    } while (
        !atomic_compare_exchange_weak_explicit(&range->left, &left, next, memory_order_relaxed, memory_order_relaxed));
    *begin = range->begin + portion * range->portion;
    *end = range->end - *begin < range->portion ? range->end : *begin + range->portion;
    return 1;
}

#endif
