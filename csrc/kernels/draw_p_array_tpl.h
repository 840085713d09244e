/*
 * The bits of an array p.
 *
 * Whether U < T is found without computing T, from the sum S = bits((2 - 2^-52) - p) + (U >> 12). The difference is in
 * [1, 2), where the bits of a double are 1023 * 2^52 plus a count of 2^-52, so that
 * S - 2^62 = floor(U / 2^12) - p * 2^52 - 1 + d, with |d| <= 1/2 for the rounding. T / 2^12 is p * 2^52, rounded by at
 * most 2^-13, and S is an integer. Hence S >= 2^62 implies U >= T, and S < 2^62 - 2 implies U < T. (For the two doubles
 * p above 1 - 2^-52 the bits are 1023 * 2^52 less 1 and less 2; with p = 1, S is always below 2^62 - 2.) A word with an
 * S between these bounds is drawn again, exactly. As only the upper 32 bits of S are compared, so is every word with an
 * S whose upper 32 bits are those of 2^62 - 1: one S in 2^20.
 */
#include "../p_array.h"

enum { VECTORS = FD_LANES / V_LANES, STEPS = FD_WORD / FD_LANES };

/* The lanes at the start of a word: element 8*t + l is drawn by step t of lane l, so a word is 8 steps of all lanes. */
FD_INLINE void enter_word(lanes *s, const fd_draw *draw, uint64_t block, size_t word) {
    FD_UNROLL
    for (int v = 0; v < VECTORS; v++) {
        s[v] = seed_lanes(draw, block, V_LANES * v);
        for (size_t step = 0; step < STEPS * word; step++)
            next(&s[v]);
    }
}

/* One step of every lane: eight bits of the word, first if all undecided elements were dropped, then if all were kept.
 */
FD_INLINE void draw_step(lanes *s, const double *p, int step, uint64_t *kept, uint64_t *not_dropped) {
    v_u64 sums[VECTORS];
    FD_UNROLL
    for (int v = 0; v < VECTORS; v++)
        sums[v] = v_add(v_shr(next(&s[v]), 12), v_complements(p + FD_LANES * step + V_LANES * v));
    *kept |= (uint64_t)v_reached(sums, 0x40000000) << (FD_LANES * step);
    *not_dropped |= (uint64_t)v_reached(sums, 0x3FFFFFFF) << (FD_LANES * step);
}

/* The bits of all words that contain the n elements of a block from in_block on. */
static void draw_p_array(const fd_draw *draw, uint64_t block, size_t in_block, size_t n, struct fd_walk *walk,
                         uint8_t *bits) {
    enum { TOGETHER = 1024 }; /* values copied at a time: enough that they are stored before they are loaded */
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

/* Returns whether n values are all between 0 and 1; copies them unless copy is NULL, -0.0 as 0. */
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
