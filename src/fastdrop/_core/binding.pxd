from libc.stdint cimport uint8_t, uint64_t
cimport numpy as cnp

from .c_fastdrop cimport fd_dtype, fd_key, fd_part, fd_values

cdef fd_key fold_in(fd_key key, uint64_t v) noexcept
cdef tuple call_key(fd_key key, uint64_t stream)
cdef object array_p(object p, bint keep=*)
cdef int dropout_contiguous(fd_key key, uint64_t stream, double p, cnp.ndarray p_array, fd_dtype dtype, uint64_t index,
                            const fd_values *values, cnp.ndarray x, cnp.ndarray y, uint8_t *bits) except -1
cdef int draw_bits(fd_key key, uint64_t stream, double p, cnp.ndarray p_array, tuple noise, tuple strides,
                   uint64_t start, uint8_t *bits) except -1
cdef int apply_bits(const uint8_t *bits, tuple noise, fd_dtype dtype, const fd_values *values, cnp.ndarray p,
                    cnp.ndarray x, cnp.ndarray y) except -1
cdef int bias_residual(fd_key key, uint64_t stream, double p, fd_dtype dtype, uint64_t index, double scale,
                       cnp.ndarray x, cnp.ndarray bias, cnp.ndarray residual, cnp.ndarray y, uint8_t *bits) except -1
cdef cnp.ndarray bias_residual_backward(fd_dtype dtype, double scale, const uint8_t *bits, cnp.ndarray dy,
                                        cnp.ndarray dx)
cdef int draw_samples(fd_key key, double p, fd_dtype dtype, uint64_t index, size_t samples, cnp.ndarray x,
                      cnp.ndarray y) except -1
cdef void gather_part(fd_dtype dtype, const fd_part *part, cnp.ndarray whole, cnp.ndarray packed) noexcept
cdef void change_part(fd_dtype dtype, const fd_part *part, const double *rate, cnp.ndarray packed,
                      cnp.ndarray whole) noexcept
