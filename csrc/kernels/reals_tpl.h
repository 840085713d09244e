/*
 * Vectors of reals in the compilers' own vector types, which the passes of values_tpl.h are written in: these are rarer
 * than plain dropout, and one text serves every instruction set. The file that includes this defines
 *
 *   R_BYTES                the bytes of such a vector
 *   wide_f16 narrow_f16    macros from float16 to float and back, where the processor has instructions for that
 *
 * A storage type (f16 bf16 f32 f64) has load_, store_ and rounded_ (to storage and back); a compute type (f32 f64) has
 * v_<type>, kept_<type>_lanes and chosen_<type>.
 */
typedef float v_f32 __attribute__((vector_size(R_BYTES)));
typedef double v_f64 __attribute__((vector_size(R_BYTES)));
typedef float v_narrow __attribute__((vector_size(R_BYTES / 2))); /* as many floats as v_f64 has doubles */
typedef uint32_t v_narrow_bits __attribute__((vector_size(R_BYTES / 2)));
typedef int32_t v_i32 __attribute__((vector_size(R_BYTES)));
typedef int64_t v_i64 __attribute__((vector_size(R_BYTES)));
typedef uint32_t v_bits32 __attribute__((vector_size(R_BYTES)));
typedef uint64_t v_bits64 __attribute__((vector_size(R_BYTES)));
typedef uint16_t v_halves __attribute__((vector_size(R_BYTES / 2)));

/* By its bits: some machines widen a float that meets a vector. */
FD_INLINE v_f32 all_f32(float a) {
    int32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return (v_f32)((v_i32){0} + bits);
}
FD_INLINE v_f64 all_f64(double a) { return a - (v_f64){0}; }

FD_INLINE v_f32 chosen_f32(v_i32 where, v_f32 a, v_f32 b) { return (v_f32)((where & (v_i32)a) | (~where & (v_i32)b)); }
FD_INLINE v_f64 chosen_f64(v_i64 where, v_f64 a, v_f64 b) { return (v_f64)((where & (v_i64)a) | (~where & (v_i64)b)); }

/* The bit of each lane, where an element has one real, and two. */
static const int32_t lane_bits_f32[2][16] = {
    {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768},
    {1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128}};
static const int64_t lane_bits_f64[2][8] = {{1, 2, 4, 8, 16, 32, 64, 128}, {1, 1, 2, 2, 4, 4, 8, 8}};

/* All ones in the lanes whose element's bit is set; the first element's is bit 0. */
FD_INLINE v_i32 kept_f32_lanes(uint64_t bits, int parts) {
    v_i32 lane;
    memcpy(&lane, lane_bits_f32[parts - 1], sizeof lane);
    return ((lane & (int32_t)(bits & 0xFFFF)) != 0);
}
FD_INLINE v_i64 kept_f64_lanes(uint64_t bits, int parts) {
    v_i64 lane;
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

#ifndef wide_f16
/*
 * float16 to float: moving exponent and fraction into place divides the value by 2^112 (the biases are 15 and 127),
 * which the product undoes, for subnormals too; 2^16 is where Inf and NaN land, whose exponent is then all ones.
 */
FD_INLINE v_f32 wide_f16(v_halves halves) {
    const v_bits32 bits = __builtin_convertvector(halves, v_bits32);
    const v_f32 magnitude = (v_f32)((bits & 0x7FFF) << 13) * 0x1p112f;
    const v_bits32 special = (v_bits32)(magnitude >= 0x1p16f) & 0x7F800000;
    return (v_f32)((bits & 0x8000) << 16 | (v_bits32)magnitude | special);
}

/*
 * To nearest even. Below 2^-14 (0x388..) results are multiples of 2^-24, the unit in the last place of a float in
 * [0.5, 1). From 2^16 (0x478..) on there are Inf and NaN. Magnitudes are compared as signed numbers: none is negative.
 */
FD_INLINE v_halves narrow_f16(v_f32 v) {
    const v_i32 magnitude = (v_i32)v & 0x7FFFFFFF;
    const v_i32 tiny = (v_i32)((v_f32)magnitude + 0.5f) - 0x3F000000;
    const v_i32 normal = (magnitude - (112 << 23) + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    const v_i32 special = 0x7C00 | ((magnitude > 0x7F800000) & 0x0200);
    const v_i32 is_tiny = magnitude < 0x38800000, is_special = magnitude >= 0x47800000;
    const v_i32 finite = (is_tiny & tiny) | (~is_tiny & normal);
    const v_bits32 half = (v_bits32)((is_special & special) | (~is_special & finite));
    return __builtin_convertvector(half | ((v_bits32)v >> 16 & 0x8000), v_halves);
}
#endif

/* bfloat16 is the upper half of a float; to nearest even. A NaN's lower half is 0 here, so it stays one. */
FD_INLINE v_f32 wide_bf16(v_halves halves) { return (v_f32)(__builtin_convertvector(halves, v_bits32) << 16); }
FD_INLINE v_halves narrow_bf16(v_f32 v) {
    const v_bits32 bits = (v_bits32)v;
    return __builtin_convertvector((bits + 0x7FFF + (bits >> 16 & 1)) >> 16, v_halves);
}

FD_INLINE v_halves load_halves(const uint8_t *x) {
    v_halves v;
    memcpy(&v, x, sizeof v);
    return v;
}
FD_INLINE void store_halves(uint8_t *y, v_halves v) { memcpy(y, &v, sizeof v); }

FD_INLINE v_f32 load_f16(const uint8_t *x) { return wide_f16(load_halves(x)); }
FD_INLINE v_f32 load_bf16(const uint8_t *x) { return wide_bf16(load_halves(x)); }
FD_INLINE void store_f16(uint8_t *y, v_f32 v) { store_halves(y, narrow_f16(v)); }
FD_INLINE void store_bf16(uint8_t *y, v_f32 v) { store_halves(y, narrow_bf16(v)); }
FD_INLINE v_f32 rounded_f16(v_f32 v) { return wide_f16(narrow_f16(v)); }
FD_INLINE v_f32 rounded_bf16(v_f32 v) { return wide_bf16(narrow_bf16(v)); }

enum { RATES = 256 }; /* values of an array p that are brought together, or turned into scales, at a time */

/* 1 / (1 - p) in double, rounded once, of n values of p, n a multiple of the lanes, each `parts` times. */
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
