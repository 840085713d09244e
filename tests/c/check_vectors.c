/*
 * The known answers of masks, a case a line, as write_vectors in run.py makes them:
 *
 *   mask k0 k1 stream start ndim, then extent and index stride of each axis, then p, then the bits
 *   each, of an array p: the same but for the p of each element
 */
#include "check.h"

enum { MOST = 4096 };

static uint8_t expected[MOST];
static double rates[MOST];

/* Reads the ceil(n/8) bytes; whether they are there. */
static int read_bits(FILE *file, size_t n) {
    static char hex[2 * MOST + 1];
    if (fscanf(file, "%8192s", hex) != 1 || strlen(hex) != (n + 7) / 8 * 2)
        return 0;
    for (size_t i = 0; i < (n + 7) / 8; i++)
        sscanf(hex + 2 * i, "%2" SCNx8, &expected[i]);
    return 1;
}

/* The bits alone, and, where they are those of consecutive elements, as dropout makes them. */
static void check_answer(int line, const fd_draw *draw, int ndim, const size_t *shape, const uint64_t *strides,
                         uint64_t start, size_t n) {
    const fd_run run = {backend, 2, SIZE_MAX, 0};
    const fd_values values = {1, 0, 0, NULL};
    if (begin("vector-line%d", line)) {
        memset(bit_memory, FILL, 2 * GUARD + sizeof expected);
        fd_bits(&run, draw, ndim, shape, strides, start, bit_memory + GUARD);
        check_bits(expected, n);
    }
    if (ndim == 1 && begin("vector-line%d-dropout", line)) {
        memset(bit_memory, FILL, 2 * GUARD + sizeof expected);
        fd_dropout(&run, draw, FD_F16, start, n, &values, input, y_memory, bit_memory + GUARD);
        check_bits(expected, n);
    }
}

int check_vectors(FILE *file) {
    static const ptrdiff_t step = sizeof *rates;
    fd_key k;
    uint64_t stream, start;
    char kind[8];
    int ndim, line = 0;
    rewind(file);
    while (fscanf(file, "%7s %" SCNx64 "%" SCNx64 "%" SCNu64 "%" SCNu64 "%d", kind, &k.k0, &k.k1, &stream, &start,
                  &ndim) == 6) {
        const int each = strcmp(kind, "each") == 0;
        size_t shape[8], n = 1;
        uint64_t strides[8];
        line++;
        for (int i = 0; i < ndim && i < 8; i++) {
            if (fscanf(file, "%zu%" SCNu64, &shape[i], &strides[i]) != 2)
                return 0;
            n *= shape[i];
        }
        for (size_t i = 0; i < (each ? n : 1); i++)
            if (i == MOST || fscanf(file, "%la", &rates[i]) != 1)
                return 0;
        if (!read_bits(file, n))
            return 0;
        const fd_p_array array = fd_p_array_of(rates, 1, &n, &step);
        const fd_draw draw = each ? fd_draw_init_array(k, stream, &array) : fd_draw_init(k, stream, rates[0]);
        check_answer(line, &draw, ndim, shape, strides, start, n);
    }
    return line > 0 && feof(file);
}
