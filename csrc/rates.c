/* An array p before it is drawn from: checked, copied, and in as few axes as it can be walked by. */
#include "rates.h"

/* Values that are looked at before it is asked whether one was wrong. */
enum { CHECKED = 1024 };

typedef double pair_of_doubles __attribute__((vector_size(16)));

/*
 * The top bit is set where p is not between 0 and 1. The bits of doubles from 0 on are in the doubles' order, NaN above
 * all, and a negative one has the top bit itself; the sum makes -0.0 to 0.
 */
static fd_pair wrong_bits(pair_of_doubles p) {
    const uint64_t one = 0x3FF0000000000000;
    const fd_pair bits = (fd_pair)(p + 0.0);
    return bits | (one - bits);
}

static int is_wrong(double p) { return wrong_bits((pair_of_doubles){p, p})[0] >> 63; }

size_t fd_rates_copy(const double *p, size_t n, double *copy) {
    for (size_t at = 0; at < n; at += CHECKED) {
        const size_t end = n - at < CHECKED ? n : at + CHECKED;
        fd_pair wrong = {0, 0};
        for (size_t i = at; i + 1 < end; i += 2) {
            pair_of_doubles pair;
            memcpy(&pair, p + i, sizeof pair);
            wrong |= wrong_bits(pair);
        }
        if ((wrong[0] | wrong[1]) >> 63 || is_wrong(p[end - 1]))
            for (size_t i = at; i < end; i++)
                if (is_wrong(p[i]))
                    return i;
        for (size_t i = at; copy && i < end; i++)
            copy[i] = p[i] + 0.0;
    }
    return n;
}

fd_rates fd_rates_of(const double *p, int ndim, const size_t *shape, const ptrdiff_t *step) {
    fd_rates rates = {.p = p};
    for (int d = 0; d < ndim; d++) { /* an axis whose step is the extent of the one inside it continues it */
        if (rates.ndim > 0 && rates.step[rates.ndim - 1] == (ptrdiff_t)shape[d] * step[d]) {
            rates.shape[rates.ndim - 1] *= shape[d];
            rates.step[rates.ndim - 1] = step[d];
        } else if (shape[d] > 1 || (d == ndim - 1 && rates.ndim == 0)) {
            rates.shape[rates.ndim] = shape[d];
            rates.step[rates.ndim++] = step[d];
        }
    }
    return rates;
}
