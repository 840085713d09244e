/*
 * The kernels of one instruction set and their table. The file that includes this must define BACKEND (the variable of
 * the table), NAME, supported(), and the operations below; the kernels use no others.
 *
 * On lanes of the generator. A v_u64 holds V_LANES of the eight lanes of a block, so a block takes 8 / V_LANES passes:
 *
 *   v_set1 v_ramp        the same word in every lane; 0, step, 2*step, ...
 *   v_add v_xor v_andnot (~a & b) v_shl v_shr v_rotl v_mul
 *   v_where_less         z where a < b unsigned, 0 elsewhere
 *   v_where_any          a where the lane of z has a bit set, b elsewhere
 *   v_any                whether any lane has a bit set
 *   v_lowest             the lowest set bit of each lane, or 0
 *   v_decide             compares one plane with one bit of the threshold: see draw_plane in stream_tpl.h
 *   v_store              stores the lanes as little-endian words
 *   v_complements        the bits of the doubles (2 - 2^-52) - p, for V_LANES values of p
 *   v_reached            one bit for each of eight lanes: whether its upper 32 bits are at least a bound
 *
 * On data, in vectors v_data of V_BYTES bytes:
 *
 *   V_UNROLL             FD_UNROLL if loops over the vectors of a word are to be unrolled, else nothing
 *   v_save               a store; a non-temporal one on request, to an address that is then 16-byte aligned
 *   v_fence              is called after the last non-temporal store
 *   v_kept_2 v_kept_4 v_kept_8 v_kept_16     for elements of so many bytes: the vector at x, which is the i-th of 64
 *                        elements, with +0.0 where the word's bits are 0
 *
 * On reals, in vectors of R_BYTES bytes (vectors_tpl.h). These are macros, and may be left out:
 *
 *   v_widen_f16 v_narrow_f16              float16 to float, and back to nearest even
 *   v_kept_scaled_f32 v_kept_scaled_f64   v_kept_4 or v_kept_8, and the product with the scale
 */
#include "../bitcopy.h"
#include "stream_tpl.h"
#include "vectors_tpl.h"

static void draw_bits(const fd_draw *draw, uint64_t block, int groups, uint8_t *bits) {
    for (int lane = 0; lane < FD_LANES; lane += V_LANES) {
        lanes s = seed_lanes(draw, block, lane);
        for (int g = 0; g < groups; g++)
            v_store(bits + 8 * (FD_LANES * g + lane), draw_kept(&s, draw));
    }
}

#include "draw_p_array_tpl.h"
#include "turn_tpl.h"

/* For each dtype: the bytes of an element, the types in which a real is stored and computed, and the reals in it. */
#define DTYPE f16
#define SIZE 2
#define STORAGE f16
#define REAL f32
#define PARTS 1
#include "dtype_tpl.h"
#define DTYPE bf16
#define SIZE 2
#define STORAGE bf16
#define REAL f32
#define PARTS 1
#include "dtype_tpl.h"
#define DTYPE f32
#define SIZE 4
#define STORAGE f32
#define REAL f32
#define PARTS 1
#include "dtype_tpl.h"
#define DTYPE f64
#define SIZE 8
#define STORAGE f64
#define REAL f64
#define PARTS 1
#include "dtype_tpl.h"
#define DTYPE c64
#define SIZE 8
#define STORAGE f32
#define REAL f32
#define PARTS 2
#include "dtype_tpl.h"
#define DTYPE c128
#define SIZE 16
#define STORAGE f64
#define REAL f64
#define PARTS 2
#include "dtype_tpl.h"

const fd_backend BACKEND = {
    .name = NAME,
    .supported = supported,
    .draw = draw_bits,
    .copy_p = copy_p,
    .draw_p_array = draw_p_array,
    .turn = turn,
    .interleave = interleave,
    .of = {[FD_F16] = &kernels_f16,
           [FD_BF16] = &kernels_bf16,
           [FD_F32] = &kernels_f32,
           [FD_F64] = &kernels_f64,
           [FD_C64] = &kernels_c64,
           [FD_C128] = &kernels_c128},
};
