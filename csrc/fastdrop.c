/* Keys, and dropout in one pass over contiguous data. */
#include "fastdrop.h"

#include "bits.h"
#include "kernels/scalar.h"
#include "kernels/stream_tpl.h"
#include "parallel.h"

/* A thread must have this many elements, or waking it costs more than it gives: benchmarks/README.md. */
enum { ELEMENTS_PER_THREAD = 1 << 17, P_PER_THREAD = 1 << 15 };

/* The library's own children have keys that no user's value gives: csrc/README.md. */
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

size_t fd_itemsize(fd_dtype dtype) {
    static const size_t sizes[FD_DTYPES] = {2, 2, 4, 8, 8, 16};
    return sizes[dtype];
}

typedef struct {
    const fd_run *run;
    const fd_draw *draw;
    fd_dtype dtype;
    uint64_t index;
    size_t n, lead;
    fd_values values;
    const uint8_t *x;
    uint8_t *y, *bits;
    fd_access access;
} dropout_job;

/*
 * Where unit u begins: at a block's border, or up to 63 elements past it if index is no multiple of 64, so that each
 * unit's bits begin with a byte.
 */
static size_t unit_begin(const dropout_job *job, size_t u) {
    if (u == 0)
        return 0;
    const size_t blocks = (job->n + job->lead - 1) / FD_BLOCK + 1;
    return u < blocks ? u * FD_BLOCK - job->lead : job->n;
}

/*
 * Elements at .. to-1 by an array p that scales, or the first of them: as many as are done is the result. Whole words
 * in one pass; a part of a word, before them and after them, by itself.
 */
static size_t dropout_some_p_array(const dropout_job *job, fd_source *source, size_t at, size_t to) {
    const fd_backend *backend = job->run->backend;
    const size_t size = fd_itemsize(job->dtype);
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
        backend->dropout_p_array[job->dtype](job->draw, block, in_block / FD_WORD, words, source->walk, x, y, bits);
    } else {
        fd_walk walk = *source->walk; /* on from here twice: once to draw, once to scale */
        double staged[FD_WORD];
        if (count > FD_WORD - in_word)
            count = FD_WORD - in_word;
        fd_draw_run(source, index, count, bits, 0);
        backend->apply_p_array[job->dtype](bits, count, p_walk_on(&walk, count, staged), x, y);
    }
    if (job->bits && !in_place)
        copy_bits(job->bits, at, scratch, 0, count);
    return count;
}

/* The same by one p, or by an array p that does not scale. Whole blocks in one pass. */
static size_t dropout_some(const dropout_job *job, fd_source *source, size_t at, size_t to) {
    const fd_backend *backend = job->run->backend;
    const size_t size = fd_itemsize(job->dtype);
    const uint64_t index = job->index + at, block = index / FD_BLOCK;
    const size_t in_block = index % FD_BLOCK, room = FD_BLOCK - in_block / FD_WORD * FD_WORD;
    const int plain = !source->walk && job->values.shift == 0 && job->values.dropped == 0;
    const uint8_t *x = job->x + at * size;
    uint8_t *y = job->y + at * size, scratch[FD_BLOCK_BYTES], *bits = job->bits ? job->bits + at / 8 : NULL;
    size_t count = to - at;
    if (plain && in_block == 0 && count >= FD_BLOCK) {
        count = count / FD_BLOCK * FD_BLOCK;
        backend->dropout[job->dtype](job->draw, block, count / FD_BLOCK, job->values.scale, x, y, bits, job->access);
        return count;
    }
    if (!bits)
        bits = scratch;
    if (count > room)
        count = room;
    fd_draw_run(source, index, count, bits, 0);
    fd_apply_values(backend, job->dtype, bits, count, &job->values, x, y, job->access);
    return count;
}

static void dropout_units(const void *job_, size_t begin, size_t end) {
    const dropout_job *job = job_;
    const size_t to = unit_begin(job, end);
    size_t at = unit_begin(job, begin);
    fd_walk walk;
    fd_source source = fd_source_at(job->run->backend, job->draw, at, &walk);
    while (at < to)
        at += job->values.p ? dropout_some_p_array(job, &source, at, to) : dropout_some(job, &source, at, to);
}

void fd_dropout(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n,
                const fd_values *values, const void *x, void *y, uint8_t *bits) {
    const size_t size = fd_itemsize(dtype);
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
        dropout_job job = {run,     draw, dtype, index, n,     index % FD_BLOCK / FD_WORD * FD_WORD,
                           *values, x,    y,     bits,  {0, 0}};
        job.access = fd_access_of(run, n * size, x == y, draw->rounds);
        fd_parallel(fd_useful(run->threads, n, draw->p_array ? P_PER_THREAD : ELEMENTS_PER_THREAD),
                    (n + job.lead - 1) / FD_BLOCK + 1, dropout_units, &job);
    }
}

typedef struct {
    dropout_job sample; /* the first */
    fd_key key;
    double p;
    size_t first, samples, stride;
} samples_job;

/* Blocks of x that stay in the first cache while all samples are made of them. */
enum { RESIDENT = 2 };

static void sample_units(const void *job_, size_t begin, size_t end) {
    const samples_job *job = job_;
    for (size_t at = begin; at < end; at += RESIDENT)
        for (size_t t = 0; t < job->samples; t++) {
            const fd_draw draw = fd_draw_init(fd_fold_in(job->key, job->first + t), 0, job->p);
            dropout_job sample = job->sample;
            sample.draw = &draw;
            sample.y += t * job->stride * fd_itemsize(sample.dtype);
            dropout_units(&sample, at, at + RESIDENT < end ? at + RESIDENT : end);
        }
}

void fd_samples(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t samples,
                const void *x, void *y) {
    fd_samples_part(run, key, p, dtype, index, n, 0, samples, n, x, y);
}

void fd_samples_part(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t first,
                     size_t samples, size_t stride, const void *x, void *y) {
    const size_t size = fd_itemsize(dtype);
    if (n == 0)
        return;
    if (p == 0 || p == 1) {
        for (size_t t = 0; t < samples; t++)
            if (p == 1)
                memset((uint8_t *)y + t * stride * size, 0, n * size);
            else
                memcpy((uint8_t *)y + t * stride * size, x, n * size);
        return;
    }
    const fd_values values = {1 / (1 - p), 0, 0, NULL};
    const size_t lead = index % FD_BLOCK / FD_WORD * FD_WORD;
    samples_job job = {{run, NULL, dtype, index, n, lead, values, x, y, NULL, {0, 0}}, key, p, first, samples, stride};
    job.sample.access = fd_access_of(run, n * samples * size, 0, 0);
    fd_parallel(fd_useful(run->threads, n * samples, ELEMENTS_PER_THREAD), (n + lead - 1) / FD_BLOCK + 1, sample_units,
                &job);
}
