/* chunk.c - the table of chunkers, and the plan by which lines become chunks.
 *
 * Among all ways to cut a section the cheapest is taken: each chunk costs by how far it is below the target or above
 * it, each border by what it parts (borders.c). Solved backwards by dynamic programming over the lines, as paragraphs
 * are set (Knuth & Plass 1981): cheapest[i] is the least cost of everything from line i on. So no small rest is left
 * over by greed, and when a chunk turns out too large once it is counted as a whole (tokenizers need not be additive
 * over lines), the next best end for it is at hand without planning anew.
 *
 * Costs are integers: every machine cuts alike. Time: lines times lines of one chunk, at most PLAN_LINES; 5 MB of C
 * take 50 ms with a cheap count, 5 MB of one-letter lines, the worst, a second. Memory: 32 bytes a line, 12 more while
 * planning.
 */
#include "chunk/chunk.h"

#include <stdlib.h>

#include "chunk/code.h"
#include "chunk/unit.h"

enum {
    PLAN_LINES = 512,      /* of one chunk at most: bounds the plan for texts of very short lines */
    TOO_SMALL = 600,       /* cost of an empty chunk, falling to 0 with the square of what is missing */
    TOKENS_MOST = 1 << 16, /* a larger budget is not used */
    TOO_LARGE = 300,       /* cost of a chunk at the limit, growing from 0 with the square of what is over the target */
};

typedef struct {
    const char *lang;
    BorderStyle style;
    Err (*headings)(Arena *a, Str text, Units *u, Sections *out); /* NULL: the text is one section */
} Chunker;

/* The last one is for every other language. */
static const Chunker chunkers[] = {
    {"markdown", BORDERS_PROSE, headings_markdown},
    {"rst", BORDERS_PROSE, headings_rst},
    {"text", BORDERS_PROSE, NULL},
    {"tex", BORDERS_PROSE, NULL},
    {"org", BORDERS_PROSE, NULL},
    {"asciidoc", BORDERS_PROSE, NULL},
    {"", BORDERS_CODE, NULL},
};

typedef struct {
    Arena *arena;
    const Doc *doc;
    ChunkOpts opts; /* target filled in */
    Units units;
    Sections sections;
    Outline outline;     /* of code whose language has a grammar */
    const char *why;     /* its text was not parsed all the same */
    int32_t *size_costs; /* [max_tokens + 1] */
    int64_t *cheapest;   /* [units + 1] */
    uint32_t *ends;      /* [units]: where the chunk that starts here ends in the cheapest plan */
    Buf chunks;          /* Chunk[] */
    size_t n_chunks;
} Plan;

/* What a chunk costs by its weight alone. */
static int32_t size_cost(const ChunkOpts *o, size_t weight) {
    const int64_t target = (int64_t)o->target_tokens, w = (int64_t)weight, room = (int64_t)o->max_tokens - target;
    if (w <= target) return (int32_t)(TOO_SMALL * (target - w) * (target - w) / (target * target));
    return (int32_t)(TOO_LARGE * (w - target) * (w - target) / (room * room)); /* w > target, so there is room */
}

/* The end of the cheapest chunk from unit i on within [.., to) whose weight is at most max_weight, ending before unit
 * `below`. A single unit is always allowed. *cost gets what it and all behind it cost. */
static size_t cheapest_end(const Plan *p, size_t i, size_t to, size_t max_weight, size_t below, int64_t *cost) {
    const Unit *units = units_at(&p->units, 0);
    const size_t max_bytes = p->opts.max_tokens * CHUNK_BYTES_PER_TOKEN;
    size_t best = 0, weight = 0;
    *cost = INT64_MAX;
    for (size_t j = i + 1; j <= to && j - i <= PLAN_LINES; j++) {
        weight += units[j - 1].weight;
        if (j > i + 1 && (weight > max_weight || units[j - 1].end - units[i].start > max_bytes || j >= below)) break;
        const size_t w = weight < p->opts.max_tokens ? weight : p->opts.max_tokens;
        const int64_t c = p->size_costs[w] + (j < to ? units[j].border + p->cheapest[j] : 0);
        if (c <= *cost) *cost = c, best = j; /* of equals the longer one */
    }
    return best;
}

/* Plans units [from, to). */
static void plan_section(Plan *p, size_t from, size_t to) {
    for (size_t i = to; i-- > from;)
        p->ends[i] = (uint32_t)cheapest_end(p, i, to, p->opts.max_tokens, SIZE_MAX, &p->cheapest[i]);
}

static Str span_of(const Plan *p, size_t i, size_t end) {
    const size_t start = units_at(&p->units, i)->start;
    return str_make(p->doc->text.p + start, units_at(&p->units, end - 1)->end - start);
}

static Err chunk_add(Plan *p, size_t i, size_t end, size_t tokens) {
    const Unit *first = units_at(&p->units, i), *last = units_at(&p->units, end - 1);
    const Str path = section_path(&p->sections, last->section);
    if (p->n_chunks == CHUNK_MAX)
        return err_set(ERR_LIMIT, "'%.*s' gives more than %d chunks", STR_FMT(p->doc->path), CHUNK_MAX);
    const Chunk c = {.start = first->start,
                     .end = last->end,
                     .start_line = (int32_t)first->line,
                     .end_line = (int32_t)last->line,
                     .page = section_page(&p->sections, first->section),
                     .tokens = (int32_t)(tokens < INT32_MAX ? tokens : INT32_MAX),
                     .symbol = STR(""),
                     .names = STR(""),
                     .kind = path.n ? STR("section") : STR("lines"),
                     .heading = path,
                     .hash = chunk_hash_of(span_of(p, i, end))};
    buf_add_bytes(&p->chunks, &c, sizeof c);
    p->n_chunks++;
    return p->chunks.failed ? buf_ok(&p->chunks) : ERR_OK;
}

/* Makes the planned chunks of [from, to), each counted as a whole and shortened while it is over the budget. */
static Err emit_section(Plan *p, size_t from, size_t to) {
    for (size_t i = from; i < to;) {
        size_t end = p->ends[i];
        size_t tokens = p->opts.count_tokens(p->opts.count_ctx, span_of(p, i, end));
        while (tokens > p->opts.max_tokens && end > i + 1) {
            size_t weight = 0;
            for (size_t k = i; k < end; k++) weight += units_at(&p->units, k)->weight;
            const size_t fits = (size_t)((double)weight * (double)p->opts.max_tokens / (double)tokens);
            int64_t cost;
            end = cheapest_end(p, i, to, fits, end, &cost);
            tokens = p->opts.count_tokens(p->opts.count_ctx, span_of(p, i, end));
        }
        TRY(chunk_add(p, i, end, tokens));
        i = end;
    }
    return ERR_OK;
}

/* The end of the run that starts at `from`: its section, and while that is nothing but a heading, the next one too, if
 * it stands on the same page. */
static size_t section_end(const Plan *p, size_t from) {
    const Unit *units = units_at(&p->units, 0);
    size_t i = from;
    do {
        const uint32_t section = units[i].section;
        bool only_heading = true;
        for (; i < p->units.n && units[i].section == section; i++)
            if (!(units[i].flags & UNIT_HEADING)) only_heading = false;
        if (!only_heading) break;
    } while (i < p->units.n &&
             section_page(&p->sections, units[i].section) == section_page(&p->sections, units[from].section));
    return i;
}

static Err plan_and_emit(Plan *p) {
    const size_t n = p->units.n;
    if (n == 0) return ERR_OK;
    p->cheapest = calloc(n + 1, sizeof *p->cheapest);
    p->ends = calloc(n, sizeof *p->ends);
    p->size_costs = calloc(p->opts.max_tokens + 1, sizeof *p->size_costs);
    if (!p->cheapest || !p->ends || !p->size_costs)
        return err_set(ERR_NOMEM, "out of memory for a plan of %zu lines", n);
    for (size_t w = 0; w <= p->opts.max_tokens; w++) p->size_costs[w] = size_cost(&p->opts, w);
    for (size_t from = 0; from < n;) {
        const size_t to = section_end(p, from);
        plan_section(p, from, to);
        TRY(emit_section(p, from, to));
        from = to;
    }
    return ERR_OK;
}

/* Code that cannot be parsed is cut by its lines; the plan says why. */
static Err plan_parse(Plan *p) {
    const Grammar *g = NULL;
    TRY(grammar_of(p->doc->lang, &g));
    if (!g) return ERR_OK;
    const Err err = outline_read(p->arena, g, p->doc->text, &p->outline);
    if (err && err != ERR_LIMIT) return err;
    if (!p->outline.parsed) p->why = err ? "it is too large to be parsed" : "parsing it takes too long";
    if (p->outline.parsed) code_borders(&p->outline, &p->units);
    return ERR_OK;
}

static Err plan_read(Plan *p, const Chunker *chunker) {
    static const Str no_path = {"", 0};
    const Str text = p->doc->text;
    if (text.n > INT32_MAX)
        return err_set(ERR_LIMIT, "'%.*s' has %zu bytes of text, at most %d are cut into chunks", STR_FMT(p->doc->path),
                       text.n, INT32_MAX);
    TRY(units_read(&p->units, text, &p->opts));
    if (p->doc->n_marks) {
        TRY(sections_of_marks(p->doc, &p->units, &p->sections));
    } else if (chunker->headings) {
        TRY(chunker->headings(p->arena, text, &p->units, &p->sections));
    } else {
        buf_add_bytes(&p->sections.buf, &no_path, sizeof no_path);
        p->sections.n = 1;
        TRY(buf_ok(&p->sections.buf));
    }
    borders_mark(text, p->doc->lang, p->doc->n_marks ? BORDERS_PROSE : chunker->style, &p->units);
    return chunker->style == BORDERS_CODE && p->doc->n_marks == 0 ? plan_parse(p) : ERR_OK;
}

static const Chunker *chunker_of(Str lang) {
    const Chunker *c = chunkers;
    while (*c->lang && !str_is(lang, c->lang)) c++;
    return c;
}

/* Headings as symbols: a section reaches to the next heading. */
static Err headings_take(const Plan *p, DocChunks *out) {
    out->symbols = arena_array(p->arena, Symbol, p->sections.n);
    if (!out->symbols) return arena_error();
    const Unit *units = units_at(&p->units, 0);
    for (size_t i = 0, next; i < p->units.n; i = next) {
        for (next = i + 1; next < p->units.n && units[next].section == units[i].section;) next++;
        const Str path = section_path(&p->sections, units[i].section);
        if (path.n == 0 || !(units[i].flags & UNIT_HEADING) || out->n_symbols == p->sections.n) continue;
        Str name = path;
        for (ptrdiff_t at; (at = str_find(name, STR(" > "))) >= 0;) name = str_from(name, (size_t)at + 3);
        if (name.n == 0) name = path;
        out->symbols[out->n_symbols++] = (Symbol){.path = path,
                                                  .name = name,
                                                  .kind = STR("section"),
                                                  .signature = STR(""),
                                                  .start = units[i].start,
                                                  .end = units[next - 1].end,
                                                  .line = (int32_t)units[i].line,
                                                  .start_line = (int32_t)units[i].line,
                                                  .end_line = (int32_t)units[next - 1].line};
    }
    return ERR_OK;
}

/* The chunks into the arena, with what is known of them. */
static Err plan_take(Plan *p, const Chunker *chunker, DocChunks *out) {
    *out = (DocChunks){
        .chunks = arena_array(p->arena, Chunk, p->n_chunks), .n = p->n_chunks, .by = "lines", .why = p->why};
    if (!out->chunks) return arena_error();
    if (p->n_chunks) memcpy(out->chunks, p->chunks.p, p->n_chunks * sizeof *out->chunks);
    if (chunker->headings || p->doc->n_marks) out->by = "headings";
    if (chunker->headings && !p->doc->n_marks) return headings_take(p, out);
    if (!p->outline.parsed) return ERR_OK;
    out->by = "tree";
    out->symbols = p->outline.symbols, out->n_symbols = p->outline.n_symbols;
    out->references = p->outline.references, out->n_references = p->outline.n_references;
    out->errors = p->outline.errors;
    return code_name(p->arena, &p->outline, out->chunks, out->n);
}

Err chunk_doc(Arena *a, const Doc *doc, const ChunkOpts *opts, DocChunks *out) {
    *out = (DocChunks){0};
    if (opts->max_tokens < CHUNK_TOKENS_LEAST)
        return err_set(ERR_LIMIT, "chunks of at most %zu tokens are too small; at least %d", opts->max_tokens,
                       CHUNK_TOKENS_LEAST);
    const Chunker *chunker = chunker_of(doc->lang);
    Plan p = {.arena = a, .doc = doc, .opts = *opts};
    if (p.opts.max_tokens > TOKENS_MOST) p.opts.max_tokens = TOKENS_MOST;
    if (p.opts.target_tokens == 0) p.opts.target_tokens = p.opts.max_tokens * 3 / 4;
    if (p.opts.target_tokens > p.opts.max_tokens) p.opts.target_tokens = p.opts.max_tokens;
    Err err = plan_read(&p, chunker);
    if (!err) err = plan_and_emit(&p);
    if (!err) err = plan_take(&p, chunker, out);
    free(p.size_costs);
    free(p.cheapest);
    free(p.ends);
    buf_free(&p.units.buf);
    buf_free(&p.sections.buf);
    buf_free(&p.sections.pages);
    buf_free(&p.chunks);
    return err;
}

Err chunk_check(size_t *n) { return grammars_check(n); }
