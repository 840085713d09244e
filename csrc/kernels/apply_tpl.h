/* Plain dropout: applies bits to data (backward), or draws and applies them in one pass (forward). */

/* Prefetches the cache lines of the 64 elements that are `distance` bytes after x; 0: none. */
FD_INLINE void OF_DTYPE(prefetch_word)(const uint8_t *x, size_t distance) {
    if (distance == 0)
        return;
    FD_UNROLL
    for (int i = 0; i < FD_WORD * SIZE; i += FD_LINE)
        __builtin_prefetch(x + distance + i);
}

/*
 * Applies a word of bits to 64 elements. scaling and access are constants after inlining. Elements are set to +0.0
 * before the multiplication, which changes no +0.0, as the scale is finite and positive. A scale of 1 is not multiplied
 * by, so that NaNs keep their bits.
 */
FD_INLINE void OF_DTYPE(apply_word)(uint64_t word, COMPUTE scale, const uint8_t *x, uint8_t *y, int scaling,
                                    fd_access access) {
    OF_DTYPE(prefetch_word)(x, access.prefetch);
    V_UNROLL
    for (int i = 0; i < FD_WORD * SIZE / V_BYTES; i++) {
        const uint8_t *at = x + V_BYTES * i;
        const v_data v = scaling ? OF_DTYPE(v_kept_scaled)(at, word, i, scale) : JOIN(v_kept_, SIZE)(at, word, i);
        v_save(y + V_BYTES * i, v, access.nontemporal);
    }
}

/*
 * How many elements come before the first element of y that is aligned to a vector; 0 if there is none, or if the run
 * is short, since its ends would cost more than is gained. NumPy aligns arrays to 16 bytes, so every other access of a
 * longer vector would cross a cache line, and take twice the time.
 */
FD_INLINE size_t OF_DTYPE(lead)(const void *y, size_t n) {
    const size_t bytes = (0 - (uintptr_t)y) % V_BYTES;
    return V_BYTES < 32 || n < FD_BLOCK || bytes % SIZE ? 0 : bytes / SIZE;
}

/* Applies the bits from bit `lead` < 64 on to `words` times 64 elements. */
FD_INLINE void OF_DTYPE(apply_words_with)(const uint8_t *bits, size_t lead, size_t words, COMPUTE scale,
                                          const uint8_t *x, uint8_t *y, int scaling, fd_access access) {
    for (size_t w = 0; w < words; w++) {
        const uint64_t word = lead ? bits_at(bits + 8 * w, lead) : load_le64(bits + 8 * w);
        OF_DTYPE(apply_word)(word, scale, x + FD_WORD * SIZE * w, y + FD_WORD * SIZE * w, scaling, access);
    }
}

/* Calls apply_words_with with constant access and scaling, so that the loop has no branches. */
FD_INLINE void OF_DTYPE(apply_words)(const uint8_t *bits, size_t lead, size_t words, COMPUTE scale, const uint8_t *x,
                                     uint8_t *y, fd_access access) {
    const fd_access cached = {0, 0}, ahead = {access.prefetch, 0}, past = {0, 1}, both = {access.prefetch, 1};
    const int nontemporal = access.nontemporal && (uintptr_t)y % 16 == 0;
    if (scale == 1)
        OF_DTYPE(apply_words_with)(bits, lead, words, scale, x, y, 0, cached);
    else if (!nontemporal && access.prefetch == 0 && lead == 0)
        OF_DTYPE(apply_words_with)(bits, 0, words, scale, x, y, 1, cached);
    else if (!nontemporal && access.prefetch == 0)
        OF_DTYPE(apply_words_with)(bits, lead, words, scale, x, y, 1, cached);
    else if (!nontemporal)
        OF_DTYPE(apply_words_with)(bits, lead, words, scale, x, y, 1, ahead);
    else if (access.prefetch == 0)
        OF_DTYPE(apply_words_with)(bits, lead, words, scale, x, y, 1, past);
    else
        OF_DTYPE(apply_words_with)(bits, lead, words, scale, x, y, 1, both);
}

/* Up to 64 elements, from bit `at` on: in a buffer of 64, so that nothing past the end is read or written. */
FD_INLINE void OF_DTYPE(apply_few)(const uint8_t *bits, size_t at, size_t n, COMPUTE scale, const uint8_t *x,
                                   uint8_t *y) {
    uint8_t data[FD_WORD * SIZE] __attribute__((aligned(64))) = {0};
    if (n == 0)
        return;
    memcpy(data, x, n * SIZE);
    OF_DTYPE(apply_word)(load_bits_le(bits, at, n), scale, data, data, scale != 1, (fd_access){0, 0});
    memcpy(y, data, n * SIZE);
}

/* n elements, from bit `lead` < 64 on. No byte past the last bit is read. */
FD_INLINE void OF_DTYPE(apply_from)(const uint8_t *bits, size_t lead, size_t n, COMPUTE scale, const uint8_t *x,
                                    uint8_t *y, fd_access access) {
    const size_t last = lead ? 8 : 0; /* bits_at reads nine bytes */
    const size_t words = n > last ? (n - last) / FD_WORD : 0;
    OF_DTYPE(apply_words)(bits, lead, words, scale, x, y, access);
    for (size_t at = words * FD_WORD, count; at < n; at += count) {
        count = n - at < FD_WORD ? n - at : FD_WORD;
        OF_DTYPE(apply_few)(bits, lead + at, count, scale, x + at * SIZE, y + at * SIZE);
    }
    if (access.nontemporal)
        v_fence();
}

static void OF_DTYPE(apply)(const uint8_t *bits, size_t n, double scale, const void *x, void *y, fd_access access) {
    const size_t lead = OF_DTYPE(lead)(y, n);
    OF_DTYPE(apply_few)(bits, 0, lead, (COMPUTE)scale, x, y);
    OF_DTYPE(apply_from)(bits, lead, n - lead, (COMPUTE)scale, (const uint8_t *)x + lead * SIZE,
                         (uint8_t *)y + lead * SIZE, access);
}

/*
 * The bits of the next words, while as many words of the block before are applied, each as soon as 8 / V_LANES planes
 * are drawn: so loads and stores fill the time in which the generator computes.
 */
FD_INLINE v_u64 OF_DTYPE(draw_and_apply)(lanes *s, const fd_draw *draw, const uint8_t *bits, size_t lead, COMPUTE scale,
                                         const uint8_t *x, uint8_t *y) {
    enum { PLANES = 8 / V_LANES };
    decisions d = undecided_all();
    FD_UNROLL
    for (int j = 0; j < 8; j++) {
        const int w = j / PLANES;
        draw_plane(s, &d, draw->threshold, j);
        if (j % PLANES == 0)
            OF_DTYPE(apply_words_with)(bits + 8 * w, lead, 1, scale, x + FD_WORD * SIZE * w, y + FD_WORD * SIZE * w, 1,
                                       (fd_access){0, 0});
    }
    return kept_after_rounds(s, d, draw->threshold);
}

/*
 * While a block is drawn, the block before it is applied, as many words at a time as were drawn: so the generator
 * computes while data is loaded, and memory is passed over in order, though the lanes of a block are drawn in another.
 * If the first elements come before an aligned one, the last word of a block takes its last bits from the first word of
 * the next block, which follows it in `bits`, and is copied behind it in the scratch. `draw` is a copy: a
 * compiler would have to read another's after each store of a byte.
 */
FD_INLINE void OF_DTYPE(dropout_with)(const fd_draw draw, uint64_t block, size_t blocks, COMPUTE scale,
                                      const uint8_t *x, uint8_t *y, uint8_t *bits, fd_access access, int woven) {
    const size_t lead = OF_DTYPE(lead)(y, FD_BLOCK);
    uint8_t scratch[2 * FD_BLOCK_BYTES + 8], *drawn = bits ? bits : scratch;
    draw_bits(&draw, block, FD_GROUPS, drawn);
    OF_DTYPE(apply_few)(drawn, 0, lead, scale, x, y);
    x += lead * SIZE;
    y += lead * SIZE;
    for (size_t b = 1; b < blocks; b++) {
        uint8_t *drawing = bits ? bits + b * FD_BLOCK_BYTES : scratch + b % 2 * FD_BLOCK_BYTES, *next_word = drawn;
        for (int lane = 0; lane < FD_LANES; lane += V_LANES) {
            lanes s = seed_lanes(&draw, block + b, lane);
            for (int g = 0; g < FD_GROUPS; g++) {
                v_store(drawing + 8 * (FD_LANES * g + lane),
                        woven ? OF_DTYPE(draw_and_apply)(&s, &draw, next_word, lead, scale, x, y)
                              : draw_kept(&s, &draw));
                if (lane + g == 0 && drawing < drawn)
                    memcpy(drawn + FD_BLOCK_BYTES, drawing, 8);
                if (!woven)
                    OF_DTYPE(apply_words)(next_word, lead, V_LANES, scale, x, y, access);
                next_word += 8 * V_LANES;
                x += V_LANES * FD_WORD * SIZE;
                y += V_LANES * FD_WORD * SIZE;
            }
        }
        drawn = drawing;
    }
    OF_DTYPE(apply_from)(drawn, lead, FD_BLOCK - lead, scale, x, y, access);
}

static void OF_DTYPE(dropout)(const fd_draw *draw, uint64_t block, size_t blocks, double scale_, const void *x, void *y,
                              uint8_t *bits, fd_access access) {
    const COMPUTE scale = (COMPUTE)scale_;
    if (draw->rounds && !access.prefetch && !access.nontemporal && scale != 1)
        OF_DTYPE(dropout_with)(*draw, block, blocks, scale, x, y, bits, access, 1);
    else
        OF_DTYPE(dropout_with)(*draw, block, blocks, scale, x, y, bits, access, 0);
}
