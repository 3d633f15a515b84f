/* chunk.c - from measured lines to chunks.
 *
 * A chunker marks where sections start; the cutting itself is common: the cheapest way, by dynamic programming, to cut each
 * section into chunks of at most max_tokens. A chunk costs what its first line costs as a border, and what its size is
 * short of the target. So a function stays whole when it fits, small ones are merged, and a long one is cut at its blank
 * lines, outermost first. Comments and decorators stay with what follows them, because the border is at the blank line
 * before them.
 *
 * Cost: linear in the lines times the lines of a chunk. Memory: the arena. Threads: any, one an arena.
 */
#include "chunk/chunk.h"

#include <math.h>

#include "chunk/lines.h"

enum { WINDOW_MAX = 512 /* lines of a chunk */, TARGET_NUMERATOR = 3, TARGET_DENOMINATOR = 4 };

/* What a border costs, against SHORT for an almost empty chunk: tuned on Python's and Go's libraries by eye, so that methods
 * are kept whole and runs of one-line definitions are not torn. */
static const float COST_TOP = 0.3f, COST_OUTER = 1.2f, COST_BLANK = 2.5f, COST_CLOSE = 2.0f, COST_LINE = 6.0f,
                   COST_INDENT = 0.1f, SHORT = 3.0f;

typedef struct {
    Arena *arena;
    const Doc *doc;
    const ChunkOpts *opts;
    Line *lines;
    size_t n_lines;
    uint64_t *sums; /* [n_lines + 1] tokens before line i */
    size_t target;
    Chunk *chunks;
    size_t n, cap;
    Str heading; /* path of the section at hand */
} Cutter;

/* ---- chunkers: how a text is divided into sections ---- */

static Err mark_none(Arena *a, Str text, Line *lines, size_t n) {
    (void)a, (void)text, (void)lines, (void)n;
    return ERR_OK;
}

static const struct {
    const char *lang; /* "": all others */
    Err (*mark)(Arena *a, Str text, Line *lines, size_t n);
} chunkers[] = {
    {"markdown", headings_mark_markdown},
    {"rst", headings_mark_rst},
    {"", mark_none},
};

static Err mark_sections(Cutter *c) {
    size_t i = 0;
    while (*chunkers[i].lang && !str_is(c->doc->lang, chunkers[i].lang)) i++;
    return chunkers[i].mark(c->arena, c->doc->text, c->lines, c->n_lines);
}

/* ---- borders ---- */

static bool closes(Str line) {
    Str s = str_trim(line);
    return s.n && s.n <= 4 && strchr("})];", s.p[0]);
}

/* Of starting a chunk at line i, which is not blank. */
static float border_cost(const Cutter *c, size_t i) {
    const Line *l = &c->lines[i];
    if (i == 0 || l->heading) return 0;
    if (l->piece) return COST_LINE;
    const Line *before = &c->lines[i - 1];
    float deeper = COST_INDENT * (float)(l->indent < 40 ? l->indent : 40);
    if (before->indent < 0) {
        size_t last = i - 1;
        while (last > 0 && c->lines[last].indent < 0) last--;
        if (l->indent == 0) return COST_TOP;
        return (l->indent <= c->lines[last].indent ? COST_OUTER : COST_BLANK) + deeper;
    }
    if (l->indent == 0 && closes(line_text(c->doc->text, before)) && !closes(line_text(c->doc->text, l)))
        return COST_CLOSE;
    return COST_LINE + deeper;
}

static float size_cost(const Cutter *c, size_t tokens) {
    if (tokens >= c->target) return 0;
    float missing = 1 - (float)tokens / (float)c->target;
    return SHORT * missing * missing;
}

/* ---- emitting ---- */

static Err emit(Cutter *c, size_t from, size_t to);

static Err push_chunk(Cutter *c, Str span, const Line *first, const Line *last, size_t tokens) {
    if (c->n == CHUNK_MAX)
        return err_set(ERR_LIMIT, "'%.*s' gives more than %d chunks", STR_FMT(c->doc->path), CHUNK_MAX);
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        Chunk *more = arena_array(c->arena, Chunk, cap);
        if (!more) return arena_error();
        if (c->n) memcpy(more, c->chunks, c->n * sizeof *more);
        c->chunks = more;
        c->cap = cap;
    }
    c->chunks[c->n++] = (Chunk){.start = (int64_t)first->start,
                                .end = (int64_t)last->end,
                                .start_line = first->number,
                                .end_line = last->number,
                                .tokens = (int32_t)tokens,
                                .symbol = STR(""),
                                .kind = c->heading.n ? STR("section") : STR("lines"),
                                .heading = c->heading.n ? c->heading : STR(""),
                                .hash = chunk_hash_of(span)};
    return ERR_OK;
}

/* A joined text may have more tokens than its lines: then it is halved. */
static Err emit_halves(Cutter *c, size_t from, size_t to) {
    size_t mid = from + (to - from) / 2;
    TRY(emit(c, from, mid));
    return emit(c, mid, to);
}

/* The chunk of lines [from, to), blank ones at both ends left out. */
static Err emit(Cutter *c, size_t from, size_t to) {
    while (from < to && c->lines[from].indent < 0) from++;
    while (to > from && c->lines[to - 1].indent < 0) to--;
    if (from == to) return ERR_OK;
    const Line *first = &c->lines[from], *last = &c->lines[to - 1];
    Str span = str_make(c->doc->text.p + first->start, last->end - first->start);
    size_t tokens = c->opts->count_tokens(c->opts->count_ctx, span);
    if (tokens > c->opts->max_tokens && to - from > 1) return emit_halves(c, from, to);
    return push_chunk(c, span, first, last, tokens);
}

/* ---- cutting a section ---- */

typedef struct {
    float cost;
    uint32_t next; /* the chunk that starts here ends before this line */
} Step;

/* best[i]: the cheapest way to cut [i, to). From the back, so that the front can be read off. */
static void plan_section(const Cutter *c, size_t from, size_t to, Step *best) {
    best[to - from] = (Step){0, 0};
    for (size_t i = to; i-- > from;) {
        Step *here = &best[i - from];
        if (c->lines[i].indent < 0) { /* a blank line starts nothing: it is passed over */
            *here = (Step){best[i + 1 - from].cost, (uint32_t)(i + 1)};
            continue;
        }
        *here = (Step){INFINITY, (uint32_t)(i + 1)};
        float border = border_cost(c, i);
        for (size_t end = i + 1; end <= to && end - i <= WINDOW_MAX; end++) {
            size_t tokens = (size_t)(c->sums[end] - c->sums[i]);
            if (tokens > c->opts->max_tokens && end > i + 1) break;
            float cost = border + size_cost(c, tokens) + best[end - from].cost;
            if (cost < here->cost) *here = (Step){cost, (uint32_t)end};
        }
    }
}

static Err cut_section(Cutter *c, Arena *scratch, size_t from, size_t to) {
    Step *best = arena_array(scratch, Step, to - from + 1);
    if (!best) return arena_error();
    plan_section(c, from, to, best);
    for (size_t i = from; i < to;) {
        size_t next = best[i - from].next;
        TRY(emit(c, i, next));
        i = next;
    }
    arena_reset(scratch);
    return ERR_OK;
}

/* A heading with nothing under it but the next heading goes with that one. Its underline is no text. */
static bool is_bare(const Cutter *c, size_t from, size_t to) {
    if (!c->lines[from].heading) return false;
    for (size_t i = from + 1; i < to; i++) {
        Str s = str_trim(line_text(c->doc->text, &c->lines[i]));
        if (s.n && !(i == from + 1 && strchr("=-~^\"'`#*+.:_", s.p[0]) && s.p[0] == s.p[s.n - 1])) return false;
    }
    return true;
}

static Err cut_all(Cutter *c) {
    Arena scratch = {0};
    Err err = ERR_OK;
    for (size_t from = 0; !err && from < c->n_lines;) {
        size_t to = from + 1;
        while (to < c->n_lines && !c->lines[to].heading) to++;
        size_t last = from; /* the heading that names the chunk */
        while (to < c->n_lines && is_bare(c, last, to))
            for (last = to++; to < c->n_lines && !c->lines[to].heading; to++) {}
        c->heading = c->lines[last].heading ? c->lines[last].path : (Str){"", 0};
        err = cut_section(c, &scratch, from, to);
        from = to;
    }
    arena_free(&scratch);
    return err;
}

Err chunk_doc(Arena *a, const Doc *doc, const ChunkOpts *opts, Chunk **out, size_t *n) {
    Cutter c = {.arena = a, .doc = doc, .opts = opts, .heading = {"", 0}};
    *out = NULL;
    *n = 0;
    if (opts->max_tokens < 8)
        return err_set(ERR_LIMIT, "chunks of at most %zu tokens are too small; at least 8", opts->max_tokens);
    c.target = opts->target_tokens ? opts->target_tokens : opts->max_tokens * TARGET_NUMERATOR / TARGET_DENOMINATOR;
    TRY(lines_measure(a, doc->text, opts, &c.lines, &c.n_lines));
    if (c.n_lines == 0) return ERR_OK;
    TRY(mark_sections(&c));
    c.sums = arena_array(a, uint64_t, c.n_lines + 1);
    if (!c.sums) return arena_error();
    for (size_t i = 0; i < c.n_lines; i++) c.sums[i + 1] = c.sums[i] + c.lines[i].tokens;
    TRY(cut_all(&c));
    *out = c.chunks;
    *n = c.n;
    return ERR_OK;
}
