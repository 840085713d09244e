/* The mask stream (csrc/README.md), written in the operations on lanes that backend_tpl.h lists. */

/* 2^64 / golden ratio, and the multiplier that L64X128 takes from L'Ecuyer's tables: odd, so no two counters agree. */
static const uint64_t G = 0x9E3779B97F4A7C15, H = 0xD1342543DE82EF95;

/* splitmix64's finaliser: Steele, Lea and Flood 2014, Stafford's variant 13. */
FD_INLINE v_u64 mix_a(v_u64 z) {
    z = v_mul(v_xor(z, v_shr(z, 30)), 0xBF58476D1CE4E5B9);
    z = v_mul(v_xor(z, v_shr(z, 27)), 0x94D049BB133111EB);
    return v_xor(z, v_shr(z, 31));
}

/* MurmurHash3's finaliser: a second one, so that the two halves of a state are not functions of the same word. */
FD_INLINE v_u64 mix_b(v_u64 z) {
    z = v_mul(v_xor(z, v_shr(z, 33)), 0xFF51AFD7ED558CCD);
    z = v_mul(v_xor(z, v_shr(z, 33)), 0xC4CEB9FE1A85EC53);
    return v_xor(z, v_shr(z, 33));
}

typedef struct {
    v_u64 s0, s1, s2, s3;
} lanes;

/* Lanes first .. first+V_LANES-1, at the start of a block. */
FD_INLINE lanes seed_lanes(const fd_draw *draw, uint64_t block, int first) {
    const uint64_t c = 16 * block + 2 * (uint64_t)first;
    const v_u64 a = v_add(v_set1(draw->c0 + G * (c + 1)), v_ramp(2 * G));
    const v_u64 b = v_add(v_set1(draw->c1 + H * (c + 1)), v_ramp(2 * H));
    return (lanes){mix_a(a), mix_a(v_add(a, v_set1(G))), mix_b(b), mix_b(v_add(b, v_set1(H)))};
}

/* xoshiro256++: Blackman and Vigna 2021. */
FD_INLINE v_u64 next(lanes *s) {
    const v_u64 r = v_add(v_rotl(v_add(s->s0, s->s3), 23), s->s0);
    const v_u64 t = v_shl(s->s1, 17);
    s->s2 = v_xor(s->s2, s->s0);
    s->s3 = v_xor(s->s3, s->s1);
    s->s1 = v_xor(s->s1, s->s2);
    s->s0 = v_xor(s->s0, s->s3);
    s->s2 = v_xor(s->s2, t);
    s->s3 = v_rotl(s->s3, 45);
    return r;
}

/* For 64 elements of each lane: those that are not decided yet, and of the decided ones those that are dropped. */
typedef struct {
    v_u64 undecided, dropped;
} decisions;

FD_INLINE decisions undecided_all(void) { return (decisions){v_set1(~UINT64_C(0)), v_set1(0)}; }

/*
 * v_decide compares plane j of U with bit j of the threshold: an undecided element whose bits differ is decided, and
 * dropped if its bit is the smaller. The bits of `dropped` are arbitrary where an element is undecided.
 */
FD_INLINE void draw_plane(lanes *s, decisions *d, uint64_t threshold, int j) {
    v_decide(&d->undecided, &d->dropped, next(s), threshold >> (63 - j) & 1);
}

/* One round: compares the rest of U with the rest of T for the lowest undecided element of each lane. */
FD_INLINE void round_of(lanes *s, decisions *d, v_u64 rest) {
    const v_u64 lowest = v_lowest(d->undecided);
    d->dropped = v_xor(d->dropped, v_where_less(next(s), rest, lowest));
    d->undecided = v_xor(d->undecided, lowest);
}

/* A further round for the lanes that still have undecided elements; the states of the others do not change. */
FD_INLINE void further_round(lanes *s, decisions *d, v_u64 rest) {
    const v_u64 active = d->undecided;
    lanes stepped = *s;
    round_of(&stepped, d, rest);
    s->s0 = v_where_any(active, stepped.s0, s->s0);
    s->s1 = v_where_any(active, stepped.s1, s->s1);
    s->s2 = v_where_any(active, stepped.s2, s->s2);
    s->s3 = v_where_any(active, stepped.s3, s->s3);
}

/* The bits of the elements, 1 = kept, after the planes: those that are undecided take rounds. */
FD_INLINE v_u64 kept_after_rounds(lanes *s, decisions d, uint64_t threshold) {
    const v_u64 rest = v_set1(threshold << 8);
    d.dropped = v_andnot(d.undecided, d.dropped);
    round_of(s, &d, rest);
    while (v_any(d.undecided))
        further_round(s, &d, rest);
    return v_xor(d.dropped, v_set1(~UINT64_C(0)));
}

/* The bits of the next 64 elements of each lane: 1 = kept. */
FD_INLINE v_u64 draw_kept(lanes *s, const fd_draw *draw) {
    decisions d = undecided_all();
    if (draw->planes == 1) /* p = 1/2: an element is kept if the top bit of its U is 1 */
        return next(s);
    if (draw->rounds) {
        FD_UNROLL
        for (int j = 0; j < 8; j++)
            draw_plane(s, &d, draw->threshold, j);
        return kept_after_rounds(s, d, draw->threshold);
    }
    for (int j = 0; j < draw->planes; j++)
        draw_plane(s, &d, draw->threshold, j);
    return v_xor(v_andnot(d.undecided, d.dropped), v_set1(~UINT64_C(0)));
}
