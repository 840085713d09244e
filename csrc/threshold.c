/* The threshold of a probability, and the few words of bits for which all its 64 bits are needed. */
#include "kernels/scalar.h"
#include "kernels/stream_tpl.h"

/*
 * p * 2^64, rounded to nearest even. From 2^52 on every double is an integer; below, adding 2^52 rounds to an integer,
 * since doubles in [2^52, 2^53) have no fraction bits.
 */
uint64_t fd_threshold(double p) {
    const double exact = p * 0x1p64, integer = exact + 0x1p52;
    return exact < 0x1p52 ? (uint64_t)(integer - 0x1p52) : (uint64_t)exact;
}

uint64_t fd_exact_word(const fd_draw *draw, uint64_t block, size_t word, const double *p) {
    uint64_t kept = 0;
    for (int lane = 0; lane < FD_LANES; lane++) {
        lanes s = seed_lanes(draw, block, lane);
        for (size_t step = 0; step < word * FD_WORD / FD_LANES; step++)
            next(&s);
        for (int i = lane; i < FD_WORD; i += FD_LANES) {
            const uint64_t u = next(&s);
            kept |= (uint64_t)(p[i] < 1 && u >= fd_threshold(p[i])) << i;
        }
    }
    return kept;
}
