"""What was kept: packed bits, or the recipe that makes them again."""

import math
import operator

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.float cimport FLT_MAX
from libc.stdint cimport uint8_t

from ._checks cimport NPY_USERDEF, floating, integer, output, probability
from ._engine cimport apply_bits, draw_bits, dropout_contiguous, make_draw
from .c_fastdrop cimport FD_MAX_DIMS, fd_draw, fd_dtype

from ._seeds import WORD

cnp.import_array()


cdef cnp.ndarray new_like(cnp.ndarray x, bint direct):
    """An empty array of x's shape, layout and native dtype."""
    if direct and cnp.PyArray_IS_C_CONTIGUOUS(x) and cnp.PyArray_TYPE(x) < NPY_USERDEF:
        return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x), 0)
    # Not dtype=: where the allocation fails, NumPy 1.24 to 1.26 then lose a reference to the dtype.
    return np.empty_like(x.view(x.dtype.newbyteorder("=")), subok=False)


@cython.final
@cython.no_gc
@cython.freelist(16)
cdef class Mask:
    """Which elements were kept, and their scale; made by `dropout`, `Mask.from_bool` or `Mask.from_bits`.

    Attributes
    ----------
    shape : tuple of int
        The shape of the masked array.
    size : int
        Its number of elements.
    p : float
        The probability of dropping.
    scale : float
        What kept elements are multiplied by: ``1 / (1 - p)``, 1 where dropout is not inverted, ``inf`` at p = 1.
    bits : ndarray of uint8
        One bit an element of the noise shape, 1 = kept, in the order of ``numpy.unpackbits(bitorder="little")``;
        read-only; made anew at each access where the mask is a recipe.
    kept : int
        How many elements of the noise shape are kept.

    See Also
    --------
    dropout_backward : the gradient, which is `apply`.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> mask = fd.Mask.from_bool(np.array([True, False, True]), p=0.5)
    >>> mask.apply(np.array([1.0, 2.0, 3.0]))
    array([2., 0., 6.])
    >>> np.asarray(mask)
    array([ True, False,  True])
    """

    def __init__(self):
        raise TypeError("a Mask is made by dropout, Mask.from_bool or Mask.from_bits")

    @staticmethod
    def from_bool(a, p, scale=None):
        """Make a mask from an array of bool.

        Parameters
        ----------
        a : ndarray of bool
            True = kept (`bernoulli`, whose True is dropped, wants ``~``).
        p : float
            The probability of dropping, of which the scale follows. The bits are those of `a`, whatever p.
        scale : float, optional
            What kept elements are multiplied by, positive and finite as float32; ``1 / (1 - p)`` by default.

        Returns
        -------
        Mask

        Examples
        --------
        >>> import fastdrop as fd, numpy as np
        >>> fd.Mask.from_bool(np.array([True, False]), p=0.75).scale
        4.0
        """
        if not isinstance(a, np.ndarray) or a.dtype != np.bool_:
            got = a.dtype if isinstance(a, np.ndarray) else type(a).__name__
            raise TypeError(f"a must be a bool array, got {got}")
        return _given(np.packbits(a, bitorder="little").tobytes(), a.shape, p, scale)

    @staticmethod
    def from_bits(bits, shape, p, scale=None):
        """Make a mask from packed bits, which are copied.

        Parameters
        ----------
        bits : ndarray of uint8
            As in the attribute `bits`: ``ceil(size / 8)`` bytes, 0 past the end.
        shape : int or sequence of int
            The shape of the masked array.
        p, scale : float
            As in `from_bool`.

        Returns
        -------
        Mask

        Examples
        --------
        >>> import fastdrop as fd, numpy as np
        >>> fd.Mask.from_bits(np.array([5], np.uint8), 3, p=0.5).to_bool()
        array([ True, False,  True])
        """
        if not isinstance(bits, np.ndarray) or bits.dtype != np.uint8:
            got = bits.dtype if isinstance(bits, np.ndarray) else type(bits).__name__
            raise TypeError(f"bits must be a uint8 array, got {got}")
        return _given(bits.tobytes(), as_shape(shape), p, scale)

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def bits(self):
        return np.frombuffer(self.packed(), np.uint8)

    @property
    def kept(self):
        return int.from_bytes(self.packed(), "little").bit_count()

    def to_bool(self):
        """Unpack the mask.

        Returns
        -------
        ndarray of bool
            Of the masked array's shape; True = kept.
        """
        noise = self.shape if self.noise is None else self.noise
        kept = np.unpackbits(self.bits, count=math.prod(noise), bitorder="little").view(np.bool_).reshape(noise)
        return kept if self.noise is None else np.broadcast_to(kept, self.shape).copy()

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("a Mask is unpacked into a new array, which copy=False forbids")
        kept = self.to_bool()
        return kept if dtype is None else kept.astype(dtype, copy=False)

    def apply(self, x, out=None):
        """Mask and scale an array: what `dropout_backward` does.

        Parameters
        ----------
        x : array_like
            Of the mask's shape and any of the dtypes of `dropout`.
        out : ndarray, optional
            As in `dropout`; may be `x`.

        Returns
        -------
        ndarray
            ``x * scale`` where kept, +0.0 where dropped.
        """
        return self.backward(x, out, "x")

    def __reduce__(self):
        return _rebuild, (1, self.shape, self.noise, self.p, self.scale, self.stored,
                          (self.key.k0, self.key.k1, self.stream, self.start, self.strides) if self.drawn else None)

    def __repr__(self):
        store = "recipe" if self.stored is None else "bits"
        return f"<Mask of shape {self.shape}, p={self.p}, scale={self.scale}, store={store!r}>"

    cdef Py_ssize_t nbytes(self) except -1:
        return (math.prod(self.shape if self.noise is None else self.noise) + 7) // 8

    cdef bytes packed(self):
        """The bits, from the store or made again."""
        cdef bytes bits = self.stored
        cdef fd_draw draw
        if bits is None:
            bits = PyBytes_FromStringAndSize(NULL, self.nbytes())
            draw = make_draw(self.key, self.stream, self.p)
            draw_bits(&draw, self.shape if self.noise is None else self.noise, self.strides, self.start,
                      <uint8_t *> PyBytes_AS_STRING(bits))
        return bits

    cdef int run(self, fd_dtype dtype, cnp.ndarray x, cnp.ndarray y, bint draw) except -1:
        """y from x, aligned and native, one the other or apart; `draw`: the store is still to be filled."""
        cdef fd_draw spec
        cdef uint8_t *bits = NULL
        cdef bytes temporary
        if self.drawn and self.p == 0:
            if x is not y:
                cnp.PyArray_CopyInto(y, x)
            return 0
        if self.drawn and self.p == 1:
            cnp.PyArray_FILLWBYTE(y, 0)
            return 0
        if self.stored is not None:
            bits = <uint8_t *> PyBytes_AS_STRING(self.stored)
        if draw or bits == NULL:
            spec = make_draw(self.key, self.stream, self.p)
            if (self.noise is None and self.strides is None
                    and cnp.PyArray_IS_C_CONTIGUOUS(x) and cnp.PyArray_IS_C_CONTIGUOUS(y)):
                dropout_contiguous(&spec, dtype, self.start, self.scale, x, y, bits)
                return 0
            if bits == NULL:
                temporary = PyBytes_FromStringAndSize(NULL, self.nbytes())
                bits = <uint8_t *> PyBytes_AS_STRING(temporary)
            draw_bits(&spec, self.shape if self.noise is None else self.noise, self.strides, self.start, bits)
        return apply_bits(bits, self.noise, dtype, self.scale, x, y)

    cdef cnp.ndarray backward(self, object x, object out, str name):
        cdef fd_dtype dtype
        cdef bint direct
        cdef cnp.ndarray source = floating(x, name, &dtype, &direct), y
        if (<object> source).shape != self.shape:
            raise ValueError(f"{name} must have the mask's shape {self.shape}, got {(<object> source).shape}")
        y = new_like(source, direct) if out is None else output(out, source, name)
        if not direct:
            cnp.PyArray_CopyInto(y, source)
            source = y
        self.run(dtype, source, y, False)
        return y


def result(cnp.ndarray x, out, str name):
    """Where the result for an array goes: out, where it is fit for that, or a new array."""
    return new_like(x, cnp.PyArray_ISBEHAVED_RO(x)) if out is None else output(out, x, name)


def as_shape(shape):
    """A shape from an int or a sequence of ints, none negative."""
    try:
        extents = tuple(map(operator.index, shape)) if hasattr(shape, "__iter__") else (operator.index(shape),)
    except TypeError:
        raise TypeError(f"shape must be an int or a sequence of ints, got {type(shape).__name__}") from None
    if any(extent < 0 for extent in extents):
        raise ValueError(f"shape must not be negative, got {extents}")
    if len(extents) > FD_MAX_DIMS:
        raise ValueError(f"shape must have at most {FD_MAX_DIMS} axes, got {len(extents)}")
    return extents


def check_bits(bits, shape):
    """Whether bits are those of a mask of that shape: as many, and none past the end."""
    n = math.prod(shape)
    if type(bits) is not bytes or len(bits) != (n + 7) // 8:
        raise ValueError(f"bits must have {(n + 7) // 8} bytes for shape {shape}, got {len(bits)}")
    if n % 8 and bits[n // 8] >> n % 8:
        raise ValueError("bits must be 0 past the end, got a set bit")


def identity(tuple shape):
    """The mask of p = 0: it copies."""
    cdef Mask mask = Mask.__new__(Mask)
    mask.shape, mask.scale, mask.drawn = shape, 1, True
    return mask


def _given(bytes bits, tuple shape, p, scale):
    """A mask whose bits are the user's."""
    cdef Mask mask = Mask.__new__(Mask)
    check_bits(bits, shape)
    mask.shape, mask.stored, mask.p = shape, bits, probability(p)
    if scale is not None:
        mask.scale = scale
        if not 0 < mask.scale <= FLT_MAX:
            raise ValueError(f"scale must be finite and positive, got {scale}")
    elif mask.p < 1:
        mask.scale = 1 / (1 - mask.p)
    else:
        mask.scale = math.inf
        if any(bits):
            raise ValueError("scale must be given at p=1, where an element is kept")
    return mask


def _rebuild(version, shape, noise, p, scale, bits, recipe):
    """A mask from its pickle: nothing in it is trusted."""
    cdef Mask mask
    if version != 1:
        raise ValueError(f"the version of a pickled Mask must be 1, got {version!r}")
    shape = as_shape(shape)
    if recipe is None:
        return _given(bits, shape, p, None if scale == math.inf else scale)
    mask = Mask.__new__(Mask)
    mask.shape, mask.p, mask.scale, mask.drawn = shape, probability(p), scale, True
    *words, strides = recipe
    mask.key.k0, mask.key.k1, mask.stream, mask.start = (integer(word, "a word of the recipe", WORD) for word in words)
    if mask.scale != 1 and mask.scale != (1 / (1 - mask.p) if mask.p < 1 else math.inf):
        raise ValueError(f"the scale of a pickled Mask must follow from p={mask.p}, got {scale}")
    if noise is not None:
        mask.noise = as_shape(noise)
        if len(noise) != len(shape) or any(e not in (1, n) for e, n in zip(noise, shape)):
            raise ValueError(f"the noise shape of a pickled Mask must broadcast to {shape}, got {noise}")
    extents = shape if noise is None else mask.noise
    if strides is not None:
        mask.strides = as_shape(strides)
        if len(strides) != len(extents):
            raise ValueError(f"a pickled Mask of shape {shape} must have as many strides, got {strides}")
    last = (sum((e - 1) * step for e, step in zip(extents, strides)) if strides is not None
            else math.prod(extents) - 1)
    if mask.start + last >= WORD:
        raise ValueError(f"the last index of a pickled Mask must be below 2**64, got {mask.start + last}")
    if bits is not None:
        check_bits(bits, extents)
        mask.stored = bits
    return mask
