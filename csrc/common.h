/* The macros that depend on compiler and platform; no other file has any. */
#ifndef FD_COMMON_H
#define FD_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define FD_X86 1
#elif defined(__aarch64__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FD_NEON 1
#endif

#if defined(__clang__)
#define FD_COMPILER "clang " __clang_version__
#else
#define FD_COMPILER "gcc " __VERSION__
#endif

#if defined(__GNUC__)
#define FD_INLINE static inline __attribute__((always_inline))
#define FD_AT_LOAD __attribute__((constructor))
#else
#error "fastdrop needs gcc or clang"
#endif

#if defined(FD_EMULATE)
#define FD_RUNS(isa) 1
#else
#define FD_RUNS(isa) fd_runs(isa)
#endif

/* Only the code between these two is compiled for the instruction sets named. */
#define FD_PRAGMA(text) _Pragma(#text)
#if defined(FD_EMULATE)
#define FD_TARGET_BEGIN(isa)
#define FD_TARGET_END
#elif defined(__clang__)
#define FD_TARGET_BEGIN(isa) FD_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define FD_TARGET_END FD_PRAGMA(clang attribute pop)
#else
#define FD_TARGET_BEGIN(isa) FD_PRAGMA(GCC push_options) FD_PRAGMA(GCC target(isa))
#define FD_TARGET_END FD_PRAGMA(GCC pop_options)
#endif

/*
 * FD_UNROLL unrolls a loop completely, at any level of optimisation, so that its counter becomes a constant: for loops
 * of a few iterations. FD_UNROLL_4 unrolls four iterations: for long loops with a short body.
 */
#if defined(__clang__)
#define FD_UNROLL FD_PRAGMA(clang loop unroll(full))
#define FD_UNROLL_4 FD_PRAGMA(clang loop unroll_count(4))
#else
#define FD_UNROLL FD_PRAGMA(GCC unroll 64)
#define FD_UNROLL_4 FD_PRAGMA(GCC unroll 4)
#endif

/* A vector of two words: operators apply to each. */
typedef uint64_t fd_pair __attribute__((vector_size(16)));

FD_INLINE uint64_t load_le64(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

FD_INLINE void store_le64(uint8_t *bytes, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(bytes, &word, 8);
}

#endif
