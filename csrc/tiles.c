/* Tiles: runs of data whose bits are neighbours across the runs, so that the bits are turned before they are applied.
 */
#include "strided.h"

/* A tile has at most so many bits; one of interleaved runs about so many, or 512 runs if that is more. */
enum { TILE_BITS = 12 << 13, INTERLEAVED_BITS = 1 << 15 };

/* So many rows of bits are turned at a time: eight squares of 64. */
enum { ROWS = FD_LANES * FD_WORD };

/*
 * Squares of 64 read the bits in the longest stretches. But memory is fastest in order, so fewer runs are taken if they
 * are too long for that, down to a quarter, and cut only if they are longer: into blocks, which kernels align.
 */
fd_tiling fd_tiling_of(const fd_apply_job *job, fd_axis across) {
    const size_t extent = job->run_axis.extent, stored = (extent + FD_WORD - 1) / FD_WORD * FD_WORD;
    const int continues = fd_data_continue(&across, &job->run_axis);
    fd_tiling tiles = {.axis = across, .square = FD_WORD, .width = FD_WORD, .piece = extent};
    if (stored > TILE_BITS / FD_WORD) {
        tiles.square = FD_WORD / 2;
        tiles.piece = stored > TILE_BITS / (FD_WORD / 4) ? FD_BLOCK : extent;
        tiles.width = at_most(TILE_BITS / (tiles.piece == extent ? stored : FD_BLOCK), FD_WORD / 2);
    }
    tiles.joined = continues && tiles.piece == extent && (extent % 8 == 0 || extent <= ROWS);
    tiles.interleaved = continues && extent <= FD_WORD;
    if (tiles.interleaved)
        tiles.width = (INTERLEAVED_BITS / extent + ROWS - 1) / ROWS * ROWS;
    return tiles;
}

/* The bits of n <= 64 runs of `width` elements, element by element. */
static void interleave_bits(const fd_apply_job *job, uint64_t (*words)[FD_LANES], size_t bit, size_t n, size_t width,
                            uint8_t *bits) {
    const size_t step = (size_t)job->run_axis.bit;
    for (size_t i = 0; i < width; i += ROWS, bits += ROWS / 8 * n) {
        const size_t count = at_most(width - i, ROWS);
        for (size_t r = 0; r < n; r++)
            for (size_t j = 0; j < ROWS; j += FD_WORD)
                words[r][j / FD_WORD] =
                    j < count ? load_bits(job, bit + r * step + i + j, at_most(count - j, FD_WORD)) : 0;
        job->run->backend->interleave(words, (int)n, (int)((count + FD_WORD - 1) / FD_WORD), bits);
    }
}

/*
 * Rows of bits, as squares of `size` rows that are turned at a time, two in a word if size is 32. Rows are asked for
 * from memory before they are loaded. After inlining, size is a constant.
 */
FD_INLINE void load_squares(const fd_apply_job *job, uint64_t (*words)[FD_LANES], size_t bit, size_t rows, size_t width,
                            size_t size) {
    const size_t step = (size_t)job->run_axis.bit, last = bit + (rows - 1) * step;
    const size_t ahead = FD_WORD * step / 8; /* bytes; and the line of a row's last bits may be the next */
    const int inside = job->bits_end - job->bits >= (ptrdiff_t)(last / 8 + 9);
    memset(words, 0, size * sizeof *words);
    for (size_t r = 0; r < rows; r += size) {
        const size_t count = at_most(rows - r, size);
        for (size_t i = 0; i < count; i++, bit += step) {
            const uint8_t *bytes = job->bits + bit / 8;
            uint64_t row = 0;
            if (!inside)
                row = load_bits(job, bit, width);
            else if (size == FD_WORD)
                row = bits_at(bytes, bit % 8);
            else
                row = load_le64(bytes) >> bit % 8;
            if (size < FD_WORD)
                row = (row & 0xFFFFFFFF) << (r % FD_WORD);
            words[i][r / FD_WORD] |= row;
            __builtin_prefetch(bytes + ahead);
            __builtin_prefetch(bytes + ahead + 8);
        }
    }
}

/* Stores the rows' bits from bit `at` on, in the last eight bytes with what follows them in the words. */
static void store_row(uint8_t *bits, size_t at, uint64_t *words, size_t rows) {
    if (at % 8 == 0) {
        for (size_t r = 0; r < rows; r += FD_WORD)
            store_le64(bits + (at + r) / 8, words[r / FD_WORD]);
    } else {
        for (size_t r = 0; r < rows; r += FD_WORD)
            store_le64((uint8_t *)(words + r / FD_WORD), words[r / FD_WORD]);
        copy_bits(bits, at, (const uint8_t *)words, 0, rows);
    }
}

/*
 * The bits of `width` runs of n elements, those of each run `pitch` bits after those of the last. The last rows come
 * first, as their words may reach into the next run's first bits, which are stored after them.
 */
static void turn_bits(const fd_apply_job *job, uint64_t (*words)[FD_LANES], size_t bit, size_t n, size_t width,
                      uint8_t *bits, size_t pitch) {
    for (size_t end = n, i; end > 0; end = i) {
        i = (end - 1) / ROWS * ROWS;
        if (job->tiles.square == FD_WORD)
            load_squares(job, words, bit + i * (size_t)job->run_axis.bit, end - i, width, FD_WORD);
        else
            load_squares(job, words, bit + i * (size_t)job->run_axis.bit, end - i, width, FD_WORD / 2);
        job->run->backend->turn(words, job->tiles.square, (int)((end - i + FD_WORD - 1) / FD_WORD));
        for (size_t c = 0; c < width; c++)
            store_row(bits, c * pitch + i, words[c], end - i);
    }
}

void fd_apply_tile(const fd_apply_job *job, fd_place at, size_t n, size_t width) {
    uint8_t bits[TILE_BITS / 8 + 8];
    uint64_t words[FD_WORD + 1][FD_LANES]; /* copy_bits may read past a row */
    const size_t pitch = job->tiles.joined ? n : (n + FD_WORD - 1) / FD_WORD * FD_WORD;
    if (job->tiles.interleaved)
        interleave_bits(job, words, at.bit, n, width, bits);
    else
        turn_bits(job, words, at.bit, n, width, bits, pitch);
    if (job->tiles.interleaved || job->tiles.joined)
        fd_apply_run(job, bits, at, n * width);
    else
        for (size_t c = 0; c < width; c++)
            fd_apply_run(job, bits + c * pitch / 8, fd_moved(at, &job->tiles.axis, c), n);
}
