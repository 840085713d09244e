/* The draw kernel, the kernels of every dtype and the table, from the operations of one instruction set. */
static void draw_bits(const fd_draw *draw, uint64_t block, int groups, uint8_t *bits) {
    for (int lane = 0; lane < FD_LANES; lane += V_LANES) {
        lanes s = seed_lanes(draw, block, lane);
        for (int g = 0; g < groups; g++)
            v_store(bits + 8 * (FD_LANES * g + lane), draw_kept(&s, draw));
    }
}

#define DTYPE f16
#define SIZE 2
#define COMPUTE float
#define SCALED scaled_f16
#include "apply_tpl.h"
#define DTYPE bf16
#define SIZE 2
#define COMPUTE float
#define SCALED scaled_bf16
#include "apply_tpl.h"
#define DTYPE f32
#define SIZE 4
#define COMPUTE float
#define SCALED scaled_f32
#include "apply_tpl.h"
#define DTYPE f64
#define SIZE 8
#define COMPUTE double
#define SCALED scaled_f64
#include "apply_tpl.h"
#define DTYPE c64
#define SIZE 8
#define COMPUTE float
#define SCALED scaled_f32
#include "apply_tpl.h"
#define DTYPE c128
#define SIZE 16
#define COMPUTE double
#define SCALED scaled_f64
#include "apply_tpl.h"

const fd_backend BACKEND = {
    NAME,
    supported,
    draw_bits,
    {dropout_f16, dropout_bf16, dropout_f32, dropout_f64, dropout_c64, dropout_c128},
    {apply_f16, apply_bf16, apply_f32, apply_f64, apply_c64, apply_c128},
};
