cimport cython
from libc.stdint cimport uint64_t

from .c_fastdrop cimport fd_key


cdef class Rng:
    cdef fd_key _key
    cdef uint64_t _counter, _spawned, _row
    cdef bint _exhausted      # stream 2**64 - 1 has been taken
    cdef bint _unseeded       # the key came from the system: it changes in a forked child
    cdef uint64_t _process    # value of `process` (rng.pyx) in the process that the key belongs to
    cdef readonly bint _batch  # it, or the Rng that it was derived from, was made by at_row
    cdef readonly bint _used  # something was drawn or derived from its key, or the key was read

    cdef fd_key own_key(self) noexcept
    cdef fd_key current_key(self)
    cdef Rng child(self, fd_key key)


cdef inline uint64_t row_of(object rng):
    """Return the row that an rng is at (`Rng.at_row`)."""
    cdef uint64_t row = 0
    if type(rng) is Rng:
        with cython.critical_section(rng):
            row = (<Rng> rng)._row
    return row
