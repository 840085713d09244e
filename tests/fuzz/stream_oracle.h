/* The mask stream element by element, from its specification alone: slow, scalar, and in another style than csrc/. */
#ifndef STREAM_ORACLE_H
#define STREAM_ORACLE_H

#include <math.h>
#include <stdint.h>

typedef struct {
    uint64_t key[2], stream;
    double p;
} mask_of;

static const uint64_t golden = 0x9E3779B97F4A7C15, other = 0xD1342543DE82EF95;

static uint64_t mixed(uint64_t z, int a, int b, int c, uint64_t first, uint64_t second) {
    z = (z ^ z >> a) * first;
    z = (z ^ z >> b) * second;
    return z ^ z >> c;
}

static uint64_t mixed_a(uint64_t z) { return mixed(z, 30, 27, 31, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB); }
static uint64_t mixed_b(uint64_t z) { return mixed(z, 33, 33, 33, 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53); }

static uint64_t rotated(uint64_t z, int k) { return z << k | z >> (64 - k); }

static uint64_t next(uint64_t s[4]) {
    const uint64_t result = rotated(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotated(s[3], 45);
    return result;
}

static void enter_lane(const uint64_t key[2], uint64_t stream, uint64_t block, uint64_t lane, uint64_t s[4]) {
    const uint64_t c0 = mixed_a(key[0] + golden * (stream + 1)), c1 = mixed_b((key[1] ^ c0) + other * (stream + 1));
    for (uint64_t i = 0; i < 4; i++) {
        const uint64_t c = 16 * block + 2 * lane + i % 2 + 1;
        s[i] = i < 2 ? mixed_a(c0 + golden * c) : mixed_b(c1 + other * c);
    }
}

/* T, for p < 1: a long double holds all of p * 2^64, and rounds half to even. */
static uint64_t threshold_for(double p) { return (uint64_t)rintl(ldexpl((long double)p, 64)); }

/* The kept elements of the 64 from `index` on, a multiple of 64. */
static uint64_t kept_word(const mask_of *m, uint64_t index) {
    if (m->p == 1)
        return 0;
    uint64_t s[4], t = threshold_for(m->p), dropped = 0;
    enter_lane(m->key, m->stream, index / 4096, index / 64 % 8, s);
    for (uint64_t group = 0; group <= index / 512 % 8; group++) {
        uint64_t undecided = UINT64_MAX;
        dropped = 0;
        for (int plane = 0; plane < 8 && (plane == 0 ? t : t << plane) != 0; plane++) {
            const uint64_t u = next(s), ones = t << plane >> 63 ? UINT64_MAX : 0;
            dropped |= undecided & ~u & ones;
            undecided &= ~(u ^ ones);
        }
        if (t << 8 == 0)
            continue;
        do {
            const uint64_t low = undecided & -undecided;
            if (next(s) < t << 8)
                dropped |= low;
            undecided ^= low;
        } while (undecided);
    }
    return ~dropped;
}

static int is_kept(const mask_of *m, uint64_t index) {
    static mask_of last;
    static uint64_t word, at = 1; /* the last word made */
    if (at != index / 64 * 64 || last.key[0] != m->key[0] || last.key[1] != m->key[1] || last.stream != m->stream ||
        last.p != m->p) {
        last = *m;
        at = index / 64 * 64;
        word = kept_word(m, at);
    }
    return word >> index % 64 & 1;
}

/* The same under an array p, of which this element's is m->p: one U an element. */
static int is_kept_each(const mask_of *m, uint64_t index) {
    static struct { /* lanes as far as they have been stepped */
        uint64_t c[2], stream, block, step, s[4];
    } lanes[8], *lane;
    const uint64_t v = UINT64_MAX - 1, step = index % 4096 / 8;
    const uint64_t child[2] = {mixed_b(m->key[0] ^ mixed_a(v + other)), mixed_a(m->key[1] + mixed_b(v + golden))};
    if (m->p == 1)
        return 0;
    lane = &lanes[index % 8];
    if (lane->step == 0 || lane->step > step || lane->block != index / 4096 || lane->stream != m->stream ||
        lane->c[0] != child[0] || lane->c[1] != child[1]) {
        lane->c[0] = child[0];
        lane->c[1] = child[1];
        lane->stream = m->stream;
        lane->block = index / 4096;
        lane->step = 0;
        enter_lane(child, m->stream, index / 4096, index % 8, lane->s);
    }
    for (; lane->step < step; lane->step++)
        next(lane->s);
    lane->step++;
    return next(lane->s) >= threshold_for(m->p);
}

#endif
