#include "stream.h"

#include <math.h>

static const uint64_t G = 0x9E3779B97F4A7C15, H = 0xD1342543DE82EF95;

static uint64_t mix_a(uint64_t z) {
    z ^= z >> 30;
    z *= 0xBF58476D1CE4E5B9;
    z ^= z >> 27;
    z *= 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static uint64_t mix_b(uint64_t z) {
    z ^= z >> 33;
    z *= 0xFF51AFD7ED558CCD;
    z ^= z >> 33;
    z *= 0xC4CEB9FE1A85EC53;
    return z ^ z >> 33;
}

static uint64_t rotl(uint64_t a, int n) { return a << n | a >> (64 - n); }

static uint64_t output_of(uint64_t s[4]) {
    const uint64_t r = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return r;
}

fd_key slow_fold_in(fd_key key, uint64_t v) {
    return (fd_key){mix_b(key.k0 ^ mix_a(v + H)), mix_a(key.k1 + mix_b(v + G))};
}

void slow_uniforms(fd_key key, uint64_t stream, uint64_t index, size_t n, uint64_t *u) {
    const fd_key own = slow_fold_in(key, UINT64_MAX - 1);
    const uint64_t c0 = mix_a(own.k0 + G * (stream + 1)), c1 = mix_b((own.k1 ^ c0) + H * (stream + 1));
    for (uint64_t block = index / 4096; n > 0 && block <= (index + (n - 1)) / 4096; block++)
        for (uint64_t lane = 0; lane < 8; lane++) {
            const uint64_t c = 16 * block + 2 * lane;
            uint64_t s[4] = {mix_a(c0 + G * (c + 1)), mix_a(c0 + G * (c + 2)), mix_b(c1 + H * (c + 1)),
                             mix_b(c1 + H * (c + 2))};
            for (uint64_t step = 0; step < 512; step++) {
                const uint64_t i = 4096 * block + 8 * step + lane - index, output = output_of(s);
                if (i < n)
                    u[i] = output;
            }
        }
}

/* p is m * 2^(exponent - 53). */
uint64_t slow_threshold(double p) {
    int exponent;
    const uint64_t m = (uint64_t)ldexp(frexp(p, &exponent), 53);
    const int places = -11 - exponent; /* of m that are fractions */
    if (places <= 0)
        return m << -places;
    if (places > 54)
        return 0;
    const uint64_t whole = m >> places, fraction = m - (whole << places), half = UINT64_C(1) << (places - 1);
    return whole + (fraction > half || (fraction == half && whole % 2 == 1));
}

int slow_kept(uint64_t u, double p) { return p < 1 && u >= slow_threshold(p); }
