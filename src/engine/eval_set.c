/* eval_set.c - see eval_set.h. */
#include "engine/eval_set.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "ingest/read.h"

enum { EVAL_FILE_MAX = 1 << 30 };

typedef struct {
    Arena *a;
    const char *dir;
    EvalSet *out;
} Reading;

static size_t count_lines(Str text) {
    size_t n = 0;
    Str line;
    while (str_line(&text, &line)) n++;
    return n;
}

static Err members_read(const json_t *v, EvalText *t, Str *title) {
    TRY(json_get_str(v, "_id", &t->id));
    TRY(json_get_str(v, "id", &t->id));
    TRY(json_get_str(v, "title", title));
    TRY(json_get_str(v, "text", &t->text));
    TRY(json_get_str(v, "path", &t->path));
    TRY(json_get_str(v, "symbol", &t->symbol));
    TRY(json_get_str(v, "names", &t->names));
    TRY(json_get_str(v, "heading", &t->heading));
    TRY(json_get_str(v, "kind", &t->kind));
    return json_get_str(v, "lang", &t->lang);
}

/* What of a document is code; the title of prose stands before its text. */
static Err text_settle(Reading *e, EvalText *t, Str title) {
    if (!t->path.n && lang_class(lang_of(title, STR(""))) == LANG_CODE) t->path = title;
    if (!t->lang.n) t->lang = lang_of(t->path, t->text);
    if (lang_class(t->lang) != LANG_CODE) t->lang = STR("text");
    const bool before = title.n && !str_eq(title, t->path);
    t->id = arena_str(e->a, t->id);
    t->text = before ? arena_printf(e->a, "%.*s\n%.*s", (int)title.n, title.p, (int)t->text.n, t->text.p)
                     : arena_str(e->a, t->text);
    t->path = arena_str(e->a, t->path);
    Str *const others[] = {&t->symbol, &t->names, &t->heading, &t->kind, &t->lang};
    bool kept = t->id.p && t->text.p && t->path.p;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        *others[i] = arena_str(e->a, *others[i]);
        kept = kept && others[i]->p;
    }
    return kept ? ERR_OK : arena_error();
}

/* "answers" and "is_impossible" of a question. */
static Err answers_read(Reading *e, const json_t *v, EvalText *t) {
    const json_t *list = json_object_get(v, "answers"), *one;
    size_t i;
    TRY(json_get_bool(v, "is_impossible", &t->impossible));
    if (!json_is_array(list)) return ERR_OK;
    Str *answers = arena_array(e->a, Str, json_array_size(list));
    if (!answers) return arena_error();
    json_array_foreach(list, i, one) {
        if (!json_is_string(one)) return err_set(ERR_INPUT, "'answers' of '%.*s' are not all texts", STR_FMT(t->id));
        answers[t->n_answers] = arena_str(e->a, str_make(json_string_value(one), json_string_length(one)));
        if (!answers[t->n_answers++].p) return arena_error();
    }
    t->answers = answers;
    return ERR_OK;
}

/* A line of corpus.jsonl or queries.jsonl; the id may be called "_id". */
static Err parse_text(Reading *e, Str line, const char *what, EvalText *out) {
    json_t *v = NULL;
    Str title = {"", 0};
    *out = (EvalText){
        .path = STR(""), .symbol = STR(""), .names = STR(""), .heading = STR(""), .kind = STR(""), .lang = STR("")};
    TRY(json_read(line, what, &v));
    Err err = members_read(v, out, &title);
    if (!err && (!out->id.p || !out->text.p)) err = err_set(ERR_INPUT, "'%s' wants \"id\" and \"text\"", what);
    if (!err) err = text_settle(e, out, title);
    if (!err) err = answers_read(e, v, out);
    json_decref(v);
    return err;
}

static Err read_texts(Reading *e, const char *name, EvalText **out, size_t *n, Sha256 *sha) {
    Str text, line;
    const char *path = path_join(e->a, e->dir, name);
    if (!path) return arena_error();
    Err err = file_read(e->a, path, EVAL_FILE_MAX, &text);
    if (err) return err_fix(err, "an evaluation folder has corpus.jsonl, queries.jsonl and qrels.tsv");
    if (sha) *sha = sha256_of(text);
    *out = arena_array(e->a, EvalText, count_lines(text));
    if (!*out) return arena_error();
    *n = 0;
    for (size_t number = 1; str_line(&text, &line); number++) {
        char what[600];
        if (str_trim(line).n == 0) continue;
        (void)snprintf(what, sizeof what, "%s:%zu", path, number);
        TRY(parse_text(e, line, what, &(*out)[(*n)++]));
    }
    return ERR_OK;
}

static int by_query(const void *x, const void *y) {
    const Qrel *a = x, *b = y;
    int c = str_cmp(a->query, b->query);
    return c ? c : str_cmp(a->doc, b->doc);
}

static Err read_qrels(Reading *e) {
    Str text, line;
    const char *path = path_join(e->a, e->dir, "qrels.tsv");
    if (!path) return arena_error();
    TRY(file_read(e->a, path, EVAL_FILE_MAX, &text));
    EvalSet *set = e->out;
    set->qrels = arena_array(e->a, Qrel, count_lines(text));
    if (!set->qrels) return arena_error();
    for (size_t number = 1; str_line(&text, &line); number++) {
        Qrel q = {0};
        Str rest = line, grade = {"", 0};
        int64_t g = 0;
        if (str_trim(line).n == 0) continue;
        bool three = str_cut(&rest, '\t', &q.query) && str_cut(&rest, '\t', &q.doc) && str_cut(&rest, '\t', &grade);
        if (!three || !str_to_i64(str_trim(grade), &g)) {
            if (number == 1 && three) continue; /* a header */
            return err_set(ERR_INPUT, "'%s:%zu' is not QUERY<tab>DOCUMENT<tab>GRADE", path, number);
        }
        q.grade = (int)g;
        if (g > 0) set->qrels[set->n_qrels++] = q;
    }
    qsort(set->qrels, set->n_qrels, sizeof *set->qrels, by_query);
    return ERR_OK;
}

Err eval_set_read(Arena *a, const char *dir, EvalSet *out) {
    *out = (EvalSet){.docs = NULL};
    Reading r = {a, dir, out};
    TRY(read_texts(&r, "corpus.jsonl", &out->docs, &out->n_docs, &out->corpus));
    TRY(read_texts(&r, "queries.jsonl", &out->queries, &out->n_queries, NULL));
    return read_qrels(&r);
}

const Qrel *eval_set_qrels(const EvalSet *set, Str query, size_t *n) {
    size_t lo = 0, hi = set->n_qrels;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (str_cmp(set->qrels[mid].query, query) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (*n = 0; lo + *n < set->n_qrels && str_eq(set->qrels[lo + *n].query, query); (*n)++) {}
    return set->qrels + lo;
}
