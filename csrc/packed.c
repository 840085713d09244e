/* Some rows and columns of a matrix: gather, scatter, and an SGD step. */
#include "common.h"
#include "parallel.h"

/*
 * How many elements a thread must have to save more time than waking it costs. It is more than elsewhere: these passes
 * come between matrix products, and the threads of BLAS stay busy on the same processors for a while.
 */
enum { ELEMENTS_PER_THREAD = 1 << 20 };

typedef struct {
    fd_part part;
    double rate;
    uint8_t *whole; /* gather writes only to packed, the others only to whole */
    void *packed;
} part_job;

/* Defines a function over a range of rows: `at` points to the element of whole that belongs to packed[j]. */
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
/* The cast rounds the product to float also where the compiler keeps it as a double. */
ROWS(sgd_step_f32, float, *at -= (float)((float)job.rate * packed[j]))
ROWS(sgd_step_f64, double, *at -= job.rate * packed[j])

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
    run_rows(run, dtype == FD_F32 ? sgd_step_f32 : sgd_step_f64, &job);
}
