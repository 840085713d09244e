/* AVX-512 F, BW, DQ and VL, and F16C: eight lanes in a vector; mask bits are used directly as mask registers. */
#include "../backend.h"

#ifdef FD_X86

#include <immintrin.h>

static int supported(void) { return FD_RUNS(FD_AVX512); }

FD_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,f16c")

#define V_LANES 8
typedef __m512i v_u64;

FD_INLINE v_u64 v_set1(uint64_t a) { return _mm512_set1_epi64((long long)a); }
FD_INLINE v_u64 v_add(v_u64 a, v_u64 b) { return _mm512_add_epi64(a, b); }
FD_INLINE v_u64 v_xor(v_u64 a, v_u64 b) { return _mm512_xor_si512(a, b); }
FD_INLINE v_u64 v_andnot(v_u64 a, v_u64 b) { return _mm512_andnot_si512(a, b); }
FD_INLINE v_u64 v_mul(v_u64 a, uint64_t b) { return _mm512_mullo_epi64(a, v_set1(b)); }
FD_INLINE int v_any(v_u64 a) { return _mm512_test_epi64_mask(a, a) != 0; }
FD_INLINE v_u64 v_lowest(v_u64 a) { return _mm512_and_si512(a, _mm512_sub_epi64(_mm512_setzero_si512(), a)); }
FD_INLINE void v_store(uint8_t *bits, v_u64 a) { _mm512_storeu_si512(bits, a); }
FD_INLINE void v_fence(void) { _mm_sfence(); }

/* Macros, since the intrinsics require constant counts, also before inlining. */
#define v_shl(a, n) _mm512_slli_epi64(a, n)
#define v_shr(a, n) _mm512_srli_epi64(a, n)
#define v_rotl(a, n) _mm512_rol_epi64(a, n)

FD_INLINE v_u64 v_ramp(uint64_t step) { return v_mul(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), step); }

FD_INLINE v_u64 v_where_less(v_u64 a, v_u64 b, v_u64 z) {
    return _mm512_maskz_mov_epi64(_mm512_cmplt_epu64_mask(a, b), z);
}

FD_INLINE v_u64 v_where_any(v_u64 z, v_u64 a, v_u64 b) {
    return _mm512_mask_mov_epi64(b, _mm512_test_epi64_mask(z, z), a);
}

/*
 * Two instructions per plane. The first drops every undecided element if t is 1, and keeps it if t is 0: that is right
 * where U's bit differs from t, and only there; the others, which the second instruction leaves undecided, are set
 * again by the next plane, and the caller clears those that are left. As functions of the (first, second, third)
 * argument, 0xCA is first ? second : third, and 0x90 is first & ~(second ^ third).
 */
FD_INLINE void v_decide(v_u64 *undecided, v_u64 *dropped, v_u64 u, uint64_t t) {
    const v_u64 bit = v_set1(0 - t);
    *dropped = _mm512_ternarylogic_epi64(*undecided, bit, *dropped, 0xCA);
    *undecided = _mm512_ternarylogic_epi64(*undecided, u, bit, 0x90);
}

FD_INLINE v_u64 v_complements(const double *p) {
    return _mm512_castpd_si512(_mm512_sub_pd(_mm512_set1_pd(0x1.fffffffffffffp0), _mm512_loadu_pd(p)));
}

FD_INLINE unsigned v_reached(const v_u64 *sums, uint32_t bound) {
    return (uint8_t)~_mm512_cmplt_epu64_mask(sums[0], v_set1((uint64_t)bound << 32));
}

#define V_BYTES 64
#define R_BYTES 32
#define v_widen_f16(halves) ((v_f32)_mm256_cvtph_ps((__m128i)(halves)))
#define v_narrow_f16(v) ((v_halves)_mm256_cvtps_ph((__m256)(v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define V_UNROLL FD_UNROLL
typedef __m512i v_data;

FD_INLINE void v_save(uint8_t *y, v_data v, int nontemporal) {
    if (nontemporal) { /* NumPy's arrays are aligned to 16 bytes only */
        _mm_stream_si128((__m128i *)y, _mm512_castsi512_si128(v));
        _mm_stream_si128((__m128i *)(y + 16), _mm512_extracti32x4_epi32(v, 1));
        _mm_stream_si128((__m128i *)(y + 32), _mm512_extracti32x4_epi32(v, 2));
        _mm_stream_si128((__m128i *)(y + 48), _mm512_extracti32x4_epi32(v, 3));
    } else {
        _mm512_storeu_si512(y, v);
    }
}

FD_INLINE v_data v_kept_2(const uint8_t *x, uint64_t word, int i) {
    return _mm512_maskz_mov_epi16((__mmask32)(word >> (32 * i)), _mm512_loadu_si512(x));
}

FD_INLINE v_data v_kept_4(const uint8_t *x, uint64_t word, int i) {
    return _mm512_maskz_mov_epi32((__mmask16)(word >> (16 * i)), _mm512_loadu_si512(x));
}

FD_INLINE v_data v_kept_8(const uint8_t *x, uint64_t word, int i) {
    return _mm512_maskz_mov_epi64((__mmask8)(word >> (8 * i)), _mm512_loadu_si512(x));
}

/* Repeats each of four bits: 0b dcba becomes 0b dc00ba, then 0b d0c0b0a, and times 3 gives 0b ddccbbaa. */
FD_INLINE v_data v_kept_16(const uint8_t *x, uint64_t word, int i) {
    const unsigned bits = (unsigned)(word >> (4 * i)), pairs = (bits & 3) | (bits & 12) << 2;
    const unsigned spread = (pairs & 0x11) | (pairs & 0x22) << 1;
    return _mm512_maskz_mov_epi64((__mmask8)(spread * 3), _mm512_loadu_si512(x));
}

/* One instruction masks and multiplies; dropped elements are not computed, and raise no floating-point exception. */
#define v_kept_scaled_f32(x, word, i, scale) \
    ((v_data)_mm512_maskz_mul_ps((__mmask16)((word) >> (16 * (i))), _mm512_loadu_ps(x), _mm512_set1_ps(scale)))
#define v_kept_scaled_f64(x, word, i, scale) \
    ((v_data)_mm512_maskz_mul_pd((__mmask8)((word) >> (8 * (i))), _mm512_loadu_pd(x), _mm512_set1_pd(scale)))

#define BACKEND fd_avx512
#define NAME "avx512"
#include "backend_tpl.h"

FD_TARGET_END

#endif
