#include "rows.h"

#include <stdlib.h>
#include <string.h>

const char *const row_names[ROWS] = {"forward", "forward, no bits", "backward", "channels of 1 Ki", "rows", "units"};

/* The scale is 1 and a bit, so that it is multiplied by, and the contents stay what they are. */
const fd_values ROW_VALUES = {.scale = 1.0000002f};

static const fd_key KEY = {1, 2};

void row_fill(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = 1 + (float)(i % 1000);
}

/* The length of a row of the two axes: its elements share a bit, but for UNIT, whose columns do. */
static size_t length(row what, size_t n) { return what == CHANNEL ? KI : n / KI; }

static void apply(const fd_run *run, row what, size_t n, const uint8_t *bits, float *x) {
    const size_t columns = length(what, n);
    const ptrdiff_t size = sizeof *x, row_size = (ptrdiff_t)columns * size;
    fd_axis flat = {n, 1, size, size, 0};
    fd_axis axes[2] = {{n / columns, what != UNIT, row_size, row_size, 0}, {columns, what == UNIT, size, size, 0}};
    fd_apply(run, FD_F32, what == BACKWARD ? 1 : 2, what == BACKWARD ? &flat : axes, &ROW_VALUES, bits, x, x);
}

void row_call(const fd_run *run, row what, size_t n, double p, uint64_t stream, uint8_t *bits, float *x) {
    const fd_draw draw = fd_draw_init(KEY, stream, p);
    if (what <= RECIPE)
        fd_dropout(run, &draw, FD_F32, 0, n, &ROW_VALUES, x, x, what == FORWARD ? bits : NULL);
    else
        apply(run, what, n, bits, x);
}

static size_t bit_of(row what, size_t n, size_t i) {
    return what <= BACKWARD ? i : what == UNIT ? i % length(what, n) : i / length(what, n);
}

int row_is_right(const fd_run *run, row what, size_t n, double p, float *x, uint8_t *bits) {
    const fd_run one_thread = {run->backend, 1, SIZE_MAX, 0};
    const fd_draw draw = fd_draw_init(KEY, 0, p);
    const uint64_t unit = 1;
    uint8_t *mask = malloc(n / 8);
    float *want = malloc(n * sizeof *want);
    int right = mask && want;
    if (right) {
        memcpy(mask, bits, n / 8);
        if (what <= RECIPE)
            fd_bits(&one_thread, &draw, 1, &n, &unit, 0, mask);
        row_fill(x, n);
        row_fill(want, n);
        for (size_t i = 0; i < n; i++) {
            const size_t b = bit_of(what, n, i);
            want[i] = mask[b / 8] >> b % 8 & 1 ? want[i] * (float)ROW_VALUES.scale : 0;
        }
        row_call(run, what, n, p, 0, bits, x);
        right = memcmp(x, want, n * sizeof *x) == 0 && (what == RECIPE || memcmp(bits, mask, n / 8) == 0);
    }
    free(mask);
    free(want);
    return right;
}
