/*
 * The roof: the fastest that memory lets an array be read, changed and written where it stands. An in-place scale in
 * the vectors of the best instruction set that the compiler finds here, four at a time, the threads' ranges those of
 * fastdrop. The scale is an argument, so that no compiler can drop the product. And its like for two other kinds of
 * work: two arrays read and one written, and an array written around the cache.
 */
#include <stddef.h>
#include <stdint.h>

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 vector;
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define MULTIPLY _mm512_mul_ps
#define ADD _mm512_add_ps
#define BROADCAST _mm512_set1_ps
#elif defined(__AVX__)
#include <immintrin.h>
typedef __m256 vector;
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define MULTIPLY _mm256_mul_ps
#define ADD _mm256_add_ps
#define BROADCAST _mm256_set1_ps
#elif defined(__aarch64__)
#include <arm_neon.h>
typedef float32x4_t vector;
#define LOAD vld1q_f32
#define STORE vst1q_f32
#define MULTIPLY vmulq_f32
#define ADD vaddq_f32
#define BROADCAST vdupq_n_f32
#else
#include <xmmintrin.h>
typedef __m128 vector;
#define LOAD _mm_loadu_ps
#define STORE _mm_storeu_ps
#define MULTIPLY _mm_mul_ps
#define ADD _mm_add_ps
#define BROADCAST _mm_set1_ps
#endif

enum { WIDTH = sizeof(vector) / sizeof(float), BLOCK = 4096 };

typedef void body(float *x, const float *other, size_t n, float scale);

static void scale_range(float *x, const float *other, size_t n, float scale) {
    const vector s = BROADCAST(scale);
    size_t i = 0;
    (void)other;
    for (; i + 4 * WIDTH <= n; i += 4 * WIDTH) {
        const vector a = MULTIPLY(LOAD(x + i), s), b = MULTIPLY(LOAD(x + i + WIDTH), s);
        const vector c = MULTIPLY(LOAD(x + i + 2 * WIDTH), s), d = MULTIPLY(LOAD(x + i + 3 * WIDTH), s);
        STORE(x + i, a);
        STORE(x + i + WIDTH, b);
        STORE(x + i + 2 * WIDTH, c);
        STORE(x + i + 3 * WIDTH, d);
    }
    for (; i < n; i++)
        x[i] *= scale;
}

static void add_range(float *x, const float *other, size_t n, float scale) {
    const vector s = BROADCAST(scale);
    size_t i = 0;
    for (; i + 2 * WIDTH <= n; i += 2 * WIDTH) {
        const vector a = ADD(MULTIPLY(LOAD(x + i), s), LOAD(other + i));
        const vector b = ADD(MULTIPLY(LOAD(x + i + WIDTH), s), LOAD(other + i + WIDTH));
        STORE(x + i, a);
        STORE(x + i + WIDTH, b);
    }
    for (; i < n; i++)
        x[i] = x[i] * scale + other[i];
}

static void fill_range(float *x, const float *other, size_t n, float scale) {
    size_t i = 0;
    (void)other;
#ifdef __SSE__
    for (; i < n && (uintptr_t)(x + i) % 16 != 0; i++)
        x[i] = scale;
    for (; i + 4 <= n; i += 4)
        _mm_stream_ps(x + i, _mm_set1_ps(scale));
    _mm_sfence();
#endif
    for (; i < n; i++)
        x[i] = scale;
}

static void in_threads(body *range, float *x, const float *other, size_t n, float scale, int threads) {
    if (threads <= 1) {
        range(x, other, n, scale);
        return;
    }
    const size_t blocks = (n + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        const size_t begin = blocks * (size_t)t / (size_t)threads * BLOCK;
        const size_t end = blocks * (size_t)(t + 1) / (size_t)threads * BLOCK;
        range(x + begin, other + begin, (end < n ? end : n) - begin, scale);
    }
}

void fastdrop_roof(float *x, size_t n, float scale, int threads) { in_threads(scale_range, x, x, n, scale, threads); }

void fastdrop_roof_add(float *x, const float *other, size_t n, float scale, int threads) {
    in_threads(add_range, x, other, n, scale, threads);
}

void fastdrop_roof_fill(float *x, size_t n, float scale, int threads) {
    in_threads(fill_range, x, x, n, scale, threads);
}
