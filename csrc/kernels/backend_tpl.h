/* The kernels of one instruction set and their table, from its operations: draw, apply, and the passes beside them. */
#include "reals_tpl.h"

static void draw_bits(const fd_draw *draw, uint64_t block, int groups, uint8_t *bits) {
    for (int lane = 0; lane < FD_LANES; lane += V_LANES) {
        lanes s = seed_lanes(draw, block, lane);
        for (int g = 0; g < groups; g++)
            v_store(bits + 8 * (FD_LANES * g + lane), draw_kept(&s, draw));
    }
}

#include "each_tpl.h"

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
    copy_rates,
    draw_each,
    {dropout_each_f16, dropout_each_bf16, dropout_each_f32, dropout_each_f64, dropout_each_c64, dropout_each_c128},
    {dropout_f16, dropout_bf16, dropout_f32, dropout_f64, dropout_c64, dropout_c128},
    {apply_f16, apply_bf16, apply_f32, apply_f64, apply_c64, apply_c128},
    {affine_f16, affine_bf16, affine_f32, affine_f64, NULL, NULL},
    {each_f16, each_bf16, each_f32, each_f64, each_c64, each_c128},
    {residual_f16, residual_bf16, residual_f32, residual_f64, residual_c64, residual_c128},
    {accumulate_f16, accumulate_bf16, accumulate_f32, accumulate_f64, accumulate_c64, accumulate_c128},
};
