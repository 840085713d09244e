# The declarations of csrc/fastdrop.h, in the same order.
from libc.stddef cimport size_t, ptrdiff_t
from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef extern from "fastdrop.h" nogil:
    ctypedef struct fd_backend:
        pass

    const fd_backend *fd_backend_at(int i)
    const char *fd_backend_name(const fd_backend *backend)
    int fd_backend_supported(const fd_backend *backend)

    ctypedef struct fd_run:
        const fd_backend *backend
        int threads
        size_t cache_bytes
        int prefetch

    fd_run fd_run_default()
    int fd_max_threads()
    int fd_has_openmp()
    double fd_threads_pause()
    void fd_threads_always(int always)
    const char *fd_compiler()

    ctypedef struct fd_key:
        uint64_t k0
        uint64_t k1

    fd_key fd_fold_in(fd_key key, uint64_t v)

    int FD_MAX_DIMS

    ctypedef struct fd_p_array:
        size_t begin

    fd_p_array fd_p_array_of(const double *p, int ndim, const size_t *shape, const ptrdiff_t *step)

    size_t fd_p_array_copy(const fd_run *run, const double *p, size_t n, double *copy)

    ctypedef struct fd_draw:
        uint64_t c0
        uint64_t c1
        const fd_p_array *p_array

    fd_draw fd_draw_init(fd_key key, uint64_t stream, double p)
    fd_draw fd_draw_init_array(fd_key key, uint64_t stream, const fd_p_array *p_array)

    ctypedef enum fd_dtype:
        FD_F16
        FD_BF16
        FD_F32
        FD_F64
        FD_C64
        FD_C128

    size_t fd_itemsize(fd_dtype dtype)

    ctypedef struct fd_values:
        double scale
        double shift
        double dropped
        const double *p

    void fd_dropout(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n,
                    const fd_values *values, const void *x, void *y, uint8_t *bits)
    void fd_bits(const fd_run *run, const fd_draw *draw, int ndim, const size_t *shape, const uint64_t *index_stride,
                 uint64_t start, uint8_t *bits)

    ctypedef struct fd_axis:
        size_t extent
        int64_t bit
        ptrdiff_t x
        ptrdiff_t y
        ptrdiff_t p

    void fd_apply(const fd_run *run, fd_dtype dtype, int ndim, fd_axis *axes, const fd_values *values,
                  const uint8_t *bits, const void *x, void *y)

    int FD_BIAS_SLACK

    void fd_bias_residual(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n,
                          double scale, const void *x, const void *bias, size_t period, const void *residual, void *y,
                          uint8_t *bits)
    size_t fd_bias_parts(size_t n)
    void fd_bias_residual_backward(const fd_run *run, fd_dtype dtype, size_t n, size_t period, double scale,
                                   const uint8_t *bits, const void *dy, void *dx, double *sums)
    void fd_samples(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t samples,
                    const void *x, void *y)
    void fd_samples_part(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n,
                         size_t first, size_t samples, size_t stride, const void *x, void *y)

    ctypedef struct fd_part:
        size_t rows
        size_t columns
        const ptrdiff_t *row
        const ptrdiff_t *column
        ptrdiff_t row_stride
        ptrdiff_t column_stride

    void fd_gather(const fd_run *run, fd_dtype dtype, const fd_part *part, const void *whole, void *packed)
    void fd_scatter(const fd_run *run, fd_dtype dtype, const fd_part *part, const void *packed, void *whole)
    void fd_sgd_step(const fd_run *run, fd_dtype dtype, const fd_part *part, double rate, const void *packed,
                     void *whole)
