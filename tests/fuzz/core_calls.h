/* One function an entry point, each of operands that the fuzzer chooses; array p and matrices have their own files. */

static void dropout(void) {
    const size_t n = count(), align = types[dtype].real;
    const uint64_t index = index_of(n);
    fd_values values = scaled_by(below(4) ? mask.p : 0);
    const fd_draw draw = fd_draw_init(key, mask.stream, mask.p);
    if (dtype < FD_C64 && mask.p < 1 && below(3) == 0)
        values.shift = 0.3, values.dropped = -1.1;
    const uint8_t *before = operand();
    uint8_t *x = room(n * size, align, before), *y = below(2) ? x : room(n * size, align, NULL);
    uint8_t *packed = below(2) ? room((n + 7) / 8, 1, NULL) : NULL;
    fd_dropout(&run, &draw, dtype, index, n, &values, x, y, packed);
    for (size_t i = 0; i < n; i++) {
        const int kept = is_kept(&mask, index + i);
        check_element(before + i * size, y + i * size, kept, &values, i);
        check(!packed || bit(packed, i) == kept, "bits", i);
    }
    check(x == y || memcmp(x, before, n * size) == 0, "x", 0);
    if (packed)
        check_tail(packed, n);
}

/* A part of a larger array: its shape and its steps, in places; returns how many elements it has. */
static size_t part_of(int ndim, size_t *shape, uint64_t *steps, uint64_t *first) {
    size_t n = 1;
    uint64_t last = 0;
    for (int d = ndim - 1; d >= 0; d--) {
        const size_t room_left = n > 0 ? 1 + most / (n + 1) : 9;
        shape[d] = below(16) ? 1 + below(room_left) : 0;
        n *= shape[d];
        steps[d] = d == ndim - 1 ? 1 : below(2) ? shape[d + 1] * steps[d + 1] + below(2) * below(5000) : word() >> 16;
        last += shape[d] ? (shape[d] - 1) * steps[d] : 0;
    }
    *first = below(2) ? below(9000) : last ? word() % (0 - last) : word();
    return n;
}

/* first and the steps to element i, in C order. */
static uint64_t place_of(size_t i, int ndim, const size_t *shape, const uint64_t *steps, uint64_t first) {
    for (int d = ndim - 1; d >= 0; i /= shape[d--])
        first += i % shape[d] * steps[d];
    return first;
}

static void bits(void) {
    const int ndim = 1 + (int)below(AXES);
    size_t shape[AXES];
    uint64_t steps[AXES], first;
    const size_t n = part_of(ndim, shape, steps, &first);
    const fd_draw draw = fd_draw_init(key, mask.stream, mask.p);
    uint8_t *packed = room((n + 7) / 8, 1, NULL);
    fd_bits(&run, &draw, ndim, shape, steps, first, packed);
    for (size_t i = 0; i < n; i++)
        check(bit(packed, i) == is_kept(&mask, place_of(i, ndim, shape, steps, first)), "bits", i);
    check_tail(packed, n);
}

/* Steps of an array with its axes in any order, larger than need be and of any sign; returns its bytes and its start.
 */
static size_t lay_out(int ndim, const fd_axis *axes, ptrdiff_t *steps, size_t *origin) {
    ptrdiff_t step = (ptrdiff_t)size, low = 0, high = 0;
    size_t order[AXES] = {0, 1, 2, 3};
    for (int d = ndim - 1; d > 0; d--) {
        const size_t e = below((size_t)d + 1), swap = order[d];
        order[d] = order[e];
        order[e] = swap;
    }
    for (int d = 0; d < ndim; d++) {
        const ptrdiff_t extent = (ptrdiff_t)axes[order[d]].extent;
        steps[order[d]] = below(4) == 0 ? -step : step;
        *(steps[order[d]] < 0 ? &low : &high) += extent > 0 ? (extent - 1) * steps[order[d]] : 0;
        step *= extent + (ptrdiff_t)(below(4) == 0);
    }
    *origin = (size_t)-low;
    return (size_t)(high - low) + size;
}

static void apply(void) {
    const int ndim = (int)below(AXES + 1), plain = below(3) != 0;
    fd_axis axes[AXES], copy[AXES];
    ptrdiff_t x_steps[AXES], y_steps[AXES], step = 1, p_step = 8;
    size_t n = 1, noise = 1, x_origin, y_origin;
    for (int d = ndim - 1; d >= 0; d--) {
        const size_t room_left = n > 0 ? 1 + most / (n + 1) : 9;
        axes[d].extent = below(32) ? 1 + below(room_left) : 0;
        n *= axes[d].extent;
        axes[d].bit = below(4) ? step : 0;
        step *= axes[d].bit ? (ptrdiff_t)axes[d].extent : 1;
        noise *= axes[d].bit ? axes[d].extent : 1;
        axes[d].p = plain || below(3) == 0 ? 0 : p_step;
        p_step *= axes[d].p ? (ptrdiff_t)axes[d].extent : 1;
    }
    const size_t x_bytes = lay_out(ndim, axes, x_steps, &x_origin), y_bytes = lay_out(ndim, axes, y_steps, &y_origin);
    const int in_place = below(2) == 0;
    if (x_bytes > INPUT - 64 * 16 || y_bytes > INPUT - 64 * 16)
        return;
    const uint8_t *before = operand();
    uint8_t *y = room(y_bytes, types[dtype].real, in_place ? before : NULL), *packed = room((noise + 7) / 8, 1, NULL);
    uint8_t *x = in_place ? y : room(x_bytes, types[dtype].real, before);
    uint8_t *gaps = room(y_bytes, 1, y);
    double *p = plain ? NULL : room((size_t)p_step, 8, NULL);
    for (size_t i = 0; p && i < (size_t)p_step / 8; i++)
        p[i] = i < 9 ? probability() / 2 : p[i % 9]; /* a p of 1 would have no bit */
    for (size_t i = 0; i < (noise + 7) / 8; i++)
        packed[i] = (uint8_t)mixed_b(i + mask.stream);
    if (in_place)
        x_origin = y_origin;
    for (int d = 0; d < ndim; d++) {
        axes[d].x = in_place ? y_steps[d] : x_steps[d];
        axes[d].y = y_steps[d];
        copy[d] = axes[d];
    }
    fd_values values = scaled_by(p || below(4) == 0 ? 0 : mask.p);
    values.p = p;
    fd_apply(&run, dtype, ndim, copy, &values, packed, x + x_origin, y + y_origin);
    for (size_t i = 0; i < n; i++) {
        size_t from = x_origin, to = y_origin, at = 0, of_p = 0;
        for (size_t d = (size_t)ndim, rest = i, k; d-- > 0; rest /= axes[d].extent) {
            k = rest % axes[d].extent;
            from += k * (size_t)axes[d].x;
            to += k * (size_t)axes[d].y;
            at += k * (size_t)axes[d].bit;
            of_p += k * (size_t)axes[d].p / 8;
        }
        const fd_values own = {values.scale, 0, 0, p ? p + of_p : NULL};
        check_element(before + from, y + to, bit(packed, at), &own, i);
        memcpy(gaps + to, y + to, size);
    }
    check(memcmp(gaps, y, y_bytes) == 0, "a gap", 0);
}

static void residual(void) {
    const size_t n = count(), period = 1 + below(below(2) ? 9 : most > FEW ? 5000 : FEW), align = types[dtype].real;
    const uint64_t index = index_of(n);
    const fd_values values = {1, 0, 0, &mask.p}; /* NaNs need not stay as they are */
    const double scale = mask.p < 1 ? scaled_by(mask.p).scale : INFINITY;
    const fd_draw draw = fd_draw_init(key, mask.stream, mask.p);
    const uint8_t *x_before = operand(), *skipped_before = operand();
    uint8_t *bias = below(4) ? room((period + FD_BIAS_SLACK) * size, align, NULL) : NULL;
    for (size_t i = 0; bias && i < period + FD_BIAS_SLACK; i++)
        memcpy(bias + i * size, input + i % period * size, size);
    uint8_t *x = room(n * size, align, x_before), *skipped = below(4) ? room(n * size, align, skipped_before) : NULL;
    uint8_t *want = room(n * size, 16, NULL), *want_bits = room((n + 7) / 8, 1, NULL);
    uint8_t *packed = below(2) ? room((n + 7) / 8, 1, NULL) : NULL;
    const size_t where = below(3);
    fd_bias_residual(&portable, &draw, dtype, index, n, scale, x, bias, period, skipped, want, want_bits);
    uint8_t *y = where == 0 ? x : where == 1 && skipped ? skipped : room(n * size, align, NULL);
    fd_bias_residual(&run, &draw, dtype, index, n, scale, x, bias, period, skipped, y, packed);
    check_same(dtype, y, want, n * types[dtype].reals, "y");
    for (size_t i = 0; i < n; i++) {
        const int kept = is_kept(&mask, index + i);
        check(bit(want_bits, i) == kept && (!packed || bit(packed, i) == kept), "bits", i);
        if (!bias && !skipped)
            check_element(x_before + i * size, y + i * size, kept, &values, i);
    }
}

static void backward(void) {
    const size_t period = 1 + below(below(2) ? 9 : most / 12), n = period * below(most / period);
    const size_t align = types[dtype].real;
    const size_t reals = period * types[dtype].reals, doubles = (fd_bias_parts(n) + 1) * 2 * reals;
    const fd_values values = scaled_by(mask.p);
    uint8_t *dy = room(n * size, align, operand()), *packed = room((n + 7) / 8, 1, NULL);
    uint8_t *want = room(n * size, 16, NULL), *dx = below(2) ? dy : room(n * size, align, NULL);
    double *sums = room(doubles * 8, 8, NULL), *want_sums = room(doubles * 8, 8, NULL);
    memset(sums, 0, doubles * 8);
    memset(want_sums, 0, doubles * 8);
    for (size_t i = 0; i < (n + 7) / 8; i++)
        packed[i] = (uint8_t)mixed_b(i + mask.stream);
    fd_bias_residual_backward(&portable, dtype, n, period, values.scale, packed, dy, want, want_sums);
    for (size_t i = 0; i < n; i++)
        check_element(dy + i * size, want + i * size, bit(packed, i), &values, i);
    fd_bias_residual_backward(&run, dtype, n, period, values.scale, packed, dy, dx, sums);
    check_same(dtype, dx, want, n * types[dtype].reals, "dx");
    check_same(FD_F64, sums, want_sums, reals, "dbias");
}

static void samples(void) {
    const size_t n = count() / 2, many = 1 + below(4), align = types[dtype].real;
    const uint64_t index = index_of(n);
    const uint8_t *before = operand();
    const fd_values values = scaled_by(mask.p);
    uint8_t *x = room(n * size, align, before), *y = room(n * many * size, align, NULL);
    fd_samples(&run, key, mask.p, dtype, index, n, many, x, y);
    for (size_t t = 0; t < many; t++) {
        const fd_key child = fd_fold_in(key, t);
        const mask_of sample = {{child.k0, child.k1}, 0, mask.p};
        for (size_t i = 0; i < n; i++)
            check_element(before + i * size, y + (t * n + i) * size, is_kept(&sample, index + i), &values, i);
    }
    check(memcmp(x, before, n * size) == 0, "x", 0);
}
