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

FD_INLINE void OF_DTYPE(apply_words_with)(const uint8_t *bits, size_t words, COMPUTE scale, const uint8_t *x,
                                          uint8_t *y, int scaling, fd_access access) {
    for (size_t w = 0; w < words; w++)
        OF_DTYPE(apply_word)(load_le64(bits + 8 * w), scale, x + FD_WORD * SIZE * w, y + FD_WORD * SIZE * w, scaling,
                             access);
}

/* Makes constants of what is the same for all words. */
FD_INLINE void OF_DTYPE(apply_words)(const uint8_t *bits, size_t words, COMPUTE scale, const uint8_t *x, uint8_t *y,
                                     fd_access access) {
    const fd_access cached = {0, 0}, ahead = {access.prefetch, 0}, past = {0, 1}, both = {access.prefetch, 1};
    const int nontemporal = access.nontemporal && (uintptr_t)y % 16 == 0;
    if (scale == 1)
        OF_DTYPE(apply_words_with)(bits, words, scale, x, y, 0, cached);
    else if (!nontemporal && access.prefetch == 0)
        OF_DTYPE(apply_words_with)(bits, words, scale, x, y, 1, cached);
    else if (!nontemporal)
        OF_DTYPE(apply_words_with)(bits, words, scale, x, y, 1, ahead);
    else if (access.prefetch == 0)
        OF_DTYPE(apply_words_with)(bits, words, scale, x, y, 1, past);
    else
        OF_DTYPE(apply_words_with)(bits, words, scale, x, y, 1, both);
}

static void OF_DTYPE(apply)(const uint8_t *bits, size_t n, double scale_, const void *x, void *y, fd_access access) {
    const COMPUTE scale = (COMPUTE)scale_;
    const size_t words = n / FD_WORD, rest = n % FD_WORD;
    OF_DTYPE(apply_words)(bits, words, scale, x, y, access);
    if (rest > 0) { /* fewer than 64: in a buffer of 64, so that nothing past the ends is touched */
        uint8_t data[FD_WORD * SIZE] __attribute__((aligned(64))) = {0};
        memcpy(data, (const uint8_t *)x + FD_WORD * SIZE * words, rest * SIZE);
        OF_DTYPE(apply_word)(load_bits_le(bits + 8 * words, rest), scale, data, data, scale != 1, (fd_access){0, 0});
        memcpy((uint8_t *)y + FD_WORD * SIZE * words, data, rest * SIZE);
    }
    if (access.nontemporal)
        v_fence();
}

/*
 * While a block is drawn, as many words as are drawn of the block before are applied, in the order of memory: the
 * generator's arithmetic runs while the data is on its way, whatever the order in which lanes are drawn.
 */
static void OF_DTYPE(dropout)(const fd_draw *draw, uint64_t block, size_t blocks, double scale_, const void *x, void *y,
                              uint8_t *bits, fd_access access) {
    const COMPUTE scale = (COMPUTE)scale_;
    uint8_t scratch[2][FD_BLOCK_BYTES], *drawn = bits ? bits : scratch[0];
    const uint8_t *from = x;
    uint8_t *to = y;
    draw_bits(draw, block, FD_GROUPS, drawn);
    for (size_t b = 1; b < blocks; b++) {
        uint8_t *drawing = bits ? bits + b * FD_BLOCK_BYTES : scratch[b % 2];
        for (int lane = 0; lane < FD_LANES; lane += V_LANES) {
            lanes s = seed_lanes(draw, block + b, lane);
            for (int g = 0; g < FD_GROUPS; g++) {
                v_store(drawing + 8 * (FD_LANES * g + lane), draw_kept(&s, draw));
                OF_DTYPE(apply_words)(drawn, V_LANES, scale, from, to, access);
                drawn += 8 * V_LANES;
                from += V_LANES * FD_WORD * SIZE;
                to += V_LANES * FD_WORD * SIZE;
            }
        }
        drawn = drawing;
    }
    OF_DTYPE(apply_words)(drawn, FD_BLOCK / FD_WORD, scale, from, to, access);
    if (access.nontemporal)
        v_fence();
}
