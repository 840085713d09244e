/*
 * Turning packed bits: rows become columns. words[r] are eight words, one of each of the squares that lie side by side,
 * so that each step is the same for all of them.
 */
typedef uint64_t v_words __attribute__((vector_size(V_BYTES)));
enum { WORDS = V_BYTES / 8 };

FD_INLINE v_words load_words(const uint64_t *words) {
    v_words v;
    memcpy(&v, words, sizeof v);
    return v;
}
FD_INLINE void store_words(uint64_t *words, v_words v) { memcpy(words, &v, sizeof v); }

/*
 * Each word holds 64 / size fields of `size` bits, a power of two: bit c of a field of row r becomes bit r of that
 * field of row c, for all r and c below size. Squares off the diagonal are swapped, of half the size in each step
 * (Hacker's Delight, 7-3). Only the first `used` squares are turned.
 */
static void turn(uint64_t (*words)[FD_LANES], int size, int used) {
    for (int width = size / 2; width > 0; width /= 2) {
        const uint64_t mask = ~UINT64_C(0) / ((UINT64_C(1) << width) + 1);
        for (int r = 0; r < size; r = (r + width + 1) & ~width)
            for (int square = 0; square < used; square += WORDS) {
                v_words upper = load_words(words[r] + square), lower = load_words(words[r + width] + square);
                const v_words swap = (upper >> width ^ lower) & mask;
                store_words(words[r] + square, upper ^ swap << width);
                store_words(words[r + width] + square, lower ^ swap);
            }
    }
}

/*
 * From `count` rows, of which each field has `filled` bits, more than half of it: field 0 of each row, then field 1 of
 * each, and so on, without gaps. Fields are joined two by two until they are whole words, and those are joined last.
 * Returns where their words are: in `rows`, which has room for 64, of which the second half serves for joining.
 */
FD_INLINE const v_words *pack(v_words *rows, int count, int filled) {
    v_words *other = rows + FD_WORD / 2;
    for (int field = count; field < FD_WORD; field *= 2, filled *= 2) {
        const uint64_t even = ~UINT64_C(0) / ((UINT64_C(1) << field) + 1);
        v_words *from = rows;
        for (int i = 0; i < count / 2; i++) {
            const v_words first = from[2 * i], second = from[2 * i + 1];
            other[i] = (first & even) | (second & even) << filled;
            other[count / 2 + i] = (first >> field & even) | (second >> field & even) << filled;
        }
        rows = other;
        other = from;
    }
    v_words word = {0}, *packed = rows;
    for (int i = 0, used = 0; i < count; i++) {
        const v_words row = rows[i];
        word |= row << used;
        used += filled;
        if (used >= FD_WORD) {
            used -= FD_WORD;
            *packed++ = word;
            word = used > 0 ? row >> (filled - used) : (v_words){0};
        }
    }
    return rows;
}

/*
 * Packs bit 0 of n rows, then bit 1 of each, and so on, for 64 bits of each of the first `used` squares: 8 * n bytes of
 * each, and of the squares that fill up the last vector. Rows from n on are written.
 */
static void interleave(uint64_t (*words)[FD_LANES], int n, int used, uint8_t *bits) {
    int size = 2;
    while (size < n)
        size *= 2;
    memset(words[n], 0, (size_t)(size - n) * sizeof *words);
    turn(words, size, used);
    for (int square = 0; square < used; square += WORDS) {
        v_words rows[FD_WORD];
        for (int r = 0; r < size; r++)
            rows[r] = load_words(words[r] + square);
        const v_words *packed = pack(rows, size, n);
        for (int lane = 0; lane < WORDS; lane++)
            for (int w = 0; w < n; w++, bits += 8)
                store_le64(bits, packed[w][lane]);
    }
}
