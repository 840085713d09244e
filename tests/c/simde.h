/*
 * Test only, force-included: lets csrc/kernels/avx512.c be compiled and run without AVX-512, through SIMDe. Nothing is
 * compiled for that instruction set then: FD_EMULATE empties the target pragmas, and SIMDe has the intrinsics in C.
 */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>

/* <immintrin.h> would declare what SIMDe has defined: it counts as included. */
#define _IMMINTRIN_H_INCLUDED

/* What SIMDe 0.8.2 has under its own name only, or lacks. */
#define __mmask8 simde__mmask8
#define __mmask16 simde__mmask16
#undef _MM_FROUND_NO_EXC
#define _MM_FROUND_NO_EXC SIMDE_MM_FROUND_NO_EXC
#define _mm512_cmplt_epu64_mask(a, b) simde_mm512_cmp_epu64_mask(a, b, SIMDE_MM_CMPINT_LT)
#define _mm512_cvtps_ph emulated_cvtps_ph

/* To nearest even, as SIMDe does whatever the rounding asked for. */
static inline simde__m256i emulated_cvtps_ph(simde__m512 v, int rounding) {
    if (rounding != (SIMDE_MM_FROUND_TO_NEAREST_INT | SIMDE_MM_FROUND_NO_EXC))
        __builtin_trap();
    const simde__m512i bits = simde_mm512_castps_si512(v);
    const simde__m256 low = simde_mm256_castsi256_ps(simde_mm512_castsi512_si256(bits));
    const simde__m256 high = simde_mm256_castsi256_ps(simde_mm512_extracti64x4_epi64(bits, 1));
    return simde_mm256_set_m128i(simde_mm256_cvtps_ph(high, rounding), simde_mm256_cvtps_ph(low, rounding));
}
