/*
 * libFuzzer on the C entry points: odd pointers, sizes, offsets, strides, dtypes and probabilities on every backend.
 *
 * Masks are held to stream_oracle.h, values to what the portable backend makes of each element alone.
 * Every buffer lies between guards, which the address sanitizer watches and which must stay as they were.
 *
 * All is in one thread, and 31 of 32 inputs have few elements, so that there are thousands in a second. Teams of
 * threads are tests/sanitizers' to check, and sizes that are worth waking one tests/fuzz/test_large.py's.
 */
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "stream_oracle.h"

enum { GUARD = 64, FILL = 0xA5, MOST = 9000, FEW = 300, AXES = 4, MATRIX = 100, BUFFERS = 16 };
enum { INPUT = 2 * MOST * 16 };

static const struct {
    size_t real, reals; /* bytes of a real, reals in an element */
    int mantissa;
} types[FD_DTYPES] = {{2, 1, 10}, {2, 1, 7}, {4, 1, 23}, {8, 1, 52}, {4, 2, 23}, {8, 2, 52}};

/* Patterns of every kind. */
static _Alignas(16) uint8_t input[INPUT];

/* What the fuzzer gives, as numbers. */
static const uint8_t *given;
static size_t left;

static uint64_t word(void) {
    uint64_t value = 0;
    const size_t n = left < 8 ? left : 8;
    memcpy(&value, given, n);
    given += n;
    left -= n;
    return value;
}

static size_t below(size_t n) {
    uint16_t value = 0;
    const size_t bytes = left < 2 ? left : 2;
    memcpy(&value, given, bytes);
    given += bytes;
    left -= bytes;
    return value % n;
}

static void check(int right, const char *what, size_t at) {
    if (!right) {
        fprintf(stderr, "WRONG: %s at %zu\n", what, at);
        abort();
    }
}

/* All buffers of a call: memory, data, bytes. */
static struct {
    uint8_t *memory, *data;
    size_t before, bytes;
} buffers[BUFFERS];
static int used;

/* So many bytes from an odd place on, between guards. */
static void *room(size_t bytes, size_t align, const void *from) {
    const size_t before = GUARD + align * below(GUARD / align);
    uint8_t *memory = NULL;
    if (used == BUFFERS || posix_memalign((void **)&memory, GUARD, before + bytes + GUARD) != 0)
        abort();
    memset(memory, FILL, before + bytes + GUARD);
    if (from)
        memcpy(memory + before, from, bytes);
    ASAN_POISON_MEMORY_REGION(memory, before);
    ASAN_POISON_MEMORY_REGION(memory + before + bytes, GUARD);
    buffers[used].memory = memory;
    buffers[used].before = before;
    buffers[used++].bytes = bytes;
    return memory + before;
}

static void release(void) {
    while (used > 0) {
        uint8_t *memory = buffers[--used].memory;
        const size_t before = buffers[used].before, bytes = buffers[used].bytes;
        ASAN_UNPOISON_MEMORY_REGION(memory, before + bytes + GUARD);
        for (size_t i = 0; i < before + GUARD; i++)
            check(memory[i < before ? i : i + bytes] == FILL, "a guard", i);
        free(memory);
    }
}

/* What all calls have. */
static fd_run run, portable;
static fd_dtype dtype;
static size_t size;
static fd_key key;
static mask_of mask;
static size_t most; /* elements of an operand, or about so many */

static double probability(void) {
    static const double ps[] = {0, 1, .5, .25, .1, 3. / 8, 1. / 256, 1. / 512, 0x1p-20, 0x1p-66, 5e-324, 1 - 0x1p-53};
    const size_t i = below(16);
    return i < 12 ? ps[i] : ldexp((double)(word() >> 11), -53);
}

static size_t count(void) {
    static const size_t near[] = {0, 1, 8, 63, 64, 65, 127, 129, 255, 511, 513, 4095, 4096, 4097, 8192};
    return below(2) ? near[below(most > FEW ? 15 : 9)] : below(most);
}

/* A first index of n elements. */
static uint64_t index_of(size_t n) {
    static const uint64_t near[] = {0, 1, 63, 64, 4095, 4096, UINT64_C(1) << 32, (UINT64_C(1) << 53) + 1};
    const uint64_t end = 0 - (uint64_t)n, any = below(3) ? near[below(8)] + below(2) * below(4097) : word();
    return n > 0 && (any > end || below(8) == 0) ? end : any;
}

static void common(void) {
    const fd_backend *backends[8];
    int n = 0;
    for (int i = 0; fd_backend_at(i); i++)
        if (fd_backend_supported(fd_backend_at(i)))
            backends[n++] = fd_backend_at(i);
    run = (fd_run){backends[below((size_t)n)], 1, below(2) ? 0 : SIZE_MAX, (int)below(2)};
    portable = (fd_run){backends[n - 1], 1, SIZE_MAX, 0};
    dtype = (fd_dtype)below(FD_DTYPES);
    size = fd_itemsize(dtype);
    key = (fd_key){word(), word()};
    mask = (mask_of){{key.k0, key.k1}, below(2) ? below(9) : word(), probability()};
}

static double scale_of(double p) { return p < 1 ? 1 / (1 - p) : 1; }

static fd_values scaled_by(double p) { return (fd_values){scale_of(p), 0, 0, NULL}; }

static int is_nan(fd_dtype d, const uint8_t *real) {
    const size_t bytes = types[d].real, shift = (size_t)types[d].mantissa;
    uint64_t bits = 0;
    memcpy(&bits, real, bytes);
    bits <<= 64 - 8 * bytes + 1;
    return bits > (UINT64_MAX << (shift + 64 - 8 * bytes + 1));
}

/* The same bytes, but for NaNs. */
static void check_same(fd_dtype d, const void *got_, const void *want_, size_t reals, const char *what) {
    const uint8_t *got = got_, *want = want_;
    for (size_t i = 0; i < reals; i++, got += types[d].real, want += types[d].real)
        check(memcmp(got, want, types[d].real) == 0 || (is_nan(d, got) && is_nan(d, want)), what, i);
}

/* One element of y is what it should be of that of x. */
static void check_element(const uint8_t *x, const uint8_t *y, int kept, const fd_values *values, size_t at) {
    _Alignas(16) uint8_t from[16], want[16] = {0};
    const uint8_t one = 1, nothing[16] = {0};
    if (kept || values->dropped != 0) {
        memcpy(from, x, size);
        const fd_values own = {values->p ? scale_of(*values->p) : values->scale, values->shift, values->dropped, NULL};
        fd_apply_values(portable.backend, dtype, kept ? &one : nothing, 1, &own, from, want, (fd_access){0, 0});
    }
    check_same(dtype, y, want, types[dtype].reals, "y");
    check(!kept || values->p || values->scale != 1 || values->shift != 0 || memcmp(x, y, size) == 0, "a copy", at);
}

static int bit(const uint8_t *bits, size_t i) { return bits[i / 8] >> i % 8 & 1; }

static void check_tail(const uint8_t *bits, size_t n) { check(n % 8 == 0 || bits[n / 8] >> n % 8 == 0, "the tail", n); }

static const uint8_t *operand(void) { return input + size * below(64); }

#include "core_calls.h"
#include "matrix_calls.h"
#include "p_array_calls.h"

static void (*const calls[])(void) = {dropout,  dropout_p_array, bits,    bits_each, rates_copy, apply,
                                      residual, backward,        samples, gather,    scatter,    descend};

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    for (uint64_t i = 0; i < INPUT; i += 8) {
        const uint64_t r = mixed_a(i), bits = i % 24 == 0 ? r : (r & 0x83FF83FF83FF83FF) | 0x3C003C003C003C00;
        memcpy(input + i, &bits, 8);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    uint64_t hash = 0; /* not a number that is given: what is bred from a slow input would be slow */
    for (size_t i = 0; i < bytes; i++)
        hash = mixed_a(hash + data[i] + 1);
    most = hash % 32 ? FEW : MOST;
    given = data;
    left = bytes;
    common();
    calls[below(sizeof calls / sizeof *calls)]();
    release();
    return 0;
}
