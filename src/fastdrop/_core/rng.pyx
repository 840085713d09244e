"""Keys and streams: where the randomness of a call comes from (csrc/README.md, "Keys")."""

import operator
import os
import sys

cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport UINT64_MAX, uint64_t

from .arguments cimport integer
from .binding cimport fold_in
from .c_fastdrop cimport fd_key

from .arguments import natural
from .saved import check_state
from .seeds import WORD, key_from_seed
from .._public import public

cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void *state
        uint64_t (*next_uint64)(void *state) nogil

# The upper half of fold_in's values is the library's own; spawn's children are fold_in(SPAWN, k).
cdef uint64_t SPAWN = UINT64_MAX

# 0 in the process that imported the library; in each forked child a random word, which its unseeded keys take in.
cdef uint64_t process = 0


def _after_fork():
    global process
    process = int.from_bytes(os.urandom(8), "little") | 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@cython.final
cdef class Rng:
    """Rng(seed=None)
--

    A key and a counter of calls: every call of the library takes the next stream of the key.

    A mask is a pure function of (key, stream, p, logical index): the same on every machine, with any number of
    threads, in any release.

    Parameters
    ----------
    seed : int, sequence of ints, numpy.random.SeedSequence or None
        Becomes the key through ``numpy.random.SeedSequence``, for which ``5``, ``[5]`` and ``[5, 0]`` are one seed:
        take `fold_in` to tell layers and steps apart, not ``[seed, layer]``. None: a key from the system, and another
        one in a forked child.

    Attributes
    ----------
    key : tuple of two ints
        The key's two 64-bit words.
    counter : int
        The stream that the next call takes.
    state : dict
        `version`, `key` (32 hex digits), `counter`, `spawned`, `row`; may be set.

    Notes
    -----
    Safe to share between threads: no stream is handed out twice. Not for cryptography.

    Examples
    --------
    >>> import fastdrop as fd
    >>> rng = fd.Rng(0)
    >>> mask = fd.bernoulli(8, 0.5, rng=rng)
    >>> rng.counter
    1
    >>> layers = [rng.fold_in(layer) for layer in range(3)]
    """

    def __init__(self, seed=None):
        if seed is None:
            self._key.k0 = int.from_bytes(os.urandom(8), "little")
            self._key.k1 = int.from_bytes(os.urandom(8), "little")
            self._unseeded = True
        else:
            self._key.k0, self._key.k1 = key_from_seed(seed)
            self._unseeded = False
        self._process = process
        self._counter = self._spawned = self._row = 0
        self._exhausted = False

    @staticmethod
    def from_key(k0, k1, counter=0):
        """Make an Rng from the two words of a key.

        Parameters
        ----------
        k0, k1, counter : int
            Each in [0, 2**64).

        Returns
        -------
        Rng

        Examples
        --------
        >>> import fastdrop as fd
        >>> fd.Rng.from_key(1, 2).key
        (1, 2)
        """
        cdef Rng rng = Rng.__new__(Rng)
        rng._key.k0 = integer(k0, "k0", WORD)
        rng._key.k1 = integer(k1, "k1", WORD)
        rng._counter = integer(counter, "counter", WORD)
        return rng

    cdef fd_key own_key(self) noexcept:
        """The key, in a forked child of an unseeded Rng another one; for a caller in a critical section."""
        self._used = True
        if self._unseeded and self._process != process:
            self._key = fold_in(self._key, process)
            self._process = process
        return self._key

    cdef fd_key current_key(self):
        cdef fd_key key
        with cython.critical_section(self):
            key = self.own_key()
        return key

    cdef Rng child(self, fd_key key):
        cdef Rng rng = Rng.__new__(Rng)
        rng._key = key
        rng._row = self._row
        rng._unseeded = self._unseeded
        rng._process = self._process
        rng._batch = self._batch
        return rng

    @property
    def key(self):
        cdef fd_key key = self.current_key()
        return key.k0, key.k1

    @property
    def counter(self):
        cdef uint64_t counter
        with cython.critical_section(self):
            counter = self._counter
        return counter

    @property
    def state(self):
        cdef Rng now = self.__copy__()
        return {"version": 1, "key": f"{now._key.k0:016x}{now._key.k1:016x}", "counter": now._counter,
                "spawned": now._spawned, "row": now._row}

    @state.setter
    def state(self, state):
        k0, k1, counter, spawned, row = check_state(state)
        with cython.critical_section(self):
            self._key.k0, self._key.k1 = k0, k1
            self._counter, self._spawned, self._row = counter, spawned, row
            self._unseeded, self._exhausted, self._batch = False, False, row > 0

    def fold_in(self, *values):
        """Derive an independent child for a layer, a step, a rank; several values fold one after the other.

        Parameters
        ----------
        *values : int
            One or more, each in [0, 2**63).

        Returns
        -------
        Rng
            Its counter is 0. This Rng does not change.

        Raises
        ------
        TypeError, ValueError
            Without an int, or outside the range.

        Examples
        --------
        >>> import fastdrop as fd
        >>> rng = fd.Rng(0)
        >>> rng.fold_in(3, 1).key == rng.fold_in(3).fold_in(1).key
        True
        """
        cdef fd_key key = self.current_key()
        if not values:
            raise TypeError("fold_in needs at least one int")
        for value in values:
            try:
                number = operator.index(value)
            except TypeError:
                raise TypeError(f"fold_in takes ints, got {type(value).__name__}") from None
            if not 0 <= number < WORD // 2:
                raise ValueError(f"fold_in takes ints in [0, 2**63), got {number}")
            key = fold_in(key, number)
        return self.child(key)

    def spawn(self, n):
        """Make new independent children, as ``numpy.random.Generator.spawn`` does: other ones at every call.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        list of Rng

        Examples
        --------
        >>> import fastdrop as fd
        >>> rng = fd.Rng(0)
        >>> len({child.key for child in rng.spawn(2) + rng.spawn(2)})
        4
        """
        cdef fd_key parent
        cdef uint64_t first, k
        cdef bint overflow
        number = natural(n, "n")
        with cython.critical_section(self):
            parent = fold_in(self.own_key(), SPAWN)
            first = self._spawned
            overflow = first + number >= WORD
            if not overflow:
                self._spawned = first + number
        if overflow:
            raise OverflowError("the rng's children are exhausted: take fold_in")
        return [self.child(fold_in(parent, first + k)) for k in range(<uint64_t> number)]

    def at_row(self, r):
        """Copy this Rng, `r` rows further: it takes an array as the rows from there on of a larger one.

        Parameters
        ----------
        r : int
            At least 0; added to the row of this Rng.

        Returns
        -------
        Rng

        Examples
        --------
        >>> import fastdrop as fd, numpy as np
        >>> x, rng = np.ones((6, 3)), fd.Rng(0)
        >>> parts = [fd.dropout(x[r : r + 3], rng=rng.at_row(r))[0] for r in (0, 3)]
        >>> np.array_equal(np.concatenate(parts), fd.dropout(x, rng=rng)[0])
        True
        """
        cdef Rng rng = self.__copy__()
        rng._row = integer(rng._row + natural(r, "r"), "the row", WORD)
        rng._batch = True
        return rng

    def __copy__(self):
        cdef Rng rng = Rng.__new__(Rng)
        with cython.critical_section(self):
            rng._key = self.own_key()
            rng._counter, rng._spawned, rng._row = self._counter, self._spawned, self._row
            rng._exhausted, rng._unseeded, rng._process = self._exhausted, self._unseeded, self._process
            rng._batch = self._batch
        return rng

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __reduce__(self):
        return _rebuild_rng, (self.state, True) if self._batch and self._row == 0 else (self.state,)

    def __repr__(self):
        k0, k1 = self.key
        return f"Rng.from_key(0x{k0:016x}, 0x{k1:016x}, counter={self.counter})"


@public
def _rebuild_rng(state, batch=False):
    cdef Rng rng = Rng.from_key(0, 0)
    rng.state = state
    rng._batch = batch
    return rng


cdef Rng from_bit_generator(object bit_generator):
    """k0, then k1, from its next two outputs."""
    cdef Rng rng = Rng.__new__(Rng)
    cdef bitgen_t *source
    with bit_generator.lock:
        source = <bitgen_t *> PyCapsule_GetPointer(bit_generator.capsule, "BitGenerator")
        rng._key.k0 = source.next_uint64(source.state)
        rng._key.k1 = source.next_uint64(source.state)
    return rng


cdef Rng unseeded = Rng()


cdef Rng as_rng(object rng):
    """The Rng of a call, from all that a user may pass; a NumPy generator is advanced."""
    if type(rng) is Rng:
        return rng
    if rng is None:
        return unseeded
    random = sys.modules.get("numpy.random")  # without it, or while it is being imported, no such object exists
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
    """The key of rng, and a stream that no other call gets."""
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


cdef object row_of(object rng):
    """The row from which on an rng takes an array."""
    cdef uint64_t row = 0
    if type(rng) is Rng:
        with cython.critical_section(rng):
            row = (<Rng> rng)._row
    return row


def own_rng(rng):
    """The Rng that a layer keeps: a seed seeds its whole run, None gives a key of its own."""
    return Rng() if rng is None else as_rng(rng)
