/* Plain C11, one lane at a time, right on any byte order. */
#include "scalar.h"

static int supported(void) { return 1; }

#define V_BYTES 16
#define R_BYTES 16
#define V_UNROLL

typedef union {
    uint8_t bytes[16];
    uint16_t h[8];
    uint32_t w[4];
    uint64_t d[2];
    float f32[4];
    double f64[2];
} v_data;

FD_INLINE v_data v_load(const uint8_t *x) {
    v_data v;
    memcpy(v.bytes, x, sizeof v);
    return v;
}

FD_INLINE void v_save(uint8_t *y, v_data v, int bypass) {
    (void)bypass; /* C has no such store */
    memcpy(y, v.bytes, sizeof v);
}

FD_INLINE void v_fence(void) {}

FD_INLINE v_data kept_2(const uint8_t *x, uint64_t word, int i) {
    v_data v = v_load(x);
    FD_UNROLL
    for (int e = 0; e < 8; e++)
        v.h[e] &= (uint16_t)(0 - (word >> (8 * i + e) & 1));
    return v;
}

FD_INLINE v_data kept_4(const uint8_t *x, uint64_t word, int i) {
    v_data v = v_load(x);
    FD_UNROLL
    for (int e = 0; e < 4; e++)
        v.w[e] &= (uint32_t)(0 - (word >> (4 * i + e) & 1));
    return v;
}

FD_INLINE v_data kept_8(const uint8_t *x, uint64_t word, int i) {
    v_data v = v_load(x);
    FD_UNROLL
    for (int e = 0; e < 2; e++)
        v.d[e] &= 0 - (word >> (2 * i + e) & 1);
    return v;
}

FD_INLINE v_data kept_16(const uint8_t *x, uint64_t word, int i) {
    v_data v = v_load(x);
    FD_UNROLL
    for (int e = 0; e < 2; e++)
        v.d[e] &= 0 - (word >> i & 1);
    return v;
}

FD_INLINE v_data scaled_f32(v_data v, float scale) {
    FD_UNROLL
    for (int e = 0; e < 4; e++)
        v.f32[e] *= scale;
    return v;
}

FD_INLINE v_data scaled_f64(v_data v, double scale) {
    FD_UNROLL
    for (int e = 0; e < 2; e++)
        v.f64[e] *= scale;
    return v;
}

FD_INLINE float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

FD_INLINE uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

/*
 * float16 to float: moving exponent and fraction into place divides the value by 2^112 (the biases are 15 and 127),
 * which the product undoes, for subnormals too; 2^16 is where Inf and NaN land, whose exponent is then all ones.
 */
FD_INLINE float widened_f16(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const float magnitude = float_of((uint32_t)(half & 0x7FFF) << 13) * 0x1p112f;
    return float_of(sign | bits_of(magnitude) | (magnitude >= 0x1p16f ? 0x7F800000u : 0));
}

/* To nearest even. Below 2^-14 results are multiples of 2^-24, the unit in the last place of a float in [0.5, 1). */
FD_INLINE uint16_t narrowed_f16(float value) {
    const uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    uint32_t half;
    if (magnitude >= bits_of(0x1p16f)) /* Inf and NaN among them */
        half = magnitude > 0x7F800000 ? 0x7E00 : 0x7C00;
    else if (magnitude < bits_of(0x1p-14f))
        half = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
    else
        half = (magnitude - (112u << 23) + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    return (uint16_t)(sign | half);
}

/* bfloat16 is the upper half of a float; to nearest even. A NaN's lower half is 0 here, so it stays one. */
FD_INLINE float widened_bf16(uint16_t half) { return float_of((uint32_t)half << 16); }

FD_INLINE uint16_t narrowed_bf16(float value) {
    const uint32_t bits = bits_of(value);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

FD_INLINE v_data scaled_f16(v_data v, float scale) {
    FD_UNROLL
    for (int e = 0; e < 8; e++)
        v.h[e] = narrowed_f16(widened_f16(v.h[e]) * scale);
    return v;
}

FD_INLINE v_data scaled_bf16(v_data v, float scale) {
    FD_UNROLL
    for (int e = 0; e < 8; e++)
        v.h[e] = narrowed_bf16(widened_bf16(v.h[e]) * scale);
    return v;
}

#define BACKEND fd_portable
#define NAME "portable"
#include "backend_tpl.h"
