/*
 * Bits times data, for one dtype: included once for each, with
 *
 *   DTYPE SIZE COMPUTE SCALED    its name, the bytes of an element, the type of its products, scaled_<type>
 *
 * (all but SCALED are left defined for values_tpl.h) by a file that has included stream_tpl.h and defines, for vectors
 * of V_BYTES bytes,
 *
 *   V_UNROLL                 FD_UNROLL where the vectors of a word are to be unrolled, else nothing
 *   v_data v_save v_fence    v_save goes around the cache on request, then to a 16-byte aligned address; v_fence
 *                            comes after the last of such stores
 *   kept_2 kept_4 kept_8 kept_16     by element size: the i-th vector of 64 elements at x, +0.0 where the word's bits
 *                                    are 0
 *   scaled_f32 scaled_f64 scaled_f16 scaled_bf16     the product of each real and the scale
 *
 * Elements are dropped before they are scaled: the scale is finite and positive, and leaves +0.0 as it is.
 */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/*
 * 64 elements and their bits. scaling, bypass and ahead > 0 are constants after inlining. A scale of 1 leaves NaNs as
 * they are.
 */
FD_INLINE void JOIN(apply_word_, DTYPE)(uint64_t word, COMPUTE scale, const uint8_t *x, uint8_t *y, int scaling,
                                        size_t ahead, int bypass) {
    if (ahead) {
        FD_UNROLL
        for (int i = 0; i < FD_WORD * SIZE; i += FD_LINE)
            __builtin_prefetch(x + ahead + i);
    }
    V_UNROLL
    for (int i = 0; i < FD_WORD * SIZE / V_BYTES; i++) {
        const v_data v = JOIN(kept_, SIZE)(x + V_BYTES * i, word, i);
        v_save(y + V_BYTES * i, scaling ? SCALED(v, scale) : v, bypass);
    }
}

FD_INLINE void JOIN(apply_words_, DTYPE)(const uint8_t *bits, size_t words, COMPUTE scale, const uint8_t *x, uint8_t *y,
                                         size_t ahead) {
#define EACH(...)                                                                                            \
    for (size_t w = 0; w < words; w++)                                                                       \
    JOIN(apply_word_, DTYPE)(load_le64(bits + 8 * w), scale, x + FD_WORD * SIZE * w, y + FD_WORD * SIZE * w, \
                             __VA_ARGS__)
    if (scale == 1)
        EACH(0, 0, 0);
    else if (ahead == 0)
        EACH(1, 0, 0);
    else if (x == y || (uintptr_t)y % 16 != 0)
        EACH(1, ahead, 0);
    else
        EACH(1, ahead, 1);
#undef EACH
}

static void JOIN(apply_, DTYPE)(const uint8_t *bits, size_t n, double scale, const void *x, void *y, size_t ahead) {
    const size_t words = n / FD_WORD, rest = n % FD_WORD;
    JOIN(apply_words_, DTYPE)(bits, words, (COMPUTE)scale, x, y, ahead);
    if (rest > 0) { /* fewer than 64: in a buffer of 64, so that nothing past the ends is touched */
        uint8_t word[8] = {0}, data[FD_WORD * SIZE] __attribute__((aligned(64))) = {0};
        memcpy(word, bits + 8 * words, (rest + 7) / 8);
        memcpy(data, (const uint8_t *)x + FD_WORD * SIZE * words, rest * SIZE);
        JOIN(apply_words_, DTYPE)(word, 1, (COMPUTE)scale, data, data, 0);
        memcpy((uint8_t *)y + FD_WORD * SIZE * words, data, rest * SIZE);
    }
    if (ahead > 0 && x != y)
        v_fence();
}

/*
 * While a block is drawn, as many words as are drawn of the block before are applied, in the order of memory: the
 * generator's arithmetic runs while the data is on its way, whatever the order in which lanes are drawn.
 */
static void JOIN(dropout_, DTYPE)(const fd_draw *draw, uint64_t block, size_t blocks, double scale, const void *x,
                                  void *y, uint8_t *bits, size_t ahead) {
    const COMPUTE factor = (COMPUTE)scale;
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
                JOIN(apply_words_, DTYPE)(drawn, V_LANES, factor, from, to, ahead);
                drawn += 8 * V_LANES;
                from += V_LANES * FD_WORD * SIZE;
                to += V_LANES * FD_WORD * SIZE;
            }
        }
        drawn = drawing;
    }
    JOIN(apply_, DTYPE)(drawn, FD_BLOCK, scale, from, to, ahead);
}

#undef JOIN
#undef JOIN_
#undef SCALED
