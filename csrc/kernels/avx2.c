/* AVX2 and F16C: four lanes in a vector. */
#include "../backend.h"

#ifdef FD_X86

#include <immintrin.h>

static int supported(void) { return FD_RUNS(FD_AVX2); }

FD_TARGET_BEGIN("avx2,f16c")

#define V_LANES 4
typedef __m256i v_u64;

FD_INLINE v_u64 v_set1(uint64_t a) { return _mm256_set1_epi64x((long long)a); }
FD_INLINE v_u64 v_ramp(uint64_t step) {
    return _mm256_setr_epi64x(0, (long long)step, (long long)(2 * step), (long long)(3 * step));
}
FD_INLINE v_u64 v_add(v_u64 a, v_u64 b) { return _mm256_add_epi64(a, b); }
FD_INLINE v_u64 v_xor(v_u64 a, v_u64 b) { return _mm256_xor_si256(a, b); }
FD_INLINE v_u64 v_andnot(v_u64 a, v_u64 b) { return _mm256_andnot_si256(a, b); }
FD_INLINE v_u64 v_shl(v_u64 a, int n) { return _mm256_slli_epi64(a, n); }
FD_INLINE v_u64 v_shr(v_u64 a, int n) { return _mm256_srli_epi64(a, n); }
FD_INLINE v_u64 v_rotl(v_u64 a, int n) { return _mm256_or_si256(v_shl(a, n), v_shr(a, 64 - n)); }
FD_INLINE int v_any(v_u64 a) { return !_mm256_testz_si256(a, a); }
FD_INLINE v_u64 v_lowest(v_u64 a) { return _mm256_and_si256(a, _mm256_sub_epi64(_mm256_setzero_si256(), a)); }
FD_INLINE void v_store(uint8_t *bits, v_u64 a) { _mm256_storeu_si256((__m256i *)bits, a); }
FD_INLINE void v_fence(void) { _mm_sfence(); }

/* The product modulo 2^64 from 32-bit ones: low*low + ((low*high + high*low) << 32). */
FD_INLINE v_u64 v_mul(v_u64 a, uint64_t b) {
    const v_u64 low = v_set1(b), high = v_set1(b >> 32);
    const v_u64 cross = v_add(_mm256_mul_epu32(a, high), _mm256_mul_epu32(v_shr(a, 32), low));
    return v_add(_mm256_mul_epu32(a, low), v_shl(cross, 32));
}

FD_INLINE v_u64 v_where_less(v_u64 a, v_u64 b, v_u64 z) {
    const v_u64 sign = v_set1(UINT64_C(1) << 63); /* the comparison is signed */
    return _mm256_and_si256(z, _mm256_cmpgt_epi64(v_xor(b, sign), v_xor(a, sign)));
}

FD_INLINE v_u64 v_where_any(v_u64 z, v_u64 a, v_u64 b) {
    return _mm256_blendv_epi8(a, b, _mm256_cmpeq_epi64(z, _mm256_setzero_si256()));
}

FD_INLINE void v_decide(v_u64 *undecided, v_u64 *dropped, v_u64 u, uint64_t t) {
    if (t) {
        *dropped = _mm256_or_si256(*dropped, _mm256_andnot_si256(u, *undecided));
        *undecided = _mm256_and_si256(*undecided, u);
    } else {
        *undecided = _mm256_andnot_si256(u, *undecided);
    }
}

FD_INLINE v_u64 v_complements(const double *p) {
    return _mm256_castpd_si256(_mm256_sub_pd(_mm256_set1_pd(0x1.fffffffffffffp0), _mm256_loadu_pd(p)));
}

/* The upper halves are brought together within 128 bits first, and then put in order. */
FD_INLINE unsigned v_reached(const v_u64 *sums, uint32_t bound) {
    const __m256 upper = _mm256_shuffle_ps(_mm256_castsi256_ps(sums[0]), _mm256_castsi256_ps(sums[1]), 0xDD);
    const __m256i ordered = _mm256_permute4x64_epi64(_mm256_castps_si256(upper), 0xD8);
    return (unsigned)_mm256_movemask_ps(
        _mm256_castsi256_ps(_mm256_cmpgt_epi32(ordered, _mm256_set1_epi32((int)bound - 1))));
}

#define V_BYTES 32
#define R_BYTES 32
#define v_widen_f16(halves) ((v_f32)_mm256_cvtph_ps((__m128i)(halves)))
#define v_narrow_f16(v) ((v_halves)_mm256_cvtps_ph((__m256)(v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define V_UNROLL FD_UNROLL
typedef __m256i v_data;

FD_INLINE void v_save(uint8_t *y, v_data v, int nontemporal) {
    if (nontemporal) { /* NumPy's arrays are aligned to 16 bytes only */
        _mm_stream_si128((__m128i *)y, _mm256_castsi256_si128(v));
        _mm_stream_si128((__m128i *)(y + 16), _mm256_extracti128_si256(v, 1));
    } else {
        _mm256_storeu_si256((__m256i *)y, v);
    }
}

/* Sixteen elements: lane i tests bit i. */
FD_INLINE v_data v_kept_2(const uint8_t *x, uint64_t word, int i) {
    const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
    const __m256i bits = _mm256_set1_epi16((short)(word >> (16 * i)));
    const __m256i keep = _mm256_cmpeq_epi16(_mm256_and_si256(bits, bit), bit);
    return _mm256_and_si256(_mm256_loadu_si256((const __m256i *)x), keep);
}

/* For wider elements, each bit is shifted to the sign of its lane, the only bit that a masked load looks at. */
FD_INLINE v_data v_kept_4(const uint8_t *x, uint64_t word, int i) {
    const int t = 31 - 8 * (i % 4);
    const __m256i shift = _mm256_setr_epi32(t, t - 1, t - 2, t - 3, t - 4, t - 5, t - 6, t - 7);
    const __m256i both = _mm256_set1_epi64x((long long)word); /* next line: its lower or upper half in all lanes */
    const __m256i bits = i < 4 ? _mm256_shuffle_epi32(both, 0xA0) : _mm256_shuffle_epi32(both, 0xF5);
    return _mm256_maskload_epi32((const int *)x, _mm256_sllv_epi32(bits, shift));
}

FD_INLINE v_data kept_where(const uint8_t *x, uint64_t word, __m256i shift) {
    const __m256i bits = _mm256_set1_epi64x((long long)word);
    return _mm256_maskload_epi64((const long long *)x, _mm256_sllv_epi64(bits, shift));
}

FD_INLINE v_data v_kept_8(const uint8_t *x, uint64_t word, int i) {
    const int t = 63 - 4 * i;
    return kept_where(x, word, _mm256_setr_epi64x(t, t - 1, t - 2, t - 3));
}

FD_INLINE v_data v_kept_16(const uint8_t *x, uint64_t word, int i) {
    const int t = 63 - 2 * i;
    return kept_where(x, word, _mm256_setr_epi64x(t, t, t - 1, t - 1));
}

#define BACKEND fd_avx2
#define NAME "avx2"
#include "backend_tpl.h"

FD_TARGET_END

#endif
