from libc.stdint cimport uint8_t, uint64_t
cimport numpy as cnp

from .c_fastdrop cimport fd_draw, fd_dtype, fd_key

cdef fd_key fold_in(fd_key key, uint64_t v) noexcept
cdef tuple call_key(fd_key key, uint64_t stream)
cdef fd_draw make_draw(fd_key key, uint64_t stream, double p) noexcept
cdef void dropout_contiguous(const fd_draw *draw, fd_dtype dtype, uint64_t index, double scale,
                             cnp.ndarray x, cnp.ndarray y, uint8_t *bits) noexcept
cdef int draw_bits(const fd_draw *draw, tuple noise, tuple strides, uint64_t start, uint8_t *bits) except -1
cdef int apply_bits(const uint8_t *bits, tuple noise, fd_dtype dtype, double scale,
                    cnp.ndarray x, cnp.ndarray y) except -1
