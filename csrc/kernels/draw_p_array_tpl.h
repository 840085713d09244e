/*
 * The bits of an array p.
 *
 * U < T is read off the sum S = bits((2 - 2^-52) - p) + (U >> 12), in which U's upper bits meet p and no T is made. The
 * difference is in [1, 2), where the bits of doubles count in 2^-52 from 1023 * 2^52 on, so that
 * S - 2^62 = floor(U / 2^12) - p * 2^52 - 1 + d, |d| <= 1/2 for the rounding. T / 2^12 is p * 2^52 but for its own
 * rounding of 2^-13 at most, and S is an integer, hence: S >= 2^62 only where U >= T, and S < 2^62 - 2 only where U <
 * T. (The two p above 1 - 2^-52 give the bits that are 1 and 2 below 1023 * 2^52; with p = 1, S is below 2^62 - 2
 * always.) A word with an S between is drawn again in full. So is every word with an S that has the upper half of 2^62
 * - 1, for these alone are looked at: one S in 2^20.
 */
#include "../p_array.h"

enum { VECTORS = FD_LANES / V_LANES, STEPS = FD_WORD / FD_LANES };

/* The lanes at the start of a word: the element at step t of lane l is 8*t + l, so a word is eight steps of all. */
FD_INLINE void enter_word(lanes *s, const fd_draw *draw, uint64_t block, size_t word) {
    FD_UNROLL
    for (int v = 0; v < VECTORS; v++) {
        s[v] = seed_lanes(draw, block, V_LANES * v);
        for (size_t step = 0; step < STEPS * word; step++)
            next(&s[v]);
    }
}

/* One step of every lane: eight bits of the word, and of what it would be if the doubtful ones were kept. */
FD_INLINE void draw_step(lanes *s, const double *p, int step, uint64_t *kept, uint64_t *not_dropped) {
    v_u64 sums[VECTORS];
    FD_UNROLL
    for (int v = 0; v < VECTORS; v++)
        sums[v] = v_add(v_shr(next(&s[v]), 12), v_complements(p + FD_LANES * step + V_LANES * v));
    *kept |= (uint64_t)v_reached(sums, 0x40000000) << (FD_LANES * step);
    *not_dropped |= (uint64_t)v_reached(sums, 0x3FFFFFFF) << (FD_LANES * step);
}

/* n elements of a block from in_block on: the bits of all the words they are in. */
static void draw_p_array(const fd_draw *draw, uint64_t block, size_t in_block, size_t n, struct fd_walk *walk,
                         uint8_t *bits) {
    enum { TOGETHER = 1024 }; /* that the stores of staging have left before they are loaded */
    const size_t first = in_block / FD_WORD, end = in_block + n;
    const double *p = NULL;
    double staged[TOGETHER];
    lanes s[VECTORS];
    enter_word(s, draw, block, first);
    for (size_t w = first, at = in_block; w * FD_WORD < end; w++, p += FD_WORD) {
        uint64_t kept = 0, not_dropped = 0;
        if ((w - first) % (TOGETHER / FD_WORD) == 0) {
            const size_t to = w * FD_WORD + TOGETHER < end ? w * FD_WORD + TOGETHER : end;
            p = p_walk_words(walk, at % FD_WORD, to - at, staged);
            at = to;
        }
        FD_UNROLL
        for (int step = 0; step < STEPS; step++)
            draw_step(s, p, step, &kept, &not_dropped);
        store_le64(bits + 8 * (w - first), kept == not_dropped ? kept : fd_exact_word(draw, block, w, p));
    }
}

/* Whether all of n values are between 0 and 1; copied, -0.0 as 0, unless copy is NULL. */
static int copy_p(const double *p, size_t n, double *copy) {
    enum { AT_ONCE = R_BYTES / sizeof *p };
    lanes_f64 right = (v_f64){0} == 0.0;
    double rest[AT_ONCE] = {0};
    size_t i = 0;
    FD_UNROLL_4
    for (; i + AT_ONCE <= n; i += AT_ONCE) {
        const v_f64 value = load_f64((const uint8_t *)(p + i)) + 0.0;
        right &= (value >= 0.0) & (value <= 1.0);
        if (copy)
            store_f64((uint8_t *)(copy + i), value);
    }
    if (i < n) {
        memcpy(rest, p + i, (n - i) * sizeof *p);
        const v_f64 value = load_f64((const uint8_t *)rest) + 0.0;
        right &= (value >= 0.0) & (value <= 1.0);
        if (copy)
            memcpy(copy + i, &value, (n - i) * sizeof *p);
    }
    for (int lane = 1; lane < AT_ONCE; lane++)
        right[0] &= right[lane];
    return right[0] != 0;
}
