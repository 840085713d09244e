/* 64 elements, for which there is one word of bits, as vectors of reals; and a buffer for fewer than 64. */
enum {
    OF_DTYPE(LANES) = R_BYTES / sizeof(COMPUTE),
    OF_DTYPE(STEP) = OF_DTYPE(LANES) * SIZE / PARTS, /* bytes of LANES reals in storage */
    OF_DTYPE(VECTORS) = FD_WORD * SIZE / OF_DTYPE(STEP),
};

/* The lanes of the i-th vector of a word: all ones where the element is kept. */
FD_INLINE OF_REAL(lanes) OF_DTYPE(word_lanes)(uint64_t word, int i) {
    return OF_REAL(kept_lanes)(word >> (i * OF_DTYPE(LANES) / PARTS), PARTS);
}

/* Copies elements [w, n) of x, fewer than 64, to a buffer of 64, so that nothing past the end is read. */
FD_INLINE const uint8_t *OF_DTYPE(padded)(const void *x, size_t w, size_t n, uint8_t *buffer) {
    memset(buffer, 0, FD_WORD * SIZE);
    memcpy(buffer, (const uint8_t *)x + w * SIZE, (n - w) * SIZE);
    return buffer;
}
