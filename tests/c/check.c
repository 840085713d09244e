#define _DEFAULT_SOURCE /* mprotect */
#include "check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 1 << 16 }; /* or a multiple of one */

_Alignas(64) uint8_t input[BYTES], as_kept[BYTES], y_memory[BYTES + 2 * GUARD], want[BYTES + 2 * GUARD];
uint8_t mask[BYTES / 8], bit_memory[BYTES / 8 + 2 * GUARD];
static _Alignas(PAGE) uint8_t fences[FENCES][BYTES + PAGE];

const fd_backend *backend, *portable;
const fd_key key = {0x0123456789ABCDEF, 0xFEDCBA9876543210};
const char *only;
long cases, failures;
static char id[200];

int begin(const char *format, ...) {
    va_list arguments;
    const int length = snprintf(id, sizeof id, "%s-", fd_backend_name(backend));
    va_start(arguments, format);
    vsnprintf(id + length, sizeof id - (size_t)length, format, arguments);
    va_end(arguments);
    return (!only || strcmp(only, id) == 0) && ++cases;
}

void fail(const char *what, size_t at) {
    if (failures++ < 10)
        printf("FAIL %s: %s, %zu\n", id, what, at);
    fflush(stdout);
}

void make_fences(void) {
    for (int i = 0; i < FENCES; i++)
        if (mprotect(fences[i] + BYTES, PAGE, PROT_NONE) != 0) {
            printf("no page can be protected\n");
            exit(2);
        }
}

uint8_t *fenced(int fence, const void *bytes, size_t n) { return memcpy(fences[fence] + BYTES - n, bytes, n); }

int bit(const uint8_t *bits, size_t i) { return bits[i / 8] >> i % 8 & 1; }

void draw_mask(const fd_draw *draw, uint64_t index, size_t n) {
    const fd_run once = {portable, 1, SIZE_MAX, 0};
    const uint64_t unit = 1;
    fd_bits(&once, draw, 1, &n, &unit, index, mask);
}

void check_y(fd_dtype d, const uint8_t *y, size_t n, int exact) {
    const uint8_t *got = y - GUARD;
    if (memcmp(got, want, n) == 0)
        return;
    for (size_t at = 0; at < n; at += types[d].real) {
        const uint64_t a = load(d, got + at), b = load(d, want + at);
        if (a != b && (exact || !is_nan(d, a) || !is_nan(d, b))) {
            fail("byte of y", at - GUARD);
            return;
        }
    }
}

void check_bits(const uint8_t *expected, size_t n) {
    for (size_t i = 0; i < 2 * GUARD + (n + 7) / 8; i++) {
        const int inside = GUARD <= i && i < GUARD + (n + 7) / 8, part = n % 8 != 0 && i == GUARD + n / 8;
        const int byte = inside ? expected[i - GUARD] & (part ? (1 << n % 8) - 1 : 0xFF) : FILL;
        if (bit_memory[i] != byte) {
            fail("byte of the bits", i - GUARD);
            return;
        }
    }
}

void keep_all(const drop *call, const double *p, size_t n) {
    const size_t size = fd_itemsize(call->d);
    for (size_t i = 0; i < n; i++)
        become(call->d, &call->meant, p ? p[i] : 0, 1, input + i * size, as_kept + i * size);
}
