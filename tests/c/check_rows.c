/* What the benchmark times, in small, begun at a page and 16 bytes behind one. */
#include "check.h"
#include "rows.h"

void check_rows(void) {
    const size_t n = 20 * KI;
    const fd_run run = {backend, 2, SIZE_MAX, 0};
    for (row what = 0; what < ROWS; what++)
        for (int p = 1; p <= 5; p += 4)
            for (int offset = 0; offset <= 16; offset += 16) {
                float *x = (float *)(void *)(y_memory + offset);
                if (!begin("rows-%s-p.%d-offset%d", row_names[what], p, offset))
                    continue;
                memcpy(bit_memory, input, n / 8);
                if (!row_is_right(&run, what, n, p / 10.0, x, bit_memory))
                    fail("row", 0);
            }
}
