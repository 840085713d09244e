/* An array p: x / (1 - p) where kept, +0.0 where dropped, with each element's own p. */
FD_INLINE void OF_DTYPE(apply_p_array_word)(uint64_t word, const COMPUTE *scale, const uint8_t *x, uint8_t *y) {
    V_UNROLL
    for (int i = 0; i < OF_DTYPE(VECTORS); i++) {
        const int at = i * OF_DTYPE(STEP);
        const OF_REAL(v) s = OF_REAL(load)((const uint8_t *)(scale + i * OF_DTYPE(LANES)));
        const OF_REAL(v) v = OF_STORAGE(load)(x + at) * s;
        OF_STORAGE(store)(y + at, OF_REAL(chosen)(OF_DTYPE(word_lanes)(word, i), v, (OF_REAL(v)){0}));
    }
}

static void OF_DTYPE(apply_p_array)(const uint8_t *bits, size_t n, const double *p, const void *x, void *y) {
    COMPUTE scale[P_STAGED * PARTS];
    const uint8_t *from = x;
    uint8_t *to = y, buffer[FD_WORD * SIZE];
    size_t w = 0;
    while (w + FD_WORD <= n) {
        const size_t whole = (n - w) / FD_WORD * FD_WORD, count = whole < P_STAGED ? whole : P_STAGED;
        OF_REAL(scales)(p + w, count, scale, PARTS);
        for (size_t i = 0; i < count; i += FD_WORD, w += FD_WORD)
            OF_DTYPE(apply_p_array_word)(load_le64(bits + w / 8), scale + i * PARTS, from + w * SIZE, to + w * SIZE);
    }
    if (w < n) {
        double rest[FD_WORD] = {0};
        memcpy(rest, p + w, (n - w) * sizeof *p);
        OF_REAL(scales)(rest, FD_WORD, scale, PARTS);
        OF_DTYPE(padded)(x, w, n, buffer);
        OF_DTYPE(apply_p_array_word)(load_bits_le(bits, w, n - w), scale, buffer, buffer);
        memcpy(to + w * SIZE, buffer, (n - w) * SIZE);
    }
}

/* A word, drawn and applied: the divisions overlap with the steps of the lanes. `own`: scales are made of its 64 p. */
FD_INLINE void OF_DTYPE(drawn_word)(lanes *s, const fd_draw *draw, uint64_t block, size_t word, const double *p,
                                    COMPUTE *scale, int own, const uint8_t *x, uint8_t *y, uint8_t *bits) {
    uint64_t kept = 0, not_dropped = 0;
    FD_UNROLL
    for (int step = 0; step < STEPS; step++) {
        draw_step(s, p, step, &kept, &not_dropped);
        if (own)
            OF_REAL(scales)(p + FD_LANES * step, FD_LANES, scale + FD_LANES * PARTS * step, PARTS);
    }
    if (kept != not_dropped)
        kept = fd_exact_word(draw, block, word, p);
    store_le64(bits, kept);
    OF_DTYPE(apply_p_array_word)(kept, scale, x, y);
}

/* Whole words of a block. Where words have the same p (of their channel, say), scales are made once. */
static void OF_DTYPE(dropout_p_array)(const fd_draw *draw, uint64_t block, size_t first, size_t words,
                                      struct fd_walk *walk, const void *x, void *y, uint8_t *bits) {
    const uint8_t *from = x;
    uint8_t *to = y;
    double staged[P_STAGED];
    COMPUTE scale[FD_WORD * PARTS];
    lanes s[VECTORS];
    enter_word(s, draw, block, first);
    for (size_t w = 0, count; w < words; w += count) {
        const size_t alike = p_walk_alike(walk) / FD_WORD, most = alike > 0 ? alike : P_STAGED / FD_WORD;
        count = words - w < most ? words - w : most;
        const double *p = p_walk_on(walk, alike > 0 ? FD_WORD : count * FD_WORD, staged);
        if (alike > 0) {
            OF_REAL(scales)(p, FD_WORD, scale, PARTS);
            if (count > 1)
                p_walk_skip(walk, (count - 1) * FD_WORD);
        }
        for (size_t i = w; i < w + count; i++, from += FD_WORD * SIZE, to += FD_WORD * SIZE) {
            const double *own = p + (i - w) * FD_WORD;
            if (alike > 0)
                OF_DTYPE(drawn_word)(s, draw, block, first + i, p, scale, 0, from, to, bits + 8 * i);
            else
                OF_DTYPE(drawn_word)(s, draw, block, first + i, own, scale, 1, from, to, bits + 8 * i);
        }
    }
}
