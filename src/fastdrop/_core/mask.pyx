"""What was kept: packed bits, or the recipe that makes them again."""

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


@cython.nonecheck(True)  # Mask.__new__(Mask) has no recipe
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
            Of the masked array's shape; True = kept.
        """
        noise = self.recipe.extents()
        kept = np.unpackbits(self.bits, count=math.prod(noise), bitorder="little").view(np.bool_).reshape(noise)
        return kept if self.recipe.noise is None else np.broadcast_to(kept, self.shape).copy()

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
        """The bits, from the store or drawn again."""
        return draw(self.recipe, False, None) if self.stored is None else self.stored


cdef Mask new_mask(Recipe recipe, bint keeps_bits):
    """The mask that is to be drawn by a recipe, with room for its bits; p = 0 and p = 1 need none."""
    cdef Mask mask = Mask.__new__(Mask)
    mask.recipe = recipe
    if keeps_bits and (recipe.p_array is not None or 0 < recipe.p < 1):
        mask.stored = PyBytes_FromStringAndSize(NULL, recipe.nbytes())
    return mask


def identity(tuple shape):
    """The mask of p = 0: it copies."""
    return new_mask(new_recipe(shape, 0.0, 1, None, 0, None), False)


def _given(bytes bits, tuple shape, p, scale):
    """A mask whose bits are the user's."""
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
    """A mask from its pickle, which names this function: nothing in it is trusted."""
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
