/* lex_match.c - documents that hold a phrase, or any term with a prefix, with the tf that one term in their place would
 * have.
 *
 * A phrase: the rarest of its terms leads; documents that hold all of them are compared position by position, field by
 * field. Positions are read a block at a time and only of blocks that hold such a document.
 */
#include "index/lex_list.h"

/* One term of a phrase. */
typedef struct {
    LexEntry entry;
    LexBlockAt *blocks;
    size_t n_blocks, block, loaded, positioned; /* of the block that is in docs, and in positions; n_blocks: none */
    uint32_t docs[LEX_BLOCK], codes[LEX_BLOCK];
    uint32_t n, place;
    uint32_t starts[LEX_BLOCK + 1]; /* of each posting in positions */
    uint32_t *positions;
    size_t cap_positions;
} Part;

static Err part_load(const LexGround *g, Part *p) {
    if (p->loaded == p->block) return ERR_OK;
    TRY(seg_block_read(g->seg, &p->blocks[p->block], p->docs, p->codes));
    p->n = p->blocks[p->block].n;
    p->place = 0;
    p->loaded = p->block;
    return ERR_OK;
}

/* To the first posting at doc or behind it; *found: it is of doc. */
static Err part_seek(const LexGround *g, Part *p, uint32_t doc, bool *found) {
    *found = false;
    while (p->block < p->n_blocks && p->blocks[p->block].last < doc) p->block++;
    if (p->block == p->n_blocks) return ERR_OK;
    TRY(part_load(g, p));
    while (p->place < p->n && p->docs[p->place] < doc) p->place++;
    *found = p->place < p->n && p->docs[p->place] == doc;
    return ERR_OK;
}

/* Positions of the block, as they stand in their fields. */
static Err part_position(const LexGround *g, Part *p) {
    if (p->positioned == p->block) return ERR_OK;
    const size_t n = seg_positions_count(g->seg, p->codes, p->n);
    if (n > p->cap_positions) {
        p->positions = arena_array(g->arena, uint32_t, 2 * n);
        if (!p->positions) return arena_error();
        p->cap_positions = 2 * n;
    }
    TRY(seg_positions_read(&p->entry, &p->blocks[p->block], n, p->positions));
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        p->starts[i] = at;
        for (unsigned f = 0; f < LEX_FIELDS; f++)
            for (uint32_t left = tuple_count(g->seg->tuple[p->codes[i]], f), last = 0; left > 0; left--)
                last = p->positions[at++] += last;
    }
    p->starts[p->n] = at;
    p->positioned = p->block;
    return ERR_OK;
}

/* The positions of the posting in a field. */
static const uint32_t *part_field(const LexGround *g, const Part *p, unsigned field, uint32_t *n) {
    const uint32_t tuple = g->seg->tuple[p->codes[p->place]];
    uint32_t at = p->starts[p->place];
    for (unsigned f = 0; f < field; f++) at += tuple_count(tuple, f);
    *n = tuple_count(tuple, field);
    return p->positions + at;
}

static bool has_position(const uint32_t *positions, uint32_t n, uint64_t wanted) {
    for (uint32_t i = 0; i < n; i++)
        if (positions[i] == wanted) return true;
    return false;
}

/* How often the parts stand one behind the other in a field of the document they are all at. */
static uint32_t field_count(const LexGround *g, const Part *parts, size_t n_parts, unsigned field) {
    uint32_t n = 0, count = 0;
    const uint32_t *first = part_field(g, &parts[0], field, &n);
    for (uint32_t i = 0; i < n; i++) {
        bool all = true;
        for (size_t p = 1; all && p < n_parts; p++) {
            uint32_t m = 0;
            const uint32_t *positions = part_field(g, &parts[p], field, &m);
            all = has_position(positions, m, (uint64_t)first[i] + p);
        }
        count += all;
    }
    return count;
}

static Err doc_match(const LexGround *g, Part *parts, size_t n, uint32_t doc, LexMatches *out) {
    bool all = true;
    for (size_t p = 0; all && p < n; p++) TRY(part_seek(g, &parts[p], doc, &all));
    if (!all) return ERR_OK;
    float tf = 0;
    uint32_t count = 0;
    for (size_t p = 0; p < n; p++) TRY(part_position(g, &parts[p]));
    for (unsigned f = 0; f < LEX_FIELDS; f++) {
        const uint32_t found = field_count(g, parts, n, f);
        tf += g->norm->weights[f] * (float)found;
        count += found;
    }
    if (count == 0) return ERR_OK;
    out->docs[out->n] = doc;
    out->tf[out->n++] = tf;
    return ERR_OK;
}

static Err parts_open(const LexGround *g, const Str *terms, size_t n, Part *parts, bool *all) {
    *all = true;
    for (size_t i = 0; *all && i < n; i++) {
        Part *p = &parts[i];
        TRY(seg_term(g->seg, terms[i], &p->entry, all));
        if (!*all) break;
        p->n_blocks = p->loaded = p->positioned = seg_blocks(p->entry.df);
        p->blocks = arena_array(g->arena, LexBlockAt, p->n_blocks);
        if (!p->blocks) return arena_error();
        TRY(seg_block_list(&p->entry, p->blocks));
        TRY(seg_positions_list(&p->entry, p->blocks));
    }
    return ERR_OK;
}

static Err matches_room(const LexGround *g, size_t n, LexMatches *out) {
    *out = (LexMatches){arena_array(g->arena, uint32_t, n + 1), arena_array(g->arena, float, n + 1), 0};
    return out->docs && out->tf ? ERR_OK : arena_error();
}

Err match_phrase(const LexGround *g, const Str *terms, size_t n, LexMatches *out) {
    bool all = false;
    uint32_t docs[LEX_BLOCK], codes[LEX_BLOCK];
    *out = (LexMatches){0};
    Part *parts = arena_array(g->arena, Part, n);
    if (!parts) return arena_error();
    TRY(parts_open(g, terms, n, parts, &all));
    if (!all) return ERR_OK;
    const Part *lead = &parts[0];
    for (size_t p = 1; p < n; p++)
        if (parts[p].entry.df < lead->entry.df) lead = &parts[p];
    TRY(matches_room(g, lead->entry.df, out));
    for (size_t b = 0; b < lead->n_blocks; b++) {
        TRY(seg_block_read(g->seg, &lead->blocks[b], docs, codes));
        for (uint32_t i = 0; i < lead->blocks[b].n; i++) TRY(doc_match(g, parts, n, docs[i], out));
    }
    return ERR_OK;
}

/* Calls of one term's postings, block by block. */
typedef void (*BlockSink)(void *ctx, const LexGround *g, const uint32_t *docs, const uint32_t *codes, uint32_t n);

static Err blocks_each(const LexGround *g, const LexEntry *e, BlockSink sink, void *ctx) {
    const size_t n = seg_blocks(e->df);
    uint32_t docs[LEX_BLOCK], codes[LEX_BLOCK];
    LexBlockAt *blocks = arena_array(g->arena, LexBlockAt, n);
    if (!blocks) return arena_error();
    TRY(seg_block_list(e, blocks));
    for (size_t b = 0; b < n; b++) {
        TRY(seg_block_read(g->seg, &blocks[b], docs, codes));
        sink(ctx, g, docs, codes, blocks[b].n);
    }
    return ERR_OK;
}

static void bits_set(void *ctx, const LexGround *g, const uint32_t *docs, const uint32_t *codes, uint32_t n) {
    (void)g;
    (void)codes;
    uint64_t *bits = ctx;
    for (uint32_t i = 0; i < n; i++) bits[docs[i] / 64] |= UINT64_C(1) << (docs[i] % 64);
}

Err match_term_bits(const LexGround *g, const LexEntry *e, uint64_t *bits) { return blocks_each(g, e, bits_set, bits); }

typedef struct {
    float *tf;      /* [docs] */
    uint64_t *bits; /* documents that have one of the terms, whatever its tf */
} Union;

static void union_add(void *ctx, const LexGround *g, const uint32_t *docs, const uint32_t *codes, uint32_t n) {
    Union *u = ctx;
    for (uint32_t i = 0; i < n; i++) u->tf[docs[i]] += g->tf[codes[i]];
    bits_set(u->bits, g, docs, codes, n);
}

Err match_prefix(const LexGround *g, Str prefix, const Deadline *deadline, LexMatches *out) {
    const LexSeg *s = g->seg;
    LexWalk w;
    bool more = false;
    Union u = {arena_array(g->arena, float, s->docs), arena_array(g->arena, uint64_t, (size_t)s->docs / 64 + 1)};
    if (!u.tf || !u.bits) return arena_error();
    TRY(matches_room(g, s->docs, out));
    TRY(seg_walk(s, prefix, &w, &more));
    while (more && str_starts(str_make(w.entry.term, w.entry.term_n), prefix)) {
        TRY(deadline_check(deadline));
        TRY(blocks_each(g, &w.entry, union_add, &u));
        TRY(seg_walk_next(&w, &more));
    }
    for (uint32_t d = 0; d < s->docs; d++) {
        if (!(u.bits[d / 64] >> (d % 64) & 1)) continue;
        out->docs[out->n] = d;
        out->tf[out->n++] = u.tf[d];
    }
    return ERR_OK;
}
