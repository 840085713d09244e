/* Keys, and dropout in one pass over contiguous data. */
#include "dropout.h"

#include "bits.h"
#include "kernels/scalar.h"
#include "kernels/stream_tpl.h"
#include "parallel.h"

/* As FD_ELEMENTS_PER_THREAD, with an array p. */
enum { P_PER_THREAD = 1 << 15 };

/* The child key that an array p draws from: no value that users may fold in gives it (csrc/README.md). */
static const uint64_t P_ARRAY_CHILD = UINT64_MAX - 1;

fd_key fd_fold_in(fd_key key, uint64_t v) {
    return (fd_key){mix_b(key.k0 ^ mix_a(v + H)), mix_a(key.k1 + mix_b(v + G))};
}

fd_draw fd_draw_init(fd_key key, uint64_t stream, double p) {
    fd_draw draw = {.all = p == 1.0};
    draw.c0 = mix_a(key.k0 + G * (stream + 1));
    draw.c1 = mix_b((key.k1 ^ draw.c0) + H * (stream + 1));
    if (!draw.all) {
        draw.threshold = fd_threshold(p);
        draw.rounds = draw.threshold << 8 != 0;
        while (draw.planes < 8 && draw.threshold << draw.planes != 0)
            draw.planes++;
    }
    return draw;
}

fd_draw fd_draw_init_array(fd_key key, uint64_t stream, const fd_p_array *p_array) {
    fd_draw draw = fd_draw_init(fd_fold_in(key, P_ARRAY_CHILD), stream, 0);
    draw.p_array = p_array;
    return draw;
}

size_t fd_itemsize(fd_dtype dtype) { return itemsize(dtype); }

/*
 * Dropout of elements at .. to-1 with an array p that also gives the scales: processes a prefix, and returns its
 * length. The prefix is either the whole words of a block, in one pass, or a part of one word.
 */
static size_t dropout_some_p_array(const fd_dropout_job *job, fd_source *source, size_t at, size_t to) {
    const fd_backend *backend = job->run->backend;
    const size_t size = itemsize(job->dtype);
    const uint64_t index = job->index + at, block = index / FD_BLOCK;
    const size_t in_block = index % FD_BLOCK, in_word = index % FD_WORD, room = FD_BLOCK - in_block;
    const uint8_t *x = job->x + at * size;
    const int in_place = job->bits && at % 8 == 0;
    uint8_t *y = job->y + at * size, scratch[FD_BLOCK_BYTES + FD_BIT_SLACK];
    uint8_t *bits = in_place ? job->bits + at / 8 : scratch;
    size_t count = to - at < room ? to - at : room;
    if (in_word == 0 && count >= FD_WORD) {
        const size_t words = count / FD_WORD;
        count = words * FD_WORD;
        backend->of[job->dtype]->dropout_p_array(job->draw, block, in_block / FD_WORD, words, source->walk, x, y, bits);
    } else {
        fd_walk walk = *source->walk; /* a copy: the same values are read once to draw and once to scale */
        double staged[FD_WORD];
        if (count > FD_WORD - in_word)
            count = FD_WORD - in_word;
        fd_draw_run(source, index, count, bits, 0);
        backend->of[job->dtype]->apply_p_array(bits, count, p_walk_on(&walk, count, staged), x, y);
    }
    if (job->bits && !in_place)
        copy_bits(job->bits, at, scratch, 0, count);
    return count;
}

/* The same with one p, or with an array p and no scaling; the prefix ends at the end of the block. */
static size_t dropout_some(const fd_dropout_job *job, fd_source *source, size_t at, size_t to) {
    const fd_backend *backend = job->run->backend;
    const size_t size = itemsize(job->dtype);
    const uint64_t index = job->index + at;
    const size_t room = FD_BLOCK - index % FD_BLOCK / FD_WORD * FD_WORD, count = to - at < room ? to - at : room;
    uint8_t scratch[FD_BLOCK_BYTES], *bits = job->bits ? job->bits + at / 8 : scratch;
    fd_draw_run(source, index, count, bits, 0);
    fd_apply_values(backend, job->dtype, bits, count, &job->values, job->x + at * size, job->y + at * size,
                    job->access);
    return count;
}

/* Dropout of elements at .. to-1 by drawing bits first, and then applying them. */
static void dropout_parts(const fd_dropout_job *job, size_t at, size_t to) {
    fd_walk walk;
    fd_source source = fd_source_at(job->run->backend, job->draw, at, &walk);
    while (at < to)
        at += job->values.p ? dropout_some_p_array(job, &source, at, to) : dropout_some(job, &source, at, to);
}

/* Whether whole blocks can be drawn and applied in one pass; their bits, if stored, begin with a byte. */
static int in_one_pass(const fd_dropout_job *job) {
    const int plain = !job->draw->p_array && job->values.shift == 0 && job->values.dropped == 0;
    return plain && (!job->bits || job->index % FD_WORD == 0);
}

/*
 * A chunk begins where a block begins, or up to 63 elements later if index is not a multiple of 64, so that the bits of
 * each chunk begin with a whole byte.
 */
void fd_dropout_chunks(const void *job_, size_t begin, size_t end) {
    const fd_dropout_job *job = job_;
    const size_t place = fd_place_in_block(job), last = end * FD_BLOCK - place, to = last < job->n ? last : job->n;
    size_t at = begin > 0 ? begin * FD_BLOCK - place : 0;
    if (!in_one_pass(job)) {
        dropout_parts(job, at, to);
        return;
    }
    const size_t size = itemsize(job->dtype), in_block = (job->index + at) % FD_BLOCK;
    const size_t border = in_block == 0 ? at : at + FD_BLOCK - in_block, first = border < to ? border : to;
    const size_t blocks = (to - first) / FD_BLOCK;
    if (at < first)
        dropout_parts(job, at, first);
    at = first + blocks * FD_BLOCK;
    if (blocks > 0)
        job->run->backend->of[job->dtype]->dropout(job->draw, (job->index + first) / FD_BLOCK, blocks,
                                                   job->values.scale, job->x + first * size, job->y + first * size,
                                                   job->bits ? job->bits + first / 8 : NULL, job->access);
    if (at < to)
        dropout_parts(job, at, to);
}

void fd_dropout(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n,
                const fd_values *values, const void *x, void *y, uint8_t *bits) {
    const size_t size = itemsize(dtype);
    const uint64_t unit_stride = 1;
    const int copies = draw->threshold == 0 && values->scale == 1 && values->shift == 0;
    if (n == 0)
        return;
    if (!draw->p_array && (draw->all || copies)) {
        if (draw->all)
            memset(y, 0, n * size);
        else if (x != y)
            memcpy(y, x, n * size);
        if (bits)
            fd_bits(run, draw, 1, &n, &unit_stride, index, bits);
    } else {
        const fd_dropout_job job = {
            .run = run,
            .draw = draw,
            .dtype = dtype,
            .index = index,
            .n = n,
            .values = *values,
            .x = x,
            .y = y,
            .bits = bits,
            .access = fd_access_of(run, n * size, x == y, draw->rounds),
        };
        fd_parallel(fd_useful(run->threads, n, draw->p_array ? P_PER_THREAD : FD_ELEMENTS_PER_THREAD), fd_chunks(&job),
                    fd_dropout_chunks, &job);
    }
}
