/* bench_lex - builds a lexical index over chunks and asks it phrases; JSON on stdout.
 *
 *     bench_lex CHUNKS QUERIES FOLDER [ROUNDS]
 *
 * CHUNKS and QUERIES: texts, each ended by a NUL byte (bench/lexical_peers.py writes them). FOLDER is made anew. The
 * build is from texts to a durable, closed index. Times are of the CPU, of one thread; a query's is the least of ROUNDS
 * (5).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "index/lex.h"

enum { K = 10, FILE_MAX_BYTES = 1 << 30 };

static double cpu_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static Err build(const LexSpec *spec, Analyzer *a, Str chunks, uint32_t *committed) {
    LexIndex *ix = NULL;
    Err err = lex_open(&ix, spec);
    Str text, rest = chunks;
    for (int64_t id = 0; !err && str_cut(&rest, 0, &text); id++) {
        uint32_t number;
        const Str fields[LEX_FIELDS] = {STR(""), STR(""), STR(""), text};
        err = lex_add(ix, a, id, fields, &number);
    }
    if (!err) err = lex_sync(ix, committed);
    if (!err) err = lex_merge(ix, true, NULL);
    lex_close(ix);
    return err;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Least times of the queries, in ms. */
static Err ask(const LexIndex *ix, Analyzer *a, Arena *arena, Str queries, size_t rounds, bool exhaustive,
               double *times, size_t *n, LexReport *sum) {
    LexScratch *scratch;
    TRY(lex_scratch_open(&scratch));
    Err err = ERR_OK;
    for (size_t round = 0; !err && round < rounds; round++) {
        Str text, rest = queries;
        for (*n = 0; !err && str_cut(&rest, 0, &text); (*n)++) {
            LexHit hits[K];
            LexReport report;
            LexQuery q;
            size_t found;
            const double start = cpu_ms();
            err = lex_query_read(arena, a, text, false, &q);
            const LexSearch how = {.k = K, .scratch = scratch, .exhaustive = exhaustive, .report = &report};
            if (!err) err = lex_search(ix, &q, &how, hits, &found);
            const double took = cpu_ms() - start;
            if (round == 0 || took < times[*n]) times[*n] = took;
            if (round == 0) sum->blocks += report.blocks;
            if (round == 0) sum->windows += report.windows;
            if (round == 0) sum->skipped += report.skipped;
        }
    }
    lex_scratch_close(scratch);
    return err;
}

static Err measure(const LexSpec *spec, Analyzer *a, Arena *arena, Str chunks, Str queries, size_t rounds) {
    LexIndex *ix = NULL;
    LexStats stats;
    double *times = arena_array(arena, double, queries.n + 1);
    if (!times) return arena_error();
    TRY(lex_open(&ix, spec));
    lex_stats(ix, &stats);
    const double text = (double)chunks.n;
    printf("{\"documents\": %u, \"text_bytes\": %zu, \"index_bytes\": %lld, \"percent\": %.2f, "
           "\"percent_without_positions\": %.2f, \"terms\": %llu, \"postings\": %llu",
           stats.live, chunks.n, (long long)stats.bytes, 100 * (double)stats.bytes / text,
           100 * (double)(stats.bytes - stats.position_bytes) / text, (unsigned long long)stats.terms,
           (unsigned long long)stats.postings);
    Err err = ERR_OK;
    for (int all = 0; !err && all < 2; all++) {
        size_t n = 0;
        LexReport r = {0};
        err = ask(ix, a, arena, queries, rounds, all, times, &n, &r);
        if (err || n == 0) break;
        qsort(times, n, sizeof *times, by_value);
        printf(", \"%s\": {\"queries\": %zu, \"p50_ms\": %.4f, \"p95_ms\": %.4f, \"p99_ms\": %.4f, \"blocks\": %u, "
               "\"windows\": %u, \"skipped\": %u}",
               all ? "exhaustive" : "search", n, times[n / 2], times[n * 95 / 100], times[n * 99 / 100],
               r.blocks / (uint32_t)n, r.windows / (uint32_t)n, r.skipped / (uint32_t)n);
    }
    printf("}\n");
    lex_close(ix);
    return err;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: bench_lex CHUNKS QUERIES FOLDER [ROUNDS]\n");
        return 2;
    }
    Arena arena = {0};
    Analyzer *a = NULL;
    Str chunks, queries;
    LexSpec spec = {.dir = argv[3], .generation = 1, .writer = true};
    Err err = analyzer_open(&a);
    if (!err) err = file_read(&arena, argv[1], FILE_MAX_BYTES, &chunks);
    if (!err) err = file_read(&arena, argv[2], FILE_MAX_BYTES, &queries);
    if (!err) err = file_remove_tree(argv[3]);
    const double start = cpu_ms();
    if (!err) err = build(&spec, a, chunks, &spec.committed);
    fprintf(stderr, "build %.3f s of CPU\n", (cpu_ms() - start) / 1e3);
    spec.writer = false;
    if (!err) err = measure(&spec, a, &arena, chunks, queries, argc > 4 ? (size_t)atoll(argv[4]) : 5);
    if (err) fprintf(stderr, "bench_lex: %s\n", err_text());
    analyzer_close(a);
    arena_free(&arena);
    return err_exit_code(err);
}
