"""Which elements were kept: packed bits, or the recipe to draw them again."""

import math
import numpy as np
cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.float cimport FLT_MAX

from .arguments cimport array_of, integer, probability, real_number, refuse_arithmetic
from .execution cimport backward, draw
from .recipe cimport Recipe, new_recipe

from .indices import as_shape
from .saved import check_bits, check_part, check_scale, check_version, from_plain, to_plain
from .seeds import WORD
from .._public import public


@cython.nonecheck(True)  # the recipe of Mask.__new__(Mask) is None
@cython.c_api_binop_methods(True)  # one method for both sides of an operator
@cython.no_gc
@cython.freelist(16)
cdef class Mask:
    """Mask()
--

    Which elements were kept, and their scale: made by `dropout`, `Mask.from_bool` or `Mask.from_bits`.

    Arithmetic such as ``x * mask`` is a TypeError, since it would leave out the scale: use `apply`, or `to_bool`.

    Attributes
    ----------
    shape : tuple of int
        The shape of the masked array.
    size : int
        The number of elements of the masked array.
    p : float or ndarray of float64
        The probability of dropping; an array if forward was given one.
    scale : float or ndarray of float64
        What kept elements are multiplied by: ``1 / (1 - p)``, or 1 if dropout is not inverted; ``inf`` at p = 1, where
        no element is kept. An array, of p's shape, if `p` is one.
    bits : ndarray of uint8, shape (ceil(n / 8),) for n elements of the noise shape
        One bit per element of the noise shape, 1 = kept, in the order of ``numpy.unpackbits(bitorder="little")``. It is
        read-only. A mask that stores a recipe draws it at each access.
    kept : int
        How many elements of the noise shape are kept.

    Raises
    ------
    TypeError
        If ``Mask()`` is called, or a mask takes part in arithmetic.

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
            True = kept. (In `bernoulli` True is dropped: pass ``~a``.) Any shape.
        p : float
            The probability of dropping, 0 <= p <= 1: the scale follows from it. It does not change the bits.
        scale : float, optional
            What kept elements are multiplied by, positive and finite as float32; ``1 / (1 - p)`` by default.

        Returns
        -------
        Mask
            Of a's shape.

        Raises
        ------
        TypeError
            If `a` is not an array of bool, or `p` or `scale` not a real number.
        ValueError
            If `p` is not between 0 and 1, `scale` is not positive and finite, or an element is kept at p = 1 without a
            `scale`.

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
            As in the attribute `bits`: ``ceil(n / 8)`` bytes for n elements, where the bits past n are 0.
        shape : int or sequence of int
            The shape of the masked array.
        p : float
            The probability of dropping, 0 <= p <= 1, as in `from_bool`.
        scale : float, optional
            What kept elements are multiplied by, as in `from_bool`.

        Returns
        -------
        Mask
            Of that shape.

        Raises
        ------
        TypeError
            If `bits` is not an array of uint8, `shape` not ints, or `p` or `scale` not a real number.
        ValueError
            If `bits` has not ``ceil(n / 8)`` bytes, or a bit past n is 1; if `shape` has a negative entry or more than
            64; if `p` or `scale` is refused by `from_bool`.

        Examples
        --------
        >>> import fastdrop as fd, numpy as np
        >>> fd.Mask.from_bits(np.array([5], np.uint8), 3, p=0.5).to_bool()
        array([ True, False,  True])
        """
        array_of(bits, "bits", "uint8")
        return _given(bits.tobytes(), as_shape(shape), p, scale)

    @property
    def shape(self):
        return self.recipe.shape

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def p(self):
        return self.recipe.p if self.recipe.p_array is None else self.recipe.p_array

    @property
    def scale(self):
        cdef Recipe recipe = self.recipe
        if recipe.p_array is None:
            return recipe.values.scale
        if recipe.values.p == NULL:
            return np.ones(recipe.p_array.shape)
        with np.errstate(all="ignore"):
            return 1 / (1 - recipe.p_array)

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
            A new array of the masked array's shape; True = kept.

        Examples
        --------
        >>> import fastdrop as fd, numpy as np
        >>> fd.dropout(np.ones(4), 0.5, rng=0)[1].to_bool()
        array([ True, False, False,  True])
        """
        noise = self.recipe.extents()
        kept = np.unpackbits(self.bits, count=math.prod(noise), bitorder="little").view(np.bool_).reshape(noise)
        return kept if self.recipe.noise is None else np.broadcast_to(kept, self.shape).copy()

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("a Mask is unpacked into a new array, which copy=False forbids")
        return self.to_bool().astype(np.bool_ if dtype is None else dtype, copy=False)

    def apply(self, x, out=None):
        """Mask and scale an array, as `dropout_backward` does.

        Parameters
        ----------
        x : array_like
            Of the mask's shape and any of the dtypes of `dropout`.
        out : ndarray, optional
            Where the result goes, as in `dropout`; may be `x`.

        Returns
        -------
        ndarray
            ``x * scale`` where kept, +0.0 where dropped: `out`, or a new array of x's shape and dtype.

        Raises
        ------
        TypeError
            If `x` has no dtype of `dropout`, or is a masked or sparse array; if `out` is not an ndarray.
        ValueError
            If `x` has not the mask's shape, or `out` is refused by `dropout`.

        Examples
        --------
        >>> import fastdrop as fd, numpy as np
        >>> y, mask = fd.dropout(np.ones(4), 0.5, rng=0)
        >>> mask.apply(np.arange(4.0))
        array([0., 0., 0., 6.])
        """
        return backward(self.recipe, self.stored, x, out, "x")

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
        cdef Recipe recipe = self.recipe
        scale = recipe.values.scale if recipe.p_array is None else recipe.values.p != NULL
        return _rebuild_mask, (1, recipe.shape, recipe.noise, to_plain(self.p), scale, self.stored,
                               None if self.given else
                               (recipe.key.k0, recipe.key.k1, recipe.stream, recipe.start, recipe.strides))

    def __repr__(self):
        array, store = self.recipe.p_array, "recipe" if self.stored is None else "bits"
        p = f"p={self.p}, scale={self.scale}" if array is None else f"p of shape {array.shape}"
        return f"<Mask of shape {self.shape}, {p}, store={store!r}>"

    cdef bytes packed(self):
        """Return the stored bits, or draw them again."""
        return draw(self.recipe, False, None) if self.stored is None else self.stored


cdef Mask new_mask(Recipe recipe, bint keeps_bits):
    """Make a mask for a recipe. keeps_bits: allocate its bits, which execution fills; p = 0 and p = 1 need none."""
    cdef Mask mask = Mask.__new__(Mask)
    mask.recipe = recipe
    if keeps_bits and (recipe.p_array is not None or 0 < recipe.p < 1):
        mask.stored = PyBytes_FromStringAndSize(NULL, recipe.nbytes())
    return mask


def identity(tuple shape):
    """Return the mask of p = 0, which keeps all elements unscaled."""
    return new_mask(new_recipe(shape, 0.0, 1, None, 0, None), False)


def _given(bytes bits, tuple shape, p, scale):
    """Make a mask from bits that a user gives."""
    cdef Mask mask = Mask.__new__(Mask)
    cdef double number = 0 if scale is None else real_number(scale, "scale")
    check_bits(bits, shape)
    mask.recipe, mask.stored, mask.given = new_recipe(shape, probability(p), number, None, 0, None), bits, True
    if scale is None and mask.recipe.p == 1 and any(bits):
        raise ValueError("scale must be given at p=1, where an element is kept")
    if scale is not None and not 0 < number <= FLT_MAX:
        raise ValueError(f"scale must be finite and positive, got {scale}")
    return mask


@public
def _rebuild_mask(version, shape, noise, p, scale, bits, recipe):
    """Make a mask from its pickle, which calls this function: all arguments are checked, as anybody can write one."""
    cdef Mask mask
    check_version(version, "Mask")
    shape = as_shape(shape)
    if recipe is None:
        if noise is not None:
            raise ValueError("a pickled Mask of given bits must have no noise shape")
        return _given(bits, shape, p, None if p == 1 and scale == math.inf else scale)
    *words, strides = recipe
    k0, k1, stream, start = (integer(word, "a word of the recipe", WORD) for word in words)
    noise, strides = check_part(shape, noise, strides, start)
    p = from_plain(p)
    mask = new_mask(new_recipe(shape, p, check_scale(scale, p), noise, start, strides), False)
    mask.recipe.key.k0, mask.recipe.key.k1, mask.recipe.stream = k0, k1, stream
    if bits is not None:
        check_bits(bits, mask.recipe.extents())
        mask.stored = bits
    return mask
