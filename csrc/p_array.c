/* Prepares an array p: checks and copies its values, and merges its axes. */
#include "p_array.h"

#include <stdatomic.h>

#include "parallel.h"

/* Values in a chunk of work, and how many a thread must have to save more time than waking it costs. */
enum { CHUNK = 1 << 12, VALUES_PER_THREAD = 1 << 16 };

typedef struct {
    const fd_backend *backend;
    const double *p;
    double *copy;
    size_t n;
    atomic_int *wrong;
} copy_job;

static void copy_chunks(const void *job_, size_t begin, size_t end) {
    const copy_job *job = job_;
    const size_t from = begin * CHUNK, to = end * CHUNK < job->n ? end * CHUNK : job->n;
    if (!job->backend->copy_p(job->p + from, to - from, job->copy ? job->copy + from : NULL))
        atomic_store(job->wrong, 1);
}

size_t fd_p_array_copy(const fd_run *run, const double *p, size_t n, double *copy) {
    atomic_int wrong = 0;
    const copy_job job = {run->backend, p, copy, n, &wrong};
    size_t right = n;
    fd_parallel(fd_useful(run->threads, n, VALUES_PER_THREAD), (n + CHUNK - 1) / CHUNK, copy_chunks, &job);
    if (wrong) { /* look at the copy: another thread may be writing to p */
        const double *checked = copy ? copy : p;
        for (right = 0; right < n && checked[right] >= 0 && checked[right] <= 1;)
            right++;
    }
    return right;
}

fd_p_array fd_p_array_of(const double *p, int ndim, const size_t *shape, const ptrdiff_t *step) {
    fd_p_array p_array = {.p = p};
    for (int d = 0; d < ndim; d++)
        p_array.axes[d] = (fd_axis){.extent = shape[d], .p = step[d]};
    p_array.ndim = fd_merge_axes(p_array.axes, ndim);
    if (p_array.ndim == 0)
        p_array.axes[p_array.ndim++] = (fd_axis){.extent = 1};
    return p_array;
}
