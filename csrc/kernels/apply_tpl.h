/* Bits times data, and drawing them on the way: plain dropout, forward and backward. */

/* The lines of a word of data that is `distance` bytes ahead; 0: none. */
FD_INLINE void OF_DTYPE(prefetch_word)(const uint8_t *x, size_t distance) {
    if (distance == 0)
        return;
    FD_UNROLL
    for (int i = 0; i < FD_WORD * SIZE; i += FD_LINE)
        __builtin_prefetch(x + distance + i);
}

/*
 * 64 elements and their bits. scaling and access are constants after inlining. Elements are dropped before they are
 * scaled: the scale is finite and positive, and leaves +0.0 as it is. A scale of 1 leaves NaNs as they are.
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
 * How many elements lie before the first one of y that is aligned to a vector; 0 where none is, and in short runs,
 * where the ends cost more than is gained. NumPy aligns to 16 bytes, so that every other access of a longer vector
 * would cross a cache line, and take twice the time.
 */
FD_INLINE size_t OF_DTYPE(lead)(const void *y, size_t n) {
    const size_t bytes = (0 - (uintptr_t)y) % V_BYTES;
    return V_BYTES < 32 || n < FD_BLOCK || bytes % SIZE ? 0 : bytes / SIZE;
}

/* Words of elements, whose first bit is bit `lead`: one of the first 64. */
FD_INLINE void OF_DTYPE(apply_words_with)(const uint8_t *bits, size_t lead, size_t words, COMPUTE scale,
                                          const uint8_t *x, uint8_t *y, int scaling, fd_access access) {
    for (size_t w = 0; w < words; w++) {
        const uint64_t word = lead ? bits_at(bits + 8 * w, lead) : load_le64(bits + 8 * w);
        OF_DTYPE(apply_word)(word, scale, x + FD_WORD * SIZE * w, y + FD_WORD * SIZE * w, scaling, access);
    }
}

/* Makes constants of what is the same for all words. */
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

/* Up to 64 elements from bit `at` on: in a buffer of 64, so that nothing past the ends is touched. */
FD_INLINE void OF_DTYPE(apply_few)(const uint8_t *bits, size_t at, size_t n, COMPUTE scale, const uint8_t *x,
                                   uint8_t *y) {
    uint8_t data[FD_WORD * SIZE] __attribute__((aligned(64))) = {0};
    if (n == 0)
        return;
    memcpy(data, x, n * SIZE);
    OF_DTYPE(apply_word)(load_bits_le(bits, at, n), scale, data, data, scale != 1, (fd_access){0, 0});
    memcpy(y, data, n * SIZE);
}

/* n elements from bit `lead` on, one of the first 64. No byte past the last bit is read. */
FD_INLINE void OF_DTYPE(apply_from)(const uint8_t *bits, size_t lead, size_t n, COMPUTE scale, const uint8_t *x,
                                    uint8_t *y, fd_access access) {
    const size_t last = lead ? 8 : 0; /* of a word that is not whole bytes, the ninth is read whole */
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
 * While a block is drawn, as many words as are drawn of the block before are applied, in the order of memory: the
 * generator's arithmetic runs while the data is on its way, whatever the order in which lanes are drawn. Where the data
 * are taken from their first aligned element on, the last word of a block has its last bits from the next one's first:
 * that lies behind it in `bits`, and is copied there in the scratch.
 */
static void OF_DTYPE(dropout)(const fd_draw *draw, uint64_t block, size_t blocks, double scale_, const void *x, void *y,
                              uint8_t *bits, fd_access access) {
    const COMPUTE scale = (COMPUTE)scale_;
    uint8_t scratch[2 * FD_BLOCK_BYTES + 8], *drawn = bits ? bits : scratch;
    const size_t lead = OF_DTYPE(lead)(y, FD_BLOCK);
    const uint8_t *from = (const uint8_t *)x + lead * SIZE;
    uint8_t *to = (uint8_t *)y + lead * SIZE;
    draw_bits(draw, block, FD_GROUPS, drawn);
    OF_DTYPE(apply_few)(drawn, 0, lead, scale, x, y);
    for (size_t b = 1; b < blocks; b++) {
        uint8_t *drawing = bits ? bits + b * FD_BLOCK_BYTES : scratch + b % 2 * FD_BLOCK_BYTES, *next_word = drawn;
        for (int lane = 0; lane < FD_LANES; lane += V_LANES) {
            lanes s = seed_lanes(draw, block + b, lane);
            for (int g = 0; g < FD_GROUPS; g++) {
                v_store(drawing + 8 * (FD_LANES * g + lane), draw_kept(&s, draw));
                if (lane + g == 0 && drawing < drawn)
                    memcpy(drawn + FD_BLOCK_BYTES, drawing, 8);
                OF_DTYPE(apply_words)(next_word, lead, V_LANES, scale, from, to, access);
                next_word += 8 * V_LANES;
                from += V_LANES * FD_WORD * SIZE;
                to += V_LANES * FD_WORD * SIZE;
            }
        }
        drawn = drawing;
    }
    OF_DTYPE(apply_from)(drawn, lead, FD_BLOCK - lead, scale, from, to, access);
}
