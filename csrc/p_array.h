/* Walking the values of an array p in C order. */
#ifndef FD_P_ARRAY_H
#define FD_P_ARRAY_H

#include "backend.h"
#include "iterate.h"

/* Begins a walk over p at `element` of the call. */
FD_INLINE void p_walk_to(fd_walk *walk, const fd_p_array *p_array, size_t element) {
    const fd_place origin = {.p = (const uint8_t *)p_array->p};
    fd_walk_to(walk, p_array->axes, p_array->ndim, origin, p_array->begin + element);
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

/*
 * For how many of the next values each is that of 64 before it: where they are one p, or a short axis of p is repeated
 * over the axis before it, as units are over samples.
 */
FD_INLINE size_t p_walk_alike(const fd_walk *walk) {
    const fd_axis *axis = &walk->axes[walk->inner];
    if (axis->p == 0)
        return fd_walk_room(walk);
    if (walk->inner == 0 || axis[-1].p != 0 || FD_WORD % axis->extent != 0)
        return 0;
    return (axis[-1].extent - walk->i[walk->inner - 1]) * axis->extent - walk->i[walk->inner];
}

/* Moves on by n such values, a multiple of 64. */
FD_INLINE void p_walk_skip(fd_walk *walk, size_t n) {
    const fd_axis *axis = &walk->axes[walk->inner];
    if (axis->p == 0) {
        fd_walk_on(walk, n);
    } else { /* by whole steps of the axis before */
        walk->inner--;
        fd_walk_on(walk, n / axis->extent);
        walk->inner++;
    }
}

/* Returns the next n values: a pointer into p where they are contiguous, else `to`, to which they are copied. */
FD_INLINE const double *p_walk_on(fd_walk *walk, size_t n, double *to) {
    const ptrdiff_t step = walk->axes[walk->inner].p;
    const uint8_t *begin = walk->at.p;
    const int in_place = step == sizeof *to && fd_walk_room(walk) >= n;
    for (size_t done = 0, count; done < n; done += count) {
        const size_t room = fd_walk_room(walk);
        count = room < n - done ? room : n - done;
        if (!in_place)
            copy_doubles(to + done, walk->at.p, step, count);
        fd_walk_on(walk, count);
    }
    return in_place ? (const double *)(const void *)begin : to;
}

/* The same, filled up to whole words: with `lead` zeros before the n values, and with zeros after them. */
FD_INLINE const double *p_walk_words(fd_walk *walk, size_t lead, size_t n, double *to) {
    const size_t end = lead + n, missing = (0 - end) % FD_WORD;
    const double *p = p_walk_on(walk, n, to + lead);
    if (lead == 0 && missing == 0)
        return p;
    if (p != to + lead)
        memcpy(to + lead, p, n * sizeof *p);
    memset(to, 0, lead * sizeof *to);
    memset(to + end, 0, missing * sizeof *to);
    return to;
}

#endif
