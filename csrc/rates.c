/* An array p before it is drawn from: checked, copied, and in as few axes as it can be walked by. */
#include "rates.h"

/* Values that are looked at before it is asked whether one was wrong. */
enum { CHECKED = 1024 };

static int is_wrong(double p) { return !(p >= 0 && p <= 1); }

size_t fd_rates_copy(const double *p, size_t n, double *copy) {
    for (size_t at = 0; at < n; at += CHECKED) {
        const size_t end = n - at < CHECKED ? n : at + CHECKED;
        int wrong = 0;
        for (size_t i = at; i < end; i++) {
            wrong |= is_wrong(p[i]);
            copy[i] = p[i] + 0.0;
        }
        for (size_t i = at; wrong && i < end; i++)
            if (is_wrong(p[i]))
                return i;
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
