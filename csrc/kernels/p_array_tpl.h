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

/* Whole words of a block, drawn and applied in one pass: the divisions overlap with the steps of the lanes. */
static void OF_DTYPE(dropout_p_array)(const fd_draw *draw, uint64_t block, size_t first, size_t words,
                                      struct fd_walk *walk, const void *x, void *y, uint8_t *bits) {
    const uint8_t *from = x;
    uint8_t *to = y;
    const double *p = NULL;
    double staged[P_STAGED];
    lanes s[VECTORS];
    enter_word(s, draw, block, first);
    for (size_t w = 0; w < words; w++, p += FD_WORD, from += FD_WORD * SIZE, to += FD_WORD * SIZE) {
        COMPUTE scale[FD_WORD * PARTS];
        uint64_t kept = 0, not_dropped = 0;
        if (w % (P_STAGED / FD_WORD) == 0)
            p = p_walk_on(walk, words - w < P_STAGED / FD_WORD ? (words - w) * FD_WORD : P_STAGED, staged);
        FD_UNROLL
        for (int step = 0; step < STEPS; step++) {
            draw_step(s, p, step, &kept, &not_dropped);
            OF_REAL(scales)(p + FD_LANES * step, FD_LANES, scale + FD_LANES * PARTS * step, PARTS);
        }
        if (kept != not_dropped)
            kept = fd_exact_word(draw, block, first + w, p);
        store_le64(bits + 8 * w, kept);
        OF_DTYPE(apply_p_array_word)(kept, scale, from, to);
    }
}
