/*
 * Vectors of reals in the compilers' own vector types, so that this file serves every instruction set: the products of
 * plain dropout, on vectors of V_BYTES, and what all other kernels use, on vectors of R_BYTES. A storage type (f16 bf16
 * f32 f64) has load_, store_ and rounded_ (to storage and back); a compute type (f32 f64) has v_, real_, lanes_, all_,
 * chosen_, kept_lanes_ and scales_.
 */
typedef float data_f32 __attribute__((vector_size(V_BYTES)));
typedef double data_f64 __attribute__((vector_size(V_BYTES)));
typedef uint32_t data_u32 __attribute__((vector_size(V_BYTES)));

typedef float real_f32;
typedef double real_f64;
typedef float v_f32 __attribute__((vector_size(R_BYTES)));
typedef double v_f64 __attribute__((vector_size(R_BYTES)));
typedef float v_narrow __attribute__((vector_size(R_BYTES / 2))); /* as many floats as v_f64 has doubles */
typedef uint32_t v_narrow_bits __attribute__((vector_size(R_BYTES / 2)));
typedef int32_t lanes_f32 __attribute__((vector_size(R_BYTES))); /* all ones, or 0 */
typedef int64_t lanes_f64 __attribute__((vector_size(R_BYTES)));
typedef uint32_t v_bits32 __attribute__((vector_size(R_BYTES)));
typedef uint64_t v_bits64 __attribute__((vector_size(R_BYTES)));
typedef uint16_t v_halves __attribute__((vector_size(R_BYTES / 2)));

/* From its bits as an integer: some compilers convert a float to double when it is combined with a vector. */
FD_INLINE v_f32 all_f32(float a) {
    int32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return (v_f32)((lanes_f32){0} + bits);
}
FD_INLINE v_f64 all_f64(double a) { return a - (v_f64){0}; }

FD_INLINE v_f32 chosen_f32(lanes_f32 where, v_f32 a, v_f32 b) {
    return (v_f32)((where & (lanes_f32)a) | (~where & (lanes_f32)b));
}
FD_INLINE v_f64 chosen_f64(lanes_f64 where, v_f64 a, v_f64 b) {
    return (v_f64)((where & (lanes_f64)a) | (~where & (lanes_f64)b));
}

/* The bit that each lane tests, if an element has one real, and if it has two. */
static const int32_t lane_bits_f32[2][16] = {
    {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768},
    {1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128}};
static const int64_t lane_bits_f64[2][8] = {{1, 2, 4, 8, 16, 32, 64, 128}, {1, 1, 2, 2, 4, 4, 8, 8}};

/* All ones in the lanes whose element's bit is set; bit 0 is that of the first element. */
FD_INLINE lanes_f32 kept_lanes_f32(uint64_t bits, int parts) {
    lanes_f32 lane;
    memcpy(&lane, lane_bits_f32[parts - 1], sizeof lane);
    return ((lane & (int32_t)(bits & 0xFFFF)) != 0);
}
FD_INLINE lanes_f64 kept_lanes_f64(uint64_t bits, int parts) {
    lanes_f64 lane;
    memcpy(&lane, lane_bits_f64[parts - 1], sizeof lane);
    return ((lane & (int64_t)(bits & 0xFFFF)) != 0);
}

FD_INLINE v_f32 load_f32(const uint8_t *x) {
    v_f32 v;
    memcpy(&v, x, sizeof v);
    return v;
}
FD_INLINE v_f64 load_f64(const uint8_t *x) {
    v_f64 v;
    memcpy(&v, x, sizeof v);
    return v;
}
FD_INLINE void store_f32(uint8_t *y, v_f32 v) { memcpy(y, &v, sizeof v); }
FD_INLINE void store_f64(uint8_t *y, v_f64 v) { memcpy(y, &v, sizeof v); }
FD_INLINE v_f32 rounded_f32(v_f32 v) { return v; }
FD_INLINE v_f64 rounded_f64(v_f64 v) { return v; }

#ifndef v_widen_f16
/*
 * float16 to float: shifting exponent and fraction into place gives the value divided by 2^112, as the exponents'
 * biases are 15 and 127, so it is multiplied by 2^112, which is right for subnormals too. Inf and NaN become 2^16 or
 * more; their exponent is then set to all ones.
 */
FD_INLINE v_f32 v_widen_f16(v_halves halves) {
    const v_bits32 bits = __builtin_convertvector(halves, v_bits32);
    const v_f32 magnitude = (v_f32)((bits & 0x7FFF) << 13) * 0x1p112f;
    const v_bits32 special = (v_bits32)(magnitude >= 0x1p16f) & 0x7F800000;
    return (v_f32)((bits & 0x8000) << 16 | (v_bits32)magnitude | special);
}

/*
 * Float to float16, rounded to nearest even. Below 2^-14 (0x388..) results are multiples of 2^-24, the unit in the last
 * place of a float in [0.5, 1), so adding 0.5 rounds. From 2^16 (0x478..) on results are Inf or NaN. Magnitudes are
 * compared as signed numbers, since none is negative.
 */
FD_INLINE v_halves v_narrow_f16(v_f32 v) {
    const lanes_f32 magnitude = (lanes_f32)v & 0x7FFFFFFF;
    const lanes_f32 tiny = (lanes_f32)((v_f32)magnitude + 0.5f) - 0x3F000000;
    const lanes_f32 normal = (magnitude - (112 << 23) + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    const lanes_f32 special = 0x7C00 | ((magnitude > 0x7F800000) & 0x0200);
    const lanes_f32 is_tiny = magnitude < 0x38800000, is_special = magnitude >= 0x47800000;
    const lanes_f32 finite = (is_tiny & tiny) | (~is_tiny & normal);
    const v_bits32 half = (v_bits32)((is_special & special) | (~is_special & finite));
    return __builtin_convertvector(half | ((v_bits32)v >> 16 & 0x8000), v_halves);
}
#endif

/*
 * bfloat16 is the upper half of a float; the upper half of this sum is the float rounded to nearest even. A NaN that
 * came from bfloat16 has a lower half of 0, so it stays a NaN. (The processors' own instructions flush denormals.)
 */
#define ROUNDED_BF16(bits) ((bits) + 0x7FFF + ((bits) >> 16 & 1))

FD_INLINE v_f32 widen_bf16(v_halves halves) { return (v_f32)(__builtin_convertvector(halves, v_bits32) << 16); }
FD_INLINE v_halves narrow_bf16(v_f32 v) { return __builtin_convertvector(ROUNDED_BF16((v_bits32)v) >> 16, v_halves); }

FD_INLINE v_halves load_halves(const uint8_t *x) {
    v_halves v;
    memcpy(&v, x, sizeof v);
    return v;
}
FD_INLINE void store_halves(uint8_t *y, v_halves v) { memcpy(y, &v, sizeof v); }

FD_INLINE v_f32 load_f16(const uint8_t *x) { return v_widen_f16(load_halves(x)); }
FD_INLINE v_f32 load_bf16(const uint8_t *x) { return widen_bf16(load_halves(x)); }
FD_INLINE void store_f16(uint8_t *y, v_f32 v) { store_halves(y, v_narrow_f16(v)); }
FD_INLINE void store_bf16(uint8_t *y, v_f32 v) { store_halves(y, narrow_bf16(v)); }
FD_INLINE v_f32 rounded_f16(v_f32 v) { return v_widen_f16(v_narrow_f16(v)); }
FD_INLINE v_f32 rounded_bf16(v_f32 v) { return widen_bf16(narrow_bf16(v)); }

/* The product of every real of a data vector and the scale. */
FD_INLINE v_data scaled_f32(v_data v, float scale) {
    uint32_t bits; /* as in all_f32 */
    memcpy(&bits, &scale, sizeof bits);
    return (v_data)((data_f32)v * (data_f32)((data_u32){0} + bits));
}

FD_INLINE v_data scaled_f64(v_data v, double scale) { return (v_data)((data_f64)v * scale); }

/* Halves of a vector of reals as integers: compilers join integers in registers, but vectors through memory. */
#if R_BYTES == 32
__extension__ typedef unsigned __int128 half_int;
#else
typedef uint64_t half_int;
#endif
typedef half_int data_halves __attribute__((vector_size(V_BYTES)));

FD_INLINE half_int scaled_half(half_int half, float scale) {
    return (half_int)v_narrow_f16(v_widen_f16((v_halves)half) * all_f32(scale));
}

FD_INLINE v_data scaled_f16(v_data v, float scale) {
    const data_halves h = (data_halves)v;
#if V_BYTES == R_BYTES
    return (v_data)(data_halves){scaled_half(h[0], scale), scaled_half(h[1], scale)};
#else
    return (v_data)(data_halves){scaled_half(h[0], scale), scaled_half(h[1], scale), scaled_half(h[2], scale),
                                 scaled_half(h[3], scale)};
#endif
}

/* Two bfloat16 in 32 bits: the lower becomes a float by a shift, the upper by clearing the other half. */
FD_INLINE v_data scaled_bf16(v_data v, float scale) {
    const data_u32 pairs = (data_u32)v, upper = (data_u32){0} + 0xFFFF0000;
    const data_u32 low = (data_u32)scaled_f32((v_data)(pairs << 16), scale);
    const data_u32 high = (data_u32)scaled_f32((v_data)(pairs & upper), scale);
    return (v_data)(ROUNDED_BF16(low) >> 16 | (ROUNDED_BF16(high) & upper));
}

/* The vector at x, which is the i-th of 64 elements: scaled where the word's bit is 1, else +0.0. */
#ifndef v_kept_scaled_f32
#define v_kept_scaled_f32(x, word, i, scale) scaled_f32(v_kept_4(x, word, i), scale)
#define v_kept_scaled_f64(x, word, i, scale) scaled_f64(v_kept_8(x, word, i), scale)
#endif
#define v_kept_scaled_f16(x, word, i, scale) scaled_f16(v_kept_2(x, word, i), scale)
#define v_kept_scaled_bf16(x, word, i, scale) scaled_bf16(v_kept_2(x, word, i), scale)
#define v_kept_scaled_c64(x, word, i, scale) scaled_f32(v_kept_8(x, word, i), scale)
#define v_kept_scaled_c128(x, word, i, scale) scaled_f64(v_kept_16(x, word, i), scale)

enum { P_STAGED = 128 }; /* how many values of an array p are copied, or turned into scales, at a time */

/* 1 / (1 - p) in double, rounded once, for n values of p, each stored `parts` times; n is a multiple of the lanes. */
FD_INLINE void scales_f32(const double *p, size_t n, float *scale, int parts) {
    for (size_t i = 0; i < n; i += R_BYTES / 8) {
        const v_narrow s = __builtin_convertvector(1.0 / (1.0 - load_f64((const uint8_t *)(p + i))), v_narrow);
        v_bits64 both = __builtin_convertvector((v_narrow_bits)s, v_bits64);
        both |= both << 32;
        if (parts == 1)
            memcpy(scale + i, &s, sizeof s);
        else
            memcpy(scale + 2 * i, &both, sizeof both);
    }
}
FD_INLINE void scales_f64(const double *p, size_t n, double *scale, int parts) {
    for (size_t i = 0; i < n; i += R_BYTES / 8) {
        const v_f64 s = 1.0 / (1.0 - load_f64((const uint8_t *)(p + i)));
        for (int lane = 0; parts > 1 && lane < R_BYTES / 8; lane++)
            scale[2 * (i + lane)] = scale[2 * (i + lane) + 1] = s[lane];
        if (parts == 1)
            store_f64((uint8_t *)(scale + i), s);
    }
}
