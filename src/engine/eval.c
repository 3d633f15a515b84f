/* eval.c - retrieval quality on a folder in BEIR's layout (eval_set.h).
 *
 * Code is put as `index` would put it: its path is a field of its own and no part of the text, and so are the names
 * that it defines, told by the syntax tree where the document does not tell them.
 *
 * The corpus becomes a managed collection of a store of its own under <home>/eval, one chunk a document, named by the
 * hash of corpus and model: a second run of the same indexes nothing. Searches go the way that every search goes.
 * Metrics as trec_eval defines them: nDCG with linear gains and log2(rank + 1), recall, reciprocal rank of the first
 * relevant document; averaged over the queries that have a relevant document.
 */
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "chunk/chunk.h"
#include "engine/eval_answers.h"
#include "engine/eval_report.h"
#include "engine/eval_set.h"
#include "engine/words.h"

enum {
    EVAL_DEPTH = 100,
    EVAL_BATCH = 256,
    EVAL_NAMES_MAX = 1000, /* bytes of a document's names, as of a chunk's */
    EVAL_LAYOUT = 2,       /* of what is put: another one is another collection */
};

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
    Model *table; /* static, for documents without a vector; NULL: there is none, or all have one */
    EvalSet set;
    EvalQuery *each; /* [n_done] queries that were run, of set.n_queries */
    size_t n_done;
    Buf run;
    size_t embedded; /* documents that have a vector so far */
    int64_t start_ns;
} Eval;

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
    chunk->names = t->names;
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
                   .heading = t->heading,
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
    if ((size_t)n.documents == e->set.n_docs) return ERR_OK;
    for (size_t done = 0; done < e->set.n_docs;) {
        Err err = ERR_OK;
        TRY(store_begin(e->store));
        for (size_t end = done + EVAL_BATCH; !err && done < e->set.n_docs && done < end; done++)
            err = put_document(e, &e->set.docs[done]);
        TRY(words_commit(e->words, err));
        TRY(words_tidy(e->words, false));
        tell(e, "read", done, e->set.n_docs, false);
    }
    return ERR_OK;
}

static Err embed_beat(void *ctx, int64_t done, int64_t total, int64_t tokens) {
    Eval *e = ctx;
    (void)tokens;
    e->embedded = e->set.n_docs - (size_t)total + (size_t)done;
    tell(e, "embed", (size_t)done, (size_t)total, false);
    return ERR_OK;
}

/* So many documents have a vector as are wanted to. */
static bool embed_enough(void *ctx) {
    const Eval *e = ctx;
    return (double)e->embedded >= e->rq->vectors * (double)e->set.n_docs;
}

/* What judges documents without a vector in a search of the real collection. It lies in the real home, so it comes
 * before open_eval. */
static Err open_static(Eval *e) {
    const ModelInfo *info = model_info(e->model);
    if (e->rq->vectors >= 1) return ERR_OK;
    const StoreCollection c = {
        .name = STR("eval"), .model_name = info->name, .model_id = info->id, .dim = (int64_t)info->dim};
    TRY(engine_table_make(e->p, &c, NULL, NULL));
    return engine_table(e->p, &c, &e->table);
}

/* Index files lie beside this store, not in the Pythia's own home. */
static Err open_eval(Eval *e) {
    const ModelInfo *info = model_info(e->model);
    char hex[33];
    Sha256 both;
    Buf key = {0};
    buf_add_bytes(&key, e->set.corpus.bytes, sizeof e->set.corpus.bytes);
    buf_add_bytes(&key, info->id.bytes, sizeof info->id.bytes);
    buf_printf(&key, "%zu %d", info->max_tokens, EVAL_LAYOUT);
    if (e->rq->vectors < 1) buf_printf(&key, " %.4f", e->rq->vectors);
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
                             .index_kind = engine_index_kind(e->p, e->set.n_docs),
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
    e->c.chunks = (int64_t)e->set.n_docs;
    if (mode != MODE_LEXICAL && e->rq->vectors > 0) {
        const bool all = e->rq->vectors >= 1;
        const EmbedHow how = {.beat = embed_beat, .ctx = e, .pause = all ? NULL : embed_enough, .pause_ctx = e};
        TRY(engine_embed_pending(e->p, e->store, &e->c, e->model, &how, &report));
        e->recompute = (Recompute){.store = e->store, .collection = &e->c, .model = e->model};
        TRY(engine_pool(e->p, &e->recompute.pool));
        TRY(engine_open_index(e->p, &e->c, false, &e->index));
    }
    e->out->index_seconds = (double)(clock_mono_ns() - start) * 1e-9;
    return ERR_OK;
}

/* ---- measuring ---- */

static int grade_of(const Qrel *q, size_t n, Str doc) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(q[i].doc, doc)) return q[i].grade;
    return 0;
}

static int grade_down(const void *x, const void *y) { return *(const int *)y - *(const int *)x; }

/* The ranks of what is relevant, and nDCG@10. */
static Err score(Eval *e, const Qrel *q, size_t n, const SearchReply *r, EvalQuery *out) {
    double dcg = 0, ideal = 0;
    int *grades = arena_array(e->a, int, n);
    int32_t *ranks = arena_array(e->a, int32_t, n);
    if (!grades || !ranks) return arena_error();
    for (size_t i = 0; i < n; i++) grades[i] = q[i].grade;
    qsort(grades, n, sizeof *grades, grade_down);
    for (size_t i = 0; i < n && i < 10; i++) ideal += grades[i] / log2((double)i + 2);
    for (size_t i = 0; i < r->n && out->n_ranks < n; i++) {
        const int grade = grade_of(q, n, str_from(r->hits[i].chunk.uri, 5)); /* behind "eval:" */
        if (grade <= 0) continue;
        if (i < 10) dcg += grade / log2((double)i + 2);
        ranks[out->n_ranks++] = (int32_t)i + 1;
    }
    out->relevant = (int64_t)n;
    out->ranks = ranks;
    out->ndcg_at_10 = ideal > 0 ? dcg / ideal : 0;
    out->best = r->n ? arena_str(e->a, str_from(r->hits[0].chunk.uri, 5)) : STR("");
    return out->best.p ? ERR_OK : arena_error();
}

static SearchSource source_of(const Eval *e, Pool *pool) {
    return (SearchSource){.store = e->store,
                          .collection = &e->c,
                          .lex = e->lex,
                          .analyzer = e->analyzer,
                          .index = e->index,
                          .fetch = recompute_rows,
                          .fetch_ctx = (void *)(uintptr_t)&e->recompute,
                          .model = e->index ? e->model : NULL,
                          .table = e->table,
                          .pool = pool};
}

static Err run_query(Eval *e, const EvalText *query, const SearchRequest *base, Pool *pool) {
    Arena scratch = {0};
    SearchReply reply;
    size_t n = 0;
    const Qrel *q = eval_set_qrels(&e->set, query->id, &n);
    EvalQuery *out = &e->each[e->n_done];
    if (n == 0) return ERR_OK;
    const SearchSource source = source_of(e, pool);
    SearchRequest rq = *base;
    rq.query = query->text;
    int64_t start = clock_mono_ns();
    Err err = search(&scratch, &source, 1, &rq, &reply);
    *out = (EvalQuery){.id = query->id, .text = query->text, .kind = query->kind, .ms = clock_ms_since(start)};
    e->n_done++;
    if (!err) err = score(e, q, n, &reply, out);
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
    EvalQuestion *questions = arena_array(e->a, EvalQuestion, e->set.n_queries + 1);
    size_t n = 0, kinds[2] = {0};
    EvalAnswers answers;
    if (!questions) return arena_error();
    for (size_t i = 0; i < e->set.n_queries; i++) {
        const EvalText *t = &e->set.queries[i];
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

static Err fill_report(Eval *e) {
    EvalReport *out = e->out;
    out->set = e->rq->dir;
    out->model = arena_str(e->a, e->c.model_name);
    out->documents = (int64_t)e->set.n_docs;
    out->vectors = e->rq->vectors;
    out->each = e->each;
    out->queries = (int64_t)e->n_done;
    return out->model.p ? eval_report_sum(e->a, out) : arena_error();
}

static Err eval_all(Eval *e) {
    Pool *pool = NULL;
    Config *c = e->p->opts.config;
    const char *dir = arena_cstr(e->a, e->rq->dir);
    if (!dir) return arena_error();
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
    TRY(engine_search_rerank(e->p, e->rq->rerank, &base.rerank));
    e->lex_settings = engine_lex_settings(e->p);
    TRY(engine_analyzer(e->p, &e->analyzer));
    TRY(eval_set_read(e->a, dir, &e->set));
    TRY(engine_model_to_index(e->p, e->rq->model, NULL, &e->model));
    TRY(engine_pool(e->p, &pool));
    e->out->mode = arena_cstr(e->a, config_text(c, CONF_SEARCH_MODE));
    e->out->fusion = arena_cstr(e->a, config_text(c, CONF_SEARCH_FUSION));
    if (!e->out->mode || !e->out->fusion) return arena_error();
    TRY(open_static(e));
    TRY(open_eval(e));
    TRY(index_corpus(e, base.mode));
    e->each = arena_array(e->a, EvalQuery, e->set.n_queries);
    if (!e->each) return arena_error();
    for (size_t i = 0; i < e->set.n_queries; i++) {
        TRY(deadline_check(&stop));
        TRY(run_query(e, &e->set.queries[i], &base, pool));
        if (i % 16 == 0) tell(e, "search", i, e->set.n_queries, false);
    }
    tell(e, "search", e->set.n_queries, e->set.n_queries, true);
    if (e->n_done == 0)
        return err_set(ERR_INPUT, "no query of '%.*s' has a relevant document in qrels.tsv", STR_FMT(e->rq->dir));
    TRY(fill_report(e));
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
