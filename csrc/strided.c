/* Applies packed bits to data of any strides: finds which bits belong to which run of elements. */
#include "backend.h"
#include "bitcopy.h"
#include "iterate.h"
#include "parallel.h"

/* How many elements a thread must have to save more time than waking it costs (benchmarks/README.md). */
enum { ELEMENTS_PER_THREAD = 1 << 18 };

/*
 * A chunk of work is a run of at most RUN elements along the innermost axis of y. If the bits of a run are not
 * neighbours (Fortran order), it is a tile of TILE runs of at most TILE_RUN elements: the bits are neighbours across
 * the runs then, and are transposed 64 by 64.
 */
enum { RUN = 1 << 16, TILE_RUN = 1024, TILE = 64 };

/* How many bits are packed in a buffer before they are applied. */
enum { STAGED = FD_BLOCK };

/*
 * Rows of up to this many elements, whose data are contiguous though their bits are not (a noise shape over a short
 * axis), are applied many at a time: one call per row takes longer than packing their bits in a buffer.
 */
enum { SHORT_ROW = 256 };

/* Bytes of a strided run that are copied to a buffer at a time: enough that the narrow stores are in the cache when the
 * kernel reads them with wide loads. */
enum { GATHERED = 4096 };

typedef struct {
    const fd_run *run;
    fd_dtype dtype;
    size_t size;
    fd_values values;
    const uint8_t *bits, *bits_end, *x;
    uint8_t *y;
    fd_access access;
    fd_axis run_axis, tile_axis; /* the tile's axis has extent 1 if there are no tiles */
    fd_axis row_axis;            /* of extent 0; or the short rows of a run: run_axis.bit is then the step per row */
    int interleaved;             /* whether the runs of a tile are short, and contiguous one after the other */
    uint64_t first_bit;          /* of element 0 */
    size_t piece;                /* how many elements of a run are in one chunk */
    int ndim;                    /* number of the axes that count chunks; the last two count tiles and pieces of runs */
    fd_axis axes[FD_MAX_DIMS + 2];
} apply_job;

static size_t at_most(size_t n, size_t limit) { return n < limit ? n : limit; }

FD_INLINE void copy_strided(uint8_t *to, ptrdiff_t to_step, const uint8_t *from, ptrdiff_t from_step, size_t n,
                            size_t size) {
    for (size_t i = 0; i < n; i++, to += to_step, from += from_step)
        memcpy(to, from, size);
}

/* Applies packed bits to contiguous elements, with one scale or with that of each element's p. */
static void apply_contiguous(const apply_job *job, const uint8_t *bits, const uint8_t *p, size_t n, const uint8_t *x,
                             uint8_t *y, fd_access access) {
    const fd_backend *backend = job->run->backend;
    const ptrdiff_t p_step = job->run_axis.p;
    fd_values values = job->values;
    if (p && p_step == sizeof(double)) {
        backend->of[job->dtype]->apply_p_array(bits, n, (const double *)(const void *)p, x, y);
        return;
    }
    if (p && p_step != 0) {
        enum { MOST = GATHERED / sizeof(double) };
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
FD_INLINE void apply_strided(const apply_job *job, const uint8_t *bits, fd_place at, size_t n, size_t size) {
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

/* A run of any stride whose bits are packed, from bit 0 of `bits` on. */
static void apply_run(const apply_job *job, const uint8_t *bits, fd_place at, size_t n) {
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

/* n <= 64 bits from bit `at` on, without a read past the end of the bits. */
static uint64_t load_bits(const apply_job *job, size_t at, size_t n) {
    const uint8_t *bytes = job->bits + at / 8;
    if (job->bits_end - bytes >= 9)
        return bits_at(bytes, at % 8);
    return load_bits_le(job->bits, at, n);
}

/* A run of short rows: their bits are packed in a buffer first. */
static void apply_rows(const apply_job *job, fd_place at, size_t n) {
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
        apply_run(job, staged, from, count);
    }
}

/*
 * A run whose bits have any step: they are packed in a buffer first, unless they are packed already. A step of -1 is
 * that of a run which turn_run has turned.
 */
static void apply_scattered(const apply_job *job, fd_place at, size_t n) {
    const fd_axis *axis = &job->run_axis;
    if (job->row_axis.extent > 0) {
        apply_rows(job, at, n);
        return;
    }
    if (axis->bit == 1 && at.bit % 8 == 0) {
        apply_run(job, job->bits + at.bit / 8, at, n);
        return;
    }
    uint8_t staged[STAGED / 8];
    if (axis->bit == 0) {
        memset(staged, job->bits[at.bit / 8] >> at.bit % 8 & 1 ? 0xFF : 0, (at_most(n, STAGED) + 7) / 8);
        for (size_t count; n > 0; n -= count, at = fd_moved(at, axis, count)) {
            count = n < STAGED ? n : STAGED;
            apply_run(job, staged, at, count);
        }
        return;
    }
    for (size_t count; n > 0; n -= count, at = fd_moved(at, axis, count)) {
        count = n < STAGED ? n : STAGED;
        if (axis->bit == 1) {
            for (size_t i = 0; i < count; i += 64)
                store_le64(staged + i / 8, load_bits(job, at.bit + i, at_most(count - i, 64)));
        } else if (axis->bit == -1) {
            for (size_t i = 0; i < count; i += 64) {
                const size_t width = at_most(count - i, 64);
                store_le64(staged + i / 8,
                           reversed_64(load_bits(job, at.bit - i - (width - 1), width)) >> (64 - width));
            }
        } else {
            memset(staged, 0, (count + 7) / 8);
            for (size_t i = 0, bit = at.bit; i < count; i++, bit += (size_t)axis->bit)
                staged[i / 8] |= (uint8_t)((job->bits[bit / 8] >> bit % 8 & 1) << i % 8);
        }
        apply_run(job, staged, at, count);
    }
}

/* Packs bit 0 of each of n words, then bit 1 of each, and so on: `width` of them, to whole words of `bits`. */
static void interleave(uint8_t *bits, uint64_t words[64], size_t n, size_t width) {
    enum { FEW = 8 }; /* so few are faster bit by bit than by a transposition */
    uint64_t packed = 0;
    size_t used = 0;
    if (n > FEW)
        transpose_64(words);
    for (size_t c = 0; c < width; c++) {
        uint64_t column = words[c];
        if (n <= FEW) {
            column = 0;
            for (size_t r = 0; r < n; r++)
                column |= (words[r] >> c & 1) << r;
        }
        packed |= column << used;
        used += n;
        if (used >= 64) {
            store_le64(bits, packed);
            bits += 8;
            used -= 64;
            packed = used > 0 ? column >> (n - used) : 0;
        }
    }
    store_le64(bits, packed);
}

/* A tile: `width` runs whose bits are neighbours across the runs, not along them. */
static void apply_tile(const apply_job *job, fd_place at, size_t n, size_t width) {
    uint8_t bits[TILE][TILE_RUN / 8];
    size_t bit = at.bit;
    for (size_t i = 0; i < n; i += 64) {
        uint64_t words[64] = {0};
        const size_t rows = n - i < 64 ? n - i : 64;
        const size_t step = (size_t)job->run_axis.bit, last = bit + (rows - 1) * step;
        if (bit % 8 == 0 && step % 8 == 0 && width == 64 && job->bits_end - job->bits >= (ptrdiff_t)(last / 8 + 8))
            for (size_t r = 0; r < rows; r++)
                words[r] = load_le64(job->bits + bit / 8 + r * (step / 8));
        else
            for (size_t r = 0; r < rows; r++)
                words[r] = load_bits(job, bit + r * step, width);
        bit += rows * step;
        if (job->interleaved) {
            interleave(bits[0], words, n, width);
        } else {
            transpose_64(words);
            for (size_t c = 0; c < width; c++)
                store_le64(bits[c] + i / 8, words[c]);
        }
    }
    if (job->interleaved)
        apply_run(job, bits[0], at, width * n);
    for (size_t c = 0; c < width && !job->interleaved; c++)
        apply_run(job, bits[c], fd_moved(at, &job->tile_axis, c), n);
}

static void apply_chunks(const void *job_, size_t begin, size_t end) {
    const apply_job *job = job_;
    const int tiles = job->ndim - 2, runs = job->ndim - 1;
    const size_t tile = job->tile_axis.extent > 1 ? TILE : 1, run = job->piece;
    const fd_place origin = {job->first_bit, job->x, job->y, (const uint8_t *)job->values.p};
    fd_walk walk;
    fd_walk_to(&walk, job->axes, job->ndim, origin, begin);
    for (size_t chunk = begin; chunk < end; chunk++) {
        const size_t n = at_most(job->run_axis.extent - walk.i[runs] * run, run);
        if (tile > 1)
            apply_tile(job, walk.at, n, at_most(job->tile_axis.extent - walk.i[tiles] * tile, tile));
        else
            apply_scattered(job, walk.at, n);
        fd_walk_on(&walk, 1);
    }
}

static size_t magnitude(ptrdiff_t step) { return step < 0 ? 0 - (size_t)step : (size_t)step; }

/* Sorts the axes by their steps of y, largest first, so that memory is written in order. */
static void sort_axes(fd_axis *axes, int ndim) {
    for (int d = 1; d < ndim; d++)
        for (int e = d; e > 0 && magnitude(axes[e - 1].y) < magnitude(axes[e].y); e--) {
            const fd_axis swap = axes[e];
            axes[e] = axes[e - 1];
            axes[e - 1] = swap;
        }
}

/* The axis that counts the pieces into which `axis` is cut. */
static fd_axis pieces(fd_axis axis, size_t piece) {
    const ptrdiff_t step = (ptrdiff_t)piece;
    return (fd_axis){(axis.extent - 1) / piece + 1, axis.bit * step, axis.x * step, axis.y * step, axis.p * step};
}

/* A run that goes down memory, from its other end: up memory, and down the bits. */
static void turn_run(apply_job *job) {
    fd_axis *axis = &job->run_axis;
    const ptrdiff_t last = (ptrdiff_t)axis->extent - 1;
    job->first_bit = (uint64_t)last;
    job->x += last * axis->x;
    job->y += last * axis->y;
    if (job->values.p)
        job->values.p = (const double *)(const void *)((const uint8_t *)job->values.p + last * axis->p);
    *axis = (fd_axis){axis->extent, -1, -axis->x, -axis->y, -axis->p};
}

void fd_apply(const fd_run *run, fd_dtype dtype, int ndim, fd_axis *axes, const fd_values *values, const uint8_t *bits,
              const void *x, void *y) {
    apply_job job = {.run = run, .dtype = dtype, .size = itemsize(dtype), .values = *values, .bits = bits, .x = x};
    size_t n = 1, last_bit = 0, chunks = 1;
    job.y = y;
    for (int d = 0; d < ndim; d++) {
        n *= axes[d].extent;
        last_bit += (axes[d].extent - 1) * (size_t)axes[d].bit;
    }
    if (n == 0)
        return;
    job.bits_end = bits + last_bit / 8 + 1;
    job.access = fd_access_of(run, n * job.size, x == y, 0);
    sort_axes(axes, ndim);
    ndim = fd_merge_axes(axes, ndim);
    const fd_axis single = {1, 1, (ptrdiff_t)job.size, (ptrdiff_t)job.size, 0};
    job.run_axis = ndim > 0 ? axes[--ndim] : single;
    job.tile_axis = single;
    job.piece = RUN;
    if (ndim > 0 && job.run_axis.extent <= SHORT_ROW && job.run_axis.bit <= 1 &&
        fd_data_continue(&axes[ndim - 1], &job.run_axis)) {
        const fd_axis outer = axes[--ndim];
        job.row_axis = job.run_axis;
        job.run_axis.extent *= outer.extent;
        job.run_axis.bit = outer.bit;
        job.piece = RUN / job.row_axis.extent * job.row_axis.extent;
    }
    if (job.row_axis.extent == 0 && job.run_axis.bit == 1 && job.run_axis.x < 0 && job.run_axis.y < 0)
        turn_run(&job);
    for (int d = 0; d < ndim; d++)
        if (job.row_axis.extent == 0 && job.run_axis.bit > 1 && axes[d].bit == 1)
            job.tile_axis = axes[d];
        else
            job.axes[job.ndim++] = axes[d];
    const int tiled = job.tile_axis.extent > 1;
    if (tiled)
        job.piece = TILE_RUN;
    job.interleaved = tiled && job.run_axis.extent <= 64 && fd_data_continue(&job.tile_axis, &job.run_axis);
    job.axes[job.ndim++] = pieces(job.tile_axis, tiled ? TILE : 1);
    job.axes[job.ndim++] = pieces(job.run_axis, job.piece);
    if (job.row_axis.extent > 0)
        job.axes[job.ndim - 1].bit /= (ptrdiff_t)job.row_axis.extent;
    for (int d = 0; d < job.ndim; d++)
        chunks *= job.axes[d].extent;
    fd_parallel(fd_useful(run->threads, n, ELEMENTS_PER_THREAD), chunks, apply_chunks, &job);
}
