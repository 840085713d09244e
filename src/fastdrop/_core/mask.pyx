"""What was kept: packed bits, or the recipe that makes them again."""

import math
import numpy as np
cimport cython
cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.float cimport FLT_MAX
from libc.math cimport INFINITY
from libc.stdint cimport uint8_t

from .arguments cimport (
    array_of, floating, integer, inverse_of_keeping, keeps_bits, probability, real_number, refuse_arithmetic, result)
from .binding cimport apply_bits, array_p, draw_bits, dropout_contiguous, make_draw, make_draw_each
from .rng cimport as_rng
from .c_fastdrop cimport fd_draw, fd_dtype, fd_p_array, fd_values
from .indices import as_shape, check_broadcast
from .saved import (
    check_bits, check_function, check_inverted, check_part, check_scale, check_version, from_plain, to_plain)
from .seeds import WORD
from .._public import public
cnp.import_array()


@cython.final
@cython.c_api_binop_methods(True)  # one method for both sides of an operator
@cython.no_gc
@cython.freelist(16)
cdef class Mask:
    """Mask()
--

    Which elements were kept, and their scale; made by `dropout`, `Mask.from_bool` or `Mask.from_bits`.

    Arithmetic with it is a TypeError, since a bare 0 or 1 would lose the scale: use `apply`, or `to_bool`.

    Attributes
    ----------
    shape : tuple of int
        The shape of the masked array.
    size : int
        Its number of elements.
    p : float or ndarray
        The probability of dropping; an array where forward was given one.
    scale : float or ndarray
        What kept elements are multiplied by: ``1 / (1 - p)``, 1 where dropout is not inverted, ``inf`` at p = 1.
    bits : ndarray of uint8
        One bit an element of the noise shape, 1 = kept, in the order of ``numpy.unpackbits(bitorder="little")``;
        read-only; made anew at each access where the mask is a recipe.
    kept : int
        How many elements of the noise shape are kept.

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
        array_of(a, "a", "bool")
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
        array_of(bits, "bits", "uint8")
        return _given(bits.tobytes(), as_shape(shape), p, scale)

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def p(self):
        return self.p_number if self.p_array is None else self.p_array

    @property
    def scale(self):
        if self.p_array is None:
            return self.scale_number
        if not self.inverted:
            return np.ones(self.p_array.shape)
        with np.errstate(all="ignore"):
            return 1 / (1 - self.p_array)

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
        noise = self.extents()
        kept = np.unpackbits(self.bits, count=math.prod(noise), bitorder="little").view(np.bool_).reshape(noise)
        return kept if self.noise is None else np.broadcast_to(kept, self.shape).copy()

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("a Mask is unpacked into a new array, which copy=False forbids")
        return self.to_bool().astype(np.bool_ if dtype is None else dtype, copy=False)

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

    def __array_ufunc__(self, *args, **kwargs): refuse_arithmetic()
    def __add__(a, b): refuse_arithmetic()
    def __sub__(a, b): refuse_arithmetic()
    def __mul__(a, b): refuse_arithmetic()
    def __matmul__(a, b): refuse_arithmetic()
    def __truediv__(a, b): refuse_arithmetic()
    def __floordiv__(a, b): refuse_arithmetic()
    def __mod__(a, b): refuse_arithmetic()
    def __divmod__(a, b): refuse_arithmetic()
    def __pow__(a, b, modulus): refuse_arithmetic()
    def __lshift__(a, b): refuse_arithmetic()
    def __rshift__(a, b): refuse_arithmetic()
    def __and__(a, b): refuse_arithmetic()
    def __or__(a, b): refuse_arithmetic()
    def __xor__(a, b): refuse_arithmetic()
    def __neg__(self): refuse_arithmetic()
    def __pos__(self): refuse_arithmetic()
    def __abs__(self): refuse_arithmetic()
    def __invert__(self): refuse_arithmetic()

    def __reduce__(self):
        scale = self.inverted if self.p_array is not None else self.scale_number
        return _rebuild_mask, (1, self.shape, self.noise, to_plain(self.p), scale, self.stored, self.fused,
                               (self.key.k0, self.key.k1, self.stream, self.start, self.strides)
                               if self.drawn else None)

    def __repr__(self):
        array, store = self.p_array, "recipe" if self.stored is None else "bits"
        p = f"p={self.p_number}, scale={self.scale_number}" if array is None else f"p of shape {array.shape}"
        return f"<Mask of shape {self.shape}, {p}, store={store!r}>"

    cdef tuple extents(self):
        """The noise shape."""
        return self.shape if self.noise is None else self.noise

    cdef int set_p(self, object p, bint inverted, bint checked=False, bint keep=True) except -1:
        """Take p, after shape and noise. checked: an array is array_p's already; the others are array_p's."""
        if type(p) is not float:
            self.p_array = p if checked and isinstance(p, np.ndarray) else array_p(p, keep)
        self.inverted = inverted
        if self.p_array is None:
            self.p_number = probability(p)
            self.scale_number = inverse_of_keeping(self.p_number) if inverted else 1.0
        elif self.p_array.shape != self.extents():
            check_broadcast(self.p_array.shape, self.extents())
        return 0

    cdef int make_store(self) except -1:
        """Room for the bits; p = 0 and p = 1 need none."""
        if self.p_array is not None or 0 < self.p_number < 1:
            self.stored = PyBytes_FromStringAndSize(NULL, self.nbytes())
        return 0

    cdef Py_ssize_t nbytes(self) except -1:
        return (math.prod(self.extents()) + 7) // 8

    cdef fd_draw spec(self, fd_p_array *p_array) noexcept:
        """What the bits follow from; p_array is room for an array p."""
        if self.p_array is None:
            return make_draw(self.key, self.stream, self.p_number)
        return make_draw_each(self.key, self.stream, self.p_array, self.extents(), p_array)

    cdef bytes packed(self):
        """The bits, from the store or made again."""
        cdef bytes bits = self.stored
        cdef fd_draw draw
        cdef fd_p_array p_array
        if bits is None:
            bits = PyBytes_FromStringAndSize(NULL, self.nbytes())
            draw = self.spec(&p_array)
            draw_bits(&draw, self.extents(), self.strides, self.start, <uint8_t *> PyBytes_AS_STRING(bits))
        return bits

    cdef fd_values values(self) noexcept:
        """What the gradient makes of an element."""
        cdef fd_values values = fd_values(self.scale_number, 0, 0, NULL)
        if self.p_array is not None:
            values.scale = 1
            if self.inverted:
                values.p = <const double *> cnp.PyArray_DATA(<cnp.ndarray> self.p_array)
        return values

    cdef int run(self, fd_dtype dtype, cnp.ndarray x, cnp.ndarray y, const fd_values *values, bint draws,
                 object rng) except -1:
        """y, aligned and native, from x, or x itself. draws: take a stream when nothing can fail, fill the store."""
        cdef fd_draw draw
        cdef fd_p_array p_array
        cdef cnp.ndarray source = x if cnp.PyArray_ISBEHAVED_RO(x) else y, p = None
        cdef bytes packed = self.stored
        cdef bint make = draws or packed is None
        cdef bint at_once = (make and self.noise is None and self.strides is None
                             and cnp.PyArray_IS_C_CONTIGUOUS(source) and cnp.PyArray_IS_C_CONTIGUOUS(y))
        cdef uint8_t *bits = NULL
        if packed is None and not at_once:
            packed = PyBytes_FromStringAndSize(NULL, self.nbytes())
        if packed is not None:
            bits = <uint8_t *> PyBytes_AS_STRING(packed)
        if values.p != NULL and not at_once:
            p = self.p_array if self.p_array.shape == self.shape else np.broadcast_to(self.p_array, self.shape)
        if draws:
            as_rng(rng).take(&self.key, &self.stream)
        if source is not x:
            cnp.PyArray_CopyInto(y, x)
        if self.drawn and self.p_array is None and self.p_number == 0:
            if source is not y:
                cnp.PyArray_CopyInto(y, source)
            return 0
        if self.p_array is None and (self.scale_number == INFINITY or (self.drawn and self.p_number == 1)):
            (<object> y).fill(0)
            return 0
        if make:
            draw = self.spec(&p_array)
            if at_once:
                dropout_contiguous(&draw, dtype, self.start, values, source, y, bits)
                return 0
            draw_bits(&draw, self.extents(), self.strides, self.start, bits)
        return apply_bits(bits, self.noise, dtype, values, p, source, y)

    cdef tuple forward(self, fd_dtype dtype, cnp.ndarray x, object out, object rng, object store,
                       const fd_values *values):
        """What a function returns, y and this mask, which is yet to be drawn."""
        cdef cnp.ndarray y = result(x, out, "x")
        cdef tuple both = (y, self)
        if keeps_bits(store):
            self.make_store()
        self.run(dtype, x, y, values, True, rng)
        return both

    cdef cnp.ndarray backward(self, object x, object out, str name):
        cdef fd_dtype dtype
        cdef cnp.ndarray source = floating(x, name, &dtype), y
        cdef fd_values values = self.values()
        if (<object> source).shape != self.shape:
            raise ValueError(f"{name} must have the mask's shape {self.shape}, got {(<object> source).shape}")
        y = result(source, out, name)
        self.run(dtype, source, y, &values, False, None)
        return y


def identity(tuple shape):
    """The mask of p = 0: it copies."""
    cdef Mask mask = Mask.__new__(Mask)
    mask.shape, mask.scale_number, mask.drawn = shape, 1, True
    return mask


def _given(bytes bits, tuple shape, p, scale):
    """A mask whose bits are the user's."""
    cdef Mask mask = Mask.__new__(Mask)
    check_bits(bits, shape)
    mask.shape, mask.stored, mask.p_number = shape, bits, probability(p)
    mask.scale_number = inverse_of_keeping(mask.p_number) if scale is None else real_number(scale, "scale")
    if scale is None and mask.p_number == 1 and any(bits):
        raise ValueError("scale must be given at p=1, where an element is kept")
    if scale is not None and not 0 < mask.scale_number <= FLT_MAX:
        raise ValueError(f"scale must be finite and positive, got {scale}")
    return mask


@public
def _rebuild_mask(version, shape, noise, p, scale, bits, fused, recipe):
    """A mask from its pickle, which names this function: nothing in it is trusted."""
    cdef Mask mask
    check_version(version, "Mask")
    shape = as_shape(shape)
    if recipe is None:
        if noise is not None or fused:
            raise ValueError("a pickled Mask of given bits must have no noise shape and no function")
        return _given(bits, shape, p, None if p == 1 and scale == math.inf else scale)
    mask = Mask.__new__(Mask)
    mask.shape, mask.drawn = shape, True
    *words, strides = recipe
    mask.key.k0, mask.key.k1, mask.stream, mask.start = (integer(word, "a word of the recipe", WORD) for word in words)
    mask.noise, mask.strides = check_part(shape, noise, strides, mask.start)
    mask.set_p(from_plain(p), True)
    if mask.p_array is None:
        mask.scale_number = check_scale(scale, mask.p_number)
    else:
        mask.inverted = check_inverted(scale)
    mask.fused = check_function(fused, shape, mask.noise is None and mask.strides is None and mask.p_array is None)
    if bits is not None:
        check_bits(bits, mask.extents())
        mask.stored = bits
    return mask
