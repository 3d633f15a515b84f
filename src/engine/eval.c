/* eval.c - retrieval quality on a folder in BEIR's layout: corpus.jsonl {id, title, text}, queries.jsonl {id, text},
 * qrels.tsv (query, document, grade; with or without header).
 *
 * Code is put as `index` would put it: its path is a field of its own and no part of the text, and so are the names that it
 * defines. A document may say what it is ("path", "lang", "symbol"); else a title that is a path of source code is one, the
 * language is told by path or text, and the names by the syntax tree.
 *
 * The corpus becomes a managed collection of a store of its own under <home>/eval, one chunk a document, named by the
 * hash of corpus and model: a second run of the same indexes nothing. Searches go the way that every search goes.
 * Metrics as trec_eval defines them: nDCG with linear gains and log2(rank + 1), recall, reciprocal rank of the first
 * relevant document; averaged over the queries that have a relevant document.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "chunk/chunk.h"
#include "engine/eval_answers.h"
#include "engine/words.h"
#include "ingest/read.h"

enum {
    EVAL_DEPTH = 100,
    EVAL_FILE_MAX = 1 << 30,
    EVAL_BATCH = 256,
    EVAL_NAMES_MAX = 1000, /* bytes of a document's names, as of a chunk's */
    EVAL_LAYOUT = 2,       /* of what is put: another one is another collection */
};

typedef struct {
    Str id, text;
    Str path, symbol, lang; /* of code; "", "", "text" else */
    const Str *answers;     /* [n_answers] of a question; NULL: it comes without */
    size_t n_answers;
    bool impossible;
} EvalText;

typedef struct {
    Str query; /* id */
    Str doc;
    int grade;
} Qrel;

typedef struct {
    Pythia *p;
    Arena *a;
    const EvalRequest *rq;
    EvalReport *out;
    Store *store;
    StoreCollection c;
    Model *model;
    VecIndex *index;
    Recompute recompute; /* for the index, where it keeps no vectors */
    Words *words;        /* while documents are put */
    LexIndex *lex;
    Analyzer *analyzer;
    LexSettings lex_settings;
    EvalText *docs, *queries;
    size_t n_docs, n_queries;
    Qrel *qrels; /* sorted by query */
    size_t n_qrels;
    double *latency; /* [n_queries] ms */
    double *each;    /* [n_queries] nDCG@10 of those that were run */
    Str *ids;        /* likewise */
    size_t n_done;
    Buf run;
    double ndcg, recall10, recall100, mrr;
    int64_t start_ns;
} Eval;

/* ---- reading ---- */

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
    return json_get_str(v, "lang", &t->lang);
}

/* What of a document is code; the title of prose stands before its text. */
static Err text_settle(Eval *e, EvalText *t, Str title) {
    if (!t->path.n && lang_class(lang_of(title, STR(""))) == LANG_CODE) t->path = title;
    if (!t->lang.n) t->lang = lang_of(t->path, t->text);
    if (lang_class(t->lang) != LANG_CODE) t->lang = STR("text");
    const bool before = title.n && !str_eq(title, t->path);
    t->id = arena_str(e->a, t->id);
    t->text = before ? arena_printf(e->a, "%.*s\n%.*s", (int)title.n, title.p, (int)t->text.n, t->text.p)
                     : arena_str(e->a, t->text);
    t->path = arena_str(e->a, t->path);
    t->symbol = arena_str(e->a, t->symbol);
    t->lang = arena_str(e->a, t->lang);
    return t->id.p && t->text.p && t->path.p && t->symbol.p && t->lang.p ? ERR_OK : arena_error();
}

/* "answers" and "is_impossible" of a question. */
static Err answers_read(Eval *e, const json_t *v, EvalText *t) {
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

/* {"id" or "_id", "title"?, "text", "path"?, "symbol"?, "lang"?, "answers"?, "is_impossible"?} a line. */
static Err parse_text(Eval *e, Str line, const char *what, EvalText *out) {
    json_t *v = NULL;
    Str title = {"", 0};
    *out = (EvalText){.path = STR(""), .symbol = STR(""), .lang = STR("")};
    TRY(json_read(line, what, &v));
    Err err = members_read(v, out, &title);
    if (!err && (!out->id.p || !out->text.p)) err = err_set(ERR_INPUT, "'%s' wants \"id\" and \"text\"", what);
    if (!err) err = text_settle(e, out, title);
    if (!err) err = answers_read(e, v, out);
    json_decref(v);
    return err;
}

static Err read_texts(Eval *e, const char *name, EvalText **out, size_t *n, Sha256 *sha) {
    Str text, line;
    const char *dir = arena_cstr(e->a, e->rq->dir), *path = dir ? path_join(e->a, dir, name) : NULL;
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

static Err read_qrels(Eval *e) {
    Str text, line;
    const char *dir = arena_cstr(e->a, e->rq->dir), *path = dir ? path_join(e->a, dir, "qrels.tsv") : NULL;
    if (!path) return arena_error();
    TRY(file_read(e->a, path, EVAL_FILE_MAX, &text));
    e->qrels = arena_array(e->a, Qrel, count_lines(text));
    if (!e->qrels) return arena_error();
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
        if (g > 0) e->qrels[e->n_qrels++] = q;
    }
    qsort(e->qrels, e->n_qrels, sizeof *e->qrels, by_query);
    return ERR_OK;
}

/* ---- indexing ---- */

static void tell(Eval *e, const char *stage, size_t done, size_t total, bool finished) {
    if (!e->rq->progress) return;
    IndexProgress p = {.stage = stage,
                       .collection = e->c.name.p,
                       .done = (int64_t)done,
                       .total = (int64_t)total,
                       .seconds = (double)(clock_mono_ns() - e->start_ns) * 1e-9,
                       .finished = finished};
    e->rq->progress(e->rq->progress_ctx, &p);
}

static size_t one_token(const void *ctx, Str text) {
    (void)ctx, (void)text;
    return 1;
}

/* The names of all that code defines, as a chunk of a file has them. */
static Err names_of(Eval *e, const EvalText *t, const Doc *doc, Chunk *chunk) {
    const ChunkOpts whole = {.max_tokens = 1 << 20, .count_tokens = one_token};
    Arena scratch = {0};
    DocChunks made = {0};
    Buf names = {0};
    chunk->symbol = t->symbol;
    chunk->names = STR("");
    if (t->symbol.n || lang_class(t->lang) != LANG_CODE) return ERR_OK;
    Err err = chunk_doc(&scratch, doc, &whole, &made);
    for (size_t i = 0; i < made.n_symbols && names.n < EVAL_NAMES_MAX; i++) {
        if (i) buf_char(&names, ' ');
        buf_add(&names, i ? made.symbols[i].name : made.symbols[i].path);
    }
    if (!err) err = buf_ok(&names);
    if (!err && made.n_symbols) {
        chunk->symbol = arena_str(e->a, made.symbols[0].path);
        chunk->names = arena_str(e->a, buf_str(&names));
        if (!chunk->symbol.p || !chunk->names.p) err = arena_error();
    }
    buf_free(&names);
    arena_free(&scratch);
    return err;
}

static Err put_document(Eval *e, const EvalText *t) {
    StoreChange change;
    Doc doc = {.uri = arena_printf(e->a, "eval:%.*s", STR_FMT(t->id)),
               .path = t->path,
               .text = t->text,
               .title = STR(""),
               .lang = t->lang,
               .sha256 = sha256_of(t->text),
               .size = (int64_t)t->text.n};
    Chunk chunk = {.start = 0,
                   .end = (int64_t)t->text.n,
                   .start_line = 1,
                   .end_line = 1,
                   .kind = STR("document"),
                   .heading = STR(""),
                   .hash = chunk_hash_of(t->text)};
    if (!doc.uri.p) return arena_error();
    TRY(names_of(e, t, &doc, &chunk));
    StorePut put = {
        .collection = e->c.id, .doc = &doc, .chunks = &chunk, .n_chunks = 1, .now_ms = 0, .keep_text = true};
    TRY(store_put(e->store, &put, &change));
    return words_follow(e->words, &change, &doc, &chunk);
}

static Err put_documents(Eval *e) {
    StoreCounts n;
    TRY(store_counts(e->store, e->c.id, &e->c.model_id, &n));
    if ((size_t)n.documents == e->n_docs) return ERR_OK;
    for (size_t done = 0; done < e->n_docs;) {
        Err err = ERR_OK;
        TRY(store_begin(e->store));
        for (size_t end = done + EVAL_BATCH; !err && done < e->n_docs && done < end; done++)
            err = put_document(e, &e->docs[done]);
        TRY(words_commit(e->words, err));
        TRY(words_tidy(e->words, false));
        tell(e, "read", done, e->n_docs, false);
    }
    return ERR_OK;
}

static Err embed_beat(void *ctx, int64_t done, int64_t total, int64_t tokens) {
    (void)tokens;
    tell(ctx, "embed", (size_t)done, (size_t)total, false);
    return ERR_OK;
}

/* Index files lie beside this store, not in the Pythia's own home. */
static Err open_eval(Eval *e, const Sha256 *corpus) {
    const ModelInfo *info = model_info(e->model);
    char hex[33];
    Sha256 both;
    Buf key = {0};
    buf_add_bytes(&key, corpus->bytes, sizeof corpus->bytes);
    buf_add_bytes(&key, info->id.bytes, sizeof info->id.bytes);
    buf_printf(&key, "%zu %d", info->max_tokens, EVAL_LAYOUT);
    TRY(buf_ok(&key));
    both = sha256_of(buf_str(&key));
    buf_free(&key);
    hex_write(both.bytes, 16, hex);
    const char *path = arena_printf(e->a, "%s/eval/%s", e->p->opts.home, hex).p;
    if (!path) return arena_error();
    TRY(file_make_dirs(path, 0755));
    e->p->opts.home = path; /* restored by the caller */
    TRY(engine_open_store_at(path, true, &e->store));
    Err err = store_collection(e->store, e->a, STR("eval"), &e->c);
    if (err != ERR_NO_COLLECTION) return err;
    e->c = (StoreCollection){.name = STR("eval"),
                             .root = STR(""),
                             .describe = STR(""),
                             .model_name = info->name,
                             .model_id = info->id,
                             .dim = (int64_t)info->dim,
                             .index_kind = engine_index_kind(e->p, e->n_docs),
                             .generation = 1,
                             .lex_generation = 1,
                             .settings = STR("")};
    TRY(store_begin(e->store));
    return engine_commit(e->store, store_collection_put(e->store, &e->c));
}

static Err index_corpus(Eval *e, SearchMode mode) {
    EmbedReport report;
    int64_t start = clock_mono_ns();
    TRY(words_open(&e->words, e->p, e->store, &e->c, false));
    TRY(put_documents(e));
    TRY(words_tidy(e->words, true));
    words_close(e->words);
    e->words = NULL;
    TRY(engine_open_words(e->p, &e->c, false, &e->lex));
    if (mode != MODE_LEXICAL) {
        const EmbedHow how = {.beat = embed_beat, .ctx = e};
        TRY(engine_embed_pending(e->p, e->store, &e->c, e->model, &how, &report));
        e->recompute = (Recompute){.store = e->store, .collection = &e->c, .model = e->model};
        TRY(engine_pool(e->p, &e->recompute.pool));
        TRY(engine_open_index_to_search(e->p, &e->c, &e->recompute, &e->index));
    }
    e->out->index_seconds = (double)(clock_mono_ns() - start) * 1e-9;
    return ERR_OK;
}

/* ---- measuring ---- */

static const Qrel *qrels_of(const Eval *e, Str query, size_t *n) {
    size_t lo = 0, hi = e->n_qrels;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (str_cmp(e->qrels[mid].query, query) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (*n = 0; lo + *n < e->n_qrels && str_eq(e->qrels[lo + *n].query, query); (*n)++) {}
    return e->qrels + lo;
}

static int grade_of(const Qrel *q, size_t n, Str doc) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(q[i].doc, doc)) return q[i].grade;
    return 0;
}

static int grade_down(const void *x, const void *y) { return *(const int *)y - *(const int *)x; }

static Err score(Eval *e, const Qrel *q, size_t n, const SearchReply *r) {
    double dcg = 0, ideal = 0;
    size_t in10 = 0, in100 = 0, first = 0;
    int *grades = arena_array(e->a, int, n);
    if (!grades) return arena_error();
    for (size_t i = 0; i < n; i++) grades[i] = q[i].grade;
    qsort(grades, n, sizeof *grades, grade_down);
    for (size_t i = 0; i < n && i < 10; i++) ideal += grades[i] / log2((double)i + 2);
    for (size_t i = 0; i < r->n; i++) {
        int grade = grade_of(q, n, str_from(r->hits[i].chunk.uri, 5)); /* behind "eval:" */
        if (grade <= 0) continue;
        if (i < 10) dcg += grade / log2((double)i + 2), in10++;
        in100++;
        if (!first) first = i + 1;
    }
    const double ndcg = ideal > 0 ? dcg / ideal : 0;
    e->each[e->n_done - 1] = ndcg;
    e->ndcg += ndcg;
    e->recall10 += (double)in10 / (double)n;
    e->recall100 += (double)in100 / (double)n;
    e->mrr += first && first <= 10 ? 1.0 / (double)first : 0;
    return ERR_OK;
}

static SearchSource source_of(const Eval *e, Pool *pool) {
    return (SearchSource){.store = e->store,
                          .collection = &e->c,
                          .lex = e->lex,
                          .analyzer = e->analyzer,
                          .index = e->index,
                          .model = e->index ? e->model : NULL,
                          .pool = pool};
}

static Err run_query(Eval *e, const EvalText *query, const SearchRequest *base, Pool *pool) {
    Arena scratch = {0};
    SearchReply reply;
    size_t n = 0;
    const Qrel *q = qrels_of(e, query->id, &n);
    if (n == 0) return ERR_OK;
    const SearchSource source = source_of(e, pool);
    SearchRequest rq = *base;
    rq.query = query->text;
    int64_t start = clock_mono_ns();
    Err err = search(&scratch, &source, 1, &rq, &reply);
    e->ids[e->n_done] = query->id;
    e->latency[e->n_done++] = clock_ms_since(start);
    if (!err) err = score(e, q, n, &reply);
    for (size_t i = 0; !err && e->rq->run_file && i < reply.n; i++) {
        Str doc = str_from(reply.hits[i].chunk.uri, 5);
        buf_printf(&e->run, "%.*s Q0 %.*s %zu %.6f pythia\n", STR_FMT(query->id), STR_FMT(doc), i + 1,
                   (double)reply.hits[i].score);
    }
    arena_free(&scratch);
    return err;
}

/* The first rq->answers questions of each kind, where the set has answers. */
static Err run_questions(Eval *e, const SearchRequest *base, Pool *pool) {
    EvalQuestion *questions = arena_array(e->a, EvalQuestion, e->n_queries + 1);
    size_t n = 0, kinds[2] = {0};
    EvalAnswers answers;
    if (!questions) return arena_error();
    for (size_t i = 0; i < e->n_queries; i++) {
        const EvalText *t = &e->queries[i];
        if ((!t->n_answers && !t->impossible) || kinds[t->impossible]++ >= (size_t)e->rq->answers) continue;
        questions[n++] = (EvalQuestion){t->text, t->answers, t->n_answers, t->impossible};
    }
    if (n == 0) return ERR_OK;
    tell(e, "ask", 0, n, false);
    const SearchSource source = source_of(e, pool);
    TRY(eval_answers(e->a, &source, base, questions, n, &answers));
    tell(e, "ask", n, n, true);
    e->out->questions = answers.answerable + answers.impossible;
    e->out->abstain_auroc = answers.auroc;
    e->out->answer_em = answers.exact_match;
    e->out->answer_f1 = answers.f1;
    e->out->answer_holds = answers.holds;
    e->out->citation_precision = answers.citation_precision;
    e->out->ask_p50_ms = answers.p50_ms;
    return ERR_OK;
}

static int ascending(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void fill_report(Eval *e) {
    double n = e->n_done ? (double)e->n_done : 1;
    qsort(e->latency, e->n_done, sizeof *e->latency, ascending);
    e->out->queries = (int64_t)e->n_done;
    e->out->query_ids = e->ids;
    e->out->query_ndcg = e->each;
    e->out->model = arena_str(e->a, e->c.model_name);
    e->out->documents = (int64_t)e->n_docs;
    e->out->ndcg_at_10 = e->ndcg / n;
    e->out->recall_at_10 = e->recall10 / n;
    e->out->recall_at_100 = e->recall100 / n;
    e->out->mrr_at_10 = e->mrr / n;
    if (e->n_done) {
        e->out->p50_ms = e->latency[e->n_done / 2];
        e->out->p95_ms = e->latency[e->n_done * 95 / 100];
    }
}

static Err eval_all(Eval *e) {
    Sha256 corpus;
    Pool *pool = NULL;
    Config *c = e->p->opts.config;
    Deadline stop = engine_deadline(e->p, 0);
    if (e->rq->mode) TRY(config_set(c, CONF_SEARCH_MODE, str_of(e->rq->mode), "mode"));
    if (e->rq->fusion) TRY(config_set(c, CONF_SEARCH_FUSION, str_of(e->rq->fusion), "fusion"));
    SearchRequest base = {.mode = (SearchMode)config_int(c, CONF_SEARCH_MODE),
                          .fusion = (Fusion)config_int(c, CONF_SEARCH_FUSION),
                          .alpha = (float)config_float(c, CONF_SEARCH_ALPHA),
                          .limit = EVAL_DEPTH,
                          .lex = &e->lex_settings,
                          .deadline = &stop};
    TRY(engine_recompute_most(e->p, &base.recompute));
    e->lex_settings = engine_lex_settings(e->p);
    TRY(engine_analyzer(e->p, &e->analyzer));
    TRY(read_texts(e, "corpus.jsonl", &e->docs, &e->n_docs, &corpus));
    TRY(read_texts(e, "queries.jsonl", &e->queries, &e->n_queries, NULL));
    TRY(read_qrels(e));
    TRY(engine_model_to_index(e->p, e->rq->model, NULL, &e->model));
    TRY(engine_pool(e->p, &pool));
    e->out->mode = arena_cstr(e->a, config_text(c, CONF_SEARCH_MODE));
    if (!e->out->mode) return arena_error();
    TRY(open_eval(e, &corpus));
    TRY(index_corpus(e, base.mode));
    e->latency = arena_array(e->a, double, e->n_queries);
    e->each = arena_array(e->a, double, e->n_queries);
    e->ids = arena_array(e->a, Str, e->n_queries);
    if (!e->latency || !e->each || !e->ids) return arena_error();
    for (size_t i = 0; i < e->n_queries; i++) {
        TRY(deadline_check(&stop));
        TRY(run_query(e, &e->queries[i], &base, pool));
        if (i % 16 == 0) tell(e, "search", i, e->n_queries, false);
    }
    tell(e, "search", e->n_queries, e->n_queries, true);
    if (e->n_done == 0)
        return err_set(ERR_INPUT, "no query of '%.*s' has a relevant document in qrels.tsv", STR_FMT(e->rq->dir));
    fill_report(e);
    TRY(run_questions(e, &base, pool));
    if (!e->rq->run_file) return ERR_OK;
    TRY(buf_ok(&e->run));
    return file_write_atomic(e->rq->run_file, buf_str(&e->run), 0644);
}

Err pythia_eval(Pythia *p, Arena *a, const EvalRequest *rq, EvalReport *out) {
    Eval e = {.p = p, .a = a, .rq = rq, .out = out, .start_ns = clock_mono_ns()};
    const char *home = p->opts.home;
    *out = (EvalReport){0};
    Err err = eval_all(&e);
    p->opts.home = home;
    vec_close(e.index);
    words_close(e.words);
    lex_close(e.lex);
    store_close(e.store);
    buf_free(&e.run);
    return err;
}
