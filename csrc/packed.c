/* Some rows and columns of a matrix: packed, put back, moved against a gradient. */
#include "common.h"
#include "parallel.h"

/*
 * A thread must have this many elements. It is more than elsewhere: these passes come between products, whose BLAS
 * keeps its own threads awake on the same processors.
 */
enum { ELEMENTS_PER_THREAD = 1 << 20 };

typedef struct {
    fd_part part;
    double rate;
    uint8_t *whole; /* of these two, only what the operation changes is written */
    void *packed;
} part_job;

/* A range of rows. The operation relates *at, a number of the larger matrix, to its place in the packed one. */
#define ROWS(name, real, operation)                                                     \
    static void name(const void *job_, size_t begin, size_t end) {                      \
        const part_job job = *(const part_job *)job_;                                   \
        for (size_t i = begin; i < end; i++) {                                          \
            uint8_t *row = job.whole + job.part.row[i] * job.part.row_stride;           \
            real *packed = (real *)job.packed + i * job.part.columns;                   \
            FD_UNROLL_4 for (size_t j = 0; j < job.part.columns; j++) {                 \
                real *at = (real *)(row + job.part.column[j] * job.part.column_stride); \
                operation;                                                              \
            }                                                                           \
        }                                                                               \
    }

ROWS(gather_f32, float, packed[j] = *at)
ROWS(gather_f64, double, packed[j] = *at)
ROWS(scatter_f32, float, *at = packed[j])
ROWS(scatter_f64, double, *at = packed[j])
ROWS(descend_f32, float, *at -= (float)((float)job.rate * packed[j])) /* some machines keep products as doubles */
ROWS(descend_f64, double, *at -= job.rate * packed[j])

static void run_rows(const fd_run *run, fd_body *rows, const part_job *job) {
    const size_t n = job->part.rows * job->part.columns;
    fd_parallel(fd_useful(run->threads, n, ELEMENTS_PER_THREAD), job->part.rows, rows, job);
}

void fd_gather(const fd_run *run, fd_dtype dtype, const fd_part *part, const void *whole, void *packed) {
    const part_job job = {*part, 0, (uint8_t *)whole, packed};
    run_rows(run, dtype == FD_F32 ? gather_f32 : gather_f64, &job);
}

void fd_scatter(const fd_run *run, fd_dtype dtype, const fd_part *part, const void *packed, void *whole) {
    const part_job job = {*part, 0, whole, (void *)packed};
    run_rows(run, dtype == FD_F32 ? scatter_f32 : scatter_f64, &job);
}

void fd_sgd_step(const fd_run *run, fd_dtype dtype, const fd_part *part, double rate, const void *packed, void *whole) {
    const part_job job = {*part, rate, whole, (void *)packed};
    run_rows(run, dtype == FD_F32 ? descend_f32 : descend_f64, &job);
}
