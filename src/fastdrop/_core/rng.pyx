"""Keys and streams, the source of randomness (csrc/README.md, "Keys")."""

import operator
import os

cimport cython
from libc.stdint cimport UINT64_MAX, uint64_t

from .arguments cimport integer
from .binding cimport fold_in
from .c_fastdrop cimport fd_key

from .arguments import natural
from .saved import check_state
from .seeds import WORD, key_from_seed
from .._public import public

# fold_in's values from 2**63 on are reserved for the library: child k of spawn is fold_in(SPAWN, k).
cdef uint64_t SPAWN = UINT64_MAX

# 0 in the process that imported the library; in a forked child a random word, which is folded into unseeded keys.
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
        Becomes the key through ``numpy.random.SeedSequence``, for which ``5``, ``[5]`` and ``[5, 0]`` are the same
        seed: use `fold_in` for layers and steps, not ``[seed, layer]``. None: a key from the operating system, and
        another one in a forked child.

    Attributes
    ----------
    key : tuple of two ints
        The two 64-bit words of the key, each in [0, 2**64).
    counter : int
        The stream that the next call takes.
    state : dict
        With `version`, `key` (32 hex digits), `counter`, `spawned` and `row`; may be set, to such a dict.

    Raises
    ------
    TypeError
        If the seed is of another type, or `state` is set to another type than a dict of ints and a str.
    ValueError
        If the seed is negative, or `state` is set to a dict with other keys, another version or values out of range.

    Notes
    -----
    An Rng can be shared between threads: no stream is handed out twice. It is not for cryptography.

    References
    ----------
    Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM Transactions on Mathematical Software
    47(4), 2021: the generator xoshiro256++. Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2,
    3", SC 2011: numbers as a function of key and counter.

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
        k0, k1 : int
            The two words of the key, each in [0, 2**64), as in the attribute `key`.
        counter : int
            The stream of the first call, in [0, 2**64).

        Returns
        -------
        Rng
            On row 0, with no children spawned.

        Raises
        ------
        TypeError
            If an argument is not an int.
        ValueError
            If an argument is outside [0, 2**64).

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
        """Return the key, after changing it in a forked child if unseeded; called in a critical section only."""
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
        """Derive an independent child, for a layer, a step or a rank. Several values are folded in one after another.

        Parameters
        ----------
        *values : int
            One or more, each in [0, 2**63).

        Returns
        -------
        Rng
            With counter 0, and on this Rng's row. This Rng does not change.

        Raises
        ------
        TypeError
            If there is no value, or one is not an int.
        ValueError
            If a value is outside [0, 2**63).

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
        """Make new independent children, as ``numpy.random.Generator.spawn`` does: different ones at every call.

        Parameters
        ----------
        n : int
            How many children, at least 0.

        Returns
        -------
        list of Rng
            Each with counter 0, and on this Rng's row. The counter of this Rng does not change.

        Raises
        ------
        TypeError
            If `n` is not an int.
        ValueError
            If `n` is negative.
        OverflowError
            If there would be 2**64 children or more in all.

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
        """Copy this Rng, `r` rows further: the copy takes an array as rows row + r, row + r + 1, ... of a larger one.

        Parameters
        ----------
        r : int
            At least 0; added to the row of this Rng.

        Returns
        -------
        Rng
            With the key and the counter of this Rng.

        Raises
        ------
        TypeError
            If `r` is not an int.
        ValueError
            If `r` is negative, or the row would be 2**64 or more.

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
