/* Some rows and columns of a matrix: gathered, scattered, and moved against a gradient. */
#include "check.h"

enum { MOST = 700 };

static ptrdiff_t chosen[2][MOST];

/* Where the element (i, j) of the part is in the whole, whose first byte is 0. */
static size_t place_of(const fd_part *part, size_t first, size_t i, size_t j) {
    return (size_t)((ptrdiff_t)first + part->row[i] * part->row_stride + part->column[j] * part->column_stride);
}

/* In C order, in Fortran order, or backwards along both axes; every other row and column at the most. */
static void check_part(fd_dtype d, size_t rows, size_t columns, int layout) {
    static const double rate = .1;
    const size_t real = types[d].real, whole_rows = 2 * rows, whole_columns = 2 * columns;
    const size_t whole = whole_rows * whole_columns * real, packed = rows * columns * real;
    const ptrdiff_t size = (ptrdiff_t)real, sign = layout == 2 ? -1 : 1;
    const size_t first = layout == 2 && whole > 0 ? whole - real : 0;
    const fd_run run = {backend, 2, SIZE_MAX, 0};
    fd_part part = {rows, columns, chosen[0], chosen[1], sign * size * (ptrdiff_t)whole_columns, sign * size};
    if (layout == 1) {
        part.row_stride = size;
        part.column_stride = size * (ptrdiff_t)whole_rows;
    }
    for (int axis = 0; axis < 2; axis++)
        for (size_t i = 0; i < MOST; i++)
            chosen[axis][i] = (ptrdiff_t)(2 * i + (random_word(i) & 1));
    for (int what = 0; what < 3; what++) { /* gather, scatter, descend */
        const size_t bytes = (what == 0 ? packed : whole) + 2 * GUARD;
        uint8_t *y = y_memory + GUARD, *to = want + GUARD;
        memset(y_memory, FILL, bytes);
        if (what > 0)
            memcpy(y, input, whole);
        memcpy(want, y_memory, bytes);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++) {
                const size_t at = place_of(&part, first, i, j), own = (i * columns + j) * real;
                const double step = product(d, computed(d, rate), number_of(d, load(d, as_kept + own)));
                if (what == 0)
                    memcpy(to + own, input + at, real);
                else if (what == 1)
                    memcpy(to + at, as_kept + own, real);
                else
                    store(d, to + at, pattern_of(d, sum(d, number_of(d, load(d, input + at)), -step)));
            }
        if (what == 0)
            fd_gather(&run, d, &part, fenced(X, input, whole) + first, y);
        else if (what == 1)
            fd_scatter(&run, d, &part, fenced(X, as_kept, packed), y + first);
        else
            fd_sgd_step(&run, d, &part, rate, fenced(X, as_kept, packed), y + first);
        check_y(d, y, bytes, what < 2);
    }
}

void check_packed(void) {
    static const size_t sizes[][2] = {{0, 3}, {3, 0}, {1, 1}, {5, 67}, {64, 3}, {300, 440}}; /* the last: two threads */
    for (fd_dtype d = FD_F32; d <= FD_F64; d++) {
        fill(d, input, 4 * 300 * 440, 0);
        fill(d, as_kept, 300 * 440, 1);
        for (size_t i = 0; i < COUNT(sizes); i++)
            for (int layout = 0; layout < 3; layout++)
                if (begin("part-%s-%zux%zu-layout%d", types[d].name, sizes[i][0], sizes[i][1], layout))
                    check_part(d, sizes[i][0], sizes[i][1], layout);
    }
}
