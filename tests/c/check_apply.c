/* fd_apply: every pattern of the 16-bit types, and every layout, by one scale, affine, and by a p for each element. */
#include "check.h"

enum { AXES = 4, ROOM = 1 << 16, LARGE = 540000 };

enum { SCALED, KEPT, AFFINE, SHIFTED, FILLED, EACH };

static const struct {
    const char *name;
    fd_values values;
} kinds[] = {[SCALED] = {"scaled", {1 / .7, 0, 0, NULL}},  [KEPT] = {"kept", {1, 0, 0, NULL}},
             [AFFINE] = {"affine", {1.25, -.3, .7, NULL}}, [SHIFTED] = {"shifted", {1, .5, 0, NULL}},
             [FILLED] = {"filled", {1.25, 0, -.7, NULL}},  [EACH] = {"each", {1, 0, 0, NULL}}};

static int known_to(fd_dtype d, size_t kind) {
    return types[d].reals == 1 || (kinds[kind].values.shift == 0 && kinds[kind].values.dropped == 0);
}

/* Every pattern of the 16-bit types, kept. */
static void check_patterns(void) {
    static const double p[] = {.3, .2, 1 - 0x1p-7 / 1.5}; /* the last two make ties, of denormals too */
    static const double scales[] = {1 / (1 - .3), 1.25, 0x1.8p-7};
    const fd_run run = {backend, 1, SIZE_MAX, 0};
    memset(mask, 0xFF, 8192);
    for (fd_dtype d = FD_F16; d <= FD_BF16; d++)
        for (size_t i = 0; i < COUNT(scales); i++)
            for (size_t k = 0; k < 3; k++) {
                const size_t kind = (const size_t[]){SCALED, AFFINE, EACH}[k];
                const fd_values values = {scales[i], kind == AFFINE ? .1 : 0, 0, kind == EACH ? &p[i] : NULL};
                fd_axis axis = {65536, 1, 2, 2, 0};
                if (!begin("patterns-%s-scale%zu-%s", types[d].name, i, kinds[kind].name))
                    continue;
                for (uint64_t bits = 0; bits < 65536; bits++)
                    store(d, input + 2 * bits, bits);
                for (size_t e = 0; e < 65536; e++)
                    become(d, &values, p[i], 1, input + 2 * e, as_kept + 2 * e);
                memset(want, FILL, 131072 + 2 * GUARD);
                memcpy(want + GUARD, as_kept, 131072);
                memset(y_memory, FILL, 131072 + 2 * GUARD);
                fd_apply(&run, d, 1, &axis, &values, mask, input, y_memory + GUARD);
                check_y(d, y_memory + GUARD, 131072 + 2 * GUARD, 0);
            }
}

/* The steps of an operand that has one of 16 layouts; returns the bytes it spans, *first is where its element 0 is. */
static size_t lay_out(const size_t *extent, int layout, size_t size, ptrdiff_t *step, size_t *first) {
    const int fortran = layout & 1, gaps = layout & 2, negative = layout & 4, swapped = layout & 8;
    size_t span = size;
    *first = 0;
    for (int i = 0; i < AXES; i++) {
        const int place = swapped ? i ^ 1 : i, axis = fortran ? place : 3 - place;
        const int backwards = negative && axis % 2 == 0;
        span += gaps && extent[axis] > 1 ? size : 0;
        step[axis] = backwards ? -(ptrdiff_t)span : (ptrdiff_t)span;
        *first += backwards && extent[axis] > 0 ? (extent[axis] - 1) * span : 0;
        span *= extent[axis];
    }
    return span;
}

/* Bits in C order, those of one axis repeated in most variants, and far from one another in some; returns their span.
 */
static size_t lay_out_bits(fd_axis *axes, int variant) {
    const size_t apart = variant % 7 == 6 ? 3 : 1;
    size_t bits = apart;
    for (int a = AXES - 1; a >= 0; a--) {
        const int repeated = a + 1 == variant % 5;
        axes[a].bit = repeated ? 0 : (ptrdiff_t)bits;
        bits *= repeated ? 1 : axes[a].extent;
    }
    return bits > 0 ? bits - apart + 1 : 0;
}

/* The values of p, those of one axis repeated in most variants; returns that of element 0. */
static double *lay_out_rates(fd_axis *axes, const size_t *extent, int variant) {
    static double memory[2 * LARGE];
    ptrdiff_t step[AXES];
    size_t own[AXES], first;
    for (int a = 0; a < AXES; a++)
        own[a] = a + 1 == variant / 2 % 5 ? 1 : extent[a];
    const size_t bytes = lay_out(own, variant * 7 % 16, sizeof *memory, step, &first);
    for (int a = 0; a < AXES; a++)
        axes[a].p = own[a] == extent[a] ? step[a] : 0;
    for (size_t i = 0; i < bytes / sizeof *memory; i++)
        memory[i] = i % 5 < 2 ? (double)(i % 5) : (double)(random_word(i) >> 11) * 0x1p-53;
    return (double *)(void *)(fenced(RATES, memory, bytes) + first);
}

/* Element after element in C order: where each is, in every operand. */
typedef struct {
    size_t i[AXES];
    ptrdiff_t bit, x, y, p;
} place;

static void step_on(place *at, const fd_axis *axes) {
    for (int a = AXES - 1; a >= 0; a--) {
        const ptrdiff_t steps = ++at->i[a] < axes[a].extent ? 1 : 1 - (ptrdiff_t)axes[a].extent;
        at->bit += steps * axes[a].bit;
        at->x += steps * axes[a].x;
        at->y += steps * axes[a].y;
        at->p += steps * axes[a].p;
        if (steps == 1 && axes[a].extent > 1)
            return;
        at->i[a] = 0;
    }
}

static size_t elements(const fd_axis *axes) {
    return axes[0].extent * axes[1].extent * axes[2].extent * axes[3].extent;
}

/* What is kept has a p below 1. */
static void lower_ones(const fd_axis *axes, double *p) {
    place at = {0};
    for (size_t n = elements(axes); n > 0; n--, step_on(&at, axes)) {
        double *own = p + at.p / (ptrdiff_t)sizeof *p;
        if (*own == 1 && bit(mask, (size_t)at.bit))
            *own = .75;
    }
}

static void apply_slowly(fd_dtype d, const fd_axis *axes, const fd_values *values, const uint8_t *x, uint8_t *y) {
    place at = {0};
    for (size_t n = elements(axes); n > 0; n--, step_on(&at, axes)) {
        const double p = values->p ? values->p[at.p / (ptrdiff_t)sizeof p] : 0;
        become(d, values, p, bit(mask, (size_t)at.bit), x + at.x, y + at.y);
    }
}

/* Variants: 16 layouts of y, in place, then with an x apart: in the same layout, or C order meets Fortran order. */
static void check_layout(fd_dtype d, const size_t *extent, int variant, size_t kind) {
    const int layout = variant % 16, in_place = variant < 16;
    const size_t size = fd_itemsize(d);
    const fd_run run = {backend, 2, 0, 1};
    fd_values values = kinds[kind].values;
    ptrdiff_t x_step[AXES], y_step[AXES];
    size_t x_first, y_first;
    const size_t y_bytes = lay_out(extent, layout, size, y_step, &y_first);
    const size_t x_bytes = lay_out(extent, in_place ? layout : layout * 9 % 16, size, x_step, &x_first);
    fd_axis axes[AXES];
    for (int a = 0; a < AXES; a++)
        axes[a] = (fd_axis){extent[a], 0, x_step[a], y_step[a], 0};
    const uint8_t *bits = fenced(STORED, mask, (lay_out_bits(axes, variant) + 7) / 8);
    if (kind == EACH) {
        double *p = lay_out_rates(axes, extent, variant);
        lower_ones(axes, p);
        values.p = p;
    }
    uint8_t *y = y_memory + GUARD;
    memset(y_memory, FILL, y_bytes + 2 * GUARD);
    const uint8_t *x = in_place ? memcpy(y, input, y_bytes) : fenced(X, input, x_bytes);
    memcpy(want, y_memory, y_bytes + 2 * GUARD);
    apply_slowly(d, axes, &values, input + x_first, want + GUARD + y_first);
    int ndim = AXES;
    while (ndim > 0 && extent[AXES - ndim] == 1)
        ndim--;
    fd_apply(&run, d, ndim, axes + AXES - ndim, &values, bits, x + x_first, y + y_first);
    check_y(d, y, y_bytes + 2 * GUARD, 0);
}

void check_apply(void) {
    static const size_t extents[][AXES] = {
        {1, 1, 1, 1},    {1, 1, 1, 4200}, {1, 1, 3, 0},    {1, 1, 70, 130},  {1, 1, 520, 3},  {1, 1, 130, 1},
        {1, 2, 66, 33},  {2, 3, 65, 9},   {1, 20, 8, 67},  {1, 1, 3, 11300}, {1, 1, 2, 700},  {1, 2, 5, 600},
        {1, 1, 16, 70},  {1, 1, 17, 513}, {1, 1, 64, 515}, {2, 1, 65, 70},   {1, 1, 100, 70}, {1, 1, 1930, 34},
        {1, 1, 5003, 3}, {1, 1, 7690, 3}, {1, 1, 512, 520}};
    const fd_draw draw = fd_draw_init(key, 3, .3);
    const size_t last = COUNT(extents) - 1;
    check_patterns();
    draw_mask(&draw, 7, LARGE);
    for (fd_dtype d = 0; d < FD_DTYPES; d++) {
        fill(d, input, d == FD_F32 ? LARGE : ROOM, 0);
        const size_t first = d == FD_BF16 || d == FD_C64; /* the sizes of f16 and f64 */
        for (size_t i = first; i < (first ? 2 : COUNT(extents)); i++)
            for (size_t which = 0; which < 32 * COUNT(kinds); which++) {
                const size_t variant = which / COUNT(kinds), kind = which % COUNT(kinds);
                const int any_layout = kind == SCALED || kind == EACH;
                if (i == last && !(d == FD_F32 && variant % 15 < 2 && any_layout)) /* worth two threads */
                    continue;
                if (known_to(d, kind) && (any_layout || variant % 9 == 0) &&
                    begin("apply-%s-array%zu-variant%zu-%s", types[d].name, i, variant, kinds[kind].name))
                    check_layout(d, extents[i], (int)variant, kind);
            }
    }
}
