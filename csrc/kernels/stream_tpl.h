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

/* One round: compares the rest of U with the rest of T for the lowest undecided element of each lane. */
FD_INLINE void round_of(lanes *s, v_u64 *undecided, v_u64 *dropped, v_u64 rest) {
    const v_u64 lowest = v_lowest(*undecided);
    *dropped = v_xor(*dropped, v_where_less(next(s), rest, lowest));
    *undecided = v_xor(*undecided, lowest);
}

/* A further round for the lanes that still have undecided elements; the states of the others do not change. */
FD_INLINE void further_round(lanes *s, v_u64 *undecided, v_u64 *dropped, v_u64 rest) {
    const v_u64 active = *undecided;
    lanes stepped = *s;
    round_of(&stepped, undecided, dropped, rest);
    s->s0 = v_where_any(active, stepped.s0, s->s0);
    s->s1 = v_where_any(active, stepped.s1, s->s1);
    s->s2 = v_where_any(active, stepped.s2, s->s2);
    s->s3 = v_where_any(active, stepped.s3, s->s3);
}

/*
 * The bits of the next 64 elements of each lane: 1 = kept. v_decide compares the plane u with one bit t of the
 * threshold: an undecided element whose bit of U differs from t is decided, and dropped if its bit is the smaller.
 */
FD_INLINE v_u64 draw_kept(lanes *s, const fd_draw *draw) {
    v_u64 undecided = v_set1(~UINT64_C(0)), dropped = v_set1(0);
    if (draw->rounds) {
#define PLANE(j) v_decide(&undecided, &dropped, next(s), draw->threshold >> (63 - (j)) & 1)
        PLANE(0), PLANE(1), PLANE(2), PLANE(3), PLANE(4), PLANE(5), PLANE(6), PLANE(7);
#undef PLANE
        dropped = v_andnot(undecided, dropped);
        const v_u64 rest = v_set1(draw->threshold << 8);
        round_of(s, &undecided, &dropped, rest);
        while (v_any(undecided))
            further_round(s, &undecided, &dropped, rest);
    } else if (draw->planes == 1) { /* p = 1/2: an element is kept if the top bit of its U is 1 */
        return next(s);
    } else {
        for (int j = 0; j < draw->planes; j++)
            v_decide(&undecided, &dropped, next(s), draw->threshold >> (63 - j) & 1);
        dropped = v_andnot(undecided, dropped);
    }
    return v_xor(dropped, v_set1(~UINT64_C(0)));
}
