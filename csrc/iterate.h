/* Walking over N axes in C order: where each operand is, and which element comes next. */
#ifndef FD_ITERATE_H
#define FD_ITERATE_H

#include "common.h"
#include "fastdrop.h"

/* A position in each operand; 0 or NULL for those that a pass does not have. */
typedef struct {
    uint64_t bit; /* the number of a bit, or a logical index */
    const uint8_t *x;
    uint8_t *y;
    const uint8_t *p;
} fd_place;

FD_INLINE fd_place fd_moved(fd_place at, const fd_axis *axis, size_t steps) {
    const ptrdiff_t i = (ptrdiff_t)steps;
    return (fd_place){at.bit + steps * (uint64_t)axis->bit, at.x ? at.x + i * axis->x : NULL,
                      at.y ? at.y + i * axis->y : NULL, at.p ? at.p + i * axis->p : NULL};
}

/* Whether one step along `outer` moves x, y and p as far as all steps along `inner`. */
FD_INLINE int fd_data_continue(const fd_axis *outer, const fd_axis *inner) {
    const ptrdiff_t extent = (ptrdiff_t)inner->extent;
    return outer->x == extent * inner->x && outer->y == extent * inner->y && outer->p == extent * inner->p;
}

/* Removes axes of extent 1, and merges an axis with the next one where possible; returns how many axes remain. */
FD_INLINE int fd_merge_axes(fd_axis *axes, int ndim) {
    int last = -1;
    for (int d = 0; d < ndim; d++) {
        if (axes[d].extent == 1)
            continue;
        if (last >= 0 && axes[last].bit == (int64_t)axes[d].extent * axes[d].bit &&
            fd_data_continue(&axes[last], &axes[d]))
            axes[d].extent *= axes[last].extent;
        else
            last++;
        axes[last] = axes[d];
    }
    return last + 1;
}

typedef struct fd_walk {
    const fd_axis *axes; /* at least one, none of extent 0 */
    int inner;           /* the number of the last axis */
    fd_place at;
    size_t i[FD_MAX_DIMS + 2];
} fd_walk;

/* Begins a walk at `element`, counted in C order; `origin` is the position of element 0. */
FD_INLINE void fd_walk_to(fd_walk *walk, const fd_axis *axes, int ndim, fd_place origin, size_t element) {
    walk->axes = axes;
    walk->inner = ndim - 1;
    walk->at = origin;
    for (int d = ndim - 1; d >= 0; d--) {
        walk->i[d] = element % axes[d].extent;
        element /= axes[d].extent;
        walk->at = fd_moved(walk->at, &axes[d], walk->i[d]);
    }
}

/* How many elements are left on the innermost axis. */
FD_INLINE size_t fd_walk_room(const fd_walk *walk) { return walk->axes[walk->inner].extent - walk->i[walk->inner]; }

/* Moves on by `count` elements, at most fd_walk_room(walk). */
FD_INLINE void fd_walk_on(fd_walk *walk, size_t count) {
    const fd_axis *axes = walk->axes;
    int d = walk->inner;
    walk->at = fd_moved(walk->at, &axes[d], count);
    walk->i[d] += count;
    for (; d > 0 && walk->i[d] == axes[d].extent; d--) {
        walk->at = fd_moved(fd_moved(walk->at, &axes[d], 0 - axes[d].extent), &axes[d - 1], 1);
        walk->i[d] = 0;
        walk->i[d - 1]++;
    }
}

#endif
