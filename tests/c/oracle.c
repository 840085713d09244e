#include "oracle.h"

#include <math.h>
#include <string.h>

const struct type types[FD_DTYPES] = {{"f16", 2, 1, 10}, {"bf16", 2, 1, 7}, {"f32", 4, 1, 23},
                                      {"f64", 8, 1, 52}, {"c64", 4, 2, 23}, {"c128", 8, 2, 52}};

uint64_t random_word(uint64_t z) {
    z = (z + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    return z ^ z >> 31;
}

uint64_t load(fd_dtype d, const uint8_t *from) {
    uint16_t half;
    uint32_t word;
    uint64_t bits;
    memcpy(&half, from, 2);
    if (types[d].real == 2)
        return half;
    memcpy(&word, from, 4);
    if (types[d].real == 4)
        return word;
    memcpy(&bits, from, 8);
    return bits;
}

void store(fd_dtype d, uint8_t *to, uint64_t bits) {
    const uint16_t half = (uint16_t)bits;
    const uint32_t word = (uint32_t)bits;
    if (types[d].real == 2)
        memcpy(to, &half, 2);
    else if (types[d].real == 4)
        memcpy(to, &word, 4);
    else
        memcpy(to, &bits, 8);
}

static uint64_t sign_of(fd_dtype d) { return UINT64_C(1) << (8 * types[d].real - 1); }

/* The pattern of infinity: what is above, without its sign, is NaN. */
static uint64_t infinity_of(fd_dtype d) { return sign_of(d) - (UINT64_C(1) << types[d].mantissa); }

int is_nan(fd_dtype d, uint64_t bits) { return (bits & (sign_of(d) - 1)) > infinity_of(d); }

void fill(fd_dtype d, uint8_t *x, size_t n, uint64_t seed) {
    const uint64_t one = UINT64_C(1) << types[d].mantissa, inf = infinity_of(d), sign = sign_of(d);
    const uint64_t specials[8] = {0, 1, one - 1, one, inf - 1, inf, inf | one / 2, inf | 1};
    for (size_t i = 0; i < n * types[d].reals; i++) {
        const uint64_t r = random_word(i + (seed << 32)), near_1 = (inf / 2 & inf) + r % one;
        const uint64_t magnitude = i % 3 == 0 ? specials[r % 8] : i % 3 == 1 ? r & (sign - 1) : near_1;
        store(d, x + i * types[d].real, (r & sign) | magnitude);
    }
}

/* The values of the 16-bit patterns without a sign; of infinity's, the power of two that would come next. */
static double values[2][1 << 15];

void make_oracle(void) {
    for (fd_dtype d = FD_F16; d <= FD_BF16; d++)
        for (int half = 0; half < 1 << 15; half++) {
            const int mantissa = types[d].mantissa, least = 2 - (1 << (14 - mantissa)) - mantissa;
            const int exponent = half >> mantissa, fraction = half & ((1 << mantissa) - 1);
            values[d][half] =
                exponent ? ldexp((1 << mantissa) + fraction, exponent - 1 + least) : ldexp(fraction, least);
        }
}

/* The pattern nearest to a >= 0. Patterns have the order of their values. */
static uint64_t nearest(fd_dtype d, double a) {
    uint64_t low = 0, high = infinity_of(d);
    if (a >= values[d][high])
        return high;
    while (high - low > 1) {
        const uint64_t middle = (low + high) / 2;
        *(values[d][middle] <= a ? &low : &high) = middle;
    }
    const double below = a - values[d][low], above = values[d][high] - a;
    return below < above || (below == above && low % 2 == 0) ? low : high;
}

double number_of(fd_dtype d, uint64_t bits) {
    const uint64_t magnitude = bits & (sign_of(d) - 1), inf = infinity_of(d);
    const uint32_t word = (uint32_t)bits;
    double number;
    float single;
    if (types[d].real == 2) {
        number = magnitude < inf ? values[d][magnitude] : magnitude == inf ? INFINITY : NAN;
        return bits & sign_of(d) ? -number : number;
    }
    memcpy(&number, &bits, 8);
    memcpy(&single, &word, 4);
    return types[d].real == 4 ? single : number;
}

uint64_t pattern_of(fd_dtype d, double number) {
    const float single = (float)number;
    uint64_t bits;
    uint32_t word;
    if (types[d].real == 2)
        return (signbit(number) ? sign_of(d) : 0) | (isnan(number) ? sign_of(d) - 1 : nearest(d, fabs(number)));
    memcpy(&bits, &number, 8);
    memcpy(&word, &single, 4);
    return types[d].real == 4 ? word : bits;
}

double computed(fd_dtype d, double a) {
    const float single = (float)a;
    return types[d].real == 8 ? a : single;
}

/* Of floats by way of double, which has room enough for one rounding to be right after the other. */
double sum(fd_dtype d, double a, double b) { return computed(d, a + b); }
double product(fd_dtype d, double a, double b) { return computed(d, a * b); }

void become(fd_dtype d, const fd_values *what, double p, int kept, const uint8_t *x, uint8_t *y) {
    const double scale = computed(d, what->p ? 1 / (1 - p) : what->scale), shift = computed(d, what->shift);
    const int plain = what->shift == 0 && what->dropped == 0;
    const size_t real = types[d].real;
    for (size_t at = 0; at < real * types[d].reals; at += real) {
        const double scaled = product(d, number_of(d, load(d, x + at)), scale);
        if (!kept)
            store(d, y + at, pattern_of(d, computed(d, what->dropped)));
        else if (plain && scale == 1)
            memcpy(y + at, x + at, real);
        else
            store(d, y + at, pattern_of(d, plain ? scaled : sum(d, scaled, shift)));
    }
}
