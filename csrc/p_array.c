/* An array p before it is drawn from: checked, copied, and in as few axes as it can be walked by. */
#include "p_array.h"

#include <stdatomic.h>

#include "parallel.h"

/* Values of a unit of work, and those that a thread must have, or waking it costs more than it gives. */
enum { UNIT = 1 << 12, VALUES_PER_THREAD = 1 << 16 };

typedef struct {
    const fd_backend *backend;
    const double *p;
    double *copy;
    size_t n;
    atomic_int *wrong;
} copy_job;

static void copy_units(const void *job_, size_t begin, size_t end) {
    const copy_job *job = job_;
    const size_t from = begin * UNIT, to = end * UNIT < job->n ? end * UNIT : job->n;
    if (!job->backend->copy_p(job->p + from, to - from, job->copy ? job->copy + from : NULL))
        atomic_store(job->wrong, 1);
}

size_t fd_p_array_copy(const fd_run *run, const double *p, size_t n, double *copy) {
    atomic_int wrong = 0;
    const copy_job job = {run->backend, p, copy, n, &wrong};
    size_t right = n;
    fd_parallel(fd_useful(run->threads, n, VALUES_PER_THREAD), (n + UNIT - 1) / UNIT, copy_units, &job);
    if (wrong) { /* what was copied, for p may be another thread's to write */
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
