/* Any bytes as a query of the local store: never an error, never more than k hits, best first; the same query with a
 * filter that lets everything pass gives the same hits. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "index/analyze.h"
#include "store/store.h"

static char folder[64];
static Analyzer *analyzer;
static Store *store;
static StoreCollection collection = {.name = {"c", 1}, .settings = {"{}", 2}};

static void need(bool holds) {
    if (!holds) {
        (void)fprintf(stderr, "%s\n", err_text());
        abort();
    }
}

static int analyze(void *with, Str text, StoreTermSink sink, void *ctx) { return analyzer_run(with, text, sink, ctx); }

static void clean(void) {
    store_close(store);
    analyzer_close(analyzer);
    (void)!file_remove_tree(folder);
}

static void start(void) {
    const char *const texts[] = {
        "static int backoff_next(struct backoff *b) { return b->max_retries; }",
        "NEAR the connection reset by peer AND the handler OR not",
        "\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD caf\xC3\xA9 na\xC3\xAFve",
        "the the the of of and a to in is it",
    };
    need(analyzer_open(&analyzer) == ERR_OK);
    (void)snprintf(folder, sizeof folder, "/tmp/pythia-fuzz-XXXXXX");
    need(mkdtemp(folder) != NULL);
    const StoreSpec spec = {.kind = "local", .path = folder, .analyzer = {analyze, analyzer}};
    need(store_open(&store, &spec) == ERR_OK);
    (void)atexit(clean);
    need(store_collection_put(store, &collection) == ERR_OK);
    for (size_t i = 0; i < 4; i++) {
        const Str text = str_of(texts[i]);
        const Chunk chunk = {.end = (int64_t)text.n, .hash = chunk_hash_of(text)};
        const Doc doc = {.uri = text, .path = STR("a/b.c"), .text = text, .sha256 = sha256_of(text)};
        const StorePut put = {.collection = collection.id, .doc = &doc, .chunks = &chunk, .n_chunks = 1};
        int64_t id = 0;
        need(store_put(store, &put, &id) == ERR_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!store) start();
    const Str query = str_make((const char *)data, size), everything = STR("");
    const Filter all = {.paths = &everything, .n_paths = 1};
    Arena arena = {0};
    StoreLexHit *hits = NULL, *same = NULL;
    size_t n = 0, n_same = 0;
    need(store_lexical(store, &arena, collection.id, query, NULL, 3, &hits, &n) == ERR_OK);
    need(store_lexical(store, &arena, collection.id, query, &all, 3, &same, &n_same) == ERR_OK);
    need(n <= 3 && n == n_same);
    for (size_t i = 0; i < n; i++) {
        need(hits[i].score > 0 && (i == 0 || hits[i - 1].score >= hits[i].score));
        need(hits[i].chunk_id == same[i].chunk_id);
    }
    arena_free(&arena);
    return 0;
}
