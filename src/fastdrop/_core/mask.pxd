from .recipe cimport Recipe


cdef class Mask:
    cdef Recipe recipe
    cdef bytes stored      # the packed bits; None: they follow from the recipe
    cdef bint given        # whether the bits are the user's, and follow from no recipe

    cdef bytes packed(self)


cdef Mask new_mask(Recipe recipe, bint keeps_bits)
