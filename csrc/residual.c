/* dropout(x + bias) + residual and its gradient, block by block: each operand is read once. */
#include "bits.h"
#include "parallel.h"

/* How many elements a thread must have to save more time than waking it costs. */
enum { ELEMENTS_PER_THREAD = 1 << 16 };

/* A partial sum takes at least PART elements, and there are at most MOST_PARTS of them, since each has its own row. */
enum { PART = 1 << 18, MOST_PARTS = 64 };

typedef struct {
    const fd_run *run;
    const fd_draw *draw;
    fd_dtype dtype;
    uint64_t index;
    size_t n, period;
    double scale;
    const uint8_t *x, *bias, *residual;
    uint8_t *y, *bits;
    fd_access access;
} residual_job;

static void residual_blocks(const void *job_, size_t begin, size_t end) {
    const residual_job *job = job_;
    const fd_backend *backend = job->run->backend;
    const size_t size = itemsize(job->dtype);
    fd_source source = fd_source_at(backend, job->draw, 0, NULL);
    for (size_t b = begin; b < end; b++) {
        const size_t at = b * FD_BLOCK, rest = job->n - at, count = rest < FD_BLOCK ? rest : FD_BLOCK;
        uint8_t scratch[FD_BLOCK_BYTES], *bits = job->bits ? job->bits + at / 8 : scratch;
        if (job->draw->all)
            memset(bits, 0, (count + 7) / 8);
        else
            fd_draw_run(&source, job->index + at, count, bits, 0);
        backend->of[job->dtype]->residual(
            bits, count, job->scale, job->x + at * size, job->bias ? job->bias + at % job->period * size : NULL,
            job->residual ? job->residual + at * size : NULL, job->y + at * size, job->access);
    }
}

void fd_bias_residual(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n, double scale,
                      const void *x, const void *bias, size_t period, const void *residual, void *y, uint8_t *bits) {
    const fd_access access = fd_access_of(run, 2 * n * itemsize(dtype), 1, draw->rounds);
    const residual_job job = {run, draw, dtype,    index, n,    period, draw->all ? 1 : scale,
                              x,   bias, residual, y,     bits, access};
    fd_parallel(fd_useful(run->threads, n, ELEMENTS_PER_THREAD), (n + FD_BLOCK - 1) / FD_BLOCK, residual_blocks, &job);
}

size_t fd_bias_parts(size_t n) {
    const size_t parts = n / PART + 1;
    return parts < MOST_PARTS ? parts : MOST_PARTS;
}

typedef struct {
    const fd_run *run;
    fd_dtype dtype;
    size_t n, period, reals; /* reals: how many a row has */
    double scale;
    const uint8_t *bits, *dy;
    uint8_t *dx;
    double *sums;
    fd_access access;
} gradient_job;

/* Adds `count` elements of dx from element `at` on to the sums of their columns. */
static void add_rows(const gradient_job *job, size_t at, size_t count, double *sum) {
    const size_t size = itemsize(job->dtype), parts = job->reals / job->period;
    for (size_t end = at + count, n; at < end; at += n) {
        const size_t column = at % job->period, room = job->period - column;
        double *to = sum + column * parts;
        n = room < end - at ? room : end - at;
        job->run->backend->of[job->dtype]->accumulate(job->dx + at * size, n, to, to + job->reals);
    }
}

static void gradient_parts(const void *job_, size_t begin, size_t end) {
    const gradient_job *job = job_;
    const size_t parts = fd_bias_parts(job->n), blocks = (job->n + FD_BLOCK - 1) / FD_BLOCK;
    const size_t size = itemsize(job->dtype);
    for (size_t part = begin; part < end; part++) {
        double *sum = job->sums + (part + 1) * 2 * job->reals;
        for (size_t b = blocks * part / parts; b < blocks * (part + 1) / parts; b++) {
            const size_t at = b * FD_BLOCK, rest = job->n - at, count = rest < FD_BLOCK ? rest : FD_BLOCK;
            job->run->backend->of[job->dtype]->apply(job->bits + at / 8, count, job->scale, job->dy + at * size,
                                                     job->dx + at * size, job->access);
            add_rows(job, at, count, sum);
        }
    }
}

void fd_bias_residual_backward(const fd_run *run, fd_dtype dtype, size_t n, size_t period, double scale,
                               const uint8_t *bits, const void *dy, void *dx, double *sums) {
    const size_t parts = fd_bias_parts(n), reals = period * run->backend->of[dtype]->reals;
    const gradient_job job = {
        run, dtype, n, period, reals, scale, bits, dy, dx, sums, fd_access_of(run, n * itemsize(dtype), dy == dx, 0)};
    fd_parallel(fd_useful(run->threads, n, ELEMENTS_PER_THREAD), parts, gradient_parts, &job);
    for (size_t part = 1; part <= parts; part++) /* adds the partial sums in order, with Kahan's compensation */
        run->backend->of[FD_F64]->accumulate(sums + part * 2 * reals, reals, sums, sums + reals);
}
