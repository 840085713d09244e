/* The entry points that take an array p. */

/* Values of an array p in any layout, whose steps, in bytes, go to `steps`: larger than need be, or 0 to repeat. */
static double *rates_in(int ndim, const size_t *shape, ptrdiff_t *steps) {
    ptrdiff_t step = 8;
    for (int d = ndim - 1; d >= 0; d--) {
        steps[d] = below(4) ? step : 0;
        step *= steps[d] ? (ptrdiff_t)(shape[d] + below(2)) : 1;
    }
    double *p = room((size_t)step, 8, NULL);
    for (size_t i = 0; i < (size_t)step / 8; i++)
        p[i] = i < 9 ? probability() : p[i % 9];
    return p;
}

/* The value of element i. */
static double rate_at(const double *p, size_t i, int ndim, const size_t *shape, const ptrdiff_t *steps) {
    ptrdiff_t at = 0;
    for (int d = ndim - 1; d >= 0; i /= shape[d--])
        at += (ptrdiff_t)(i % shape[d]) * steps[d];
    return *(const double *)((const uint8_t *)p + at);
}

static void dropout_p_array(void) {
    const size_t rows = 1 + below(most > FEW ? 150 : 12), shape[2] = {rows, 1 + below(60)}, n = shape[0] * shape[1],
                 align = types[dtype].real;
    ptrdiff_t steps[2];
    const double *p = rates_in(2, shape, steps);
    const fd_p_array rates = fd_p_array_of(p, 2, shape, steps);
    const fd_draw draw = fd_draw_init_array(key, mask.stream, &rates);
    const fd_values values = {1, 0, 0, below(4) ? p : NULL};
    const uint64_t index = index_of(n);
    const uint8_t *before = operand();
    uint8_t *x = room(n * size, align, before), *y = below(2) ? x : room(n * size, align, NULL);
    uint8_t *packed = below(2) ? room((n + 7) / 8, 1, NULL) : NULL;
    fd_dropout(&run, &draw, dtype, index, n, &values, x, y, packed);
    for (size_t i = 0; i < n; i++) {
        mask.p = rate_at(p, i, 2, shape, steps);
        const int kept = is_kept_each(&mask, index + i);
        const fd_values own = {1, 0, 0, values.p ? &mask.p : NULL};
        check_element(before + i * size, y + i * size, kept, &own, i);
        check(!packed || bit(packed, i) == kept, "bits", i);
    }
    check(x == y || memcmp(x, before, n * size) == 0, "x", 0);
    if (packed)
        check_tail(packed, n);
}

static void bits_each(void) {
    const int ndim = 1 + (int)below(AXES);
    size_t shape[AXES];
    uint64_t places[AXES], first;
    ptrdiff_t steps[AXES];
    const size_t n = part_of(ndim, shape, places, &first);
    const double *p = rates_in(ndim, shape, steps);
    const fd_p_array rates = fd_p_array_of(p, ndim, shape, steps);
    const fd_draw draw = fd_draw_init_array(key, mask.stream, &rates);
    uint8_t *packed = room((n + 7) / 8, 1, NULL);
    fd_bits(&run, &draw, ndim, shape, places, first, packed);
    for (size_t i = 0; i < n; i++) {
        mask.p = rate_at(p, i, ndim, shape, steps);
        check(bit(packed, i) == is_kept_each(&mask, place_of(i, ndim, shape, places, first)), "bits", i);
    }
    check_tail(packed, n);
}

static void rates_copy(void) {
    static const double odd[] = {NAN, -1, 2, INFINITY, -INFINITY, -5e-324, 1 + 0x1p-52, -0.0};
    const size_t n = count(), wrong = below(3) ? n : below(n + 1);
    double *p = room(n * 8, 8, NULL), *copy = below(4) ? room(n * 8, 8, NULL) : NULL;
    for (size_t i = 0; i < n; i++)
        p[i] = i < 9 ? probability() : p[i % 9];
    for (size_t i = wrong, j; i < n; i += 1 + j * j) {
        j = below(99);
        p[i] = odd[j % 8];
    }
    size_t want = 0;
    while (want < n && p[want] >= 0 && p[want] <= 1)
        want++;
    check(fd_p_array_copy(&run, p, n, copy) == want, "the first wrong rate", want);
    for (size_t i = 0; copy && want == n && i < n; i++)
        check(copy[i] == p[i] && !signbit(copy[i]), "a copy", i);
}
