/* Monte Carlo: many samples of dropout of one array, which is read once. */
#include "dropout.h"
#include "parallel.h"

typedef struct {
    fd_dropout_job sample; /* the first sample; the others differ in draw and y */
    fd_key key;
    double p;
    size_t first, samples, stride;
} samples_job;

/* How many blocks of x are read at a time: they stay in the first-level cache while all samples are made of them. */
enum { RESIDENT = 2 };

static void sample_chunks(const void *job_, size_t begin, size_t end) {
    const samples_job *job = job_;
    for (size_t at = begin; at < end; at += RESIDENT)
        for (size_t t = 0; t < job->samples; t++) {
            const fd_draw draw = fd_draw_init(fd_fold_in(job->key, job->first + t), 0, job->p);
            fd_dropout_job sample = job->sample;
            sample.draw = &draw;
            sample.y += t * job->stride * itemsize(sample.dtype);
            fd_dropout_chunks(&sample, at, at + RESIDENT < end ? at + RESIDENT : end);
        }
}

void fd_samples(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t samples,
                const void *x, void *y) {
    fd_samples_part(run, key, p, dtype, index, n, 0, samples, n, x, y);
}

void fd_samples_part(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t first,
                     size_t samples, size_t stride, const void *x, void *y) {
    const size_t size = itemsize(dtype);
    if (n == 0)
        return;
    if (p == 0 || p == 1) {
        for (size_t t = 0; t < samples; t++)
            if (p == 1)
                memset((uint8_t *)y + t * stride * size, 0, n * size);
            else
                memcpy((uint8_t *)y + t * stride * size, x, n * size);
        return;
    }
    samples_job job = {.key = key, .p = p, .first = first, .samples = samples, .stride = stride};
    job.sample = (fd_dropout_job){
        .run = run,
        .dtype = dtype,
        .index = index,
        .n = n,
        .values = {1 / (1 - p), 0, 0, NULL},
        .x = x,
        .y = y,
        .access = fd_access_of(run, n * samples * size, 0, 0),
    };
    fd_parallel(fd_useful(run->threads, n * samples, FD_ELEMENTS_PER_THREAD), fd_chunks(&job.sample), sample_chunks,
                &job);
}
