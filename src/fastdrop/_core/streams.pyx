"""The Rng of a call, made from any `rng` that a user may pass, and the stream that the call takes."""

import sys

cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport UINT64_MAX, uint64_t

from .c_fastdrop cimport fd_key
from .rng cimport Rng

cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void *state
        uint64_t (*next_uint64)(void *state) nogil


cdef Rng from_bit_generator(object bit_generator):
    """Make an Rng whose k0 and k1 are the next two outputs of a NumPy bit generator."""
    cdef Rng rng = Rng.__new__(Rng)
    cdef bitgen_t *source
    with bit_generator.lock:
        source = <bitgen_t *> PyCapsule_GetPointer(bit_generator.capsule, "BitGenerator")
        rng._key.k0 = source.next_uint64(source.state)
        rng._key.k1 = source.next_uint64(source.state)
    return rng


cdef Rng unseeded = Rng()


cdef Rng as_rng(object rng):
    """Return the Rng of a call from any `rng` that a user may pass; a NumPy generator is advanced."""
    if type(rng) is Rng:
        return rng
    if rng is None:
        return unseeded
    random = sys.modules.get("numpy.random")  # if it was never imported, rng is none of its objects
    if isinstance(rng, getattr(random, "RandomState", ())):
        raise TypeError("rng must not be a RandomState: pass numpy.random.default_rng(...)")
    rng = rng.bit_generator if isinstance(rng, getattr(random, "Generator", ())) else rng
    if isinstance(rng, getattr(random, "BitGenerator", ())):
        return from_bit_generator(rng)
    seed = any(hasattr(rng, name) for name in ("__index__", "__len__", "generate_state"))
    if not seed or isinstance(rng, (str, bytes, dict)):
        raise TypeError(
            f"rng must be an Rng, a seed, a numpy Generator, a BitGenerator or None, got {type(rng).__name__}")
    return Rng(rng)


cdef int take(object rng, fd_key *key, uint64_t *stream) except -1:
    """Get the key of rng, and take a stream, which no other call gets."""
    cdef Rng source = <Rng> rng if type(rng) is Rng else as_rng(rng)
    cdef bint exhausted
    with cython.critical_section(source):
        key[0] = source._key if source._used and not source._unseeded else source.own_key()
        exhausted = source._exhausted
        stream[0] = source._counter
        if source._counter == UINT64_MAX:
            source._exhausted = True
        else:
            source._counter += 1
    if exhausted:
        raise OverflowError("the rng's counter is exhausted: take fold_in or spawn")
    return 0


def own_rng(rng):
    """Return the Rng that a layer keeps: None gives a new one, a seed is used once, for all steps."""
    return Rng() if rng is None else as_rng(rng)
