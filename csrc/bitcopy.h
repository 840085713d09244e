/* Moving packed bits: from and to positions inside bytes. */
#ifndef FD_BITCOPY_H
#define FD_BITCOPY_H

#include "common.h"

/* copy_bits may read this many bytes of its source past its last bit. */
enum { FD_BIT_SLACK = 16 };

/* The 64 bits that begin at bit `at`: reads nine bytes. */
FD_INLINE uint64_t bits_at(const uint8_t *bits, size_t at) {
    const uint8_t *bytes = bits + at / 8;
    const unsigned shift = at % 8;
    return load_le64(bytes) >> shift | (uint64_t)bytes[8] << 1 << (63 - shift);
}

/* Up to 64 bits from bit `at` on, of which no byte past the last is read; what follows them is 0, or bits. */
FD_INLINE uint64_t load_bits_le(const uint8_t *bits, size_t at, size_t n) {
    uint8_t last[9] = {0};
    memcpy(last, bits + at / 8, (at % 8 + n + 7) / 8);
    return bits_at(last, at % 8);
}

/*
 * Copies n bits, from bit `from` of the source to bit `at` of the target. The bits before `at` are unchanged, the rest
 * of the last byte is set to 0.
 */
FD_INLINE void copy_bits(uint8_t *target, size_t at, const uint8_t *source, size_t from, size_t n) {
    uint8_t *byte = target + at / 8;
    const size_t used = at % 8, head = n < 8 - used ? n : 8 - used;
    if (used > 0 && n > 0) {
        const uint64_t kept = *byte & ((1u << used) - 1), added = bits_at(source, from) & ((1u << head) - 1);
        *byte++ = (uint8_t)(kept | added << used);
        from += head;
        n -= head;
    }
    for (; n >= 64; n -= 64, from += 64, byte += 8)
        store_le64(byte, bits_at(source, from));
    if (n > 0) {
        uint8_t last[8];
        store_le64(last, bits_at(source, from) & ((UINT64_C(1) << n) - 1));
        memcpy(byte, last, (n + 7) / 8);
    }
}

/* Sets the first n bits to 1, and the rest of the last byte to 0. */
FD_INLINE void fill_bits(uint8_t *bits, size_t n) {
    memset(bits, 0xFF, n / 8);
    if (n % 8 > 0)
        bits[n / 8] = (uint8_t)((1u << n % 8) - 1);
}

/* Writes n <= 64 bits from bit `at` on; these are 0 before, and at least nine bytes can be written there. */
FD_INLINE void put_bits(uint8_t *bits, size_t at, uint64_t word, size_t n) {
    uint8_t *to = bits + at / 8;
    const unsigned shift = at % 8;
    word &= ~UINT64_C(0) >> (64 - n);
    store_le64(to, load_le64(to) | word << shift);
    to[8] = (uint8_t)(word >> 1 >> (63 - shift));
}

/* In each of 16 bytes, the last bit first (Hacker's Delight, 7-1). */
FD_INLINE void reverse_bytes(uint8_t bytes[16]) {
    fd_pair v;
    memcpy(&v, bytes, sizeof v);
    v = (v >> 1 & UINT64_C(0x5555555555555555)) | (v & UINT64_C(0x5555555555555555)) << 1;
    v = (v >> 2 & UINT64_C(0x3333333333333333)) | (v & UINT64_C(0x3333333333333333)) << 2;
    v = (v >> 4 & UINT64_C(0x0F0F0F0F0F0F0F0F)) | (v & UINT64_C(0x0F0F0F0F0F0F0F0F)) << 4;
    memcpy(bytes, &v, sizeof v);
}

#endif
