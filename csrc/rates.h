/* Walking the values of an array p in C order. */
#ifndef FD_RATES_H
#define FD_RATES_H

#include "backend.h"

typedef struct fd_walk {
    const fd_rates *rates;
    const uint8_t *at;
    size_t i[FD_MAX_DIMS];
} fd_walk;

FD_INLINE void walk_to(fd_walk *walk, const fd_rates *rates, size_t element) {
    walk->rates = rates;
    walk->at = (const uint8_t *)rates->p;
    element += rates->begin;
    for (int d = rates->ndim - 1; d >= 0; d--) {
        walk->i[d] = element % rates->shape[d];
        element /= rates->shape[d];
        walk->at += (ptrdiff_t)walk->i[d] * rates->step[d];
    }
}

FD_INLINE void copy_doubles(double *to, const uint8_t *from, ptrdiff_t step, size_t n) {
    if (step == sizeof *to) {
        memcpy(to, from, n * sizeof *to);
    } else if (step == 0) {
        fd_pair twice;
        memcpy(&twice, from, sizeof *to);
        twice[1] = twice[0];
        FD_UNROLL_4
        for (size_t i = 0; i + 1 < n; i += 2)
            memcpy(to + i, &twice, sizeof twice);
        memcpy(to + n - 1, from, sizeof *to);
    } else {
        FD_UNROLL_4
        for (size_t i = 0; i < n; i++, from += step)
            memcpy(to + i, from, sizeof *to);
    }
}

/* The next n values, in `to` or where they are. */
FD_INLINE const double *walk_on(fd_walk *walk, size_t n, double *to) {
    const fd_rates *rates = walk->rates;
    const int inner = rates->ndim - 1;
    const ptrdiff_t step = rates->step[inner];
    const uint8_t *begin = walk->at;
    const int in_place = inner == 0 && step == sizeof *to;
    for (size_t done = 0, count; done < n; done += count) {
        const size_t room = rates->shape[inner] - walk->i[inner];
        count = room < n - done ? room : n - done;
        if (!in_place)
            copy_doubles(to + done, walk->at, step, count);
        walk->at += (ptrdiff_t)count * step;
        walk->i[inner] += count;
        for (int d = inner; d > 0 && walk->i[d] == rates->shape[d]; d--) {
            walk->at += rates->step[d - 1] - (ptrdiff_t)rates->shape[d] * rates->step[d];
            walk->i[d] = 0;
            walk->i[d - 1]++;
        }
    }
    return in_place ? (const double *)(const void *)begin : to;
}

/* The same as whole words, after `lead` elements that are not of the walk: 0 takes the place of what is missing. */
FD_INLINE const double *walk_words(fd_walk *walk, size_t lead, size_t n, double *to) {
    const size_t end = lead + n, missing = (0 - end) % FD_WORD;
    const double *p = walk_on(walk, n, to + lead);
    if (lead == 0 && missing == 0)
        return p;
    if (p != to + lead)
        memcpy(to + lead, p, n * sizeof *p);
    memset(to, 0, lead * sizeof *to);
    memset(to + end, 0, missing * sizeof *to);
    return to;
}

#endif
