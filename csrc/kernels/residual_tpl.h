/* dropout(x + bias) + residual, with each step rounded as if it were stored; and sums for the gradient of the bias. */
FD_INLINE void OF_DTYPE(residual_word)(uint64_t word, COMPUTE scale, const uint8_t *x, const uint8_t *bias,
                                       const uint8_t *residual, uint8_t *y) {
    V_UNROLL
    for (int i = 0; i < OF_DTYPE(VECTORS); i++) {
        const int at = i * OF_DTYPE(STEP);
        OF_REAL(v) v = OF_STORAGE(load)(x + at);
        if (bias)
            v = OF_STORAGE(rounded)(v + OF_STORAGE(load)(bias + at));
        v = OF_STORAGE(rounded)(v * OF_REAL(all)(scale));
        v = OF_REAL(chosen)(OF_DTYPE(word_lanes)(word, i), v, (OF_REAL(v)){0});
        if (residual)
            v = v + OF_STORAGE(load)(residual + at);
        OF_STORAGE(store)(y + at, v);
    }
}

/* The first n / 64 * 64 elements; whether bias and residual are NULL is constant after inlining. */
FD_INLINE void OF_DTYPE(residual_words)(const uint8_t *bits, size_t n, double scale, const uint8_t *x,
                                        const uint8_t *bias, const uint8_t *residual, uint8_t *y, fd_access access) {
    for (size_t w = 0; w + FD_WORD <= n; w += FD_WORD) {
        const size_t at = w * SIZE;
        OF_DTYPE(prefetch_word)(x + at, access.prefetch);
        if (residual)
            OF_DTYPE(prefetch_word)(residual + at, access.prefetch);
        OF_DTYPE(residual_word)(load_le64(bits + w / 8), (COMPUTE)scale, x + at, bias ? bias + at : NULL,
                                residual ? residual + at : NULL, y + at);
    }
}

static void OF_DTYPE(residual)(const uint8_t *bits, size_t n, double scale, const void *x, const void *bias,
                               const void *residual, void *y, fd_access access) {
    const size_t w = n / FD_WORD * FD_WORD;
    if (bias && residual)
        OF_DTYPE(residual_words)(bits, n, scale, x, bias, residual, y, access);
    else if (bias)
        OF_DTYPE(residual_words)(bits, n, scale, x, bias, NULL, y, access);
    else if (residual)
        OF_DTYPE(residual_words)(bits, n, scale, x, NULL, residual, y, access);
    else
        OF_DTYPE(residual_words)(bits, n, scale, x, NULL, NULL, y, access);
    if (w < n) {
        uint8_t buffers[3][FD_WORD * SIZE];
        OF_DTYPE(residual_word)(load_bits_le(bits, w, n - w), (COMPUTE)scale, OF_DTYPE(padded)(x, w, n, buffers[0]),
                                bias ? OF_DTYPE(padded)(bias, w, n, buffers[1]) : NULL,
                                residual ? OF_DTYPE(padded)(residual, w, n, buffers[2]) : NULL, buffers[0]);
        memcpy((uint8_t *)y + w * SIZE, buffers[0], (n - w) * SIZE);
    }
}

/*
 * Adds a vector of reals to as many sums, which are doubles. Sums of doubles have a compensation, the rounding error of
 * the last addition (Kahan 1965): they are at least as exact as NumPy's pairwise sums.
 */
FD_INLINE void OF_DTYPE(accumulate_vector)(const uint8_t *x, double *sum, double *compensation) {
    const OF_REAL(v) v = OF_STORAGE(load)(x);
#if SIZE / PARTS == 8
    const v_f64 before = load_f64((const uint8_t *)sum), y = v - load_f64((const uint8_t *)compensation);
    const v_f64 total = before + y, error = (total - before) - y;
    /* If the sum is infinite, the error would be NaN. */
    store_f64((uint8_t *)compensation, chosen_f64(error - error == 0, error, (v_f64){0}));
    store_f64((uint8_t *)sum, total);
#else
    v_narrow halves[2];
    memcpy(halves, &v, sizeof v);
    for (int i = 0; i < 2; i++, sum += R_BYTES / 8)
        store_f64((uint8_t *)sum, load_f64((const uint8_t *)sum) + __builtin_convertvector(halves[i], v_f64));
    (void)compensation;
#endif
}

static void OF_DTYPE(accumulate)(const void *x, size_t n, double *sum, double *compensation) {
    enum { LANES = OF_DTYPE(LANES), REAL_SIZE = SIZE / PARTS };
    const uint8_t *from = x;
    const size_t reals = n * PARTS;
    size_t r = 0;
    for (; r + LANES <= reals; r += LANES)
        OF_DTYPE(accumulate_vector)(from + r * REAL_SIZE, sum + r, compensation + r);
    if (r < reals) {
        const size_t rest = (reals - r) * sizeof *sum;
        double sums[LANES] = {0}, compensations[LANES] = {0};
        uint8_t buffer[LANES * REAL_SIZE] = {0};
        memcpy(buffer, from + r * REAL_SIZE, (reals - r) * REAL_SIZE);
        memcpy(sums, sum + r, rest);
        memcpy(compensations, compensation + r, rest);
        OF_DTYPE(accumulate_vector)(buffer, sums, compensations);
        memcpy(sum + r, sums, rest);
        memcpy(compensation + r, compensations, rest);
    }
}
