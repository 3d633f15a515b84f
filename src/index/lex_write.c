/* lex_write.c - see lex_write.h; the format is in lex_seg.h. The parts grow in memory and are written at the end. */
#include "index/lex_write.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static Err memory_out(void) { return err_set(ERR_NOMEM, "out of memory for an index segment"); }

Err seg_writer_open(SegWriter *w, const SegDocs *of) {
    *w = (SegWriter){.of = *of, .cap_tuples = 1024};
    memcpy(w->weights, lex_settings_default.weights, sizeof w->weights);
    w->tuples = calloc(w->cap_tuples, sizeof *w->tuples);
    w->slots = calloc(2 * (size_t)w->cap_tuples, sizeof *w->slots);
    if (!w->tuples || !w->slots) w->err = memory_out();
    return w->err;
}

void seg_writer_close(SegWriter *w) {
    buf_free(&w->dict);
    buf_free(&w->groups);
    buf_free(&w->post);
    buf_free(&w->pos);
    buf_free(&w->pos_sizes);
    buf_free(&w->pos_data);
    free(w->tuples);
    free(w->slots);
    free(w->docs);
    free(w->codes);
    free(w->deltas);
    *w = (SegWriter){0};
}

static bool grow(uint32_t **p, size_t cap) {
    uint32_t *more = realloc(*p, cap * sizeof *more);
    if (more) *p = more;
    return more != NULL;
}

void seg_writer_room(SegWriter *w, size_t postings, size_t positions) {
    if (w->err) return;
    if (w->n + postings > w->cap) {
        const size_t cap = 2 * (w->n + postings) + 1024;
        if (!grow(&w->docs, cap) || !grow(&w->codes, cap)) w->err = memory_out();
        w->cap = cap;
    }
    if (w->n_deltas + positions > w->cap_deltas) {
        const size_t cap = 2 * (w->n_deltas + positions) + 1024;
        if (!grow(&w->deltas, cap)) w->err = memory_out();
        w->cap_deltas = cap;
    }
}

/* ---- codes of tuples ---- */

static uint32_t *slot_of(const SegWriter *w, uint32_t tuple) {
    const size_t mask = 2 * (size_t)w->cap_tuples - 1;
    size_t at = (tuple * 2654435761u >> 7) & mask;
    while (w->slots[at] && w->tuples[w->slots[at] - 1] != tuple) at = (at + 1) & mask;
    return &w->slots[at];
}

static Err tuples_grow(SegWriter *w) {
    if (!grow(&w->tuples, 2 * (size_t)w->cap_tuples)) return memory_out();
    uint32_t *slots = calloc(4 * (size_t)w->cap_tuples, sizeof *slots);
    if (!slots) return memory_out();
    free(w->slots);
    w->slots = slots;
    w->cap_tuples *= 2;
    for (uint32_t code = 0; code < w->n_tuples; code++) *slot_of(w, w->tuples[code]) = code + 1;
    return ERR_OK;
}

void seg_writer_posting(SegWriter *w, uint32_t doc, uint32_t tuple) {
    if (w->err) return;
    if (w->n_tuples == w->cap_tuples) w->err = tuples_grow(w);
    if (w->err) return;
    uint32_t *slot = slot_of(w, tuple);
    if (*slot == 0) {
        w->tuples[w->n_tuples++] = tuple;
        *slot = w->n_tuples;
    }
    assert(w->n < w->cap && doc < w->of.docs);
    w->docs[w->n] = doc;
    w->codes[w->n++] = *slot - 1;
}

/* ---- encoding ---- */

static void run_into(Buf *b, const uint32_t *p, size_t n) {
    if (!buf_reserve(b, LEX_RUN_BYTES)) return;
    b->n = (size_t)(lex_run_put(p, n, (uint8_t *)b->p + b->n) - (uint8_t *)b->p);
}

static void runs_into(Buf *b, const uint32_t *p, size_t n) {
    for (size_t done = 0; done < n; done += LEX_RUN) run_into(b, p + done, n - done < LEX_RUN ? n - done : LEX_RUN);
}

/* The postings that no other of the block beats in both tf and length, as at most three points that beat them all. */
static void points_of(const SegWriter *w, size_t from, size_t n, uint8_t points[LEX_POINTS][2]) {
    uint8_t best[256] = {0}, front[256][2];
    size_t m = 0;
    for (size_t i = from; i < from + n; i++) {
        double tf = 0;
        for (unsigned f = 0; f < LEX_FIELDS; f++) tf += (double)w->weights[f] * tuple_count(w->tuples[w->codes[i]], f);
        const uint8_t up = lex_small_up((uint64_t)ceil(tf * LEX_TF_UNIT));
        const uint8_t length = lex_small_down(w->of.lengths[w->docs[i]]);
        if (up > best[length]) best[length] = up;
    }
    for (unsigned length = 0; length < 256; length++) {
        if (best[length] <= (m ? front[m - 1][0] : 0)) continue;
        front[m][0] = best[length];
        front[m++][1] = (uint8_t)length;
    }
    const size_t ends[LEX_POINTS] = {1, m <= LEX_POINTS ? 2 : (m + 2) / 2, m};
    for (size_t p = 0, at = 0; p < LEX_POINTS; p++) {
        const size_t end = ends[p] < m ? ends[p] : m;
        if (at < end) {
            points[p][0] = front[end - 1][0];
            points[p][1] = front[at][1];
            at = end;
        } else {
            memcpy(points[p], points[p - 1], sizeof points[p]);
        }
    }
}

/* Positions of a block's postings from w->deltas[from] on; how many there were. */
static size_t positions_put(const SegWriter *w, Buf *to, const uint32_t *codes, size_t n, size_t from) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += tuple_sum(w->tuples[codes[i]]);
    runs_into(to, w->deltas + from, count);
    return count;
}

/* One block from posting `from` on. */
static void block_put(SegWriter *w, size_t from, size_t n, uint32_t next) {
    uint32_t gaps[LEX_BLOCK];
    for (size_t i = 0; i < n; i++) {
        gaps[i] = w->docs[from + i] - next;
        next = w->docs[from + i] + 1;
    }
    if (n >= LEX_VARINTS_BELOW) {
        run_into(&w->post, gaps, n);
        run_into(&w->post, w->codes + from, n);
    } else if (buf_reserve(&w->post, 2 * LEX_VARINTS_BELOW * LEX_VARINT_MAX)) {
        const uint8_t *end = lex_pairs_put(gaps, w->codes + from, n, (uint8_t *)w->post.p + w->post.n);
        w->post.n = (size_t)(end - (const uint8_t *)w->post.p);
    }
}

/* One block of several; its entry in the directory, which is at `entry` in the postings. */
static void block_of_many(SegWriter *w, size_t from, size_t n, uint32_t next, size_t entry) {
    const size_t begins = w->post.n;
    uint8_t points[LEX_POINTS][2];
    block_put(w, from, n, next);
    points_of(w, from, n, points);
    if (w->post.failed) return;
    const uint16_t bytes = (uint16_t)(w->post.n - begins);
    uint8_t *at = (uint8_t *)w->post.p + entry;
    memcpy(at, &w->docs[from + n - 1], 4);
    memcpy(at + 4, &bytes, 2);
    memcpy(at + 6, points, sizeof points);
}

static void blocks_put(SegWriter *w) {
    const size_t blocks = seg_blocks((uint32_t)w->n), directory = w->post.n;
    size_t delta = 0;
    uint32_t next = 0;
    w->pos_sizes.n = w->pos_data.n = 0;
    if (!buf_reserve(&w->post, blocks * LEX_DIR_BYTES)) return;
    memset(w->post.p + directory, 0, blocks * LEX_DIR_BYTES);
    w->post.n += blocks * LEX_DIR_BYTES;
    for (size_t b = 0; b < blocks; b++) {
        const size_t from = b * LEX_BLOCK, n = w->n - from < LEX_BLOCK ? w->n - from : LEX_BLOCK;
        const size_t pos_from = w->pos_data.n;
        block_of_many(w, from, n, next, directory + b * LEX_DIR_BYTES);
        delta += positions_put(w, &w->pos_data, w->codes + from, n, delta);
        const uint32_t pos_bytes = (uint32_t)(w->pos_data.n - pos_from);
        buf_add_bytes(&w->pos_sizes, &pos_bytes, sizeof pos_bytes);
        next = w->docs[from + n - 1] + 1;
    }
    if (w->pos_sizes.failed) return;
    runs_into(&w->pos, (const uint32_t *)(const void *)w->pos_sizes.p, blocks);
    buf_add_bytes(&w->pos, w->pos_data.p, w->pos_data.n);
}

static void postings_put(SegWriter *w) {
    if (w->n > LEX_BLOCK) {
        blocks_put(w);
        return;
    }
    block_put(w, 0, w->n, 0);
    (void)positions_put(w, &w->pos, w->codes, w->n, 0);
}

static size_t shared_of(const SegWriter *w, Str term) {
    size_t n = 0;
    while (n < term.n && n < w->last_n && term.p[n] == w->last[n]) n++;
    return n;
}

/* LexSizes (lex_seg.h). */
static void sizes_put(Buf *dict, size_t df, size_t post, size_t pos) {
    uint8_t numbers[1 + 3 * LEX_VARINT_MAX], *at = numbers;
    const size_t more_post = post - df, more_pos = pos - df; /* what is less wraps, and is far above the limit */
    if (df <= LEX_SIZES_DF && more_post < LEX_SIZES_MORE && more_pos < LEX_SIZES_MORE) {
        *at++ = (uint8_t)(((df - 1) * LEX_SIZES_MORE + more_post) * LEX_SIZES_MORE + more_pos);
    } else {
        *at++ = LEX_SIZES_WIDE;
        at = lex_varint_put(at, df);
        at = lex_varint_put(at, post);
        at = lex_varint_put(at, pos);
    }
    buf_add_bytes(dict, numbers, (size_t)(at - numbers));
}

void seg_writer_term(SegWriter *w, Str term) {
    if (w->err || w->n == 0) return;
    assert(term.n > 0 && term.n <= LEX_TERM_MAX);
    const size_t post_at = w->post.n, pos_at = w->pos.n, dict_at = w->dict.n;
    const bool opens = w->terms % LEX_GROUP == 0;
    if (opens) {
        const uint32_t group[3] = {(uint32_t)dict_at, (uint32_t)post_at, (uint32_t)pos_at};
        buf_add_bytes(&w->groups, group, sizeof group);
    }
    postings_put(w);
    const size_t shared = opens ? 0 : shared_of(w, term);
    const size_t rest = term.n - shared;
    const bool is_short = shared < 15 && rest < 15;
    const uint8_t sizes[3] = {is_short ? (uint8_t)(shared << 4 | rest) : LEX_SIZES_LONG, (uint8_t)shared,
                              (uint8_t)rest};
    buf_add_bytes(&w->dict, sizes, is_short ? 1 : 3);
    buf_add(&w->dict, str_from(term, shared));
    sizes_put(&w->dict, w->n, w->post.n - post_at, w->pos.n - pos_at);
    memcpy(w->last, term.p, term.n);
    w->last_n = term.n;
    w->terms++;
    w->postings += w->n;
    w->positions += w->n_deltas;
    w->n = w->n_deltas = 0;
    if (w->dict.n > UINT32_MAX || w->post.n > UINT32_MAX - LEX_SLACK || w->pos.n > UINT32_MAX - LEX_SLACK)
        w->err = err_set(ERR_LIMIT, "an index segment of %u documents is too large", w->of.docs);
}

/* ---- the file ---- */

static Err ids_put(const SegDocs *of, LexIdBlock *blocks, Buf *bits) {
    for (size_t b = 0; b < seg_blocks(of->docs); b++) {
        const int64_t *ids = of->ids + b * LEX_BLOCK;
        const size_t n = of->docs - b * LEX_BLOCK < LEX_BLOCK ? of->docs - b * LEX_BLOCK : LEX_BLOCK;
        uint32_t low[LEX_BLOCK];
        uint64_t rest[LEX_BLOCK], most = 0;
        int64_t base = INT64_MAX;
        for (size_t i = 0; i < n; i++) base = ids[i] - (int64_t)i < base ? ids[i] - (int64_t)i : base;
        for (size_t i = 0; i < n; i++) {
            rest[i] = (uint64_t)(ids[i] - (int64_t)i) - (uint64_t)base;
            low[i] = (uint32_t)rest[i];
            most |= rest[i];
        }
        const unsigned width = lex_bits(most) > 32 ? 64 : lex_bits(most);
        if (bits->n > UINT32_MAX) return err_set(ERR_LIMIT, "an index segment of %u documents is too large", of->docs);
        blocks[b] = (LexIdBlock){.base = base, .at = (uint32_t)bits->n, .bits = width};
        if (width == 64)
            buf_add_bytes(bits, rest, n * sizeof *rest);
        else if (buf_reserve(bits, lex_packed(n, width))) {
            lex_pack(low, n, width, (uint8_t *)bits->p + bits->n);
            bits->n += lex_packed(n, width);
        }
    }
    buf_add_bytes(bits, (const uint8_t[LEX_SLACK]){0}, LEX_SLACK);
    return buf_ok(bits);
}

static Err lengths_put(const SegDocs *of, Buf *out) {
    for (size_t from = 0; from < of->docs; from += LEX_RUN) {
        uint32_t run[LEX_RUN];
        const size_t n = of->docs - from < LEX_RUN ? of->docs - from : LEX_RUN;
        for (size_t i = 0; i < n; i++) run[i] = of->lengths[from + i];
        run_into(out, run, n);
    }
    buf_add_bytes(out, (const uint8_t[LEX_SLACK]){0}, LEX_SLACK);
    return buf_ok(out);
}

static void words_of(const SegWriter *w, uint32_t words[BUILT_WORDS]) {
    uint64_t length = 0;
    uint32_t counted = 0;
    for (uint32_t d = 0; d < w->of.docs; d++) {
        if (w->of.dropped && w->of.dropped[d / 64] >> (d % 64) & 1) continue;
        length += w->of.lengths[d];
        counted++;
    }
    words[SEG_FIRST] = w->of.first;
    words[SEG_COUNTED] = counted;
    words[SEG_TERMS] = w->terms;
    words[SEG_LAYOUT] = LEX_LAYOUT;
    memcpy(words + SEG_LENGTH, &length, sizeof length);
    memcpy(words + SEG_POSTINGS, &w->postings, sizeof w->postings);
    memcpy(words + SEG_POSITIONS, &w->positions, sizeof w->positions);
    memcpy(words + SEG_WEIGHTS, w->weights, sizeof w->weights);
}

static Err file_put(const SegWriter *w, const BuiltPart *parts, const char *dir, uint64_t generation) {
    uint32_t words[BUILT_WORDS] = {0};
    BuiltFile f = {.head = seg_head(generation)};
    TRY(seg_path(dir, generation, w->of.first, w->of.first + w->of.docs, f.path, sizeof f.path));
    words_of(w, words);
    return built_put(&f, w->of.docs, words, parts, LEX_PARTS);
}

Err seg_writer_end(SegWriter *w, const char *dir, uint64_t generation, LexSeg **out) {
    *out = NULL;
    TRY(w->err);
    const size_t docs = w->of.docs;
    Buf id_bits = {0}, lengths = {0};
    buf_add_bytes(&w->post, (const uint8_t[LEX_SLACK]){0}, LEX_SLACK);
    buf_add_bytes(&w->pos, (const uint8_t[LEX_SLACK]){0}, LEX_SLACK);
    LexIdBlock *ids = calloc(seg_blocks(w->of.docs) + 1, sizeof *ids);
    Err err = ids ? ids_put(&w->of, ids, &id_bits) : memory_out();
    if (!err) err = lengths_put(&w->of, &lengths);
    if (!err) err = buf_ok(&w->dict);
    if (!err) err = buf_ok(&w->groups);
    if (!err) err = buf_ok(&w->post);
    if (!err) err = buf_ok(&w->pos);
    if (!err) err = buf_ok(&w->pos_sizes);
    if (!err) err = buf_ok(&w->pos_data);
    const BuiltPart parts[LEX_PARTS] = {
        [PART_DICT] = {w->dict.p, w->dict.n},
        [PART_GROUPS] = {w->groups.p, w->groups.n},
        [PART_POST] = {w->post.p, w->post.n},
        [PART_POS] = {w->pos.p, w->pos.n},
        [PART_LENGTHS] = {lengths.p, lengths.n},
        [PART_IDS] = {ids, seg_blocks(w->of.docs) * sizeof *ids},
        [PART_ID_BITS] = {id_bits.p, id_bits.n},
        [PART_TUPLES] = {w->tuples, w->n_tuples * sizeof(uint32_t)},
        [PART_REMOVED] = {w->of.removed, w->of.n_removed * sizeof(uint32_t)},
        [PART_DROPPED] = {w->of.dropped, w->of.dropped ? (docs + 63) / 64 * sizeof(uint64_t) : 0},
    };
    if (!err) err = file_put(w, parts, dir, generation);
    if (!err) err = seg_open(dir, generation, w->of.first, w->of.first + w->of.docs, out);
    free(ids);
    buf_free(&id_bits);
    buf_free(&lengths);
    return err;
}
