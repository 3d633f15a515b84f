/* Any bytes as a query of the lexical index, with and without operators: never an error, never more than k hits, best
 * first; what is pruned changes no bit, and a filter that lets everything pass changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "index/lex.h"

enum { K = 3 };

static char folder[64];
static Analyzer *analyzer;
static LexIndex *ix;

static void need(bool holds) {
    if (!holds) {
        (void)fprintf(stderr, "%s\n", err_text());
        abort();
    }
}

static void clean(void) {
    lex_close(ix);
    analyzer_close(analyzer);
    (void)!file_remove_tree(folder);
}

/* Two segments, one document of the first removed. */
static void start(void) {
    const char *const texts[] = {
        "static int backoff_next(struct backoff *b) { return b->max_retries; }",
        "NEAR the connection reset by peer AND the handler OR not",
        "gone the connection and the handler",
        "\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD caf\xC3\xA9 na\xC3\xAFve",
        "the the the of of and a to in is it",
    };
    const ChunkRange gone = {3, 4};
    uint32_t number, count;
    need(analyzer_open(&analyzer) == ERR_OK);
    (void)snprintf(folder, sizeof folder, "/tmp/pythia-fuzz-XXXXXX");
    need(mkdtemp(folder) != NULL);
    need(lex_open(&ix, &(LexSpec){.dir = folder, .generation = 1, .writer = true}) == ERR_OK);
    (void)atexit(clean);
    for (size_t i = 0; i < 5; i++) {
        const Str fields[LEX_FIELDS] = {STR("backoff_next"), STR("a/b.c"), STR("Install > Linux"), str_of(texts[i])};
        need(lex_add(ix, analyzer, (int64_t)i + 1, fields, &number) == ERR_OK);
        if (i == 2) need(lex_sync(ix, &count) == ERR_OK);
    }
    need(lex_remove(ix, &gone, 1, NULL) == ERR_OK);
    need(lex_sync(ix, &count) == ERR_OK);
}

static void ask(const LexQuery *q) {
    LexHit hits[K], all[K], same[K];
    const uint64_t everything = ~UINT64_C(0);
    size_t n = 0, n_all = 0, n_same = 0;
    LexSearch how = {.k = K};
    need(lex_search(ix, q, &how, hits, &n) == ERR_OK);
    how.exhaustive = true;
    need(lex_search(ix, q, &how, all, &n_all) == ERR_OK);
    how = (LexSearch){.k = K, .allowed = &everything, .n_allowed = 64};
    need(lex_search(ix, q, &how, same, &n_same) == ERR_OK);
    need(n <= K && n == n_all && n == n_same);
    for (size_t i = 0; i < n; i++) {
        need(hits[i].score > 0 && (i == 0 || hits[i - 1].score >= hits[i].score));
        need(hits[i].id >= 1 && hits[i].id <= 5 && hits[i].id != 3);
        need(hits[i].number == all[i].number && memcmp(&hits[i].score, &all[i].score, sizeof(float)) == 0);
        need(hits[i].number == same[i].number);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!ix) start();
    for (int operators = 0; operators < 2; operators++) {
        Arena arena = {0};
        LexQuery q;
        need(lex_query_read(&arena, analyzer, str_make((const char *)data, size), operators, &q) == ERR_OK);
        need(q.n <= LEX_CLAUSES_MAX);
        ask(&q);
        arena_free(&arena);
    }
    return 0;
}
