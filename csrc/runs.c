/* Runs of elements: of any stride, with bits of any step. */
#include "strided.h"

/* How many bits are packed in a buffer before they are applied. */
enum { STAGED = FD_BLOCK };

/* Bytes of a strided run that are copied to a buffer at a time: enough that the narrow stores are in the cache when the
 * kernel reads them with wide loads. */
enum { GATHERED = 2048 };

FD_INLINE void copy_steps(uint8_t *to, ptrdiff_t to_step, const uint8_t *from, ptrdiff_t from_step, size_t n,
                          size_t size) {
    enum { AT_ONCE = 8 };
    for (; n >= AT_ONCE; n -= AT_ONCE, to += AT_ONCE * to_step, from += AT_ONCE * from_step)
        FD_UNROLL
    for (int i = 0; i < AT_ONCE; i++)
        memcpy(to + i * to_step, from + i * from_step, size);
    for (; n > 0; n--, to += to_step, from += from_step)
        memcpy(to, from, size);
}

/* The most common steps are constants: of every other element, and of neighbours. */
FD_INLINE void copy_strided(uint8_t *to, ptrdiff_t to_step, const uint8_t *from, ptrdiff_t from_step, size_t n,
                            size_t size) {
    const ptrdiff_t one = (ptrdiff_t)size, two = 2 * one;
    if (to_step == one && from_step == two)
        copy_steps(to, one, from, two, n, size);
    else if (to_step == two && from_step == one)
        copy_steps(to, two, from, one, n, size);
    else
        copy_steps(to, to_step, from, from_step, n, size);
}

/* Applies packed bits to contiguous elements, with one scale or with that of each element's p. */
static void apply_contiguous(const fd_apply_job *job, const uint8_t *bits, const uint8_t *p, size_t n, const uint8_t *x,
                             uint8_t *y, fd_access access) {
    const fd_backend *backend = job->run->backend;
    const ptrdiff_t p_step = job->run_axis.p;
    fd_values values = job->values;
    if (p && p_step == sizeof(double)) {
        backend->of[job->dtype]->apply_p_array(bits, n, (const double *)(const void *)p, x, y);
        return;
    }
    if (p && p_step != 0) {
        enum { MOST = 64 };
        double gathered[MOST];
        for (size_t i = 0, count; i < n; i += count) {
            count = at_most(n - i, MOST);
            copy_strided((uint8_t *)gathered, sizeof *gathered, p + (ptrdiff_t)i * p_step, p_step, count,
                         sizeof *gathered);
            backend->of[job->dtype]->apply_p_array(bits + i / 8, count, gathered, x + i * job->size, y + i * job->size);
        }
        return;
    }
    if (p) {
        double repeated_p;
        memcpy(&repeated_p, p, sizeof repeated_p);
        values.scale = repeated_p < 1 ? 1 / (1 - repeated_p) : 1;
    }
    fd_apply_values(backend, job->dtype, bits, n, &values, x, y, access);
}

/* Copies a strided run to a buffer, applies the bits there, and copies it back. After inlining, size is a constant and
 * each memcpy a single move. */
FD_INLINE void apply_strided(const fd_apply_job *job, const uint8_t *bits, fd_place at, size_t n, size_t size) {
    const ptrdiff_t x_step = job->run_axis.x, y_step = job->run_axis.y, packed = (ptrdiff_t)size;
    const size_t most = GATHERED / size;
    uint8_t data[GATHERED] __attribute__((aligned(64)));
    for (size_t i = 0; i < n; i += most, bits += most / 8, at = fd_moved(at, &job->run_axis, most)) {
        const size_t count = at_most(n - i, most);
        copy_strided(data, packed, at.x, x_step, count, size);
        apply_contiguous(job, bits, at.p, count, data, data, (fd_access){0, 0});
        copy_strided(at.y, y_step, data, packed, count, size);
    }
}

void fd_apply_run(const fd_apply_job *job, const uint8_t *bits, fd_place at, size_t n) {
    const ptrdiff_t size = (ptrdiff_t)job->size;
    if (job->run_axis.x == size && job->run_axis.y == size)
        apply_contiguous(job, bits, at.p, n, at.x, at.y, job->access);
    else if (size == 2)
        apply_strided(job, bits, at, n, 2);
    else if (size == 4)
        apply_strided(job, bits, at, n, 4);
    else if (size == 8)
        apply_strided(job, bits, at, n, 8);
    else
        apply_strided(job, bits, at, n, 16);
}

/* A run of short rows: their bits are packed in a buffer first. */
static void apply_rows(const fd_apply_job *job, fd_place at, size_t n) {
    const size_t row = job->row_axis.extent, most = STAGED / row * row;
    const fd_axis data = {1, 0, job->run_axis.x, job->run_axis.y, job->run_axis.p};
    uint8_t staged[STAGED / 8 + 9];
    for (size_t count; n > 0; n -= count, at = fd_moved(at, &data, count)) {
        const fd_place from = at;
        count = at_most(n, most);
        memset(staged, 0, count / 8 + 9);
        for (size_t i = 0; i < count; i += row, at.bit += (size_t)job->run_axis.bit)
            for (size_t j = 0; j < row; j += 64) {
                const size_t width = at_most(row - j, 64);
                const uint64_t first = job->bits[at.bit / 8] >> at.bit % 8 & 1;
                put_bits(staged, i + j, job->row_axis.bit ? load_bits(job, at.bit + j, width) : 0 - first, width);
            }
        fd_apply_run(job, staged, from, count);
    }
}

/* n bits down from bit `at`, last first: byte by byte, and then within the bytes of two words at a time. */
static void load_turned(const fd_apply_job *job, size_t at, size_t n, uint8_t *staged) {
    for (size_t i = 0; i < n; i += 64) {
        const size_t width = at_most(n - i, 64);
        const uint64_t word = load_bits(job, at - i - (width - 1), width) << (64 - width);
        store_le64(staged + i / 8, __builtin_bswap64(word));
    }
    for (size_t i = 0; i < n; i += 128)
        reverse_bytes(staged + i / 8);
}

/* The n bits of a run, for a step that is not 0; one of -1 is that of a run which turn_run has turned. */
static void load_run(const fd_apply_job *job, size_t at, size_t n, uint8_t *staged) {
    const int64_t step = job->run_axis.bit;
    if (step == 1) {
        for (size_t i = 0; i < n; i += 64)
            store_le64(staged + i / 8, load_bits(job, at + i, at_most(n - i, 64)));
    } else if (step == -1) {
        load_turned(job, at, n, staged);
    } else {
        memset(staged, 0, (n + 7) / 8);
        for (size_t i = 0; i < n; i++, at += (size_t)step)
            staged[i / 8] |= (uint8_t)((job->bits[at / 8] >> at % 8 & 1) << i % 8);
    }
}

void fd_apply_scattered(const fd_apply_job *job, fd_place at, size_t n) {
    const fd_axis *axis = &job->run_axis;
    uint8_t staged[STAGED / 8];
    if (job->row_axis.extent > 0) {
        apply_rows(job, at, n);
        return;
    }
    if (axis->bit == 1 && at.bit % 8 == 0) {
        fd_apply_run(job, job->bits + at.bit / 8, at, n);
        return;
    }
    if (axis->bit == 0)
        memset(staged, job->bits[at.bit / 8] >> at.bit % 8 & 1 ? 0xFF : 0, (at_most(n, STAGED) + 7) / 8);
    for (size_t count; n > 0; n -= count, at = fd_moved(at, axis, count)) {
        count = at_most(n, STAGED);
        if (axis->bit != 0)
            load_run(job, at.bit, count, staged);
        fd_apply_run(job, staged, at, count);
    }
}
