from libc.stdint cimport uint64_t

from .c_fastdrop cimport fd_key
from .rng cimport Rng

cdef Rng as_rng(object rng)
cdef int take(object rng, fd_key *key, uint64_t *stream) except -1
