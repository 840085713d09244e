from .recipe cimport Recipe


cdef class Mask:
    cdef Recipe recipe
    cdef bytes stored      # the packed bits; None: they are drawn from the recipe when needed
    cdef bint given        # whether the user gave the bits, so that the recipe cannot draw them

    cdef bytes packed(self)


cdef Mask new_mask(Recipe recipe, bint keeps_bits)
