/* code.c - what the syntax tree says about borders between chunks, and which definition a chunk is of.
 *
 * The borders that borders.c judged by blank lines and indentation stay, since programmers part their statements by
 * blank lines and no tree tells of those; the tree corrects them where only it can know: a definition begins (its
 * comments and decorators with it), a line lies in a string, a comment or an expression, a bracket closes. What it
 * could not make out is left to the lines.
 */
#include "chunk/code.h"

enum {
    DEFINITION = 0,        /* behind a blank line; ... */
    DEFINITION_TIGHT = 60, /* ... and without one */
    PER_DEPTH = 40,        /* more for each definition around it, up to DEPTH_MAX */
    DEPTH_MAX = 5,
    IN_EXPRESSION = 650,
    BLANK_IN_TOKEN = 500, /* a paragraph of a long comment or string */
    IN_TOKEN = 780,
    ATTACHED = 850,
    CLOSING = 880,
    NAMES_MAX = 1000, /* bytes of a chunk's names */
    SHARE_LEAST = 4,  /* a chunk is of a definition that is at least one in so many of its bytes */
};

static int tree_border(const OutlineLine *line, const Unit *unit) {
    const bool blank = (unit->flags & UNIT_AFTER_BLANK) != 0;
    const int by_lines = unit->border, depth = line->depth < DEPTH_MAX ? line->depth : DEPTH_MAX;
    if (line->flags & LINE_ATTACHED) return ATTACHED;
    if (line->flags & LINE_DEF) return (blank ? DEFINITION : DEFINITION_TIGHT) + PER_DEPTH * depth;
    if (line->flags & (LINE_STRING | LINE_COMMENT)) return blank ? BLANK_IN_TOKEN : IN_TOKEN;
    if (line->flags & LINE_BROKEN) return by_lines;
    if (line->flags & LINE_TOKEN) return by_lines > CLOSING ? by_lines : CLOSING;
    if (line->flags & LINE_BRACKET) return by_lines > IN_EXPRESSION ? by_lines : IN_EXPRESSION;
    return by_lines;
}

void code_borders(const Outline *o, Units *u) {
    for (size_t i = 1; i < u->n; i++) {
        Unit *unit = units_at(u, i);
        if ((unit->flags & UNIT_PIECE) || unit->line > o->n_lines) continue;
        unit->border = (uint16_t)tree_border(&o->lines[unit->line - 1], unit);
    }
}

typedef struct {
    Arena *arena;
    const Outline *outline;
    size_t next; /* the first symbol that begins in no chunk before */
    Buf open;    /* size_t[]: symbols that go on from chunks before */
} Naming;

/* The better one to name the chunk after: the innermost that is half of it, else the one that is most of it. */
typedef struct {
    const Symbol *symbol;
    int64_t overlap;
} Candidate;

static void candidate_try(Candidate *best, const Chunk *c, const Symbol *s) {
    const int64_t from = s->start > c->start ? s->start : c->start, to = s->end < c->end ? s->end : c->end;
    const int64_t overlap = to - from, half = (c->end - c->start + 1) / 2;
    if (overlap <= 0) return;
    const bool most = overlap >= half;
    if (!best->symbol || most || (overlap >= best->overlap && best->overlap < half)) *best = (Candidate){s, overlap};
}

/* "Backoff.next other third": the symbol, and the names of what else begins in the chunk, from symbol `first` on. */
static Err names_make(Naming *n, Chunk *c, size_t first) {
    Buf names = {0};
    buf_add(&names, c->symbol);
    for (size_t i = first; i < n->next && names.n < NAMES_MAX; i++) {
        const Symbol *s = &n->outline->symbols[i];
        if (str_eq(s->path, c->symbol)) continue;
        if (names.n) buf_char(&names, ' ');
        buf_add(&names, s->name);
    }
    c->names = arena_str(n->arena, buf_str(&names));
    const Err err = buf_ok(&names);
    buf_free(&names);
    return err ? err : c->names.p ? ERR_OK : arena_error();
}

static Err chunk_name(Naming *n, Chunk *c) {
    const Outline *o = n->outline;
    Candidate best = {0};
    size_t kept = 0, *open = (size_t *)(void *)n->open.p;
    const size_t n_open = n->open.n / sizeof *open, first = n->next;
    for (size_t i = 0; i < n_open; i++) {
        const Symbol *s = &o->symbols[open[i]];
        candidate_try(&best, c, s);
        if (s->end > c->end) open[kept++] = open[i];
    }
    n->open.n = kept * sizeof *open;
    for (; n->next < o->n_symbols && o->symbols[n->next].start < c->end; n->next++) {
        candidate_try(&best, c, &o->symbols[n->next]);
        if (o->symbols[n->next].end > c->end) buf_add_bytes(&n->open, &n->next, sizeof n->next);
    }
    TRY(buf_ok(&n->open));
    c->kind = STR("code");
    if (best.symbol && best.overlap * SHARE_LEAST >= c->end - c->start) {
        c->symbol = best.symbol->path;
        c->kind = best.symbol->kind;
    }
    return names_make(n, c, first);
}

Err code_name(Arena *a, const Outline *o, Chunk *chunks, size_t n) {
    Naming naming = {.arena = a, .outline = o};
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) err = chunk_name(&naming, &chunks[i]);
    buf_free(&naming.open);
    return err;
}
