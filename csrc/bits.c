/* Draws runs of bits, using only the lanes that they need, and the packed mask of a window of a larger array. */
#include "bits.h"

#include "kernels/scalar.h"
#include "kernels/stream_tpl.h"
#include "parallel.h"

/* Bits in one chunk of work: whole bytes, so that no two threads write to the same byte. */
enum { CHUNK = FD_BLOCK };

/* How many bits a thread must draw, of one p or of an array p, to save more time than waking it costs. */
enum { BITS_PER_THREAD = 1 << 20, P_PER_THREAD = 1 << 15 };

/* Up to this many lanes are drawn one by one; more are faster in vectors, with all lanes of the block. */
enum { FEW_LANES = 2 };

static uint64_t draw_word(const fd_draw *draw, uint64_t block, int word) {
    lanes s = seed_lanes(draw, block, word % FD_LANES);
    uint64_t kept = draw_kept(&s, draw);
    for (int g = 0; g < word / FD_LANES; g++)
        kept = draw_kept(&s, draw);
    return kept;
}

/* Draws words first..last of a block into source->bytes, unless they are there. */
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
    fd_source source = {.backend = backend, .draw = draw, .walk = draw->p_array ? walk : NULL};
    if (source.walk)
        p_walk_to(walk, draw->p_array, element);
    return source;
}

void fd_draw_run(fd_source *source, uint64_t index, size_t n, uint8_t *bits, size_t at) {
    while (n > 0) {
        const uint64_t block = index / FD_BLOCK;
        const size_t in_block = index % FD_BLOCK;
        const size_t count = n < FD_BLOCK - in_block ? n : FD_BLOCK - in_block;
        if (source->walk) {
            uint8_t *words = source->bytes + in_block / FD_WORD * 8;
            source->backend->draw_p_array(source->draw, block, in_block, count, source->walk, words);
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
    fd_axis axes[FD_MAX_DIMS + 1]; /* `bit` is the step of the logical index; the last axis is consecutive */
    uint64_t start;
    size_t n;
    uint8_t *bits;
} window_job;

static void draw_window(const void *job, size_t begin, size_t end) {
    const window_job *w = job;
    const size_t to = end * CHUNK < w->n ? end * CHUNK : w->n;
    const fd_place origin = {.bit = w->start};
    fd_walk window, walk;
    fd_source source = fd_source_at(w->run->backend, w->draw, begin * CHUNK, &walk);
    source.dense = w->ndim > 1 && (uint64_t)w->axes[w->ndim - 2].bit <= FD_BLOCK / 4;
    fd_walk_to(&window, w->axes, w->ndim, origin, begin * CHUNK);
    for (size_t at = begin * CHUNK, count; at < to; at += count) {
        const size_t room = fd_walk_room(&window);
        count = room < to - at ? room : to - at;
        fd_draw_run(&source, window.at.bit, count, w->bits, at);
        fd_walk_on(&window, count);
    }
}

void fd_bits(const fd_run *run, const fd_draw *draw, int ndim, const size_t *shape, const uint64_t *index_stride,
             uint64_t start, uint8_t *bits) {
    window_job w = {.run = run, .draw = draw, .start = start, .n = 1, .bits = bits};
    for (int d = 0; d < ndim; d++) {
        w.n *= shape[d];
        w.axes[d] = (fd_axis){.extent = shape[d], .bit = (int64_t)index_stride[d]};
    }
    if (!draw->p_array && (draw->all || draw->threshold == 0)) {
        if (draw->all)
            memset(bits, 0, (w.n + 7) / 8);
        else
            fill_bits(bits, w.n);
    } else if (w.n > 0) {
        w.ndim = fd_merge_axes(w.axes, ndim);
        if (w.ndim == 0 || w.axes[w.ndim - 1].bit != 1)
            w.axes[w.ndim++] = (fd_axis){.extent = 1, .bit = 1};
        fd_parallel(fd_useful(run->threads, w.n, draw->p_array ? P_PER_THREAD : BITS_PER_THREAD), (w.n - 1) / CHUNK + 1,
                    draw_window, &w);
    }
}
