/* lex_merge.c - joining segments: their dictionaries are walked side by side, each term's postings are read in order of
 * the documents, those of removed documents left out, and written anew. Memory is twice the new segment's, which is why
 * full ones are joined no more: it is bounded however large the index grows, and searches look into a segment more for
 * each 150,000 chunks or so. Files that a new segment replaces are unlinked when it is durable. A crash before that
 * leaves both, of which the longer one counts (lex_open.c).
 */
#include <stdlib.h>

#include "base/file.h"
#include "index/lex_view.h"

enum { SEGMENTS_MAX = 8, MERGE_LEAST = 4 };

/* One of the segments that are joined. */
typedef struct {
    const LexSeg *seg;
    const uint32_t *map; /* [docs] its documents in the new segment; UINT32_MAX: left out */
    LexWalk walk;
    bool more;
} Source;

typedef struct {
    Source *sources;
    size_t n;
    SegWriter writer;
    LexBlockAt *blocks;
    size_t cap_blocks;
    uint32_t docs[LEX_BLOCK], codes[LEX_BLOCK];
    uint32_t positions[LEX_BLOCK * LEX_FIELDS * LEX_COUNT_MAX];
    const Deadline *deadline;
} Merge;

static Err memory_out(void) { return err_set(ERR_NOMEM, "out of memory for joining index segments"); }

static Err block_copy(Merge *m, const Source *s, const LexBlockAt *b) {
    const LexEntry *e = &s->walk.entry;
    TRY(seg_block_read(s->seg, b, m->docs, m->codes));
    const size_t n = seg_positions_count(s->seg, m->codes, b->n);
    TRY(seg_positions_read(e, b, n, m->positions));
    seg_writer_room(&m->writer, b->n, n);
    for (size_t i = 0, at = 0; i < b->n; i++) {
        const uint32_t tuple = s->seg->tuple[m->codes[i]], to = s->map[m->docs[i]];
        const size_t end = at + tuple_sum(tuple);
        for (; at < end; at++)
            if (to != UINT32_MAX) seg_writer_delta(&m->writer, m->positions[at]);
        if (to != UINT32_MAX) seg_writer_posting(&m->writer, to, tuple);
    }
    return m->writer.err;
}

static Err term_copy(Merge *m, const Source *s) {
    const size_t n = seg_blocks(s->walk.entry.df);
    if (n > m->cap_blocks) {
        LexBlockAt *more = realloc(m->blocks, n * sizeof *more);
        if (!more) return memory_out();
        m->blocks = more;
        m->cap_blocks = n;
    }
    TRY(seg_block_list(&s->walk.entry, m->blocks));
    TRY(seg_positions_list(&s->walk.entry, m->blocks));
    for (size_t b = 0; b < n; b++) TRY(block_copy(m, s, &m->blocks[b]));
    return ERR_OK;
}

static Str source_term(const Source *s) { return str_make(s->walk.entry.term, s->walk.entry.term_n); }

/* The least term that a source is at, from all that are at it; *more false: all are done. */
static Err term_join(Merge *m, bool *more) {
    char term[LEX_TERM_MAX];
    const Source *least = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const Source *s = &m->sources[i];
        if (s->more && (!least || str_cmp(source_term(s), source_term(least)) < 0)) least = s;
    }
    *more = least != NULL;
    if (!least) return ERR_OK;
    const Str name = str_make(term, least->walk.entry.term_n);
    memcpy(term, least->walk.entry.term, name.n);
    for (size_t i = 0; i < m->n; i++) {
        Source *s = &m->sources[i];
        if (!s->more || !str_eq(source_term(s), name)) continue;
        TRY(term_copy(m, s));
        TRY(seg_walk_next(&s->walk, &s->more));
        if (s->more && str_cmp(source_term(s), name) <= 0) return seg_bad(s->seg, "its terms are out of order");
    }
    seg_writer_term(&m->writer, name);
    return m->writer.err;
}

/* What was read of the sources need not stay in memory beside the new segment, which is read back once it is written:
 * of an index of 50 MB as much less at the peak. Who searches meanwhile has it read again. */
static void sources_forget(const Merge *m) {
    for (size_t i = 0; i < m->n; i++) {
        const FileMap *map = &m->sources[i].seg->built->map;
        file_map_forget(map, map->bytes);
    }
}

static Err terms_join(Merge *m) {
    bool more = true;
    for (size_t i = 0; i < m->n; i++)
        TRY(seg_walk(m->sources[i].seg, STR(""), &m->sources[i].walk, &m->sources[i].more));
    for (size_t n = 0; more; n++) {
        if (n % 1024 == 0) TRY(deadline_check(m->deadline));
        TRY(term_join(m, &more));
    }
    return ERR_OK;
}

/* What becomes of the documents: arrays of the new segment, and the maps of the old ones. */
typedef struct {
    SegDocs of;
    uint32_t *map; /* [documents of all sources] */
    uint16_t *lengths;
    int64_t *ids;
    uint32_t *removed;
    uint64_t *dropped;
} Docs;

static void docs_free(Docs *d) {
    free(d->map);
    free(d->lengths);
    free(d->ids);
    free(d->removed);
    free(d->dropped);
}

/* numbered: documents keep their numbers, with holes; otherwise they are numbered anew from 0 on. */
static void docs_place(const LexView *v, size_t from, size_t end, bool numbered, Docs *d) {
    uint32_t at = 0, place = 0;
    bool any_dropped = false;
    for (size_t i = from; i < end; i++) {
        const LexSeg *s = v->segs[i];
        for (uint32_t doc = 0; doc < s->docs; doc++, place++) {
            const bool out = seg_is_dropped(s, doc) || lex_is_gone(v, s->first + doc);
            d->map[place] = out ? UINT32_MAX : at;
            if (out && !numbered) continue;
            d->lengths[at] = s->lengths[doc];
            d->ids[at] = seg_id(s, doc);
            if (out) d->dropped[at / 64] |= UINT64_C(1) << (at % 64);
            any_dropped |= out;
            at++;
        }
    }
    d->of.docs = at;
    d->of.dropped = any_dropped ? d->dropped : NULL;
}

static int number_order(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Removals of documents that are in no source stay removals. */
static void docs_removals(const LexView *v, size_t from, size_t end, Docs *d) {
    const uint32_t first = v->segs[from]->first;
    uint32_t n = 0, kept = 0;
    for (size_t i = from; i < end; i++)
        for (uint32_t r = 0; r < v->segs[i]->n_removed; r++)
            if (v->segs[i]->removed[r] < first) d->removed[n++] = v->segs[i]->removed[r];
    if (n) qsort(d->removed, n, sizeof *d->removed, number_order);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || d->removed[i] != d->removed[kept - 1]) d->removed[kept++] = d->removed[i];
    d->of.n_removed = kept;
}

static Err docs_make(const LexView *v, size_t from, size_t end, bool numbered, Docs *d) {
    size_t docs = 0, removed = 0;
    for (size_t i = from; i < end; i++) {
        docs += v->segs[i]->docs;
        removed += v->segs[i]->n_removed;
    }
    d->map = calloc(docs + 1, sizeof *d->map);
    d->lengths = calloc(docs + 1, sizeof *d->lengths);
    d->ids = calloc(docs + 1, sizeof *d->ids);
    d->removed = calloc(removed + 1, sizeof *d->removed);
    d->dropped = calloc(docs / 64 + 1, sizeof *d->dropped);
    if (!d->map || !d->lengths || !d->ids || !d->removed || !d->dropped) return memory_out();
    docs_place(v, from, end, numbered, d);
    if (numbered) docs_removals(v, from, end, d);
    d->of.first = numbered ? v->segs[from]->first : 0;
    d->of.lengths = d->lengths;
    d->of.ids = d->ids;
    d->of.removed = d->removed;
    return ERR_OK;
}

/* Segments [from, end) of the view as one of this generation; *out NULL when numbering anew leaves no document. */
static Err segments_join(const LexIndex *ix, const LexView *v, size_t from, size_t end, bool numbered,
                         uint64_t generation, const Deadline *deadline, LexSeg **out) {
    Docs docs = {0};
    *out = NULL;
    Merge *m = calloc(1, sizeof *m);
    if (!m) return memory_out();
    m->n = end - from;
    m->deadline = deadline;
    m->sources = calloc(m->n, sizeof *m->sources);
    Err err = m->sources ? docs_make(v, from, end, numbered, &docs) : memory_out();
    if (!err && docs.of.docs > 0) {
        uint32_t at = 0;
        for (size_t i = 0; i < m->n; at += v->segs[from + i++]->docs)
            m->sources[i] = (Source){.seg = v->segs[from + i], .map = docs.map + at};
        err = seg_writer_open(&m->writer, &docs.of);
        if (!err) err = terms_join(m);
        sources_forget(m);
        if (!err) err = seg_writer_end(&m->writer, ix->dir, generation, out);
        seg_writer_close(&m->writer);
    }
    docs_free(&docs);
    free(m->sources);
    free(m->blocks);
    free(m);
    return err;
}

/* ---- which ---- */

/* Removed documents of a segment whose postings are still there. */
static uint32_t seg_gone(const LexView *v, const LexSeg *s) {
    uint32_t n = 0;
    for (uint32_t d = 0; v->n_gone && d < s->docs; d++) n += lex_is_gone(v, s->first + d) && !seg_is_dropped(s, d);
    return n;
}

/* Where the segments behind the last full one begin. */
static size_t behind_full(const LexView *v, size_t full) {
    size_t i = v->n;
    while (i > 0 && v->segs[i - 1]->built->map.bytes.n < full) i--;
    return i;
}

/* The end of those from `from` on that make a full one together: all, when they do not. */
static size_t until_full(const LexView *v, size_t full, size_t from) {
    size_t bytes = 0, end = from;
    while (end < v->n && bytes < full) bytes += v->segs[end++]->built->map.bytes.n;
    return end;
}

/* The segments to join; from == end: none. Like sizes only, so that a document is written anew a logarithm of times. */
static void merge_choose(const LexView *v, size_t full, bool all, size_t *from, size_t *end) {
    *from = *end = 0;
    if (v->n == 0) return;
    if (all) {
        *end = v->n > 1 || v->n_gone || v->segs[0]->n_removed ? v->n : 0;
        return;
    }
    const size_t open = behind_full(v, full);
    if (v->n - open > SEGMENTS_MAX) {
        size_t i = v->n - 1;
        uint64_t behind = v->segs[i]->docs;
        while (i > open && (v->n - i < MERGE_LEAST || v->segs[i - 1]->docs <= 2 * behind)) behind += v->segs[--i]->docs;
        *from = i;
        *end = until_full(v, full, i);
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        const uint32_t gone = seg_gone(v, v->segs[i]);
        if (gone == 0 || gone < v->segs[i]->counted / 3) continue;
        *from = i;
        *end = i + 1;
        return;
    }
}

/* The view with the new segment instead of [from, end). */
static Err merge_publish(LexIndex *ix, LexSeg *joined, size_t from, size_t end) {
    const LexView *v = ix->view;
    LexView *next = NULL;
    LexSeg **segs = calloc(v->n + 1, sizeof *segs);
    if (!segs) return memory_out();
    size_t n = 0;
    for (size_t i = 0; i < from; i++) segs[n++] = v->segs[i];
    segs[n++] = joined;
    for (size_t i = end; i < v->n; i++) segs[n++] = v->segs[i];
    const Err err = lex_view_new(segs, n, UINT32_MAX, &next);
    free(segs);
    if (!err) lex_publish(ix, next);
    return err;
}

static Err merge_once(LexIndex *ix, size_t from, size_t end, const Deadline *deadline) {
    LexSeg *joined = NULL;
    LexView *old = lex_hold(ix); /* its paths are needed when the new one is in place */
    Err err = segments_join(ix, old, from, end, true, ix->generation, deadline, &joined);
    if (!err) err = file_sync_dir_of(joined->file.path);
    if (!err) err = merge_publish(ix, joined, from, end);
    for (size_t i = from; !err && i < end; i++)
        if (strcmp(old->segs[i]->file.path, joined->file.path) != 0) err = file_remove(old->segs[i]->file.path);
    lex_release(ix, old);
    seg_drop(joined);
    return err;
}

static Err may_merge(const LexIndex *ix) {
    if (!ix->writer) return err_set(ERR_INTERNAL, "the index in '%s' is open for reading", ix->dir);
    if (ix->broken) return err_set(ERR_IO, "writing the index in '%s' failed before: open it again", ix->dir);
    if (ix->buffer.docs == 0 && ix->n_removed == 0 && ix->n_flushed == 0) return ERR_OK;
    return err_set(ERR_INTERNAL, "the index in '%s' has documents that are not synced", ix->dir);
}

bool lex_merge_due(const LexIndex *ix) {
    size_t from, end;
    merge_choose(ix->view, ix->full, false, &from, &end);
    return from != end;
}

Err lex_merge(LexIndex *ix, bool all, const Deadline *deadline) {
    TRY(may_merge(ix));
    for (;;) {
        size_t from, end;
        merge_choose(ix->view, ix->full, all, &from, &end);
        if (from == end) return ERR_OK;
        TRY(merge_once(ix, from, end, deadline));
        if (all) return ERR_OK;
    }
}

Err lex_compact(LexIndex *ix, uint32_t *committed) {
    LexSeg *joined = NULL;
    TRY(may_merge(ix));
    TRY(lex_drop(ix->dir, ix->generation + 1)); /* what an earlier try left */
    *committed = 0;
    if (ix->view->n) TRY(segments_join(ix, ix->view, 0, ix->view->n, false, ix->generation + 1, NULL, &joined));
    if (joined) *committed = joined->docs;
    const Err err = joined ? file_sync_dir_of(joined->file.path) : ERR_OK;
    seg_drop(joined);
    return err;
}
