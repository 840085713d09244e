/* The kernels of one instruction set and their table, from its operations: draw, apply, and the passes beside them. */
#include "reals_tpl.h"

static void draw_bits(const fd_draw *draw, uint64_t block, int groups, uint8_t *bits) {
    for (int lane = 0; lane < FD_LANES; lane += V_LANES) {
        lanes s = seed_lanes(draw, block, lane);
        for (int g = 0; g < groups; g++)
            v_store(bits + 8 * (FD_LANES * g + lane), draw_kept(&s, draw));
    }
}

/*
 * An array p: the element at step t of lane l is 8*t + l, so a word of bits is eight steps of all lanes. Each lane
 * collects its own bits of the word, and the lanes are joined at its end.
 */
static void draw_each(const fd_draw *draw, uint64_t block, size_t first, size_t words, const double *p, uint8_t *bits) {
    enum { VECTORS = FD_LANES / V_LANES };
    static const uint64_t lane_bits[FD_LANES] = {1, 2, 4, 8, 16, 32, 64, 128};
    uint64_t threshold[RATES], joined[V_LANES];
    lanes s[VECTORS];
    int ones = 0;
    FD_UNROLL
    for (int v = 0; v < VECTORS; v++) {
        s[v] = seed_lanes(draw, block, V_LANES * v);
        for (size_t step = 0; step < 8 * first; step++)
            next(&s[v]);
    }
    for (size_t w = 0; w < words; w++) {
        const size_t at = w * FD_WORD % RATES;
        if (at == 0)
            ones =
                thresholds_of(p + w * FD_WORD, words - w < RATES / FD_WORD ? (words - w) * FD_WORD : RATES, threshold);
        v_u64 dropped[VECTORS], bit = v_words(lane_bits);
        FD_UNROLL
        for (int v = 0; v < VECTORS; v++)
            dropped[v] = v_set1(0);
        for (int step = 0; step < 8; step++, bit = v_shl(bit, 8)) {
            FD_UNROLL
            for (int v = 0; v < VECTORS; v++) {
                const v_u64 t = v_words(threshold + at + FD_LANES * step + V_LANES * v);
                dropped[v] = v_xor(dropped[v], v_where_less(next(&s[v]), t, bit));
            }
        }
        uint64_t kept = ~UINT64_C(0);
        FD_UNROLL
        for (int v = 0; v < VECTORS; v++) {
            v_store((uint8_t *)joined, dropped[v]);
            for (int lane = 0; lane < V_LANES; lane++)
                kept &= ~(load_le64((const uint8_t *)(joined + lane)) << (V_LANES * v));
        }
        for (int i = 0; ones && i < FD_WORD; i++)
            if (p[w * FD_WORD + i] == 1.0) /* has no T: drops always */
                kept &= ~(UINT64_C(1) << i);
        store_le64(bits + 8 * w, kept);
    }
}

#define DTYPE f16
#define SIZE 2
#define COMPUTE float
#define SCALED scaled_f16
#define STORAGE f16
#define REAL f32
#define PARTS 1
#include "apply_tpl.h"
#include "values_tpl.h"
#define DTYPE bf16
#define SIZE 2
#define COMPUTE float
#define SCALED scaled_bf16
#define STORAGE bf16
#define REAL f32
#define PARTS 1
#include "apply_tpl.h"
#include "values_tpl.h"
#define DTYPE f32
#define SIZE 4
#define COMPUTE float
#define SCALED scaled_f32
#define STORAGE f32
#define REAL f32
#define PARTS 1
#include "apply_tpl.h"
#include "values_tpl.h"
#define DTYPE f64
#define SIZE 8
#define COMPUTE double
#define SCALED scaled_f64
#define STORAGE f64
#define REAL f64
#define PARTS 1
#include "apply_tpl.h"
#include "values_tpl.h"
#define DTYPE c64
#define SIZE 8
#define COMPUTE float
#define SCALED scaled_f32
#define STORAGE f32
#define REAL f32
#define PARTS 2
#include "apply_tpl.h"
#include "values_tpl.h"
#define DTYPE c128
#define SIZE 16
#define COMPUTE double
#define SCALED scaled_f64
#define STORAGE f64
#define REAL f64
#define PARTS 2
#include "apply_tpl.h"
#include "values_tpl.h"

const fd_backend BACKEND = {
    NAME,
    supported,
    draw_bits,
    draw_each,
    {dropout_f16, dropout_bf16, dropout_f32, dropout_f64, dropout_c64, dropout_c128},
    {apply_f16, apply_bf16, apply_f32, apply_f64, apply_c64, apply_c128},
    {affine_f16, affine_bf16, affine_f32, affine_f64, NULL, NULL},
    {each_f16, each_bf16, each_f32, each_f64, each_c64, each_c128},
    {residual_f16, residual_bf16, residual_f32, residual_f64, residual_c64, residual_c128},
    {accumulate_f16, accumulate_bf16, accumulate_f32, accumulate_f64, accumulate_c64, accumulate_c128},
};
