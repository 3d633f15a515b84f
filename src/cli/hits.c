/* hits.c - one renderer a format; each writes one hit to a Buf, so that a budget can be kept by looking at its length.
 *
 * A hit is a chunk. Eyes get an excerpt around its best line (the one with most of the query's words); -A/-B/-C ask for
 * other lines around the best one, in every format, reaching beyond the chunk where needed; --full for all of it.
 * Programs get the whole chunk.
 */
#include "cli/hits.h"

#include <assert.h>
#include <stdio.h>

#include "base/file.h"
#include "base/meta.h"
#include "base/utf8.h"

enum { EXCERPT_LINES = 6, EXCERPT_BEFORE = 2, GUTTER_COLUMNS = 8, EXPLAIN_INDENT = 6 };

/* A hit's lines as they will be shown. */
typedef struct {
    const PythiaHit *hit;
    Str content;
    int32_t start_line, end_line;
    int32_t best_line;
} HitText;

const char *uri_file(Arena *a, Str uri) {
    static const char scheme[] = "file://";
    if (!str_starts(uri, STR("file:///"))) return NULL;
    Str rest = str_from(uri, sizeof scheme - 1);
    char *path = arena_alloc(a, rest.n + 1);
    if (!path) return NULL;
    size_t n = 0;
    for (size_t i = 0; i < rest.n; i++) {
        int high = rest.p[i] == '%' && rest.n - i > 2 ? hex_value(rest.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(rest.p[i + 2]) : -1;
        path[n++] = low >= 0 ? (char)(high * 16 + low) : rest.p[i];
        if (low >= 0) i += 2;
    }
    path[n] = 0;
    return path;
}

Str path_shown(Cli *cli, Str path, Str uri) {
    const char *file = uri_file(&cli->arena, uri);
    if (!file) return path;
    Str full = str_of(file), cwd = str_of(cli->cwd);
    if (!path_within(full, cwd) || str_eq(full, cwd)) return full;
    return str_from(full, cwd.n + (cwd.p[cwd.n - 1] != '/'));
}

/* Line number n (0 is the first) of content; false behind the end. */
static bool line_at(Str content, int32_t n, Str *line) {
    for (int32_t i = 0; str_line(&content, line); i++)
        if (i == n) return true;
    return false;
}

static int32_t lines_count(Str content) {
    int32_t n = 0;
    Str line;
    while (str_line(&content, &line)) n++;
    return n;
}

static size_t words_in_line(const QueryWords *words, Str line) {
    size_t found = 0;
    for (size_t w = 0; w < words->n; w++) {
        QueryWords one = {&words->words[w], 1};
        for (size_t at = 0; at < line.n; at++)
            if (query_word_match(&one, line, at)) {
                found++;
                break;
            }
    }
    return found;
}

/* The line with most words of the query; without any, the first one that is not blank. */
static int32_t best_line(Str content, const QueryWords *words) {
    int32_t best = 0, n = 0, first_text = -1;
    size_t best_found = 0;
    Str line;
    while (str_line(&content, &line)) {
        if (first_text < 0 && str_trim(line).n) first_text = n;
        size_t found = words_in_line(words, line);
        if (found > best_found) best = n, best_found = found;
        n++;
    }
    return best_found ? best : first_text < 0 ? 0 : first_text;
}

/* Lines [from, to] of content, counted from 0. */
static Str lines_slice(Str content, int32_t from, int32_t to) {
    const char *start = content.p, *end = content.p;
    Str rest = content, line;
    for (int32_t n = 0; str_line(&rest, &line); n++) {
        if (n == from) start = line.p;
        if (n <= to) end = line.p + line.n;
    }
    return end > start ? str_make(start, (size_t)(end - start)) : str_make(content.p, 0);
}

/* The window of -A/-B/-C. Lines beyond the chunk come from the document; of a changed or gone one the index cannot say
 * where its lines stand now, so those windows end with the chunk. */
static Err window_take(Cli *cli, const HitView *v, HitText *t) {
    int32_t before = v->before < 0 ? 0 : v->before, after = v->after < 0 ? 0 : v->after;
    int32_t from = t->best_line - before < 1 ? 1 : t->best_line - before;
    int32_t to = t->best_line > INT32_MAX - after ? INT32_MAX : t->best_line + after;
    bool inside = from >= t->start_line && to <= t->end_line;
    bool reachable = str_is(str_of(t->hit->freshness), "fresh") || str_is(str_of(t->hit->freshness), "moved");
    if (inside || !reachable) {
        if (from < t->start_line) from = t->start_line;
        if (to > t->end_line) to = t->end_line;
        t->content = lines_slice(t->content, from - t->start_line, to - t->start_line);
        t->start_line = from;
        t->end_line = to;
        return ERR_OK;
    }
    const char *file = uri_file(&cli->arena, t->hit->uri);
    Str path = file ? str_of(file) : t->hit->path;
    Str what = arena_printf(&cli->arena, "%.*s:%d:%d", (int)path.n, path.p, from, to - from + 1);
    if (!what.p) return arena_error();
    Pythia *p = NULL;
    PythiaText text;
    TRY(cli_engine(cli, &p));
    TRY(pythia_get(p, &cli->arena, t->hit->collection, what, &text));
    t->content = text.content;
    t->start_line = text.start_line;
    t->end_line = text.end_line;
    return ERR_OK;
}

/* --full of a hit that is part of a symbol: the symbol, whole. */
static Err symbol_take(Cli *cli, HitText *t) {
    const char *file = uri_file(&cli->arena, t->hit->uri);
    Str path = file ? str_of(file) : t->hit->path;
    Str what = arena_printf(&cli->arena, "%.*s#%.*s", (int)path.n, path.p, (int)t->hit->symbol.n, t->hit->symbol.p);
    if (!what.p) return arena_error();
    Pythia *p = NULL;
    PythiaText text;
    TRY(cli_engine(cli, &p));
    TRY(pythia_get(p, &cli->arena, t->hit->collection, what, &text));
    /* A file may define a name twice: keep the hit unless it lies in what came back. */
    if (text.start_line > t->start_line || text.end_line < t->end_line) return ERR_OK;
    t->content = text.content;
    t->start_line = text.start_line;
    t->end_line = text.end_line;
    return ERR_OK;
}

static Err hit_text(Cli *cli, const HitView *v, const QueryWords *words, const PythiaHit *hit, HitText *out) {
    *out = (HitText){.hit = hit, .content = hit->content, .start_line = hit->start_line, .end_line = hit->end_line};
    bool there = !str_is(str_of(hit->freshness), "gone");
    if (v->full && hit->symbol.n && there) TRY(symbol_take(cli, out));
    out->best_line = out->start_line + best_line(out->content, words);
    if (v->before >= 0 || v->after >= 0) TRY(window_take(cli, v, out));
    return ERR_OK;
}

/* ---- for eyes ---- */

static void lines_add(Buf *b, const Term *t, Str content, int32_t first, int32_t from, int32_t to,
                      const QueryWords *words) {
    size_t room = t->width > GUTTER_COLUMNS + 1 ? t->width - GUTTER_COLUMNS : 1;
    Str line;
    for (int32_t n = 0; str_line(&content, &line); n++) {
        if (n < from || n > to) continue;
        style_on(b, t, STYLE_LINE);
        buf_printf(b, "%5d", first + n);
        style_off(b, t);
        buf_add_z(b, " │ ");
        safe_line(b, t, line, t->tty ? room : 0, words ? query_word_match : NULL, words);
        buf_char(b, '\n');
    }
}

void numbered_lines(Buf *b, const Term *t, Str content, int32_t first_line, const QueryWords *words) {
    lines_add(b, t, content, first_line, 0, INT32_MAX, words);
}

static void excerpt_add(Buf *b, const Term *t, const HitView *v, const HitText *x, const QueryWords *words) {
    int32_t n = lines_count(x->content), from = 0, to = n - 1;
    bool all = v->full || v->before >= 0 || v->after >= 0 || n <= EXCERPT_LINES;
    if (!all) {
        int32_t best = x->best_line - x->start_line;
        from = best < EXCERPT_LINES ? 0 : best - EXCERPT_BEFORE;
        if (from > n - EXCERPT_LINES) from = n - EXCERPT_LINES;
        to = from + EXCERPT_LINES - 1;
    }
    if (from > 0) buf_add_z(b, "   …\n");
    lines_add(b, t, x->content, x->start_line, from, to, words);
    if (to < n - 1) buf_add_z(b, "   …\n");
}

static void lines_range_add(Buf *b, int32_t start, int32_t end) {
    if (start <= 0) return;
    buf_printf(b, end > start ? ":%d-%d" : ":%d", start, end);
}

static void header_add(Cli *cli, Buf *b, const Term *t, const HitView *v, const HitText *x) {
    const PythiaHit *h = x->hit;
    path_link(b, t, h->uri, path_shown(cli, h->path, h->uri));
    style_on(b, t, STYLE_LINE);
    lines_range_add(b, x->start_line, x->end_line);
    style_off(b, t);
    if (h->page > 0) buf_printf(b, "  page %d", h->page);
    if (h->symbol.n) {
        buf_add_z(b, "  ");
        style_on(b, t, STYLE_BOLD);
        safe_path(b, h->symbol);
        if (str_is(h->kind, "function") || str_is(h->kind, "method")) buf_add_z(b, "()");
        style_off(b, t);
    } else if (h->heading.n) {
        buf_add_z(b, "  ");
        safe_path(b, h->heading);
    }
    buf_add_z(b, "  ");
    style_on(b, t, STYLE_SCORE);
    buf_printf(b, "%.2f", (double)h->score);
    style_off(b, t);
    buf_add_z(b, "  ");
    style_on(b, t, STYLE_DIM);
    buf_char(b, '#');
    safe_path(b, h->id);
    const Str changed = meta_get(h->meta, "modified"), made = meta_get(h->meta, "created");
    const Str facts[] = {h->lang, h->kind, v->several ? h->collection : STR(""), meta_get(h->meta, "author"),
                         str_upto(changed.n ? changed : made, 10)};
    const char *separator = "  ";
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        if (!facts[i].n) continue;
        buf_add_z(b, separator);
        safe_path(b, facts[i]);
        separator = " · ";
    }
    style_off(b, t);
    if (!str_is(str_of(h->freshness), "fresh")) {
        buf_add_z(b, separator);
        style_add(b, t, STYLE_WARN, h->freshness);
    }
    buf_char(b, '\n');
}

/* What a reranker made of the place and score that the arms gave it. */
static void reranked_add(Buf *b, const HitView *v, const PythiaHit *h, double prior) {
    const double gives = v->weight * prior * (double)h->relevance, kept = (1 - v->weight) * (double)h->first_score;
    buf_printf(b, "%*sreranker was %4d  relevance %6.4f  gives %7.4f, the score before %.4f: score %.4f\n",
               EXPLAIN_INDENT, "", h->first_rank, (double)h->relevance, gives, kept, (double)h->score);
}

/* What each arm gave to the fused score, so that the lines add up. A hit that only the words found may still have had
 * its cosine computed: it then has one without a rank. */
static void explain_add(Buf *b, const HitView *v, const PythiaHit *h) {
    bool has_cosine = h->vec_rank > 0 || h->cosine != 0;
    const double prior = h->prior > 0 ? (double)h->prior : 1, arms = (double)h->fused / prior - (double)h->named;
    double vectors = has_cosine ? v->alpha * (double)h->cosine : 0, words = arms - vectors;
    if (str_is(str_of(v->mode), "lexical")) {
        vectors = 0;
        words = arms;
    } else if (str_is(str_of(v->mode), "semantic")) {
        vectors = arms;
        words = 0;
    } else if (str_is(str_of(v->fusion), "rrf")) {
        vectors = h->vec_rank > 0 ? 1.0 / (60 + h->vec_rank) : 0;
        words = h->lex_rank > 0 ? 1.0 / (60 + h->lex_rank) : 0;
    }
    buf_printf(b, "%*svectors  ", EXPLAIN_INDENT, "");
    if (h->vec_rank > 0) buf_printf(b, "rank %4d  ", h->vec_rank);
    if (h->vec_rank <= 0) buf_add_z(b, has_cosine ? "unranked   " : "not among the candidates\n");
    if (has_cosine)
        buf_printf(b, "cosine %7.3f  gives %7.4f%s\n", (double)h->cosine, vectors, h->estimated ? "  (estimate)" : "");
    buf_printf(b, "%*swords    ", EXPLAIN_INDENT, "");
    if (h->lex_rank > 0) {
        buf_printf(b, "rank %4d  bm25   %7.3f  gives %7.4f\n", h->lex_rank, (double)h->bm25, words);
    } else {
        buf_add_z(b, "not among the candidates\n");
    }
    if (h->named > 0)
        buf_printf(b, "%*sname     defines what is asked for  gives %7.4f\n", EXPLAIN_INDENT, "", (double)h->named);
    if (prior < 1) buf_printf(b, "%*sprior    noise: all of it times %.2f\n", EXPLAIN_INDENT, "", prior);
    const double score = (double)(h->first_rank > 0 ? h->first_score : h->score);
    buf_printf(b, "%*sfused %.4f  score %.4f\n", EXPLAIN_INDENT, "", (double)h->fused, score);
    if (h->first_rank > 0) reranked_add(b, v, h, prior);
}

/* The other places of the hit's text, after `before`; those over COPIES_SHOWN are counted. */
static void copies_add(Cli *cli, Buf *b, const Term *t, const char *before, const PythiaHit *h) {
    enum { COPIES_SHOWN = 3 };
    const size_t shown = h->n_copies < COPIES_SHOWN ? h->n_copies : COPIES_SHOWN;
    const int64_t more = (int64_t)(h->n_copies - shown) + h->more_copies;
    if (shown == 0) return;
    buf_add_z(b, before);
    for (size_t i = 0; i < shown; i++) {
        const PythiaCopy *c = &h->copies[i];
        if (i) buf_add_z(b, ", ");
        path_link(b, t, c->uri, path_shown(cli, c->path, c->uri));
        lines_range_add(b, c->start_line, c->end_line);
        if (c->likeness < 1) buf_printf(b, " (%d %% alike)", (int)(c->likeness * 100));
    }
    if (more) buf_printf(b, " and %lld more", (long long)more);
    buf_char(b, '\n');
}

static void pretty_add(Cli *cli, Buf *b, const HitView *v, const HitText *x, const QueryWords *words) {
    const Term *t = &cli->out_term;
    header_add(cli, b, t, v, x);
    if (str_is(str_of(x->hit->freshness), "gone")) {
        buf_add_z(b, "   (the file is gone; the next `pythia index` forgets it)\n");
    } else {
        excerpt_add(b, t, v, x, words);
        copies_add(cli, b, t, "   also in ", x->hit);
    }
    if (v->explain) explain_add(b, v, x->hit);
}

/* ---- for pipes and editors ---- */

static Str first_text_line(const HitText *x, int32_t *number) {
    Str line = {NULL, 0};
    for (int32_t n = 0; line_at(x->content, n, &line); n++) {
        *number = x->start_line + n;
        if (str_trim(line).n) return line;
    }
    *number = x->start_line;
    return STR("");
}

/* PATH:LINE:SCORE:FIRST LINE */
static void piped_add(Cli *cli, Buf *b, const HitView *v, const HitText *x) {
    const PythiaHit *h = x->hit;
    int32_t number = 0;
    Str line = first_text_line(x, &number);
    safe_path(b, path_shown(cli, h->path, h->uri));
    buf_printf(b, ":%d:%.2f:", number, (double)h->score);
    safe_text(b, line);
    buf_char(b, '\n');
    bool context = v->before >= 0 || v->after >= 0 || v->full;
    Str rest = x->content;
    for (int32_t n = 0; context && str_line(&rest, &line); n++) {
        safe_path(b, path_shown(cli, h->path, h->uri));
        buf_printf(b, "-%d-", x->start_line + n);
        safe_text(b, line);
        buf_char(b, '\n');
    }
    if (v->explain) explain_add(b, v, h);
}

/* PATH:LINE:COL:TEXT of the best line, as grep --vimgrep. */
static void vimgrep_add(Cli *cli, Buf *b, const HitText *x, const QueryWords *words) {
    const PythiaHit *h = x->hit;
    Str line = {NULL, 0};
    size_t column = 0;
    if (!line_at(x->content, x->best_line - x->start_line, &line)) line = STR("");
    while (column < line.n && !query_word_match(words, line, column)) column++;
    if (column == line.n) column = 0;
    safe_path(b, path_shown(cli, h->path, h->uri));
    buf_printf(b, ":%d:%zu:", x->best_line > 0 ? x->best_line : 1, column + 1);
    safe_text(b, line);
    buf_char(b, '\n');
}

static void files_add(Cli *cli, Buf *b, const HitView *v, const HitText *x) {
    const PythiaHit *h = x->hit;
    Str path = path_shown(cli, h->path, h->uri);
    if (v->null) {
        buf_add(b, path);
        buf_char(b, 0);
    } else {
        safe_path(b, path);
        buf_char(b, '\n');
    }
}

/* A fence longer than any run of backticks in the text: content cannot end its own block. */
static size_t fence_length(Str content) {
    size_t longest = 2, run = 0;
    for (size_t i = 0; i < content.n; i++) {
        run = content.p[i] == '`' ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    return longest + 1;
}

static void markdown_add(Cli *cli, Buf *b, const HitView *v, const HitText *x) {
    const PythiaHit *h = x->hit;
    buf_add_z(b, "### ");
    safe_path(b, path_shown(cli, h->path, h->uri));
    lines_range_add(b, x->start_line, x->end_line);
    if (h->symbol.n) {
        buf_add_z(b, " `");
        safe_path(b, h->symbol);
        buf_char(b, '`');
    }
    buf_printf(b, " (%.2f", (double)h->score);
    if (!str_is(str_of(h->freshness), "fresh")) buf_printf(b, ", %s", h->freshness);
    buf_add_z(b, ")\n\n");
    size_t fence = fence_length(x->content);
    for (size_t i = 0; i < fence; i++) buf_char(b, '`');
    safe_path(b, h->lang);
    buf_char(b, '\n');
    safe_text(b, x->content);
    if (!str_ends(x->content, STR("\n"))) buf_char(b, '\n');
    for (size_t i = 0; i < fence; i++) buf_char(b, '`');
    buf_add_z(b, "\n\n");
    if (x->hit->n_copies) {
        copies_add(cli, b, &cli->out_term, "also in ", x->hit);
        buf_char(b, '\n');
    }
    if (v->explain) {
        explain_add(b, v, h);
        buf_char(b, '\n');
    }
}

/* ---- for programs ---- */

static void json_add(JsonOut *j, const HitView *v, const HitText *x) {
    reply_hit(j, &(ReplyHit){x->hit, x->content, x->start_line, x->end_line, v->explain});
}

static void one_add(Cli *cli, Buf *b, const HitView *v, const HitText *x, const QueryWords *words) {
    JsonOut j = jout_to(b);
    switch (v->format) {
    case FORMAT_TEXT:
        if (v->pretty) {
            pretty_add(cli, b, v, x, words);
        } else {
            piped_add(cli, b, v, x);
        }
        break;
    case FORMAT_JSON:
        json_add(&j, v, x);
        break;
    case FORMAT_JSONL:
        json_add(&j, v, x);
        cli_json_escape(b, 0);
        buf_char(b, '\n');
        break;
    case FORMAT_MD:
        markdown_add(cli, b, v, x);
        break;
    case FORMAT_FILES:
        files_add(cli, b, v, x);
        break;
    case FORMAT_VIMGREP:
        vimgrep_add(cli, b, x, words);
        break;
    }
}

/* The first hit is always shown; when it alone is over the budget its lines are cut at the end. */
static void first_cut(HitText *x, size_t over) {
    size_t keep = x->content.n > over ? x->content.n - over : 0;
    int32_t lines = 0;
    Str rest = x->content, line;
    size_t used = 0;
    while (str_line(&rest, &line)) {
        size_t end = (size_t)(line.p + line.n - x->content.p);
        if (lines > 0 && end > keep) break;
        used = end;
        lines++;
    }
    x->content = str_upto(x->content, utf8_floor(x->content, used < keep ? used : keep));
    x->end_line = x->start_line + (lines ? lines - 1 : 0);
}

static bool path_printed_before(const PythiaReply *reply, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (str_eq(reply->hits[k].path, reply->hits[i].path) && str_eq(reply->hits[k].root, reply->hits[i].root))
            return true;
    return false;
}

static Err hits_render(Cli *cli, const HitView *v, const PythiaReply *reply, const QueryWords *words, Buf *out,
                       size_t *shown) {
    Err err = ERR_OK;
    Buf one = {0};
    for (*shown = 0; *shown < reply->n && !err; ++*shown) {
        HitText x;
        if (v->format == FORMAT_FILES && path_printed_before(reply, *shown)) continue;
        if ((err = hit_text(cli, v, words, &reply->hits[*shown], &x))) break;
        buf_clear(&one);
        one_add(cli, &one, v, &x, words);
        if (v->budget && out->n + one.n > v->budget) {
            if (*shown > 0) break;
            first_cut(&x, one.n - v->budget);
            buf_clear(&one);
            one_add(cli, &one, v, &x, words);
        }
        if (v->format == FORMAT_JSON && out->n) buf_char(out, ',');
        if (v->format == FORMAT_TEXT && v->pretty && out->n) buf_char(out, '\n');
        buf_add(out, buf_str(&one));
        if (!err) err = buf_ok(&one);
    }
    buf_free(&one);
    return err ? err : buf_ok(out);
}

static void envelope_add(Cli *cli, const PythiaReply *reply, Str results, size_t shown) {
    JsonOut j = cli_json_begin(cli);
    reply_search_members(&j, reply, results, shown);
    cli_json_end(cli, &j);
}

Err hits_print(Cli *cli, const HitView *view, const PythiaReply *reply, size_t *shown) {
    QueryWords words;
    TRY(query_words(&cli->arena, reply->query, &words));
    Buf out = {0};
    Err err = hits_render(cli, view, reply, &words, &out, shown);
    if (!err && view->format == FORMAT_JSON) {
        envelope_add(cli, reply, buf_str(&out), *shown);
    } else if (!err) {
        buf_add(&cli->out, buf_str(&out));
    }
    buf_free(&out);
    return err;
}
