/* search() over the real local store, the real analyser, the real lexical index and a real vector index; only the model
 * is a stand-in: a text's vector counts its words by hash, so that texts that share words are near. Files lie in a
 * temporary folder. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "check.h"
#include "index/analyze.h"
#include "search/search.h"

#define DIM 64

/* ---- the model ---- */

struct Model {
    ModelInfo info;
    Err fails; /* of a reranker, once it has scored so many texts */
    size_t budget, scored;
    Str query;
};
static Model model = {.info = {.name = STR("words"), .path = STR("/words.gguf"), .dim = DIM, .id = {{7}}}};

const ModelInfo *model_info(const Model *m) { return &m->info; }

static int count_term(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    (void)colocated;
    (void)start;
    (void)end;
    ((float *)ctx)[xxh3_of(term) % DIM] += 1;
    return 0;
}

static void vector_of(Str text, float *out) {
    Analyzer *a;
    double length = 1e-12;
    for (size_t d = 0; d < DIM; d++) out[d] = 0;
    CHECK_OK(analyzer_open(&a));
    (void)analyzer_run(a, text, count_term, out);
    analyzer_close(a);
    for (size_t d = 0; d < DIM; d++) length += (double)out[d] * (double)out[d];
    for (size_t d = 0; d < DIM; d++) out[d] = (float)((double)out[d] / sqrt(length));
}

Err model_embed(const Model *m, Pool *pool, const Str *texts, size_t n, const EmbedOpts *opts, float *out,
                EmbedInfo *info) {
    (void)m;
    (void)pool;
    (void)opts;
    (void)info;
    for (size_t i = 0; i < n; i++) vector_of(texts[i], out + i * DIM);
    return ERR_OK;
}

/* What has a calendar in it is what was wanted, whatever was asked. */
static Model reranker = {.info = {.name = STR("judge"), .arch = STR("bert"), .pooling = POOL_RANK}};

Err model_rerank(const Model *m, Pool *pool, Str query, const Str *docs, size_t n, const EmbedOpts *opts, float *scores,
                 EmbedInfo *info) {
    Model *self = (Model *)(uintptr_t)m;
    (void)pool, (void)opts, (void)info;
    self->query = query;
    if (m->fails && self->scored + n > m->budget) return err_set(m->fails, "the judge is gone");
    self->scored += n;
    for (size_t i = 0; i < n; i++) scores[i] = str_find(docs[i], STR("calendar")) >= 0 ? 2.0f : -2.0f;
    return ERR_OK;
}

/* ---- a collection of a few files ---- */

typedef struct {
    Arena arena;
    const char *root, *data;
    Analyzer *analyzer;
    Store *store;
    StoreCollection collection;
    VecIndex *writer;
    LexIndex *words;
} Fixture;

static Fixture fix;

static void files_put(const char *path, Str text) {
    const char *full = path_join(&fix.arena, fix.root, path);
    CHECK_OK(file_make_dirs(arena_cstr(&fix.arena, path_dir(str_of(full))), 0755));
    CHECK_OK(file_write_atomic(full, text, 0644));
}

/* Every line that is not blank is a chunk. */
static size_t chunks_of(Str text, Chunk *chunks) {
    size_t n = 0;
    int32_t number = 1;
    Str rest = text, line;
    while (str_line(&rest, &line)) {
        int64_t start = line.p - text.p, end = start + (int64_t)line.n;
        if (line.n)
            chunks[n++] = (Chunk){.start = start,
                                  .end = end,
                                  .start_line = number,
                                  .end_line = number,
                                  .symbol = STR(""),
                                  .kind = STR("lines"),
                                  .heading = STR(""),
                                  .hash = chunk_hash_of(line)};
        number++;
    }
    return n;
}

static int64_t doc_put(const char *path, const char *lang, Str text) {
    Chunk chunks[40];
    FileInfo info;
    StoreChange change;
    files_put(path, text);
    CHECK_OK(file_info(path_join(&fix.arena, fix.root, path), true, &info));
    Doc doc = {.uri = arena_printf(&fix.arena, "file://%s/%s", fix.root, path),
               .path = str_of(path),
               .text = text,
               .title = STR(""),
               .lang = str_of(lang),
               .sha256 = sha256_of(text),
               .size = info.size,
               .mtime_ns = info.mtime_ns};
    StorePut put = {
        .collection = fix.collection.id, .doc = &doc, .chunks = chunks, .n_chunks = chunks_of(text, chunks)};
    CHECK_OK(store_put(fix.store, &put, &change));
    for (size_t i = 0; i < put.n_chunks; i++) {
        const Str body = str_make(text.p + chunks[i].start, (size_t)(chunks[i].end - chunks[i].start));
        uint32_t number;
        CHECK_OK(lex_add(fix.words, fix.analyzer, change.added.first + (int64_t)i,
                         (Str[LEX_FIELDS]){STR(""), doc.path, STR(""), body}, &number));
    }
    return change.doc;
}

static void words_sync(void) { CHECK_OK(lex_sync(fix.words, &fix.collection.lex_count)); }

static void embed_pending(void) {
    StorePending pending[100];
    size_t n;
    CHECK_OK(store_pending(fix.store, fix.collection.id, &model.info.id, 0, 0, pending, 100, &n));
    for (size_t i = 0; i < n; i++) {
        StoreChunk chunk;
        Freshness fresh;
        Str text;
        int64_t collection;
        float row[DIM];
        uint32_t slot;
        CHECK_OK(store_chunk(fix.store, &fix.arena, pending[i].chunk, &collection, &chunk));
        CHECK_OK(chunk_live(&fix.arena, fix.store, str_of(fix.root), &chunk, &fresh, &text));
        CHECK_INT(fresh, FRESH);
        vector_of(text, row);
        CHECK_OK(vec_add(fix.writer, row, 1, &slot));
        CHECK_OK(store_embedding_put(fix.store, fix.collection.id, &model.info.id, &pending[i].hash, slot));
    }
    CHECK_OK(vec_sync(fix.writer, &fix.collection.rows));
    words_sync();
    CHECK_OK(store_collection_put(fix.store, &fix.collection));
}

static int setup(void **state) {
    (void)state;
    memset(&fix, 0, sizeof fix);
    fix.root = arena_cstr(&fix.arena, str_of(check_temp_dir()));
    fix.data = arena_cstr(&fix.arena, str_of(check_temp_dir()));
    CHECK_OK(analyzer_open(&fix.analyzer));
    StoreSpec spec = {.kind = "local", .path = fix.data};
    CHECK_OK(store_open(&fix.store, &spec));
    fix.collection = (StoreCollection){.name = STR("repo"),
                                       .root = str_of(fix.root),
                                       .describe = STR(""),
                                       .model_name = STR("words"),
                                       .model_id = model.info.id,
                                       .dim = DIM,
                                       .index_kind = STR("flat"),
                                       .generation = 1,
                                       .settings = STR("{}")};
    VecSpec index = {
        .kind = "exact", .dir = fix.data, .dim = DIM, .model = model.info.id, .generation = 1, .writer = true};
    CHECK_OK(vec_open(&fix.writer, &index));
    CHECK_OK(lex_open(&fix.words, &(LexSpec){.dir = fix.data, .generation = 1, .writer = true}));
    CHECK_OK(store_begin(fix.store));
    CHECK_OK(store_collection_put(fix.store, &fix.collection));
    (void)doc_put("src/retry.c", "c",
                  STR("int retry_with_backoff(int tries);\n\nsleep before the next attempt grows exponentially\n"));
    (void)doc_put("src/date.py", "python", STR("def parse_iso_date(text): the calendar\nreturn year month day\n"));
    (void)doc_put(
        "doc/manual.md", "markdown",
        STR("The retry option waits between attempts\nDates are written as year month day\nreturn year month day\n"));
    (void)doc_put("doc/copy.md", "markdown", STR("Dates are written as year month day\n"));
    embed_pending();
    CHECK_OK(store_commit(fix.store));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    vec_close(fix.writer);
    lex_close(fix.words);
    store_close(fix.store);
    analyzer_close(fix.analyzer);
    Err err = file_remove_tree(fix.root);
    if (!err) err = file_remove_tree(fix.data);
    arena_free(&fix.arena);
    return err != ERR_OK;
}

/* *r is of the fixture's arena. */
static Err find_by(const SearchRequest *rq, const Filter *filter, SearchReply *r) {
    VecIndex *ix;
    VecSpec spec = {.kind = "exact",
                    .dir = fix.data,
                    .dim = DIM,
                    .model = model.info.id,
                    .generation = 1,
                    .committed = fix.collection.rows};
    CHECK_OK(vec_open(&ix, &spec));
    LexIndex *words;
    CHECK_OK(lex_open(&words, &(LexSpec){.dir = fix.data, .generation = 1, .committed = fix.collection.lex_count}));
    SearchSource source = {.store = fix.store,
                           .collection = &fix.collection,
                           .lex = words,
                           .analyzer = fix.analyzer,
                           .index = ix,
                           .model = &model,
                           .filter = filter};
    const Err err = search(&fix.arena, &source, 1, rq, r);
    vec_close(ix);
    lex_close(words);
    return err;
}

static SearchRequest request(const char *query, SearchMode mode) {
    return (SearchRequest){.query = str_of(query), .mode = mode, .alpha = 0.7f, .limit = 5, .freshness = true};
}

static SearchReply find(const char *query, SearchMode mode, const Filter *filter) {
    SearchReply r;
    const SearchRequest rq = request(query, mode);
    CHECK_OK(find_by(&rq, filter, &r));
    return r;
}

static const SearchMode modes[] = {MODE_HYBRID, MODE_SEMANTIC, MODE_LEXICAL};

/* ---- tests ---- */

static void every_mode_finds_the_line_and_reads_it(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        SearchReply r = find("parse iso date", modes[i], NULL);
        CHECK(r.n >= 1);
        CHECK_STR(r.hits[0].chunk.path, "src/date.py");
        CHECK_INT(r.hits[0].chunk.start_line, 1);
        CHECK_STR(r.hits[0].content, "def parse_iso_date(text): the calendar");
        CHECK_INT(r.hits[0].freshness, FRESH);
        CHECK(r.hits[0].score > 0.1f && r.hits[0].score <= 1.0f);
    }
}

static void the_same_text_in_two_documents_is_found_in_both(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        SearchReply r = find("dates are written", modes[i], NULL);
        CHECK(r.n >= 2);
        CHECK_STR(r.hits[0].content, "Dates are written as year month day");
        CHECK_STR(r.hits[1].content, "Dates are written as year month day");
        CHECK(!str_eq(r.hits[0].chunk.path, r.hits[1].chunk.path));
    }
}

static void a_filter_holds_in_every_mode(void **state) {
    (void)state;
    Str folder = STR("doc"), lang = STR("python");
    Filter in_doc = {.paths = &folder, .n_paths = 1}, python = {.langs = &lang, .n_langs = 1};
    for (size_t i = 0; i < 3; i++) {
        SearchReply r = find("retry year", modes[i], &in_doc);
        CHECK(r.n >= 2);
        for (size_t k = 0; k < r.n; k++) CHECK(str_starts(r.hits[k].chunk.path, STR("doc/")));
        r = find("year month day", modes[i], &python); /* the same text stands in doc/manual.md */
        CHECK(r.n >= 1);
        for (size_t k = 0; k < r.n; k++) CHECK_STR(r.hits[k].chunk.path, "src/date.py");
    }
}

static void a_phrase_must_stand(void **state) {
    (void)state;
    SearchReply r = find("\"waits between attempts\"", MODE_HYBRID, NULL);
    CHECK_INT(r.n, 1);
    CHECK_STR(r.hits[0].chunk.path, "doc/manual.md");
    r = find("\"attempts between waits\"", MODE_HYBRID, NULL);
    CHECK_INT(r.n, 0);
}

static void hits_follow_their_files(void **state) {
    (void)state;
    files_put("src/date.py", STR("import re\n\ndef parse_iso_date(text): the calendar\nreturn something else\n"));
    SearchReply r = find("parse iso date calendar", MODE_HYBRID, NULL);
    CHECK_INT(r.hits[0].freshness, FRESH_MOVED);
    CHECK_INT(r.hits[0].chunk.start_line, 3);
    CHECK_STR(r.hits[0].content, "def parse_iso_date(text): the calendar");
    CHECK_OK(file_remove(path_join(&fix.arena, fix.root, "src/date.py")));
    r = find("parse iso date calendar", MODE_HYBRID, NULL);
    CHECK_INT(r.hits[0].freshness, FRESH_GONE);
    CHECK_STR(r.hits[0].content, "");
}

static void removed_documents_are_not_found_though_their_slots_stay(void **state) {
    (void)state;
    StoreDoc doc;
    CHECK_OK(store_document(fix.store, &fix.arena, fix.collection.id, STR("src/date.py"), &doc));
    CHECK_OK(store_begin(fix.store));
    StoreChange change;
    CHECK_OK(store_remove(fix.store, doc.id, &change));
    CHECK_OK(lex_remove(fix.words, &change.gone, 1, NULL));
    words_sync();
    StoreSwept *swept_rows;
    size_t n;
    CHECK_OK(store_commit(fix.store));
    for (int swept = 0; swept < 2; swept++) {
        for (size_t i = 0; i < 3; i++) {
            SearchReply r = find("parse iso date calendar year month day", modes[i], NULL);
            CHECK(r.n >= 2);
            for (size_t k = 0; k < r.n; k++) CHECK(!str_eq(r.hits[k].chunk.path, STR("src/date.py")));
        }
        if (swept) break;
        CHECK_OK(store_begin(fix.store));
        CHECK_OK(store_embedding_sweep(fix.store, &fix.arena, fix.collection.id, &swept_rows, &n));
        CHECK_OK(store_commit(fix.store));
        CHECK_INT(n, 1); /* the other line stands in doc/manual.md as well */
        CHECK_OK(vec_remove(fix.writer, &swept_rows[0].slot, 1));
    }
}

static void what_is_not_embedded_yet_is_found_by_its_words(void **state) {
    (void)state;
    CHECK_OK(store_begin(fix.store));
    (void)doc_put("src/new.c", "c", STR("void brand_new_thing(void);\n"));
    words_sync();
    CHECK_OK(store_commit(fix.store));
    SearchReply r = find("brand new thing", MODE_HYBRID, NULL);
    CHECK(r.n >= 1);
    CHECK_STR(r.hits[0].chunk.path, "src/new.c");
    CHECK_INT(r.hits[0].vec_rank, 0);
}

static SearchRequest reranked(const char *query, SearchMode mode, size_t depth) {
    SearchRequest rq = request(query, mode);
    rq.rerank = (SearchRerank){.model = &reranker, .depth = depth, .weight = 0.7f};
    reranker.fails = ERR_OK;
    reranker.scored = 0;
    return rq;
}

static void a_reranker_has_its_say_and_the_shares_add_up(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        SearchReply before, r;
        SearchRequest plain = request("year month day parse", modes[i]);
        plain.limit = 50;
        CHECK_OK(find_by(&plain, NULL, &before));
        CHECK(!str_eq(before.hits[0].content, STR("def parse_iso_date(text): the calendar")));
        CHECK(!before.reranked.any);
        const SearchRequest rq = reranked("year month day parse", modes[i], 50);
        CHECK_OK(find_by(&rq, NULL, &r));
        CHECK_STR(reranker.query, "year month day parse");
        CHECK_STR(r.hits[0].content, "def parse_iso_date(text): the calendar");
        CHECK_INT(r.total, before.total);
        CHECK(r.reranked.any && r.reranked.scored == r.reranked.wanted && r.reranked.wanted == before.total);
        for (size_t k = 0; k < r.n; k++) {
            const SearchHit *h = &r.hits[k];
            const double says = k == 0 ? 1 / (1 + exp(-2.0)) : 1 / (1 + exp(2.0));
            CHECK_NEAR(h->score, 0.7 * says + 0.3 * (double)h->first_score, 1e-6);
            CHECK(h->first_rank > 0);
            if (k) CHECK(h->score <= r.hits[k - 1].score);
        }
        CHECK_NEAR(r.hits[0].first_score, before.hits[r.hits[0].first_rank - 1].score, 1e-6);
    }
}

static void only_the_first_are_reranked_and_the_rest_stays_behind(void **state) {
    (void)state;
    SearchReply before = find("year month day parse", MODE_HYBRID, NULL), r;
    const SearchRequest rq = reranked("year month day parse", MODE_HYBRID, 2);
    CHECK_OK(find_by(&rq, NULL, &r));
    CHECK_INT(r.reranked.wanted, 2);
    for (size_t k = 0; k < r.n; k++) {
        CHECK_INT(r.hits[k].first_rank > 0, k < 2);
        if (k >= 2) CHECK_INT(r.hits[k].chunk.chunk_id, before.hits[k].chunk.chunk_id);
        if (k) CHECK(r.hits[k].score <= r.hits[k - 1].score);
    }
}

static void the_same_text_is_judged_once(void **state) {
    (void)state;
    SearchReply r;
    const SearchRequest rq = reranked("dates are written as year month day", MODE_LEXICAL, 50);
    CHECK_OK(find_by(&rq, NULL, &r));
    CHECK(r.reranked.scored > reranker.scored);
    size_t same = 0;
    for (size_t i = 0; i < r.n; i++) {
        if (!str_eq(r.hits[i].content, STR("Dates are written as year month day"))) continue;
        CHECK(r.hits[i].first_rank > 0);
        CHECK_NEAR(r.hits[i].logit, -2, 0);
        same++;
    }
    CHECK_INT(same, 2);
}

static void a_deadline_leaves_the_order_that_was_there_by_then(void **state) {
    (void)state;
    SearchReply before = find("year month day parse", MODE_HYBRID, NULL), r;
    SearchRequest rq = reranked("year month day parse", MODE_HYBRID, 50);
    reranker.fails = ERR_DEADLINE; /* within the first texts, as a model does that the deadline meets */
    CHECK_OK(find_by(&rq, NULL, &r));
    CHECK(r.deadline_hit && r.reranked.any && r.reranked.scored == 0);
    CHECK_INT(r.n, before.n);
    for (size_t k = 0; k < r.n; k++) {
        CHECK_INT(r.hits[k].chunk.chunk_id, before.hits[k].chunk.chunk_id);
        CHECK_NEAR(r.hits[k].score, before.hits[k].score, 0);
        CHECK_INT(r.hits[k].first_rank, 0);
    }
    const Deadline long_ago = {.at_ns = 1};
    rq.deadline = &long_ago;
    reranker.scored = 0;
    reranker.fails = ERR_OK;
    CHECK_OK(find_by(&rq, NULL, &r));
    CHECK(r.deadline_hit);
    CHECK_INT(reranker.scored, 0);
}

static void a_reranker_that_fails_fails_the_search(void **state) {
    (void)state;
    SearchReply r;
    SearchRequest rq = reranked("year month day parse", MODE_HYBRID, 50);
    reranker.fails = ERR_NETWORK;
    CHECK_ERR(find_by(&rq, NULL, &r), ERR_NETWORK, "the judge is gone");
    rq = reranked("year", MODE_HYBRID, 0);
    CHECK_ERR(find_by(&rq, NULL, &r), ERR_USAGE, "search.rerank_depth 0: it must be 1 to 1000");
    rq = reranked("year", MODE_HYBRID, 1001);
    CHECK_ERR(find_by(&rq, NULL, &r), ERR_USAGE, "search.rerank_depth 1001: it must be 1 to 1000");
    rq = reranked("year", MODE_HYBRID, 5);
    rq.rerank.weight = 1.5f;
    CHECK_ERR(find_by(&rq, NULL, &r), ERR_USAGE, "search.rerank_weight 1.5: it must be 0 to 1");
}

static void a_text_that_changed_is_judged_as_it_is_and_one_that_is_gone_comes_last(void **state) {
    (void)state;
    SearchReply r;
    files_put("doc/copy.md", STR("A new calendar, quite another text\n"));
    CHECK_OK(file_remove(path_join(&fix.arena, fix.root, "doc/manual.md")));
    const SearchRequest rq = reranked("dates are written as year month day", MODE_LEXICAL, 50);
    CHECK_OK(find_by(&rq, NULL, &r));
    CHECK_STR(r.hits[0].chunk.path, "doc/copy.md");
    CHECK_INT(r.hits[0].freshness, FRESH_CHANGED);
    CHECK_STR(r.hits[r.n - 1].chunk.path, "doc/manual.md");
    CHECK_INT(r.hits[r.n - 1].freshness, FRESH_GONE);
    CHECK_INT(r.hits[r.n - 1].first_rank, 0);
    CHECK(r.reranked.scored < r.reranked.wanted);
}

static void what_is_good_enough_is_told_after_reranking(void **state) {
    (void)state;
    SearchReply r;
    SearchRequest rq = reranked("year month day parse", MODE_HYBRID, 50);
    rq.min_score = 0.5f;
    CHECK_OK(find_by(&rq, NULL, &r));
    CHECK_INT(r.n, 1);
    CHECK_INT(r.total, 1);
    CHECK_STR(r.hits[0].content, "def parse_iso_date(text): the calendar");
}

static SearchReply collapsed(const char *query, SearchMode mode, size_t limit) {
    SearchReply r;
    SearchRequest rq = request(query, mode);
    rq.collapse = true;
    rq.limit = limit;
    CHECK_OK(find_by(&rq, NULL, &r));
    return r;
}

static void docs_put(const char *const (*docs)[2], size_t n) {
    CHECK_OK(store_begin(fix.store));
    for (size_t i = 0; i < n; i++) (void)doc_put(docs[i][0], "c", str_of(docs[i][1]));
    embed_pending();
    CHECK_OK(store_commit(fix.store));
}

static void a_text_in_two_documents_is_one_hit_with_its_other_place(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const SearchReply both = find("dates are written", modes[i], NULL);
        const SearchReply r = collapsed("dates are written", modes[i], 5);
        const SearchHit *h = &r.hits[0];
        CHECK_STR(h->content, "Dates are written as year month day");
        CHECK_INT(h->chunk.chunk_id, both.hits[0].chunk.chunk_id);
        CHECK_INT(h->n_copies, 1);
        CHECK_INT(h->more_copies, 0);
        CHECK_INT(h->copies[0].chunk.chunk_id, both.hits[1].chunk.chunk_id);
        CHECK_STR(h->copies[0].chunk.path, arena_cstr(&fix.arena, both.hits[1].chunk.path));
        CHECK(h->copies[0].collection == h->collection);
        CHECK_NEAR(h->copies[0].likeness, 1, 0);
        for (size_t k = 1; k < r.n; k++) CHECK(!str_eq(r.hits[k].content, h->content));
        CHECK(r.total < both.total);
    }
}

static void nearly_the_same_is_a_copy_in_another_document_alone(void **state) {
    (void)state;
    static const char long_line[] =
        "walrus count the tides of the northern harbour and write each of them down before the "
        "evening bell rings over the water so that the pilot who comes tomorrow knows them";
    const char *other = arena_printf(&fix.arena, "%s\n%s too\n", long_line, long_line).p;
    const char *const docs[][2] = {{"b.c", other}, {"a.c", long_line}};
    docs_put(docs, 1);
    SearchReply r = collapsed("walrus tides harbour", MODE_LEXICAL, 5);
    CHECK_INT(r.n, 2); /* two places of one document */
    CHECK_INT(r.hits[0].n_copies + r.hits[1].n_copies, 0);
    docs_put(docs + 1, 1);
    r = collapsed("walrus tides harbour", MODE_LEXICAL, 5);
    CHECK_INT(r.n, 2); /* a.c's has gone to one of them */
    CHECK_INT(r.hits[0].n_copies + r.hits[1].n_copies, 1);
}

static void the_next_ones_get_the_places_of_copies(void **state) {
    (void)state;
    static const char *const docs[][2] = {{"a.c", "zebra crossing"},
                                          {"b.c", "zebra crossing"},
                                          {"c.c", "zebra  crossing"},
                                          {"d.c", "a zebra crossing the wide river at night"}};
    docs_put(docs, 4);
    for (size_t i = 0; i < 3; i++) {
        const SearchReply r = collapsed("zebra crossing", modes[i], 2);
        CHECK_INT(r.n, 2);
        CHECK_INT(r.hits[0].n_copies, 2);
        CHECK_STR(r.hits[1].chunk.path, "d.c");
    }
}

static void of_many_copies_some_are_listed_and_the_rest_counted(void **state) {
    (void)state;
    char paths[40][16];
    const char *docs[41][2];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "copy%d.c", i);
        docs[i][0] = paths[i];
        docs[i][1] = "yellow submarine";
    }
    docs[40][0] = "song.c";
    docs[40][1] = "we all live in a yellow submarine";
    docs_put(docs, 41);
    for (size_t i = 0; i < 3; i++) {
        const SearchReply r = collapsed("yellow submarine", modes[i], 2);
        CHECK_INT(r.n, 2);
        CHECK_INT(r.hits[0].n_copies, SEARCH_COPIES_MAX);
        CHECK_INT(r.hits[0].more_copies, 40 - 1 - SEARCH_COPIES_MAX);
        CHECK_STR(r.hits[1].chunk.path, "song.c");
        if (modes[i] == MODE_LEXICAL) CHECK_INT(r.total, 2);
    }
}

static void what_changed_or_is_gone_is_no_copy(void **state) {
    (void)state;
    static const char *const docs[][2] = {
        {"a.c", "zebra crossing"}, {"b.c", "zebra crossing"}, {"c.c", "zebra crossing"}};
    docs_put(docs, 3);
    files_put("b.c", STR("a lion"));
    CHECK_OK(file_remove(path_join(&fix.arena, fix.root, "c.c")));
    const SearchReply r = collapsed("zebra crossing", MODE_LEXICAL, 5);
    CHECK_INT(r.n, 3);
    for (size_t i = 0; i < r.n; i++) CHECK_INT(r.hits[i].n_copies, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(every_mode_finds_the_line_and_reads_it),
        T(the_same_text_in_two_documents_is_found_in_both),
        T(a_filter_holds_in_every_mode),
        T(a_phrase_must_stand),
        T(hits_follow_their_files),
        T(removed_documents_are_not_found_though_their_slots_stay),
        T(what_is_not_embedded_yet_is_found_by_its_words),
        T(a_reranker_has_its_say_and_the_shares_add_up),
        T(only_the_first_are_reranked_and_the_rest_stays_behind),
        T(the_same_text_is_judged_once),
        T(a_deadline_leaves_the_order_that_was_there_by_then),
        T(a_reranker_that_fails_fails_the_search),
        T(a_text_that_changed_is_judged_as_it_is_and_one_that_is_gone_comes_last),
        T(what_is_good_enough_is_told_after_reranking),
        T(a_text_in_two_documents_is_one_hit_with_its_other_place),
        T(nearly_the_same_is_a_copy_in_another_document_alone),
        T(the_next_ones_get_the_places_of_copies),
        T(of_many_copies_some_are_listed_and_the_rest_counted),
        T(what_changed_or_is_gone_is_no_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
