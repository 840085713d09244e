/* Parts of a matrix: gather, scatter, descend, each beside element after element. */

typedef struct {
    fd_part part;
    uint8_t *whole; /* its first byte, not its element (0, 0) */
    size_t bytes, origin;
    uint8_t *packed;
} matrix;

/* Some of the indices below n, in rising order or in any. */
static const ptrdiff_t *some_of(size_t n, size_t *many) {
    ptrdiff_t chosen[MATRIX];
    const uint64_t seed = word();
    const size_t all = below(4) == 0, rising = below(2);
    *many = 0;
    for (size_t i = 0; i < n; i++)
        if (all || mixed_a(seed + i) & 1) {
            const size_t to = rising ? *many : mixed_b(seed + i) % (*many + 1);
            chosen[*many] = chosen[to];
            chosen[to] = (ptrdiff_t)i;
            ++*many;
        }
    return room(*many * sizeof *chosen, sizeof *chosen, chosen);
}

/* Of float or double, steps of any sign; `repeats`: a step may be 0. */
static matrix a_matrix(int repeats) {
    matrix m;
    ptrdiff_t steps[2];
    const size_t side = most > FEW ? MATRIX : 20;
    const fd_axis axes[2] = {{.extent = below(side)}, {.extent = below(side)}};
    dtype = below(2) ? FD_F32 : FD_F64;
    size = fd_itemsize(dtype);
    m.bytes = lay_out(2, axes, steps, &m.origin);
    if (repeats && below(4) == 0 && steps[1] > 0)
        steps[1] = 0;
    m.whole = room(m.bytes, size, operand());
    m.part.row = some_of(axes[0].extent, &m.part.rows);
    m.part.column = some_of(axes[1].extent, &m.part.columns);
    m.part.row_stride = steps[0];
    m.part.column_stride = steps[1];
    m.packed = room(m.part.rows * m.part.columns * size, size, operand());
    return m;
}

/* Where in the whole element i of the packed matrix is. */
static size_t whole_at(const matrix *m, size_t i) {
    const ptrdiff_t row = m->part.row[i / m->part.columns], column = m->part.column[i % m->part.columns];
    return m->origin + (size_t)(row * m->part.row_stride + column * m->part.column_stride);
}

static void gather(void) {
    const matrix m = a_matrix(1);
    const uint8_t *before = room(m.bytes, 1, m.whole);
    fd_gather(&run, dtype, &m.part, m.whole + m.origin, m.packed);
    for (size_t i = 0; i < m.part.rows * m.part.columns; i++)
        check(memcmp(m.packed + i * size, before + whole_at(&m, i), size) == 0, "gathered", i);
    check(memcmp(m.whole, before, m.bytes) == 0, "whole", 0);
}

static void scatter(void) {
    const matrix m = a_matrix(0);
    const size_t n = m.part.rows * m.part.columns;
    uint8_t *want = room(m.bytes, 1, m.whole), *packed = room(n * size, 1, m.packed);
    for (size_t i = 0; i < n; i++)
        memcpy(want + whole_at(&m, i), packed + i * size, size);
    fd_scatter(&run, dtype, &m.part, m.packed, m.whole + m.origin);
    check(memcmp(m.whole, want, m.bytes) == 0, "scattered", 0);
    check(memcmp(m.packed, packed, n * size) == 0, "packed", 0);
}

/* One step, rounded to the dtype. */
static void move_down(uint8_t *at_, double rate, const uint8_t *gradient_) {
    double value = 0, gradient = 0;
    float at, by;
    if (dtype == FD_F32) {
        memcpy(&at, at_, 4);
        memcpy(&by, gradient_, 4);
        by *= (float)rate;
        at -= by;
        memcpy(at_, &at, 4);
    } else {
        memcpy(&value, at_, 8);
        memcpy(&gradient, gradient_, 8);
        gradient *= rate;
        value -= gradient;
        memcpy(at_, &value, 8);
    }
}

static void descend(void) {
    const matrix m = a_matrix(0);
    const size_t n = m.part.rows * m.part.columns;
    const double rate = below(4) ? probability() : -(double)(float)ldexp((double)(word() >> 11), (int)below(150) - 100);
    uint8_t *want = room(m.bytes, 1, m.whole), *packed = room(n * size, 1, m.packed);
    fd_sgd_step(&run, dtype, &m.part, rate, m.packed, m.whole + m.origin);
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = want + whole_at(&m, i);
        const uint8_t *got = m.whole + whole_at(&m, i);
        move_down(at, rate, packed + i * size);
        check_same(dtype, got, at, 1, "descended");
        memcpy(at, got, size);
    }
    check(memcmp(m.whole, want, m.bytes) == 0, "beside the part", 0);
    check(memcmp(m.packed, packed, n * size) == 0, "packed", 0);
}
