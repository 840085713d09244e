/* Alpha dropout: x * scale + shift where kept, a constant where dropped. It is not defined for complex dtypes. */
#if PARTS == 1
FD_INLINE void OF_DTYPE(affine_word)(uint64_t word, COMPUTE scale, COMPUTE shift, COMPUTE dropped, const uint8_t *x,
                                     uint8_t *y) {
    V_UNROLL
    for (int i = 0; i < OF_DTYPE(VECTORS); i++) {
        const int at = i * OF_DTYPE(STEP);
        const OF_REAL(v) v = OF_STORAGE(load)(x + at) * OF_REAL(all)(scale) + OF_REAL(all)(shift);
        OF_STORAGE(store)(y + at, OF_REAL(chosen)(OF_DTYPE(word_lanes)(word, i), v, OF_REAL(all)(dropped)));
    }
}

static void OF_DTYPE(affine)(const uint8_t *bits, size_t n, const fd_values *values, const void *x, void *y,
                             fd_access access) {
    const COMPUTE scale = (COMPUTE)values->scale, shift = (COMPUTE)values->shift, dropped = (COMPUTE)values->dropped;
    const uint8_t *from = x;
    uint8_t *to = y, buffer[FD_WORD * SIZE];
    size_t w = 0;
    for (; w + FD_WORD <= n; w += FD_WORD) {
        OF_DTYPE(prefetch_word)(from + w * SIZE, access.prefetch);
        OF_DTYPE(affine_word)(load_le64(bits + w / 8), scale, shift, dropped, from + w * SIZE, to + w * SIZE);
    }
    if (w < n) {
        OF_DTYPE(padded)(x, w, n, buffer);
        OF_DTYPE(affine_word)(load_bits_le(bits, w, n - w), scale, shift, dropped, buffer, buffer);
        memcpy(to + w * SIZE, buffer, (n - w) * SIZE);
    }
}
#endif
