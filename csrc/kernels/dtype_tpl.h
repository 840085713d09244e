/*
 * All kernels of one dtype. backend_tpl.h includes it once for each dtype, and defines and explains DTYPE, SIZE,
 * STORAGE, REAL and PARTS.
 */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define OF_DTYPE(name) JOIN(name##_, DTYPE)
#define OF_STORAGE(name) JOIN(name##_, STORAGE)
#define OF_REAL(name) JOIN(name##_, REAL)
#define COMPUTE OF_REAL(real)

#include "apply_tpl.h"
#include "reals_tpl.h"
/* These use the vectors of reals that reals_tpl.h defines. */
#include "affine_tpl.h"
#include "p_array_tpl.h"
#include "residual_tpl.h"

static const fd_kernels OF_DTYPE(kernels) = {
    .size = SIZE,
    .reals = PARTS,
    .dropout_p_array = OF_DTYPE(dropout_p_array),
    .dropout = OF_DTYPE(dropout),
    .apply = OF_DTYPE(apply),
#if PARTS == 1
    .affine = OF_DTYPE(affine),
#endif
    .apply_p_array = OF_DTYPE(apply_p_array),
    .residual = OF_DTYPE(residual),
    .accumulate = OF_DTYPE(accumulate),
};

#undef COMPUTE
#undef OF_REAL
#undef OF_STORAGE
#undef OF_DTYPE
#undef JOIN
#undef JOIN_
#undef PARTS
#undef REAL
#undef STORAGE
#undef SIZE
#undef DTYPE
