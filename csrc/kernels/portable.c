/* C11 and the compilers' vector types, one lane at a time, for any processor and byte order. */
#include "scalar.h"

static int supported(void) { return 1; }

#define V_BYTES 16
#define R_BYTES 16
#define V_UNROLL

/* The compilers implement their vector types with instructions that every processor of the architecture has. */
typedef uint64_t v_data __attribute__((vector_size(16)));
typedef uint16_t v_u16x8 __attribute__((vector_size(16)));
typedef uint32_t v_u32x4 __attribute__((vector_size(16)));

FD_INLINE v_data v_load(const uint8_t *x) {
    v_data v;
    memcpy(&v, x, sizeof v);
    return v;
}

FD_INLINE void v_save(uint8_t *y, v_data v, int nontemporal) {
    (void)nontemporal; /* C has no non-temporal store */
    memcpy(y, &v, sizeof v);
}

FD_INLINE void v_fence(void) {}

/* Each lane tests its own bit of the word; the result, all ones or 0, is the mask for its element. */
FD_INLINE v_data v_kept_2(const uint8_t *x, uint64_t word, int i) {
    const v_u16x8 bit = {1, 2, 4, 8, 16, 32, 64, 128};
    return v_load(x) & (v_data)((bit & (uint16_t)(word >> (8 * i) & 0xFF)) != 0);
}

FD_INLINE v_data v_kept_4(const uint8_t *x, uint64_t word, int i) {
    const v_u32x4 bit = {1, 2, 4, 8};
    return v_load(x) & (v_data)((bit & (uint32_t)(word >> (4 * i) & 0xF)) != 0);
}

FD_INLINE v_data v_kept_8(const uint8_t *x, uint64_t word, int i) {
    const v_data keep = {0 - (word >> (2 * i) & 1), 0 - (word >> (2 * i + 1) & 1)};
    return v_load(x) & keep;
}

FD_INLINE v_data v_kept_16(const uint8_t *x, uint64_t word, int i) { return v_load(x) & (0 - (word >> i & 1)); }

#define BACKEND fd_portable
#define NAME "portable"
#include "backend_tpl.h"
