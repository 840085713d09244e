/* The operations on lanes that backend_tpl.h lists, with one lane per vector, in plain C11. */
#ifndef FD_SCALAR_H
#define FD_SCALAR_H

#include "../backend.h"

#define V_LANES 1
typedef uint64_t v_u64;

FD_INLINE v_u64 v_set1(uint64_t a) { return a; }
FD_INLINE v_u64 v_ramp(uint64_t step) { return 0 * step; }
FD_INLINE v_u64 v_add(v_u64 a, v_u64 b) { return a + b; }
FD_INLINE v_u64 v_xor(v_u64 a, v_u64 b) { return a ^ b; }
FD_INLINE v_u64 v_andnot(v_u64 a, v_u64 b) { return ~a & b; }
FD_INLINE v_u64 v_shl(v_u64 a, int n) { return a << n; }
FD_INLINE v_u64 v_shr(v_u64 a, int n) { return a >> n; }
FD_INLINE v_u64 v_rotl(v_u64 a, int n) { return a << n | a >> (64 - n); }
FD_INLINE v_u64 v_mul(v_u64 a, uint64_t b) { return a * b; }
FD_INLINE v_u64 v_where_less(v_u64 a, v_u64 b, v_u64 z) { return a < b ? z : 0; }
FD_INLINE v_u64 v_where_any(v_u64 z, v_u64 a, v_u64 b) { return z ? a : b; }
FD_INLINE int v_any(v_u64 a) { return a != 0; }
FD_INLINE v_u64 v_lowest(v_u64 a) { return a & (0 - a); }
FD_INLINE void v_store(uint8_t *bits, v_u64 a) { store_le64(bits, a); }

FD_INLINE void v_decide(v_u64 *undecided, v_u64 *dropped, v_u64 u, uint64_t t) {
    const v_u64 decided = *undecided & (u ^ (0 - t));
    *dropped |= decided & (0 - t);
    *undecided ^= decided;
}

FD_INLINE v_u64 v_complements(const double *p) {
    const double complement = 0x1.fffffffffffffp0 - *p;
    uint64_t bits;
    memcpy(&bits, &complement, sizeof bits);
    return bits;
}

FD_INLINE unsigned v_reached(const v_u64 *sums, uint32_t bound) {
    unsigned bits = 0;
    FD_UNROLL
    for (int lane = 0; lane < FD_LANES; lane++)
        bits |= (unsigned)(sums[lane] >> 32 >= bound) << lane;
    return bits;
}

#endif
