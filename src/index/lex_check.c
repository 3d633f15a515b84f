/* lex_check.c - lex_check: everything that a lexical index holds is read once and compared with what it says of
 * itself. */
#include <stdlib.h>

#include "index/lex_view.h"

/* Memory of one check: a block's postings, and positions of the longest block that there can be. */
typedef struct {
    LexBlockAt *blocks;
    size_t cap_blocks;
    uint32_t docs[LEX_BLOCK], codes[LEX_BLOCK];
    uint32_t positions[LEX_BLOCK * LEX_FIELDS * LEX_COUNT_MAX];
    uint64_t n_postings, n_positions;
} Check;

static Err blocks_room(Check *c, size_t n) {
    if (n <= c->cap_blocks) return ERR_OK;
    LexBlockAt *more = realloc(c->blocks, n * sizeof *more);
    if (!more) return err_set(ERR_NOMEM, "out of memory for checking an index");
    c->blocks = more;
    c->cap_blocks = n;
    return ERR_OK;
}

static Err term_check(Check *c, const LexEntry *e) {
    const size_t n = seg_blocks(e->df);
    TRY(blocks_room(c, n));
    TRY(seg_block_list(e, c->blocks));
    TRY(seg_positions_list(e, c->blocks));
    for (size_t b = 0; b < n; b++) {
        const LexBlockAt *at = &c->blocks[b];
        TRY(seg_block_read(e->seg, at, c->docs, c->codes));
        const size_t positions = seg_positions_count(e->seg, c->codes, at->n);
        TRY(seg_positions_read(e, at, positions, c->positions));
        for (uint32_t i = 0; i < at->n; i++)
            if (tuple_sum(e->seg->tuple[c->codes[i]]) == 0 || seg_is_dropped(e->seg, c->docs[i]))
                return seg_bad(e->seg, "a posting is of a document that does not have the term");
        c->n_postings += at->n;
        c->n_positions += positions;
    }
    return ERR_OK;
}

static Err counts_check(const LexSeg *s, const Check *c) {
    uint64_t length = 0;
    uint32_t counted = 0;
    for (uint32_t d = 0; d < s->docs; d++) {
        if (seg_is_dropped(s, d)) continue;
        counted++;
        length += s->lengths[d];
    }
    if (counted != s->counted || length != s->length) return seg_bad(s, "its documents do not fit their count");
    if (c->n_postings != s->postings || c->n_positions != s->positions)
        return seg_bad(s, "its postings do not fit their count");
    return ERR_OK;
}

static Err seg_check(Check *c, const LexSeg *s) {
    Built *again = NULL;
    LexWalk w;
    bool more = false;
    char before[LEX_TERM_MAX] = "";
    size_t before_n = 0;
    TRY(built_map(&s->file, &again)); /* the sums, of the file as it is now: a merge may have taken it away */
    built_free(again);
    c->n_postings = c->n_positions = 0;
    TRY(seg_walk(s, STR(""), &w, &more));
    for (; more;) {
        const Str term = str_make(w.entry.term, w.entry.term_n);
        if (str_cmp(str_make(before, before_n), term) >= 0) return seg_bad(s, "its terms are out of order");
        memcpy(before, term.p, term.n);
        before_n = term.n;
        TRY(term_check(c, &w.entry));
        TRY(seg_walk_next(&w, &more));
    }
    return counts_check(s, c);
}

Err lex_check(const LexIndex *ix, Buf *report) {
    LexView *v = lex_hold(ix);
    size_t findings = 0;
    Check *c = calloc(1, sizeof *c);
    Err err = c ? ERR_OK : err_set(ERR_NOMEM, "out of memory for checking an index");
    for (size_t i = 0; !err && i < v->n; i++) {
        const Err found = seg_check(c, v->segs[i]);
        if (found == ERR_NOMEM) err = found;
        if (!found || err) continue;
        buf_printf(report, "%s\n", err_text());
        findings++;
    }
    lex_release(ix, v);
    if (c) free(c->blocks);
    free(c);
    if (err || findings == 0) return err;
    return err_fix(err_set(ERR_CORRUPT, "%zu findings in the index in '%s'", findings, ix->dir), INDEX_FILE_FIX);
}
