/* Which lanes a run of bits needs, and the packed mask of a window of a larger array. */
#include "bits.h"

#include "kernels/scalar.h"
#include "kernels/stream_tpl.h"
#include "parallel.h"

/* Bits in one unit of a thread's work: whole bytes, so that no two threads write to one. */
enum { UNIT = FD_BLOCK };

/* A thread must have this many bits to draw, or waking it costs more than it gives. */
enum { BITS_PER_THREAD = 1 << 20, RATES_PER_THREAD = 1 << 15 };

/* Up to this many lanes are drawn one by one; more of them faster as whole vectors. */
enum { FEW_LANES = 2 };

static uint64_t draw_word(const fd_draw *draw, uint64_t block, int word) {
    lanes s = seed_lanes(draw, block, word % FD_LANES);
    uint64_t kept = draw_kept(&s, draw);
    for (int g = 0; g < word / FD_LANES; g++)
        kept = draw_kept(&s, draw);
    return kept;
}

/* Makes words first..last of a block be in source->bytes. */
static void draw_words(fd_source *source, uint64_t block, int first, int last) {
    const int groups = last / FD_LANES + 1;
    if (source->groups >= groups && source->block == block)
        return;
    if (last - first < FEW_LANES && !source->dense) {
        source->groups = 0;
        for (int word = first; word <= last; word++)
            store_le64(source->bytes + 8 * word, draw_word(source->draw, block, word));
    } else {
        source->block = block;
        source->groups = source->dense ? FD_GROUPS : groups;
        source->backend->draw(source->draw, block, source->groups, source->bytes);
    }
}

fd_source fd_source_at(const fd_backend *backend, const fd_draw *draw, size_t element, fd_walk *walk) {
    fd_source source = {.backend = backend, .draw = draw, .walk = draw->rates ? walk : NULL};
    if (source.walk)
        walk_to(walk, draw->rates, element);
    return source;
}

void fd_draw_run(fd_source *source, uint64_t index, size_t n, uint8_t *bits, size_t at) {
    while (n > 0) {
        const uint64_t block = index / FD_BLOCK;
        const size_t in_block = index % FD_BLOCK;
        const size_t count = n < FD_BLOCK - in_block ? n : FD_BLOCK - in_block;
        if (source->walk) {
            uint8_t *words = source->bytes + in_block / FD_WORD * 8;
            source->backend->draw_each(source->draw, block, in_block, count, source->walk, words);
            copy_bits(bits, at, source->bytes, in_block, count);
        } else if (count == FD_BLOCK && at % 8 == 0) {
            source->backend->draw(source->draw, block, FD_GROUPS, bits + at / 8);
        } else {
            draw_words(source, block, (int)(in_block / FD_WORD), (int)((in_block + count - 1) / FD_WORD));
            copy_bits(bits, at, source->bytes, in_block, count);
        }
        index += count;
        at += count;
        n -= count;
    }
}

typedef struct {
    const fd_run *run;
    const fd_draw *draw;
    int ndim;
    size_t shape[FD_MAX_DIMS];
    uint64_t index_stride[FD_MAX_DIMS];
    uint64_t start;
    size_t n;
    uint8_t *bits;
} window_job;

static void draw_window(const void *job, size_t begin, size_t end) {
    const window_job *w = job;
    const int inner = w->ndim - 1;
    const size_t to = end * UNIT < w->n ? end * UNIT : w->n;
    size_t at = begin * UNIT, rest = at, i[FD_MAX_DIMS];
    uint64_t index = w->start;
    for (int d = inner; d >= 0; d--) {
        i[d] = rest % w->shape[d];
        rest /= w->shape[d];
        index += i[d] * w->index_stride[d];
    }
    fd_walk walk;
    fd_source source = fd_source_at(w->run->backend, w->draw, at, &walk);
    source.dense = inner > 0 && w->index_stride[inner - 1] <= FD_BLOCK / 4;
    while (at < to) {
        const size_t row = w->shape[inner] - i[inner], count = row < to - at ? row : to - at;
        fd_draw_run(&source, index, count, w->bits, at);
        at += count;
        index -= i[inner] * w->index_stride[inner];
        i[inner] = 0;
        for (int d = inner - 1; d >= 0; d--) {
            index += w->index_stride[d];
            if (++i[d] < w->shape[d])
                break;
            index -= w->shape[d] * w->index_stride[d];
            i[d] = 0;
        }
    }
}

void fd_bits(const fd_run *run, const fd_draw *draw, int ndim, const size_t *shape, const uint64_t *index_stride,
             uint64_t start, uint8_t *bits) {
    window_job w = {.run = run, .draw = draw, .start = start, .n = 1, .bits = bits};
    for (int d = 0; d < ndim; d++) { /* an axis whose step is the extent of the one inside it continues it */
        w.n *= shape[d];
        if (w.ndim > 0 && w.index_stride[w.ndim - 1] == shape[d] * index_stride[d]) {
            w.shape[w.ndim - 1] *= shape[d];
            w.index_stride[w.ndim - 1] = index_stride[d];
        } else {
            w.shape[w.ndim] = shape[d];
            w.index_stride[w.ndim++] = index_stride[d];
        }
    }
    if (!draw->rates && (draw->all || draw->threshold == 0)) {
        if (draw->all)
            memset(bits, 0, (w.n + 7) / 8);
        else
            fill_bits(bits, w.n);
    } else if (w.n > 0) {
        fd_parallel(fd_useful(run->threads, w.n, draw->rates ? RATES_PER_THREAD : BITS_PER_THREAD),
                    (w.n - 1) / UNIT + 1, draw_window, &w);
    }
}
