/* eval_queries.c - see eval_init.h: from comments, headings and commits to queries. */
#include <stdlib.h>

#include "answer/spans.h"
#include "chunk/docstring.h"
#include "engine/eval_init.h"
#include "engine/phrases.h"
#include "ingest/history.h"

enum {
    WORDS_LEAST = 4,    /* of a comment's sentence */
    WORDS_MOST = 40,    /* a longer one is no query that anybody asks */
    HEADING_WORDS = 3,  /* with the heading above it where it has fewer */
    NAMED_MOST = 4,     /* definitions of one name; more, and the name says nothing */
    COMMIT_FILES = 3,   /* that are indexed; a commit of more is about too much */
    NAME_BYTES = 4,     /* a shorter name is a word like others */
    LEFT_BYTES = 24,    /* of a chunk without what the query was made of; with less, nothing is left to be found */
    FILES_CHANGED = 10, /* of a commit, indexed or not */
};

static Err query_add(EvalInit *e, const InitQuery *q) {
    if (e->n_queries == e->cap_queries) {
        const size_t cap = e->cap_queries ? 2 * e->cap_queries : 256;
        InitQuery *more = arena_array(e->a, InitQuery, cap);
        if (!more) return arena_error();
        if (e->n_queries) memcpy(more, e->queries, e->n_queries * sizeof *more);
        e->queries = more;
        e->cap_queries = cap;
    }
    e->queries[e->n_queries++] = *q;
    return ERR_OK;
}

/* Of the chunk that holds `at` enough is left without the query's own text. */
static bool enough_left(const InitDoc *d, int64_t at, int64_t cut, int64_t cut_end) {
    for (size_t i = 0; i < d->n; i++) {
        const StoreChunk *c = &d->chunks[i];
        if (at < c->start || at >= c->end) continue;
        int64_t left = 0;
        for (int64_t k = c->start; k < c->end; k++)
            left += (k < cut || k >= cut_end) && !strchr(" \t\r\n", d->text.p[k]);
        return left >= LEFT_BYTES;
    }
    return false;
}

/* ---- comments ---- */

typedef struct {
    size_t doc;
    Symbol symbol;
    size_t next; /* of the same path: its number and 1 */
} Definition;

typedef struct {
    Definition *all; /* [n] */
    size_t n, cap;
    Map paths; /* the last one of each path, and 1 */
} Definitions;

static bool is_asked_for(Str kind) {
    static const char *const kinds[] = {"function", "method", "class", "struct", "interface", "trait",
                                        "macro",    "type",   "enum",  "union",  "prototype"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_is(kind, kinds[i])) return true;
    return false;
}

static Err definitions_of(EvalInit *e, Definitions *d, size_t doc) {
    Symbol *symbols = NULL;
    size_t n = 0;
    TRY(store_symbols_of(e->store, e->a, e->docs[doc].id, &symbols, &n));
    if (d->n + n > d->cap) {
        const size_t cap = 2 * (d->n + n);
        Definition *more = arena_array(e->a, Definition, cap);
        if (!more) return arena_error();
        if (d->n) memcpy(more, d->all, d->n * sizeof *more);
        d->all = more;
        d->cap = cap;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_asked_for(symbols[i].kind)) continue;
        uint64_t *last = map_at(&d->paths, symbols[i].path, 0);
        if (!last) return ERR_NOMEM;
        d->all[d->n++] = (Definition){doc, symbols[i], (size_t)*last};
        *last = d->n;
    }
    return ERR_OK;
}

/* The first sentence; {NULL, 0} when it is none that could be asked. */
static Str sentence_of(Str said, Str name) {
    size_t end = said.n;
    for (size_t at = 0; at < said.n; at++) {
        const size_t behind = span_sentence_end(said, 0, at, said.n);
        if (!behind) continue;
        end = behind;
        break;
    }
    Str s = str_trim(str_upto(said, end));
    while (s.n && strchr(".:", s.p[s.n - 1])) s = str_upto(s, s.n - 1);
    const size_t words = phrase_words(s);
    if (words < WORDS_LEAST || words > WORDS_MOST) return (Str){NULL, 0};
    if (name.n >= NAME_BYTES && str_find(s, name) >= 0) return (Str){NULL, 0};
    static const char *const not_asked[] = {"copyright", "Copyright", "SPDX",   "TODO", "FIXME",
                                            "http://",   "https://",  "eslint", "noqa"};
    for (size_t i = 0; i < sizeof not_asked / sizeof *not_asked; i++)
        if (str_find(s, str_of(not_asked[i])) >= 0) return (Str){NULL, 0};
    return s;
}

/* Where the name stands: the first byte of its line. */
static int64_t line_start(Str text, int32_t line) {
    Str rest = text, one;
    for (int32_t i = 1; i < line && str_line(&rest, &one); i++) {}
    return (int64_t)(text.n - rest.n);
}

/* Its own place first, then every other that defines the same: a declaration has the comment, another file the body. */
static Err targets_of(EvalInit *e, const Definitions *d, size_t own, InitQuery *q) {
    const uint64_t *last = map_get(&d->paths, d->all[own].symbol.path);
    size_t same = 0;
    for (size_t i = last ? (size_t)*last : 0; i; i = d->all[i - 1].next) same++;
    const bool all = same <= NAMED_MOST;
    q->targets = arena_array(e->a, InitTarget, all ? same : 1);
    if (!q->targets) return arena_error();
    for (size_t i = all ? (size_t)*last : own + 1, first = 1; i; i = all ? d->all[i - 1].next : 0) {
        const Definition *def = &d->all[i - 1];
        const InitTarget t = {.doc = def->doc,
                              .from = def->symbol.start,
                              .to = def->symbol.end,
                              .at = line_start(e->docs[def->doc].text, def->symbol.line)};
        q->targets[i - 1 == own ? 0 : first++] = t;
        q->n++;
    }
    return ERR_OK;
}

static Err comment_ask(EvalInit *e, const Definitions *d, size_t own) {
    const Definition *def = &d->all[own];
    const InitDoc *doc = &e->docs[def->doc];
    Docstring said;
    bool found = false;
    TRY(docstring_of(e->a, doc->text, doc->lang, &def->symbol, &found, &said));
    const Str sentence = found ? sentence_of(said.said, def->symbol.name) : (Str){NULL, 0};
    if (!sentence.p) return ERR_OK;
    InitQuery q = {.kind = EVAL_DOCSTRING,
                   .text = sentence,
                   .doc = def->doc,
                   .cut = said.start,
                   .cut_end = said.end,
                   .heading = STR("")};
    TRY(targets_of(e, d, own, &q));
    return enough_left(doc, q.targets[0].at, q.cut, q.cut_end) ? query_add(e, &q) : ERR_OK;
}

static Err comments(EvalInit *e) {
    Definitions d = {.all = NULL};
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < e->n_docs; i++)
        if (lang_class(e->docs[i].lang) == LANG_CODE) err = definitions_of(e, &d, i);
    for (size_t i = 0; !err && i < d.n; i++) err = comment_ask(e, &d, i);
    map_free(&d.paths);
    return err;
}

/* ---- headings ---- */

/* "Install > On Linux": its last part, with the one above it where that has too few words. */
static Err heading_words(EvalInit *e, Str heading, Str *out, Str *last) {
    Str above = {"", 0}, rest = heading;
    for (ptrdiff_t at; (at = str_find(rest, STR(" > "))) >= 0; rest = str_from(rest, (size_t)at + 3))
        above = str_upto(rest, (size_t)at);
    *last = rest;
    *out = rest;
    if (phrase_words(rest) >= HEADING_WORDS || above.n == 0) return ERR_OK;
    *out = arena_printf(e->a, "%.*s %.*s", STR_FMT(above), STR_FMT(rest));
    return out->p ? ERR_OK : arena_error();
}

/* The line of the chunk that is the heading, with what underlines it. */
static void heading_cut(const InitDoc *d, const StoreChunk *c, Str last, InitQuery *q) {
    Str rest = str_make(d->text.p + c->start, (size_t)(c->end - c->start)), line;
    while (rest.n) {
        const size_t before = rest.n;
        if (!str_line(&rest, &line)) return;
        if (str_find(line, last) < 0) continue;
        q->cut = c->end - (int64_t)before;
        q->cut_end = c->end - (int64_t)rest.n;
        Str below = rest;
        if (!str_line(&below, &line) || !line.n || !strchr("=-~^\"`*+#", line.p[0])) return;
        for (size_t i = 1; i < line.n; i++)
            if (line.p[i] != line.p[0]) return;
        if (line.n > 2) q->cut_end = c->end - (int64_t)below.n;
        return;
    }
}

static Err heading_ask(EvalInit *e, size_t doc, size_t from, size_t to) {
    const InitDoc *d = &e->docs[doc];
    const StoreChunk *c = &d->chunks[from];
    InitQuery q = {.kind = EVAL_HEADING, .doc = doc, .heading = c->heading, .n = 1};
    Str last;
    TRY(heading_words(e, c->heading, &q.text, &last));
    const size_t words = phrase_words(q.text);
    if (words < HEADING_WORDS || words > WORDS_MOST) return ERR_OK;
    heading_cut(d, c, last, &q);
    q.targets = arena_new(e->a, InitTarget);
    if (!q.targets) return arena_error();
    const int64_t at = q.cut_end > q.cut && q.cut_end < c->end ? q.cut_end : c->start;
    *q.targets = (InitTarget){doc, c->start, d->chunks[to - 1].end, at};
    return enough_left(d, at, q.cut, q.cut_end) ? query_add(e, &q) : ERR_OK;
}

static Err headings(EvalInit *e) {
    for (size_t i = 0; i < e->n_docs; i++) {
        const InitDoc *d = &e->docs[i];
        if (lang_class(d->lang) == LANG_CODE) continue;
        for (size_t from = 0, to; from < d->n; from = to) {
            for (to = from + 1; to < d->n && str_eq(d->chunks[to].heading, d->chunks[from].heading);) to++;
            if (d->chunks[from].heading.n) TRY(heading_ask(e, i, from, to));
        }
    }
    return ERR_OK;
}

/* ---- commits ---- */

/* Without "(#123)" at its end; {NULL, 0}: a subject that says what git did, not what was done. */
static Str subject_of(Str s) {
    static const char *const not_asked[] = {"Merge", "merge",   "Revert",  "fixup!", "squash!", "Bump",
                                            "bump",  "Release", "release", "wip",    "WIP"};
    const ptrdiff_t number = str_find(s, STR(" (#"));
    if (number > 0 && str_ends(s, STR(")"))) s = str_trim(str_upto(s, (size_t)number));
    for (size_t i = 0; i < sizeof not_asked / sizeof *not_asked; i++)
        if (str_starts(s, str_of(not_asked[i]))) return (Str){NULL, 0};
    const size_t words = phrase_words(s);
    return words < WORDS_LEAST || words > WORDS_MOST ? (Str){NULL, 0} : s;
}

static Err commit_ask(EvalInit *e, const HistoryCommit *c) {
    InitQuery q = {.kind = EVAL_COMMIT, .text = subject_of(c->subject), .heading = STR("")};
    if (!q.text.p || c->n > FILES_CHANGED) return ERR_OK;
    q.targets = arena_array(e->a, InitTarget, c->n);
    if (!q.targets) return arena_error();
    for (size_t i = 0; i < c->n; i++) {
        const uint64_t *doc = map_get(&e->by_path, c->paths[i]);
        if (doc) q.targets[q.n++] = (InitTarget){(size_t)*doc, 0, (int64_t)e->docs[*doc].text.n, -1};
    }
    return q.n && q.n <= COMMIT_FILES ? query_add(e, &q) : ERR_OK;
}

static Err commits(EvalInit *e) {
    HistoryCommit *all = NULL;
    size_t n = 0;
    const Deadline stop = engine_deadline(e->p, 0);
    e->out->no_commits = STR("no folder stands behind it");
    if (e->c.root.n == 0) return ERR_OK;
    const char *root = arena_cstr(e->a, e->c.root);
    if (!root) return arena_error();
    TRY(history_read(e->a, root, HISTORY_COMMITS_MAX, &stop, &all, &n, &e->out->no_commits));
    for (size_t i = 0; i < n; i++) TRY(commit_ask(e, &all[i]));
    return ERR_OK;
}

/* ---- feedback ---- */

/* The chunk that was meant: by its text, else by its lines. NULL: it is gone. */
static const StoreChunk *chunk_meant(const InitDoc *d, const StoreFeedback *row) {
    const StoreChunk *near = NULL;
    for (size_t i = 0; i < d->n; i++) {
        const StoreChunk *c = &d->chunks[i];
        if (memcmp(&c->hash, &row->hash, sizeof c->hash) == 0) return c;
        if (!near && c->start_line <= row->end_line && c->end_line >= row->start_line) near = c;
    }
    return near;
}

static int by_query_newest_first(const void *x, const void *y) {
    const StoreFeedback *a = x, *b = y;
    const int c = str_cmp(a->query, b->query);
    return c ? c : (a->id < b->id) - (a->id > b->id);
}

/* Of one query's rows [n], newest first, the hits that were clicked (1) or useful (2); what was said last of a hit
 * counts. */
static Err feedback_ask(EvalInit *e, const StoreFeedback *rows, size_t n) {
    InitQuery q = {.kind = EVAL_FEEDBACK, .text = rows[0].query, .heading = STR("")};
    InitTarget *said = arena_array(e->a, InitTarget, n);
    size_t n_said = 0;
    q.targets = arena_array(e->a, InitTarget, n);
    if (!said || !q.targets) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const uint64_t *doc = map_get(&e->by_path, rows[i].path);
        const StoreChunk *c = doc ? chunk_meant(&e->docs[*doc], &rows[i]) : NULL;
        if (!c) continue;
        const InitTarget t = {(size_t)*doc, c->start, c->end, rows[i].verdict == FEEDBACK_USEFUL ? c->start : -1};
        bool before = false;
        for (size_t k = 0; k < n_said; k++) before |= said[k].doc == t.doc && said[k].from == t.from;
        if (before) continue;
        said[n_said++] = t;
        if (rows[i].verdict != FEEDBACK_USELESS) q.targets[q.n++] = t;
    }
    return q.n ? query_add(e, &q) : ERR_OK;
}

static Err feedback(EvalInit *e) {
    StoreFeedback *rows = NULL;
    size_t n = 0;
    TRY(store_feedbacks(e->store, e->a, e->c.id, STORE_FEEDBACK_MAX, &rows, &n));
    if (n) qsort(rows, n, sizeof *rows, by_query_newest_first);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && str_eq(rows[end].query, rows[i].query);) end++;
        TRY(feedback_ask(e, rows + i, end - i));
    }
    return ERR_OK;
}

/* ---- which of them stand elsewhere ---- */

typedef struct {
    EvalInit *e;
    size_t doc; /* that is looked at */
} Seen;

static void seen(void *ctx, size_t phrase, size_t start, size_t end) {
    const Seen *s = ctx;
    InitQuery *q = &s->e->queries[phrase];
    if (q->kind == EVAL_FEEDBACK) return; /* people asked it */
    const bool own = q->doc == s->doc && (int64_t)start >= q->cut && (int64_t)end <= q->cut_end;
    if (!own) q->elsewhere = true;
}

/* What two things gave is asked for neither. */
static Err twice(EvalInit *e) {
    Map texts = {0};
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < e->n_queries; i++) {
        uint64_t *first = map_at(&texts, e->queries[i].text, i);
        if (!first)
            err = ERR_NOMEM;
        else if (*first != i)
            e->queries[i].elsewhere = e->queries[*first].elsewhere = true;
    }
    map_free(&texts);
    return err;
}

static Err elsewhere(EvalInit *e) {
    Phrases phrases = {.a = e->a};
    const Deadline stop = engine_deadline(e->p, 0);
    Err err = twice(e);
    for (size_t i = 0; !err && i < e->n_queries; i++) err = phrases_add(&phrases, e->queries[i].text);
    for (size_t i = 0; !err && i < e->n_docs; i++) {
        Seen s = {e, i};
        err = deadline_check(&stop);
        if (!err) err = phrases_find(&phrases, e->docs[i].text, seen, &s);
    }
    phrases_free(&phrases);
    return err;
}

Err eval_queries_find(EvalInit *e) {
    e->out->no_commits = STR("");
    if (e->rq->kinds & 1u << EVAL_DOCSTRING) TRY(comments(e));
    if (e->rq->kinds & 1u << EVAL_HEADING) TRY(headings(e));
    if (e->rq->kinds & 1u << EVAL_COMMIT) TRY(commits(e));
    if (e->rq->kinds & 1u << EVAL_FEEDBACK) TRY(feedback(e));
    return elsewhere(e);
}
