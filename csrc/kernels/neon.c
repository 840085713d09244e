/* NEON on little-endian aarch64: two lanes in a vector. */
#include "../backend.h"

#ifdef FD_NEON

#include <arm_neon.h>

static int supported(void) { return 1; } /* every aarch64 processor has NEON */

#define V_LANES 2
typedef uint64x2_t v_u64;

FD_INLINE v_u64 v_set1(uint64_t a) { return vdupq_n_u64(a); }
FD_INLINE v_u64 v_ramp(uint64_t step) { return vcombine_u64(vcreate_u64(0), vcreate_u64(step)); }
FD_INLINE v_u64 v_add(v_u64 a, v_u64 b) { return vaddq_u64(a, b); }
FD_INLINE v_u64 v_xor(v_u64 a, v_u64 b) { return veorq_u64(a, b); }
FD_INLINE v_u64 v_andnot(v_u64 a, v_u64 b) { return vbicq_u64(b, a); }
FD_INLINE int v_any(v_u64 a) { return (vgetq_lane_u64(a, 0) | vgetq_lane_u64(a, 1)) != 0; }
FD_INLINE v_u64 v_lowest(v_u64 a) { return vandq_u64(a, vsubq_u64(vdupq_n_u64(0), a)); }
FD_INLINE void v_store(uint8_t *bits, v_u64 a) { vst1q_u8(bits, vreinterpretq_u8_u64(a)); }
FD_INLINE void v_fence(void) {}

/* Macros, since the intrinsics require constant counts, also before inlining. */
#define v_shl(a, n) vshlq_n_u64(a, n)
#define v_shr(a, n) vshrq_n_u64(a, n)
#define v_rotl(a, n) vsriq_n_u64(vshlq_n_u64(a, n), a, 64 - (n))

/* There is no 64-bit product of vectors: low*low + ((low*high + high*low) << 32). */
FD_INLINE v_u64 v_mul(v_u64 a, uint64_t b) {
    const uint32x2_t low = vmovn_u64(a), high = vshrn_n_u64(a, 32);
    const uint32x2_t b_low = vdup_n_u32((uint32_t)b), b_high = vdup_n_u32((uint32_t)(b >> 32));
    const uint64x2_t cross = vmlal_u32(vmull_u32(low, b_high), high, b_low);
    return vmlal_u32(vshlq_n_u64(cross, 32), low, b_low);
}

FD_INLINE v_u64 v_where_less(v_u64 a, v_u64 b, v_u64 z) { return vandq_u64(z, vcltq_u64(a, b)); }
FD_INLINE v_u64 v_where_any(v_u64 z, v_u64 a, v_u64 b) { return vbslq_u64(vtstq_u64(z, z), a, b); }

FD_INLINE void v_decide(v_u64 *undecided, v_u64 *dropped, v_u64 u, uint64_t t) {
    if (t) {
        *dropped = vorrq_u64(*dropped, vbicq_u64(*undecided, u));
        *undecided = vandq_u64(*undecided, u);
    } else {
        *undecided = vbicq_u64(*undecided, u);
    }
}

static const uint16_t bit_2[8] = {1, 2, 4, 8, 16, 32, 64, 128};

FD_INLINE v_u64 v_complements(const double *p) {
    return vreinterpretq_u64_f64(vsubq_f64(vdupq_n_f64(0x1.fffffffffffffp0), vld1q_f64(p)));
}

FD_INLINE uint16x4_t reached_half(v_u64 low, v_u64 high, uint32_t bound) {
    const uint32x4_t upper = vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));
    return vmovn_u32(vcgeq_u32(upper, vdupq_n_u32(bound)));
}

FD_INLINE unsigned v_reached(const v_u64 *sums, uint32_t bound) {
    const uint16x8_t reached =
        vcombine_u16(reached_half(sums[0], sums[1], bound), reached_half(sums[2], sums[3], bound));
    return vaddvq_u16(vandq_u16(reached, vld1q_u16(bit_2)));
}

#define V_BYTES 16
#define R_BYTES 16
#define v_widen_f16(halves) ((v_f32)vcvt_f32_f16((float16x4_t)(halves)))
#define v_narrow_f16(v) ((v_halves)vcvt_f16_f32((float32x4_t)(v)))
#define V_UNROLL FD_UNROLL
typedef uint8x16_t v_data;

FD_INLINE void v_save(uint8_t *y, v_data v, int nontemporal) {
    (void)nontemporal; /* there is no intrinsic for such a store */
    vst1q_u8(y, v);
}

/* The bit of the word that each lane tests. */
static const uint32_t bit_4[4] = {1, 2, 4, 8};
static const uint64_t bit_8[2] = {1, 2};

FD_INLINE v_data v_kept_2(const uint8_t *x, uint64_t word, int i) {
    const uint16x8_t bits = vdupq_n_u16((uint16_t)(word >> (8 * i)));
    return vandq_u8(vld1q_u8(x), vreinterpretq_u8_u16(vtstq_u16(bits, vld1q_u16(bit_2))));
}

FD_INLINE v_data v_kept_4(const uint8_t *x, uint64_t word, int i) {
    const uint32x4_t bits = vdupq_n_u32((uint32_t)(word >> (4 * i)));
    return vandq_u8(vld1q_u8(x), vreinterpretq_u8_u32(vtstq_u32(bits, vld1q_u32(bit_4))));
}

FD_INLINE v_data v_kept_8(const uint8_t *x, uint64_t word, int i) {
    const uint64x2_t bits = vdupq_n_u64(word >> (2 * i));
    return vandq_u8(vld1q_u8(x), vreinterpretq_u8_u64(vtstq_u64(bits, vld1q_u64(bit_8))));
}

FD_INLINE v_data v_kept_16(const uint8_t *x, uint64_t word, int i) {
    return vandq_u8(vld1q_u8(x), vreinterpretq_u8_u64(vdupq_n_u64(0 - (word >> i & 1))));
}

#define BACKEND fd_neon
#define NAME "neon"
#include "backend_tpl.h"

#endif
