/* lex_seg.c - reading a segment; the format is in lex_seg.h.
 *
 * Opening compares the sizes of all parts with the numbers of the segment, so that lengths, ids and tuples can be
 * looked up without a check afterwards. The dictionary and the postings are checked as they are read.
 */
#include "index/lex_seg.h"

#include <stdio.h>
#include <stdlib.h>

Err seg_bad(const LexSeg *s, const char *what) {
    return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: %s", s->file.path, what), INDEX_FILE_FIX);
}

Err seg_path(const char *dir, uint64_t generation, uint32_t first, uint32_t end, char *out, size_t room) {
    const int n = snprintf(out, room, "%s/lex-%llu-%08x-%08x.seg", dir, (unsigned long long)generation, first, end);
    if (n < 0 || (size_t)n >= room) return err_set(ERR_LIMIT, "the path '%s' is too long for an index", dir);
    return ERR_OK;
}

IndexHead seg_head(uint64_t generation) {
    return (IndexHead){.kind = "lexical", .dtype = INDEX_U32, .item_bytes = 64, .generation = generation};
}

/* ---- opening ---- */

static uint64_t word64(const uint32_t *words, size_t at) { return words[at] | (uint64_t)words[at + 1] << 32; }

static const void *part(const LexSeg *s, size_t i) { return s->built->parts[i].bytes; }

static Str part_str(const LexSeg *s, size_t i) {
    const BuiltPart *p = &s->built->parts[i];
    return str_make(p->n ? p->bytes : "", p->n);
}

static Err ids_check(const LexSeg *s) {
    const size_t blocks = seg_blocks(s->docs);
    for (size_t b = 0; b < blocks; b++) {
        const LexIdBlock *i = &s->ids[b];
        const size_t n = b + 1 < blocks ? LEX_BLOCK : s->docs - b * LEX_BLOCK;
        if (i->bits > 32 && i->bits != 64) return seg_bad(s, "ids have an impossible width");
        const size_t bytes = lex_packed(n, i->bits) + LEX_SLACK;
        if (i->at > s->id_bits.n || s->id_bits.n - i->at < bytes) return seg_bad(s, "ids leave their part");
    }
    return ERR_OK;
}

/* The sizes that follow from the segment's numbers. */
static Err parts_check(LexSeg *s) {
    const Built *b = s->built;
    if (b->n_parts != LEX_PARTS) return seg_bad(s, "it has another number of parts");
    s->tuples = (uint32_t)(b->parts[PART_TUPLES].n / sizeof(uint32_t));
    s->n_removed = (uint32_t)(b->parts[PART_REMOVED].n / sizeof(uint32_t));
    s->groups = (s->terms + LEX_GROUP - 1) / LEX_GROUP;
    const size_t bits = ((size_t)s->docs + 63) / 64 * sizeof(uint64_t);
    TRY(built_expect(&s->file, b, PART_GROUPS, (size_t)s->groups * 3 * sizeof(uint32_t)));
    TRY(built_expect(&s->file, b, PART_IDS, seg_blocks(s->docs) * sizeof(LexIdBlock)));
    if (b->parts[PART_DROPPED].n) TRY(built_expect(&s->file, b, PART_DROPPED, bits));
    for (size_t p = PART_POST; p <= PART_POS; p++)
        if (b->parts[p].n < LEX_SLACK || b->parts[p].n > UINT32_MAX) return seg_bad(s, "postings have no end");
    if (b->parts[PART_LENGTHS].n < LEX_SLACK) return seg_bad(s, "its documents' lengths have no end");
    if (b->parts[PART_DICT].n > UINT32_MAX) return seg_bad(s, "its dictionary is too long");
    return ERR_OK;
}

/* Parts as long as parts_check wants them: a file of n bytes has at most 8n documents. */
static Err lengths_read(LexSeg *s) {
    const Str packed = part_str(s, PART_LENGTHS);
    const uint8_t *at = (const uint8_t *)packed.p, *end = at + packed.n - LEX_SLACK;
    s->lengths = malloc((size_t)s->docs * sizeof *s->lengths);
    if (!s->lengths) return err_set(ERR_NOMEM, "out of memory for an index segment of %u documents", s->docs);
    for (size_t from = 0; from < s->docs; from += LEX_RUN) {
        uint32_t run[LEX_RUN];
        const size_t n = s->docs - from < LEX_RUN ? s->docs - from : LEX_RUN;
        if (!lex_run(&at, end, n, run)) return seg_bad(s, "its documents' lengths leave their part");
        for (size_t i = 0; i < n; i++) {
            if (run[i] > LEX_LENGTH_MAX) return seg_bad(s, "a document's length is impossible");
            s->lengths[from + i] = (uint16_t)run[i];
        }
    }
    return at == end ? ERR_OK : seg_bad(s, "its documents' lengths end elsewhere");
}

static Err seg_bind(LexSeg *s, uint32_t first, uint32_t end) {
    const uint32_t *w = s->built->words;
    s->docs = s->built->rows;
    s->first = w[SEG_FIRST];
    s->counted = w[SEG_COUNTED];
    s->terms = w[SEG_TERMS];
    if (w[SEG_LAYOUT] != LEX_LAYOUT)
        return err_fix(err_set(ERR_FORMAT, "index file '%s' has layout %u of the words, this program reads %d",
                               s->file.path, w[SEG_LAYOUT], LEX_LAYOUT),
                       INDEX_FILE_FIX);
    s->length = word64(w, SEG_LENGTH);
    s->postings = word64(w, SEG_POSTINGS);
    s->positions = word64(w, SEG_POSITIONS);
    memcpy(s->weights, w + SEG_WEIGHTS, sizeof s->weights);
    if (s->first != first || end - first != s->docs || s->docs == 0 || s->counted > s->docs)
        return seg_bad(s, "it holds other documents than its name says");
    for (size_t f = 0; f < LEX_FIELDS; f++)
        if (!(s->weights[f] > 0 && s->weights[f] <= 1e6f)) return seg_bad(s, "a field's weight is impossible");
    TRY(parts_check(s));
    s->dict = part_str(s, PART_DICT);
    s->post = str_upto(part_str(s, PART_POST), s->built->parts[PART_POST].n - LEX_SLACK);
    s->pos = str_upto(part_str(s, PART_POS), s->built->parts[PART_POS].n - LEX_SLACK);
    s->id_bits = part_str(s, PART_ID_BITS);
    s->group = part(s, PART_GROUPS);
    s->ids = part(s, PART_IDS);
    s->tuple = part(s, PART_TUPLES);
    s->removed = part(s, PART_REMOVED);
    s->dropped = part(s, PART_DROPPED);
    for (uint32_t i = 0; i < s->n_removed; i++)
        if (s->removed[i] >= end || (i && s->removed[i] <= s->removed[i - 1]))
            return seg_bad(s, "its removed documents are out of order");
    TRY(ids_check(s));
    return lengths_read(s);
}

Err seg_open(const char *dir, uint64_t generation, uint32_t first, uint32_t end, LexSeg **out) {
    *out = NULL;
    LexSeg *s = calloc(1, sizeof *s);
    if (!s) return err_set(ERR_NOMEM, "out of memory for an index segment");
    atomic_init(&s->refs, 1);
    s->file.head = seg_head(generation);
    Err err = seg_path(dir, generation, first, end, s->file.path, sizeof s->file.path);
    if (!err) err = built_map(&s->file, &s->built);
    if (!err && !s->built)
        err = err_fix(err_set(ERR_NO_INDEX, "index file '%s' is missing", s->file.path), INDEX_FILE_FIX);
    if (!err) err = seg_bind(s, first, end);
    if (err)
        seg_drop(s);
    else
        *out = s;
    return err;
}

void seg_hold(LexSeg *s) { atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed); }

void seg_drop(LexSeg *s) {
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    built_free(s->built);
    free(s->lengths);
    free(s);
}

/* ---- ids ---- */

static int64_t id_at(const LexSeg *s, const LexIdBlock *b, uint32_t place) {
    const char *at = s->id_bits.p + b->at + (size_t)place * b->bits / 8;
    uint64_t rest = 0;
    if (b->bits) memcpy(&rest, at, sizeof rest);
    if (b->bits && b->bits < 64) rest = rest >> (size_t)place * b->bits % 8 & ((UINT64_C(1) << b->bits) - 1);
    return (int64_t)((uint64_t)b->base + rest + place);
}

int64_t seg_id(const LexSeg *s, uint32_t doc) { return id_at(s, &s->ids[doc / LEX_BLOCK], doc % LEX_BLOCK); }

/* The first range that ends behind id. */
static size_t range_behind(const ChunkRange *ranges, size_t n, int64_t id) {
    size_t low = 0;
    while (n > 0) {
        const size_t half = n / 2;
        if (ranges[low + half].end <= id) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

void seg_find(const LexSeg *s, const ChunkRange *ranges, size_t n, void (*found)(void *ctx, uint32_t number),
              void *ctx) {
    for (uint32_t b = 0; b * LEX_BLOCK < s->docs; b++) {
        const LexIdBlock *ids = &s->ids[b];
        const uint32_t docs = s->docs - b * LEX_BLOCK < LEX_BLOCK ? s->docs - b * LEX_BLOCK : LEX_BLOCK;
        if (ids->bits < 62) { /* no id of the block is above base + 2^bits + 127 */
            const size_t r = range_behind(ranges, n, ids->base);
            const int64_t span = (INT64_C(1) << ids->bits) + LEX_BLOCK;
            if (r == n || (ids->base < INT64_MAX - span && ranges[r].first > ids->base + span)) continue;
        }
        for (uint32_t i = 0; i < docs; i++) {
            const int64_t id = id_at(s, ids, i);
            const size_t r = range_behind(ranges, n, id);
            if (r < n && ranges[r].first <= id && !seg_is_dropped(s, b * LEX_BLOCK + i))
                found(ctx, s->first + b * LEX_BLOCK + i);
        }
    }
}

/* ---- the dictionary ---- */

/* Bytes of a term that it shares with the one before, and of the rest; false when the dictionary ends. */
static bool sizes_read(const uint8_t **at, const uint8_t *end, size_t *shared, size_t *rest) {
    const uint8_t *p = *at;
    if (p == end || (*p == LEX_SIZES_LONG && end - p < 3)) return false;
    const bool is_long = *p == LEX_SIZES_LONG;
    *shared = is_long ? p[1] : *p >> 4;
    *rest = is_long ? p[2] : *p & 15;
    *at = p + (is_long ? 3 : 1);
    return true;
}

/* LexSizes: df, bytes of postings and of positions; false when the dictionary ends or no writer makes such. */
static bool numbers_read(const uint8_t **at, const uint8_t *end, uint64_t *df, uint64_t *post, uint64_t *pos) {
    if (*at == end) return false;
    const uint8_t all = *(*at)++;
    if (all == LEX_SIZES_WIDE) {
        *df = lex_varint(at, end);
        *post = lex_varint(at, end);
        *pos = lex_varint(at, end);
        return *at != NULL;
    }
    *df = all / (LEX_SIZES_MORE * LEX_SIZES_MORE) + 1u;
    *post = *df + all / LEX_SIZES_MORE % LEX_SIZES_MORE;
    *pos = *df + all % LEX_SIZES_MORE;
    return *df <= LEX_SIZES_DF;
}

/* The term at w->at, which is inside of the dictionary; w->entry.term holds the one before. */
static Err entry_read(LexWalk *w) {
    LexEntry *e = &w->entry;
    const LexSeg *s = e->seg;
    const uint8_t *end = (const uint8_t *)s->dict.p + s->dict.n, *at = w->at;
    size_t shared, rest;
    if (!sizes_read(&at, end, &shared, &rest)) return seg_bad(s, "its dictionary ends within a term");
    const bool opens = w->place % LEX_GROUP == 0;
    if (shared > (opens ? 0 : e->term_n) || rest == 0 || rest > LEX_TERM_MAX - shared || (size_t)(end - at) < rest)
        return seg_bad(s, "a term of its dictionary is impossible");
    memcpy(e->term + shared, at, rest);
    e->term_n = shared + rest;
    at += rest;
    uint64_t df = 0, post = 0, pos = 0;
    if (!numbers_read(&at, end, &df, &post, &pos) || df == 0 || df > s->docs || w->post_at > s->post.n ||
        post > s->post.n - w->post_at || w->pos_at > s->pos.n || pos > s->pos.n - w->pos_at)
        return seg_bad(s, "a term of its dictionary has postings outside of the file");
    e->df = (uint32_t)df;
    e->post = str_make(s->post.p + w->post_at, (size_t)post);
    e->pos = str_make(s->pos.p + w->pos_at, (size_t)pos);
    w->post_at += post;
    w->pos_at += pos;
    w->at = at;
    w->place++;
    return ERR_OK;
}

static Err group_enter(LexWalk *w, uint32_t group) {
    const LexSeg *s = w->entry.seg;
    const uint32_t *g = s->group + (size_t)group * 3;
    if (g[0] > s->dict.n) return seg_bad(s, "a group of terms leaves its dictionary");
    w->at = (const uint8_t *)s->dict.p + g[0];
    w->post_at = g[1];
    w->pos_at = g[2];
    w->place = group * LEX_GROUP;
    w->entry.term_n = 0;
    return ERR_OK;
}

/* The first term of a group, which stands there in full. */
static Err group_first(const LexSeg *s, uint32_t group, Str *out) {
    const size_t at = s->group[(size_t)group * 3];
    const uint8_t *p = (const uint8_t *)s->dict.p + at, *end = (const uint8_t *)s->dict.p + s->dict.n;
    size_t shared, rest;
    if (at > s->dict.n || !sizes_read(&p, end, &shared, &rest) || (size_t)(end - p) < rest)
        return seg_bad(s, "a group of terms leaves its dictionary");
    *out = str_make((const char *)p, rest);
    return ERR_OK;
}

/* The last group whose first term is not above the wanted one; 0 when all are. */
static Err group_find(const LexSeg *s, Str term, uint32_t *out) {
    uint32_t low = 0, n = s->groups;
    while (n > 1) {
        const uint32_t half = n / 2;
        Str first;
        TRY(group_first(s, low + half, &first));
        if (str_cmp(first, term) <= 0) {
            low += half;
            n -= half;
        } else {
            n = half;
        }
    }
    *out = low;
    return ERR_OK;
}

Err seg_walk_next(LexWalk *w, bool *more) {
    const LexSeg *s = w->entry.seg;
    *more = w->place < s->terms;
    if (!*more) return ERR_OK;
    if (w->place % LEX_GROUP == 0) TRY(group_enter(w, w->place / LEX_GROUP));
    return entry_read(w);
}

/* Stands before the first term that is not below `from`: *more says whether there is one, which is entered. */
static Err walk_to(LexWalk *w, Str from, bool *more) {
    uint32_t group = 0;
    *more = w->entry.seg->terms > 0;
    if (!*more) return ERR_OK;
    TRY(group_find(w->entry.seg, from, &group));
    w->place = group * LEX_GROUP;
    do {
        TRY(seg_walk_next(w, more));
    } while (*more && str_cmp(str_make(w->entry.term, w->entry.term_n), from) < 0);
    return ERR_OK;
}

Err seg_term(const LexSeg *s, Str term, LexEntry *out, bool *found) {
    LexWalk w = {.entry.seg = s};
    TRY(walk_to(&w, term, found));
    *found = *found && str_eq(str_make(w.entry.term, w.entry.term_n), term);
    if (*found) *out = w.entry;
    return ERR_OK;
}

Err seg_walk(const LexSeg *s, Str from, LexWalk *out, bool *more) {
    *out = (LexWalk){.entry.seg = s};
    return walk_to(out, from, more);
}

/* ---- postings ---- */

static Err block_list_long(const LexEntry *e, LexBlockAt *out) {
    const LexSeg *s = e->seg;
    const size_t n = seg_blocks(e->df), directory = n * LEX_DIR_BYTES;
    const uint8_t *at = (const uint8_t *)e->post.p;
    if (e->post.n < directory) return seg_bad(s, "a term's directory leaves its postings");
    uint64_t data = directory, prev = 0;
    for (size_t b = 0; b < n; b++, at += LEX_DIR_BYTES) {
        LexBlockAt *o = &out[b];
        uint16_t bytes;
        *o = (LexBlockAt){.n = b + 1 < n ? LEX_BLOCK : (uint32_t)(e->df - b * LEX_BLOCK), .prev = prev};
        memcpy(&o->last, at, 4);
        memcpy(&bytes, at + 4, 2);
        memcpy(o->points, at + 6, sizeof o->points);
        if (o->last >= s->docs || o->last < prev || bytes > e->post.n - data)
            return seg_bad(s, "a block of postings is impossible");
        o->at = (const uint8_t *)e->post.p + data;
        o->room = bytes;
        data += bytes;
        prev = (uint64_t)o->last + 1;
    }
    return data == e->post.n ? ERR_OK : seg_bad(s, "a term's postings end elsewhere");
}

Err seg_block_list(const LexEntry *e, LexBlockAt *out) {
    if (e->df > LEX_BLOCK) return block_list_long(e, out);
    *out = (LexBlockAt){.last = UINT32_MAX, .n = e->df, .at = (const uint8_t *)e->post.p, .room = e->post.n};
    memset(out->points, LEX_SMALL_MAX, sizeof out->points);
    return ERR_OK;
}

Err seg_positions_list(const LexEntry *e, LexBlockAt *blocks) {
    const size_t n = seg_blocks(e->df);
    const uint8_t *at = (const uint8_t *)e->pos.p, *end = at + e->pos.n;
    if (n == 1) {
        blocks[0].pos_bytes = (uint32_t)e->pos.n;
        return ERR_OK;
    }
    for (size_t from = 0; from < n; from += LEX_RUN) {
        uint32_t sizes[LEX_RUN];
        const size_t run = n - from < LEX_RUN ? n - from : LEX_RUN;
        if (!lex_run(&at, end, run, sizes)) return seg_bad(e->seg, "positions' sizes leave their term");
        for (size_t i = 0; i < run; i++) blocks[from + i].pos_bytes = sizes[i];
    }
    for (size_t b = 0; b < n; at += blocks[b++].pos_bytes) {
        if (blocks[b].pos_bytes > (size_t)(end - at)) return seg_bad(e->seg, "positions leave their term");
        blocks[b].pos_at = (uint32_t)(at - (const uint8_t *)e->pos.p);
    }
    return at == end ? ERR_OK : seg_bad(e->seg, "a term's positions end elsewhere");
}

Err seg_block_read(const LexSeg *s, const LexBlockAt *b, uint32_t *docs, uint32_t *codes) {
    const uint8_t *at = b->at, *end = b->at + b->room;
    uint64_t doc = b->prev;
    uint32_t most = 0;
    const bool is_read = b->n < LEX_VARINTS_BELOW ? lex_pairs(&at, end, b->n, docs, codes)
                                                  : lex_run(&at, end, b->n, docs) && lex_run(&at, end, b->n, codes);
    if (!is_read || at != end) return seg_bad(s, "a block of postings is none");
    for (uint32_t i = 0; i < b->n; i++) {
        doc += docs[i];
        docs[i] = (uint32_t)doc++;
        most = codes[i] > most ? codes[i] : most;
    }
    /* Each document is above the one before, so the last one being right means that none has wrapped. */
    if (b->last != UINT32_MAX ? doc != (uint64_t)b->last + 1 : doc > s->docs)
        return seg_bad(s, "a posting is of no document");
    return most < s->tuples ? ERR_OK : seg_bad(s, "a posting has a code that is none");
}

size_t seg_positions_count(const LexSeg *s, const uint32_t *codes, size_t n) {
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += tuple_sum(s->tuple[codes[i]]);
    return sum;
}

Err seg_positions_read(const LexEntry *e, const LexBlockAt *b, size_t n, uint32_t *out) {
    const uint8_t *at = (const uint8_t *)e->pos.p + b->pos_at, *end = at + b->pos_bytes;
    for (size_t done = 0; done < n; done += LEX_RUN)
        if (!lex_run(&at, end, n - done < LEX_RUN ? n - done : LEX_RUN, out + done))
            return seg_bad(e->seg, "positions leave their term");
    return at == end ? ERR_OK : seg_bad(e->seg, "a term's positions end elsewhere");
}
