/*
 * The passes beside plain dropout, for one dtype: included once for each, after reals_tpl.h, with
 *
 *   DTYPE SIZE           its name, the bytes of an element
 *   STORAGE REAL PARTS   how a real is stored (f16 bf16 f32 f64), in what it is computed (f32 f64), reals an element
 *   COMPUTE              float or double
 */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define V_REAL JOIN(v_, REAL)
#define ALL JOIN(all_, REAL)
#define LOAD JOIN(load_, STORAGE)
#define STORE JOIN(store_, STORAGE)
#define ROUNDED JOIN(rounded_, STORAGE)
#define CHOSEN JOIN(chosen_, REAL)
#define KEPT_LANES JOIN(JOIN(kept_, REAL), _lanes)
enum {
    JOIN(LANES_, DTYPE) = R_BYTES / sizeof(COMPUTE),
    JOIN(STEP_, DTYPE) = JOIN(LANES_, DTYPE) * SIZE / PARTS, /* bytes of so many reals */
};

/* Runs `body` on the vectors of 64 elements: `at` is the first byte of one, `kept` its lanes' bits. */
#define EACH_VECTOR(word, body)                                                                                   \
    V_UNROLL                                                                                                      \
    for (int i = 0; i < FD_WORD * SIZE / JOIN(STEP_, DTYPE); i++) {                                               \
        const int at = i * JOIN(STEP_, DTYPE);                                                                    \
        const __typeof__(KEPT_LANES(0, 1)) kept = KEPT_LANES((word) >> (i * JOIN(LANES_, DTYPE) / PARTS), PARTS); \
        body;                                                                                                     \
    }

/* Elements [w, n) of an operand, fewer than 64, in a buffer of 64: so that nothing past the ends is touched. */
FD_INLINE const uint8_t *JOIN(padded_, DTYPE)(const void *x, size_t w, size_t n, uint8_t *buffer) {
    memset(buffer, 0, FD_WORD * SIZE);
    memcpy(buffer, (const uint8_t *)x + w * SIZE, (n - w) * SIZE);
    return buffer;
}

FD_INLINE uint64_t JOIN(word_at_, DTYPE)(const uint8_t *bits, size_t w, size_t n) {
    uint8_t last[8] = {0};
    if (n - w >= FD_WORD)
        return load_le64(bits + w / 8);
    memcpy(last, bits + w / 8, (n - w + 7) / 8);
    return load_le64(last);
}

#if PARTS == 1
/* x * scale + shift where kept, a constant where dropped: alpha dropout. */
FD_INLINE void JOIN(affine_word_, DTYPE)(uint64_t word, COMPUTE scale, COMPUTE shift, COMPUTE dropped, const uint8_t *x,
                                         uint8_t *y) {
    EACH_VECTOR(word, STORE(y + at, CHOSEN(kept, LOAD(x + at) * ALL(scale) + ALL(shift), ALL(dropped))))
}

static void JOIN(affine_, DTYPE)(const uint8_t *bits, size_t n, const fd_values *values, const void *x, void *y,
                                 size_t ahead) {
    const COMPUTE scale = (COMPUTE)values->scale, shift = (COMPUTE)values->shift, dropped = (COMPUTE)values->dropped;
    const uint8_t *from = x;
    uint8_t *to = y, buffer[FD_WORD * SIZE];
    size_t w = 0;
    for (; w + FD_WORD <= n; w += FD_WORD) {
        for (int i = 0; i < FD_WORD * SIZE && ahead > 0; i += FD_LINE)
            __builtin_prefetch(from + w * SIZE + ahead + i);
        JOIN(affine_word_, DTYPE)(load_le64(bits + w / 8), scale, shift, dropped, from + w * SIZE, to + w * SIZE);
    }
    if (w < n) {
        JOIN(padded_, DTYPE)(x, w, n, buffer);
        JOIN(affine_word_, DTYPE)(JOIN(word_at_, DTYPE)(bits, w, n), scale, shift, dropped, buffer, buffer);
        memcpy(to + w * SIZE, buffer, (n - w) * SIZE);
    }
}
#endif

/* x / (1 - p) where kept, +0.0 where dropped, each element by its own p. */
FD_INLINE void JOIN(each_word_, DTYPE)(uint64_t word, const COMPUTE *scale, const uint8_t *x, uint8_t *y) {
    EACH_VECTOR(word, {
        const V_REAL s = JOIN(load_, REAL)((const uint8_t *)(scale + i * JOIN(LANES_, DTYPE)));
        STORE(y + at, CHOSEN(kept, LOAD(x + at) * s, (V_REAL){0}));
    })
}

static void JOIN(each_, DTYPE)(const uint8_t *bits, size_t n, const double *p, const void *x, void *y) {
    COMPUTE scale[RATES * PARTS];
    const uint8_t *from = x;
    uint8_t *to = y, buffer[FD_WORD * SIZE];
    size_t w = 0;
    while (w + FD_WORD <= n) {
        const size_t whole = (n - w) / FD_WORD * FD_WORD, count = whole < RATES ? whole : RATES;
        JOIN(scales_, REAL)(p + w, count, scale, PARTS);
        for (size_t i = 0; i < count; i += FD_WORD, w += FD_WORD)
            JOIN(each_word_, DTYPE)(load_le64(bits + w / 8), scale + i * PARTS, from + w * SIZE, to + w * SIZE);
    }
    if (w < n) {
        double rest[FD_WORD] = {0};
        memcpy(rest, p + w, (n - w) * sizeof *p);
        JOIN(scales_, REAL)(rest, FD_WORD, scale, PARTS);
        JOIN(padded_, DTYPE)(x, w, n, buffer);
        JOIN(each_word_, DTYPE)(JOIN(word_at_, DTYPE)(bits, w, n), scale, buffer, buffer);
        memcpy(to + w * SIZE, buffer, (n - w) * SIZE);
    }
}

/* Whole words of a block, drawn, scaled and applied in one pass: the divisions take their time while lanes step. */
static void JOIN(dropout_each_, DTYPE)(const fd_draw *draw, uint64_t block, size_t first, size_t words,
                                       struct fd_walk *walk, const void *x, void *y, uint8_t *bits) {
    const uint8_t *from = x;
    uint8_t *to = y;
    const double *p = NULL;
    double staged[RATES];
    lanes s[VECTORS];
    enter_word(s, draw, block, first);
    for (size_t w = 0; w < words; w++, p += FD_WORD, from += FD_WORD * SIZE, to += FD_WORD * SIZE) {
        COMPUTE scale[FD_WORD * PARTS];
        uint64_t kept = 0, not_dropped = 0;
        if (w % (RATES / FD_WORD) == 0)
            p = walk_on(walk, words - w < RATES / FD_WORD ? (words - w) * FD_WORD : RATES, staged);
        FD_UNROLL
        for (int step = 0; step < STEPS; step++) {
            draw_step(s, p, step, &kept, &not_dropped);
            JOIN(scales_, REAL)(p + FD_LANES * step, FD_LANES, scale + FD_LANES * PARTS * step, PARTS);
        }
        if (kept != not_dropped)
            kept = fd_exact_word(draw, block, first + w, p);
        store_le64(bits + 8 * w, kept);
        JOIN(each_word_, DTYPE)(kept, scale, from, to);
    }
}

/* dropout(x + bias) + residual, each step rounded as if it were stored. bias and residual may be NULL. */
FD_INLINE void JOIN(residual_word_, DTYPE)(uint64_t word, COMPUTE scale, const uint8_t *x, const uint8_t *bias,
                                           const uint8_t *residual, uint8_t *y) {
    EACH_VECTOR(word, {
        V_REAL v = LOAD(x + at);
        if (bias)
            v = ROUNDED(v + LOAD(bias + at));
        v = CHOSEN(kept, ROUNDED(v * ALL(scale)), (V_REAL){0});
        if (residual)
            v = v + LOAD(residual + at);
        STORE(y + at, v);
    })
}

static void JOIN(residual_, DTYPE)(const uint8_t *bits, size_t n, double scale, const void *x, const void *bias,
                                   const void *residual, void *y, size_t ahead) {
    const COMPUTE factor = (COMPUTE)scale;
    const uint8_t *from = x, *added = bias, *skipped = residual;
    uint8_t *to = y, buffers[3][FD_WORD * SIZE];
    size_t w = 0;
#define WHOLE_WORDS(bias, residual)                                                                                   \
    for (; w + FD_WORD <= n; w += FD_WORD) {                                                                          \
        for (int i = 0; i < FD_WORD * SIZE && ahead > 0; i += FD_LINE) {                                              \
            __builtin_prefetch(from + w * SIZE + ahead + i);                                                          \
            if (skipped)                                                                                              \
                __builtin_prefetch(skipped + w * SIZE + ahead + i);                                                   \
        }                                                                                                             \
        JOIN(residual_word_, DTYPE)(load_le64(bits + w / 8), factor, from + w * SIZE, bias, residual, to + w * SIZE); \
    }
    if (added && skipped)
        WHOLE_WORDS(added + w * SIZE, skipped + w * SIZE)
    else if (added)
        WHOLE_WORDS(added + w * SIZE, NULL)
    else if (skipped)
        WHOLE_WORDS(NULL, skipped + w * SIZE)
    else
        WHOLE_WORDS(NULL, NULL)
#undef WHOLE_WORDS
    if (w < n) {
        JOIN(residual_word_, DTYPE)(JOIN(word_at_, DTYPE)(bits, w, n), factor,
                                    JOIN(padded_, DTYPE)(x, w, n, buffers[0]),
                                    added ? JOIN(padded_, DTYPE)(bias, w, n, buffers[1]) : NULL,
                                    skipped ? JOIN(padded_, DTYPE)(residual, w, n, buffers[2]) : NULL, buffers[0]);
        memcpy(to + w * SIZE, buffers[0], (n - w) * SIZE);
    }
}

/*
 * Adds n elements, real by real, to as many sums. Sums of floats are doubles; those of doubles keep what each addition
 * has lost (Kahan 1965), which is no worse than NumPy's pairwise sums.
 */
FD_INLINE void JOIN(accumulate_vector_, DTYPE)(const uint8_t *x, double *sum, double *lost) {
    const V_REAL v = LOAD(x);
#if SIZE / PARTS == 8
    const v_f64 before = load_f64((const uint8_t *)sum), y = v - load_f64((const uint8_t *)lost), total = before + y;
    const v_f64 error = (total - before) - y;
    store_f64((uint8_t *)lost, chosen_f64(error - error == 0, error, (v_f64){0})); /* nothing is lost of infinities */
    store_f64((uint8_t *)sum, total);
#else
    v_narrow halves[2];
    memcpy(halves, &v, sizeof v);
    for (int i = 0; i < 2; i++, sum += R_BYTES / 8)
        store_f64((uint8_t *)sum, load_f64((const uint8_t *)sum) + __builtin_convertvector(halves[i], v_f64));
    (void)lost;
#endif
}

static void JOIN(accumulate_, DTYPE)(const void *x, size_t n, double *sum, double *lost) {
    enum { LANES = JOIN(LANES_, DTYPE), REAL_SIZE = SIZE / PARTS };
    const uint8_t *from = x;
    const size_t reals = n * PARTS;
    size_t r = 0;
    for (; r + LANES <= reals; r += LANES)
        JOIN(accumulate_vector_, DTYPE)(from + r * REAL_SIZE, sum + r, lost + r);
    if (r < reals) {
        const size_t rest = (reals - r) * sizeof *sum;
        double sums[LANES] = {0}, losses[LANES] = {0};
        uint8_t buffer[LANES * REAL_SIZE] = {0};
        memcpy(buffer, from + r * REAL_SIZE, (reals - r) * REAL_SIZE);
        memcpy(sums, sum + r, rest);
        memcpy(losses, lost + r, rest);
        JOIN(accumulate_vector_, DTYPE)(buffer, sums, losses);
        memcpy(sum + r, sums, rest);
        memcpy(lost + r, losses, rest);
    }
}

#undef EACH_VECTOR
#undef KEPT_LANES
#undef CHOSEN
#undef ROUNDED
#undef STORE
#undef LOAD
#undef ALL
#undef V_REAL
#undef JOIN
#undef JOIN_
#undef DTYPE
#undef SIZE
#undef STORAGE
#undef REAL
#undef PARTS
#undef COMPUTE
