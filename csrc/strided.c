/* Applies packed bits to data of any strides: finds which bits belong to which run of elements. */
#include "strided.h"

#include "p_array.h"
#include "parallel.h"

/* How many elements a thread must have to save more time than waking it costs (benchmarks/README.md). */
enum { ELEMENTS_PER_THREAD = 1 << 18 };

/* A chunk of work is a run of at most RUN elements along the innermost axis of y, or a tile of several. */
enum { RUN = 1 << 16 };

/*
 * Rows of up to this many elements, whose data are contiguous though their bits are not (a noise shape over a short
 * axis), are applied many at a time: one call per row takes longer than packing their bits in a buffer.
 */
enum { SHORT_ROW = 256 };

static void apply_chunks(const void *job_, size_t begin, size_t end) {
    const fd_apply_job *job = job_;
    const fd_tiling *cut = &job->tiles;
    const int tiles = job->ndim - 2, runs = job->ndim - 1;
    const fd_place origin = {job->first_bit, job->x, job->y, (const uint8_t *)job->values.p};
    fd_walk walk;
    fd_walk_to(&walk, job->axes, job->ndim, origin, begin);
    for (size_t chunk = begin; chunk < end; chunk++) {
        const size_t n = at_most(job->run_axis.extent - walk.i[runs] * cut->piece, cut->piece);
        if (cut->axis.extent > 1)
            fd_apply_tile(job, walk.at, n, at_most(cut->axis.extent - walk.i[tiles] * cut->width, cut->width));
        else
            fd_apply_scattered(job, walk.at, n);
        fd_walk_on(&walk, 1);
    }
}

/* Contiguous data of which each element has its own p, or each of a few: p is walked on, in blocks. */
static void apply_p_blocks(const void *job_, size_t begin, size_t end) {
    const fd_apply_job *job = job_;
    const fd_place origin = {.p = (const uint8_t *)job->values.p};
    double staged[FD_WORD];
    fd_walk walk;
    const size_t to = at_most(end * FD_BLOCK, job->n);
    fd_walk_to(&walk, job->axes, job->ndim, origin, begin * FD_BLOCK);
    for (size_t at = begin * FD_BLOCK, count; at < to; at += count) {
        count = at_most(to - at, FD_WORD);
        const double *p = p_walk_on(&walk, count, staged);
        job->run->backend->of[job->dtype]->apply_p_array(job->bits + at / 8, count, p, job->x + at * job->size,
                                                         job->y + at * job->size);
    }
}

/* Whether data and bits are contiguous, and only p has axes that are not one. */
static int only_p_has_axes(const fd_apply_job *job, const fd_axis *axes, int ndim) {
    fd_axis data[FD_MAX_DIMS];
    for (int d = 0; d < ndim; d++)
        data[d] = (fd_axis){axes[d].extent, axes[d].bit, axes[d].x, axes[d].y, 0};
    const ptrdiff_t size = (ptrdiff_t)job->size;
    return ndim > 1 && fd_merge_axes(data, ndim) == 1 && data->bit == 1 && data->x == size && data->y == size;
}

static size_t magnitude(ptrdiff_t step) { return step < 0 ? 0 - (size_t)step : (size_t)step; }

/* Sorts the axes by their steps of y, largest first, so that memory is written in order. */
static void sort_axes(fd_axis *axes, int ndim) {
    for (int d = 1; d < ndim; d++)
        for (int e = d; e > 0 && magnitude(axes[e - 1].y) < magnitude(axes[e].y); e--) {
            const fd_axis swap = axes[e];
            axes[e] = axes[e - 1];
            axes[e - 1] = swap;
        }
}

/* The axis that counts the pieces into which `axis` is cut. */
static fd_axis pieces(fd_axis axis, size_t piece) {
    const ptrdiff_t step = (ptrdiff_t)piece;
    return (fd_axis){(axis.extent - 1) / piece + 1, axis.bit * step, axis.x * step, axis.y * step, axis.p * step};
}

/* A run that goes down memory, from its other end: up memory, and down the bits. */
static void turn_run(fd_apply_job *job) {
    fd_axis *axis = &job->run_axis;
    const ptrdiff_t last = (ptrdiff_t)axis->extent - 1;
    job->first_bit = (uint64_t)last;
    job->x += last * axis->x;
    job->y += last * axis->y;
    if (job->values.p)
        job->values.p = (const double *)(const void *)((const uint8_t *)job->values.p + last * axis->p);
    *axis = (fd_axis){axis->extent, -1, -axis->x, -axis->y, -axis->p};
}

void fd_apply(const fd_run *run, fd_dtype dtype, int ndim, fd_axis *axes, const fd_values *values, const uint8_t *bits,
              const void *x, void *y) {
    fd_apply_job job = {.run = run, .dtype = dtype, .size = itemsize(dtype), .values = *values, .bits = bits, .x = x};
    size_t n = 1, last_bit = 0, chunks = 1;
    job.y = y;
    for (int d = 0; d < ndim; d++) {
        n *= axes[d].extent;
        last_bit += (axes[d].extent - 1) * (size_t)axes[d].bit;
    }
    if (n == 0)
        return;
    job.bits_end = bits + last_bit / 8 + 1;
    job.access = fd_access_of(run, n * job.size, x == y, 0);
    sort_axes(axes, ndim);
    ndim = fd_merge_axes(axes, ndim);
    if (values->p && ndim > 0 && axes[ndim - 1].extent <= SHORT_ROW && only_p_has_axes(&job, axes, ndim)) {
        memcpy(job.axes, axes, (size_t)ndim * sizeof *axes);
        job.ndim = ndim;
        job.n = n;
        fd_parallel(fd_useful(run->threads, n, ELEMENTS_PER_THREAD), (n - 1) / FD_BLOCK + 1, apply_p_blocks, &job);
        return;
    }
    const fd_axis single = {1, 1, (ptrdiff_t)job.size, (ptrdiff_t)job.size, 0};
    job.run_axis = ndim > 0 ? axes[--ndim] : single;
    job.tiles = (fd_tiling){.axis = single, .width = 1, .piece = RUN};
    if (ndim > 0 && job.run_axis.extent <= SHORT_ROW && job.run_axis.bit <= 1 &&
        fd_data_continue(&axes[ndim - 1], &job.run_axis)) {
        const fd_axis outer = axes[--ndim];
        job.row_axis = job.run_axis;
        job.run_axis.extent *= outer.extent;
        job.run_axis.bit = outer.bit;
        job.tiles.piece = RUN / job.row_axis.extent * job.row_axis.extent;
    }
    if (job.row_axis.extent == 0 && job.run_axis.bit == 1 && job.run_axis.x < 0 && job.run_axis.y < 0)
        turn_run(&job);
    for (int d = 0; d < ndim; d++)
        if (job.row_axis.extent == 0 && job.run_axis.bit > 1 && axes[d].bit == 1)
            job.tiles = fd_tiling_of(&job, axes[d]);
        else
            job.axes[job.ndim++] = axes[d];
    job.axes[job.ndim++] = pieces(job.tiles.axis, job.tiles.width);
    job.axes[job.ndim++] = pieces(job.run_axis, job.tiles.piece);
    if (job.row_axis.extent > 0)
        job.axes[job.ndim - 1].bit /= (ptrdiff_t)job.row_axis.extent;
    for (int d = 0; d < job.ndim; d++)
        chunks *= job.axes[d].extent;
    fd_parallel(fd_useful(run->threads, n, ELEMENTS_PER_THREAD), chunks, apply_chunks, &job);
}
