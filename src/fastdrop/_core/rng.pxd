from libc.stdint cimport uint64_t

from .c_fastdrop cimport fd_key


cdef class Rng:
    cdef fd_key _key
    cdef uint64_t _counter, _spawned, _row
    cdef bint _exhausted      # stream 2**64 - 1 has been drawn
    cdef bint _unseeded       # the key came from the system: a forked child takes another
    cdef uint64_t _process    # which process (as _rng.process) the key belongs to
    cdef readonly bint _batch  # at_row made it, or what it comes from: axis 0 of an array is rows
    cdef readonly bint _used  # its key has been asked for: something was drawn, derived or read

    cdef fd_key own_key(self) noexcept
    cdef fd_key current_key(self)
    cdef Rng child(self, fd_key key)


cdef Rng as_rng(object rng)
cdef int take(object rng, fd_key *key, uint64_t *stream) except -1
cdef object row_of(object rng)
