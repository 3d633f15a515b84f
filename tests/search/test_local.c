/* search() over the real local store, the real analyser, the real lexical index and a real vector index; only the model is a stand-in: a text's
 * vector counts its words by hash, so that texts that share words are near. Files lie in a temporary folder. */
#include <math.h>

#include "base/clock.h"
#include "base/file.h"
#include "check.h"
#include "index/analyze.h"
#include "search/search.h"

#define DIM 64

/* ---- the model ---- */

struct Model {
    ModelInfo info;
};
static Model model = {{.name = STR("words"), .path = STR("/words.gguf"), .dim = DIM, .id = {{7}}}};

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

static SearchReply find(const char *query, SearchMode mode, const Filter *filter) {
    SearchReply r;
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
    SearchRequest rq = {.query = str_of(query), .mode = mode, .alpha = 0.7f, .limit = 5, .freshness = true};
    CHECK_OK(search(&fix.arena, &source, 1, &rq, &r));
    vec_close(ix);
    lex_close(words);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
