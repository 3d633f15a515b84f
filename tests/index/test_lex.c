/* The lexical index beside a plain BM25F that looks at every document: adding, searching, removing, merging,
 * crashing. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/map.h"
#include "check.h"
#include "fuzz/sums.h"
#include "index/lex.h"
#include "index/lex_seg.h"

enum { DOCS = 3000, WORDS = 400, K = 10 };

/* ---- numbers and texts without a pattern, the same every time ---- */

static uint64_t state = 88172645463325252ull;
static uint32_t noise(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 33) % below);
}

/* Few words are frequent, most are rare; some are identifiers. */
static void word_put(Buf *b) {
    uint32_t w = noise(WORDS);
    w = noise(4) ? noise(w / 8 + 1) : w;
    char name[8] = {(char)('b' + w % 20), (char)('a' + w / 20 % 5), (char)('k' + w / 100 % 8), 'o', 0};
    buf_add_z(b, name);
    if (noise(12) == 0) buf_printf(b, "_%c%c", 'k' + noise(3), 'a');
    buf_char(b, ' ');
}

/* ---- the plain way ---- */

typedef struct {
    uint32_t term, field, position;
} Token;

typedef struct {
    int64_t id;
    Token *tokens;
    size_t n;
    uint32_t length;
    bool live;
} PlainDoc;

typedef struct {
    PlainDoc docs[DOCS * 2];
    size_t n;
    Map terms;
    Arena arena;
    uint32_t field, next;
} Plain;

static int token_note(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    (void)start;
    (void)end;
    Plain *p = ctx;
    PlainDoc *d = &p->docs[p->n];
    const uint64_t *known = map_get(&p->terms, term);
    const uint64_t number = known ? *known : p->terms.count;
    if (!known) CHECK_OK(map_put(&p->terms, arena_str(&p->arena, term), number));
    if (!colocated || p->next == 0) p->next++;
    d->tokens = realloc(d->tokens, (d->n + 1) * sizeof *d->tokens);
    d->tokens[d->n++] = (Token){(uint32_t)number, p->field, p->next - 1};
    return 0;
}

static void plain_add(Plain *p, Analyzer *a, int64_t id, const Str fields[LEX_FIELDS]) {
    PlainDoc *d = &p->docs[p->n];
    *d = (PlainDoc){.id = id, .live = true};
    for (p->field = 0; p->field < LEX_FIELDS; p->field++) {
        p->next = 0;
        (void)analyzer_run(a, fields[p->field], token_note, p);
        d->length += p->next;
    }
    p->n++;
}

static void plain_free(Plain *p) {
    for (size_t i = 0; i < p->n; i++) free(p->docs[i].tokens);
    map_free(&p->terms);
    arena_free(&p->arena);
    free(p);
}

static bool token_is(const Plain *p, const Token *t, Str term, bool prefix) {
    const Str name = p->terms.entries[t->term].key;
    return prefix ? str_starts(name, term) : str_eq(name, term);
}

static bool token_at(const Plain *p, const PlainDoc *d, Str term, uint32_t field, uint32_t position) {
    for (size_t i = 0; i < d->n; i++)
        if (d->tokens[i].field == field && d->tokens[i].position == position && token_is(p, &d->tokens[i], term, false))
            return true;
    return false;
}

static double plain_tf(const Plain *p, const PlainDoc *d, const LexClause *c, const LexSettings *set) {
    double tf = 0;
    for (size_t i = 0; i < d->n; i++) {
        const Token *t = &d->tokens[i];
        bool all = token_is(p, t, c->terms[0], c->kind == LEX_PREFIX);
        for (uint32_t k = 1; all && k < c->n; k++) all = token_at(p, d, c->terms[k], t->field, t->position + k);
        if (all) tf += (double)set->weights[t->field];
    }
    return tf;
}

/* Scores [n] by BM25F as it stands in books, over the live documents; -1: not found. */
static void plain_scores(const Plain *p, const LexQuery *q, const LexSettings *set, double *scores) {
    double documents = 0, length = 0;
    double *tf = calloc(p->n + 1, sizeof *tf);
    bool *out = calloc(p->n + 1, sizeof *out);
    for (size_t i = 0; i < p->n; i++) {
        scores[i] = 0;
        documents += p->docs[i].live;
        length += p->docs[i].live ? p->docs[i].length : 0;
    }
    for (size_t c = 0; c < q->n; c++) {
        double df = 0;
        const LexClause *x = &q->clauses[c];
        for (size_t i = 0; i < p->n; i++) {
            tf[i] = p->docs[i].live ? plain_tf(p, &p->docs[i], x, set) : 0;
            df += tf[i] > 0;
            if (tf[i] > 0 ? x->occur == LEX_MUST_NOT : x->occur == LEX_MUST) out[i] = true;
        }
        const double idf = log(1 + (documents - df + 0.5) / (df + 0.5));
        for (size_t i = 0; i < p->n && x->occur != LEX_MUST_NOT; i++) {
            const double norm =
                (double)set->k1 * (1 - (double)set->b + (double)set->b * p->docs[i].length * documents / length);
            scores[i] += tf[i] > 0 ? (double)x->weight * idf * tf[i] * ((double)set->k1 + 1) / (tf[i] + norm) : 0;
        }
    }
    for (size_t i = 0; i < p->n; i++)
        if (out[i] || !p->docs[i].live || scores[i] <= 0) scores[i] = -1;
    free(tf);
    free(out);
}

/* The hits are the k best of the scores, in order, each with its own score; numbers are places in the plain index. */
static void check_hits(const Plain *p, const double *scores, const LexHit *hits, size_t n, size_t k) {
    size_t found = 0;
    for (size_t i = 0; i < p->n; i++) found += scores[i] >= 0;
    CHECK_INT(n, found < k ? found : k);
    for (size_t h = 0; h < n; h++) {
        CHECK(hits[h].number < p->n);
        CHECK_NEAR(hits[h].score, scores[hits[h].number], 1e-5 * fmax(1, scores[hits[h].number]));
        CHECK_INT(hits[h].id, p->docs[hits[h].number].id);
        if (h)
            CHECK(hits[h].score < hits[h - 1].score ||
                  (hits[h].score == hits[h - 1].score && hits[h].number > hits[h - 1].number));
    }
    for (size_t i = 0; n && i < p->n; i++) { /* none better was left out */
        bool there = false;
        for (size_t h = 0; h < n; h++) there = there || hits[h].number == i;
        if (!there) CHECK(scores[i] <= (double)hits[n - 1].score * (1 + 1e-5));
    }
}

/* ---- one index of many documents, for all tests that only search ---- */

typedef struct {
    const char *dir;
    Analyzer *analyzer;
    Plain *plain;
    LexIndex *ix;
    uint32_t committed;
    Arena arena;
} Fixture;

static void doc_add(Fixture *f, int64_t id) {
    Buf text[LEX_FIELDS] = {0};
    Str fields[LEX_FIELDS];
    for (uint32_t i = noise(3); i > 0; i--) word_put(&text[LEX_SYMBOL]);
    for (uint32_t i = 1 + noise(3); i > 0; i--) word_put(&text[LEX_PATH]);
    for (uint32_t i = noise(5); i > 0; i--) word_put(&text[LEX_HEADING]);
    for (uint32_t i = noise(60); i > 0; i--) word_put(&text[LEX_BODY]);
    for (size_t i = 0; i < LEX_FIELDS; i++) fields[i] = buf_str(&text[i]);
    uint32_t number;
    CHECK_OK(lex_add(f->ix, f->analyzer, id, fields, &number));
    CHECK_INT(number, f->plain->n);
    plain_add(f->plain, f->analyzer, id, fields);
    for (size_t i = 0; i < LEX_FIELDS; i++) buf_free(&text[i]);
}

static LexSpec spec_of(const Fixture *f, bool writer) {
    return (LexSpec){.dir = f->dir, .generation = 1, .committed = f->committed, .writer = writer};
}

static void fixture_open(Fixture *f, bool writer) {
    const LexSpec spec = spec_of(f, writer);
    CHECK_OK(lex_open(&f->ix, &spec));
}

static void fixture_make(Fixture *f, size_t docs, size_t batch) {
    *f = (Fixture){.dir = check_temp_dir(), .plain = calloc(1, sizeof(Plain))};
    CHECK_OK(analyzer_open(&f->analyzer));
    fixture_open(f, true);
    for (size_t i = 0; i < docs; i++) {
        doc_add(f, 1000 + (int64_t)i * 3);
        if (i + 1 == docs || (i + 1) % batch == 0) CHECK_OK(lex_sync(f->ix, &f->committed));
    }
}

static void fixture_free(Fixture *f) {
    lex_close(f->ix);
    analyzer_close(f->analyzer);
    plain_free(f->plain);
    arena_free(&f->arena);
    CHECK_OK(file_remove_tree(f->dir));
}

static LexQuery query_of(Fixture *f, const char *text) {
    LexQuery q;
    CHECK_OK(lex_query_read(&f->arena, f->analyzer, str_of(text), true, &q));
    return q;
}

static LexQuery query_random(Fixture *f, uint32_t words) {
    Buf text = {0};
    for (uint32_t i = 0; i < words; i++) word_put(&text);
    LexQuery q = query_of(f, text.p);
    buf_free(&text);
    return q;
}

static void check_query(Fixture *f, const LexQuery *q, size_t k, const LexSettings *set) {
    LexHit *hits = calloc(k + 1, sizeof *hits), *all = calloc(k + 1, sizeof *all);
    double *scores = calloc(f->plain->n + 1, sizeof *scores);
    size_t n = 0, n_all = 0;
    LexSearch how = {.k = k, .settings = set};
    CHECK_OK(lex_search(f->ix, q, &how, hits, &n));
    how.exhaustive = true;
    CHECK_OK(lex_search(f->ix, q, &how, all, &n_all));
    CHECK_INT(n, n_all);
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(hits[i].number, all[i].number);
        CHECK(memcmp(&hits[i].score, &all[i].score, sizeof hits[i].score) == 0);
    }
    plain_scores(f->plain, q, set ? set : &lex_settings_default, scores);
    check_hits(f->plain, scores, hits, n, k);
    free(hits);
    free(all);
    free(scores);
}

/* ---- searching ---- */

static void scores_are_those_of_a_plain_bm25f_and_pruning_changes_no_bit(void **unused) {
    (void)unused;
    for (size_t batch = DOCS; batch > 300; batch = batch == DOCS ? 700 : 0) {
        Fixture f;
        fixture_make(&f, DOCS, batch);
        for (uint32_t i = 0; i < 60; i++) {
            const LexQuery q = query_random(&f, 1 + i % 9);
            check_query(&f, &q, i % 3 ? K : 1 + noise(100), NULL);
        }
        fixture_free(&f);
    }
}

static void other_settings_than_the_blocks_were_made_with_are_exact_too(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, DOCS, DOCS);
    const LexSettings settings[] = {
        {0.5f, 0, {1, 1, 1, 1}}, {2.5f, 1, {0.25f, 30, 1, 7}}, {1.2f, 0.3f, {0, 0, 0, 1}}, {0.01f, 0.9f, {5, 2, 2, 1}}};
    for (size_t s = 0; s < 4; s++)
        for (uint32_t i = 0; i < 15; i++) {
            LexQuery q = query_random(&f, 1 + i % 6);
            if (s != 2) check_query(&f, &q, K, &settings[s]);
            LexHit a[K], b[K];
            size_t n, m;
            LexSearch how = {.k = K, .settings = &settings[s]};
            CHECK_OK(lex_search(f.ix, &q, &how, a, &n));
            how.exhaustive = true;
            CHECK_OK(lex_search(f.ix, &q, &how, b, &m));
            CHECK_INT(n, m);
            for (size_t h = 0; h < n; h++) CHECK_INT(a[h].number, b[h].number);
        }
    fixture_free(&f);
}

static void phrases_prefixes_must_and_must_not_find_what_the_plain_way_finds(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, DOCS, 1100);
    const char *const texts[] = {"\"bako bako\"",        "\"bako cako\" dako", "\"bako_ka\"",     "+bako +cako dako",
                                 "-bako cako",           "bako* cako",         "+ba* -cako dako", "-\"bako cako\" bako",
                                 "+\"cako bako\" eako*", "\"bako cako dako\"", "+zzzz bako",      "\"bako zzzz\" bako",
                                 "-zzzz bako",           "zzzz zzzz*",         "+bako_ka cako"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const LexQuery q = query_of(&f, texts[i]);
        CHECK(q.n > 0);
        check_query(&f, &q, 25, NULL);
    }
    fixture_free(&f);
}

static void a_query_is_read_into_clauses(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, 1, 1);
    LexQuery q = query_of(&f, "alpha alpha \"two words\" +maxRetries -gone conf* well-known");
    CHECK_INT(q.n, 7);
    CHECK_NEAR(q.clauses[0].weight, 2, 0);
    CHECK_INT(q.clauses[1].kind, LEX_PHRASE);
    CHECK_INT(q.clauses[1].occur, LEX_MUST);
    CHECK_INT(q.clauses[1].n, 2);
    CHECK_INT(q.clauses[2].kind, LEX_PHRASE); /* max retries: one behind the other, and required */
    CHECK_INT(q.clauses[2].occur, LEX_MUST);
    CHECK_INT(q.clauses[3].occur, LEX_MUST_NOT);
    CHECK_STR(q.clauses[3].terms[0], "gone");
    CHECK_INT(q.clauses[4].kind, LEX_PREFIX);
    CHECK_STR(q.clauses[4].terms[0], "conf");
    CHECK_STR(q.clauses[5].terms[0], "well");
    CHECK_OK(lex_query_read(&f.arena, f.analyzer, STR("-gone conf* \"open"), false, &q));
    CHECK_INT(q.n, 3);
    for (size_t i = 0; i < q.n; i++) CHECK_INT(q.clauses[i].occur, LEX_SHOULD);
    CHECK_OK(lex_query_read(&f.arena, f.analyzer, STR(" \"\" . -"), true, &q));
    CHECK_INT(q.n, 0);
    fixture_free(&f);
}

static void words_that_only_ask_count_less_unless_they_are_asked_for(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, 1, 1);
    LexQuery q = query_of(&f, "How to sort with how WithTimeout \"how to\" +does");
    CHECK_INT(q.n, 8);
    CHECK_STR(q.clauses[0].terms[0], "how");
    CHECK_NEAR(q.clauses[0].weight, 0.8, 1e-6); /* stands there twice */
    CHECK_NEAR(q.clauses[1].weight, 0.4, 1e-6);
    CHECK_STR(q.clauses[2].terms[0], "sort");
    CHECK_NEAR(q.clauses[2].weight, 1, 0);
    CHECK_STR(q.clauses[3].terms[0], "with");
    CHECK_NEAR(q.clauses[3].weight, 0.8, 1e-6); /* also as a part of a name ... */
    CHECK_STR(q.clauses[4].terms[0], "withtimeout");
    CHECK_NEAR(q.clauses[4].weight, 1, 0); /* ... which counts as ever */
    CHECK_NEAR(q.clauses[6].weight, 1, 0); /* a phrase */
    CHECK_NEAR(q.clauses[7].weight, 1, 0); /* what must be there */
    fixture_free(&f);
}

static void filters_come_before_the_k_best(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, DOCS, 1300);
    uint64_t bits[DOCS / 64 + 1];
    double *scores = calloc(DOCS, sizeof *scores);
    for (uint32_t i = 0; i < 30; i++) {
        const LexQuery q = query_random(&f, 4);
        LexHit hits[K];
        size_t n, count, allowed = 0;
        ChunkRange ranges[3];
        for (size_t r = 0; r < 3; r++)
            ranges[r] =
                (ChunkRange){1000 + (int64_t)r * 3000 + noise(900), 1000 + (int64_t)r * 3000 + 900 + noise(i + 1) * 50};
        memset(bits, 0, sizeof bits);
        CHECK_OK(lex_allow(f.ix, ranges, 3, bits, f.committed, &count));
        plain_scores(f.plain, &q, &lex_settings_default, scores);
        for (size_t d = 0; d < DOCS; d++) {
            bool in = false;
            for (size_t r = 0; r < 3; r++)
                in = in || (f.plain->docs[d].id >= ranges[r].first && f.plain->docs[d].id < ranges[r].end);
            CHECK_INT(bits[d / 64] >> (d % 64) & 1, in);
            allowed += in;
            if (!in) scores[d] = -1;
        }
        CHECK_INT(count, allowed);
        const LexSearch how = {.k = K, .allowed = bits, .n_allowed = f.committed};
        CHECK_OK(lex_search(f.ix, &q, &how, hits, &n));
        check_hits(f.plain, scores, hits, n, K);
    }
    const ChunkRange wrong[2] = {{5, 9}, {8, 10}};
    size_t count;
    CHECK_ERR(lex_allow(f.ix, wrong, 2, bits, f.committed, &count), ERR_INPUT, "out of order");
    free(scores);
    fixture_free(&f);
}

static void an_empty_index_a_large_k_and_bad_queries_are_answered(void **unused) {
    (void)unused;
    Fixture f;
    LexHit hits[200];
    size_t n;
    fixture_make(&f, 0, 1);
    CHECK_INT(f.committed, 0);
    LexQuery q = query_of(&f, "bako");
    LexSearch how = {.k = 200};
    CHECK_OK(lex_search(f.ix, &q, &how, hits, &n));
    CHECK_INT(n, 0);
    for (int64_t i = 0; i < 100; i++) doc_add(&f, i);
    CHECK_OK(lex_search(f.ix, &q, &how, hits, &n));
    CHECK_INT(n, 0); /* not synced */
    CHECK_OK(lex_sync(f.ix, &f.committed));
    CHECK_INT(f.committed, 100);
    check_query(&f, &q, 200, NULL);
    how.k = 0;
    CHECK_OK(lex_search(f.ix, &q, &how, hits, &n));
    CHECK_INT(n, 0);
    how.k = 10;
    const LexSettings bad = {0, 0.5f, {1, 1, 1, 1}};
    how.settings = &bad;
    CHECK_ERR(lex_search(f.ix, &q, &how, hits, &n), ERR_INPUT, "settings");
    how.settings = NULL;
    const Str empty = STR("");
    const LexClause clause = {LEX_TERM, LEX_SHOULD, &empty, 1, 1};
    const LexQuery one = {&clause, 1};
    CHECK_ERR(lex_search(f.ix, &one, &how, hits, &n), ERR_INPUT, "empty term");
    const int now = 1;
    const Deadline deadline = {.cancel = &now};
    how.deadline = &deadline;
    CHECK_INT(lex_search(f.ix, &q, &how, hits, &n), ERR_INTERRUPT);
    uint32_t number;
    const Str fields[LEX_FIELDS] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}};
    CHECK_ERR(lex_add(f.ix, f.analyzer, -1, fields, &number), ERR_INPUT, "id -1");
    fixture_free(&f);
}

/* ---- removing, merging ---- */

static void remove_some(Fixture *f, uint32_t one_in) {
    ChunkRange ranges[DOCS];
    size_t n = 0, removed, live = 0;
    for (size_t d = 0; d < f->plain->n; d++) {
        if (!f->plain->docs[d].live || noise(one_in)) continue;
        f->plain->docs[d].live = false;
        ranges[n++] = (ChunkRange){f->plain->docs[d].id, f->plain->docs[d].id + 1};
    }
    CHECK_OK(lex_remove(f->ix, ranges, n, &removed));
    CHECK_INT(removed, n);
    CHECK_OK(lex_sync(f->ix, &f->committed));
    f->plain->docs[f->plain->n] = (PlainDoc){.live = false}; /* the number that tells of the removals */
    f->plain->n++;
    CHECK_INT(f->committed, f->plain->n);
    CHECK_OK(lex_remove(f->ix, ranges, n, &removed));
    CHECK_INT(removed, 0);
    LexStats stats;
    lex_stats(f->ix, &stats);
    for (size_t d = 0; d < f->plain->n; d++) live += f->plain->docs[d].live;
    CHECK_INT(stats.live, live);
}

static void removed_documents_are_not_found_and_count_in_no_score_before_a_merge_or_after(void **unused) {
    (void)unused;
    Fixture f;
    Buf report = {0};
    fixture_make(&f, DOCS, 400);
    remove_some(&f, 5);
    LexHit hits[DOCS];
    size_t n;
    const LexQuery q = query_of(&f, "bako cako dako");
    const LexSearch how = {.k = DOCS};
    CHECK_OK(lex_search(f.ix, &q, &how, hits, &n));
    CHECK(n > 100);
    for (size_t i = 0; i < n; i++) CHECK(f.plain->docs[hits[i].number].live);
    for (uint32_t i = 0; i < 30; i++) {
        const LexQuery random = query_random(&f, 1 + i % 5);
        check_query(&f, &random, K, NULL);
    }
    for (int round = 0; round < 2; round++) {
        CHECK_OK(lex_merge(f.ix, true, NULL));
        LexStats stats;
        lex_stats(f.ix, &stats);
        CHECK_INT(stats.segments, 1);
        CHECK_INT(stats.removed, 0);
        for (uint32_t i = 0; i < 15; i++) {
            const LexQuery random = query_random(&f, 1 + i % 5);
            check_query(&f, &random, K, NULL);
        }
        CHECK_OK(lex_check(f.ix, &report));
        CHECK_INT(report.n, 0);
        if (round == 0) remove_some(&f, 2);
    }
    lex_close(f.ix);
    fixture_open(&f, false);
    check_query(&f, &q, 50, NULL);
    uint32_t count;
    CHECK_ERR(lex_sync(f.ix, &count), ERR_INTERNAL, "open for reading");
    buf_free(&report);
    fixture_free(&f);
}

static void merges_change_no_score_and_keep_segments_few(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, 0, 1);
    LexStats stats;
    for (size_t i = 0; i < 1500; i++) {
        doc_add(&f, (int64_t)i);
        if (i % 20) continue;
        CHECK_OK(lex_sync(f.ix, &f.committed));
        CHECK_OK(lex_merge(f.ix, false, NULL));
        lex_stats(f.ix, &stats);
        CHECK(stats.segments <= 8);
    }
    CHECK_ERR(lex_merge(f.ix, false, NULL), ERR_INTERNAL, "not synced");
    CHECK_OK(lex_sync(f.ix, &f.committed));
    LexHit before[K], after[K];
    size_t n, m;
    const LexQuery q = query_random(&f, 5);
    const LexSearch how = {.k = K};
    CHECK_OK(lex_search(f.ix, &q, &how, before, &n));
    CHECK_OK(lex_merge(f.ix, true, NULL));
    CHECK_OK(lex_search(f.ix, &q, &how, after, &m));
    CHECK_INT(n, m);
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(before[i].number, after[i].number);
        CHECK(memcmp(&before[i].score, &after[i].score, sizeof before[i].score) == 0);
    }
    const LexQuery phrase = query_of(&f, "\"bako cako\" dako -eako");
    check_query(&f, &phrase, 30, NULL);
    fixture_free(&f);
}

/* Bytes of the largest segment. */
static int64_t segment_largest(const Fixture *f) {
    int64_t most = 0;
    DIR *dir = opendir(f->dir);
    CHECK(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (!str_ends(str_of(e->d_name), STR(".seg"))) continue;
        CHECK_INT(fstatat(dirfd(dir), e->d_name, &st, 0), 0);
        if (st.st_size > most) most = st.st_size;
    }
    (void)closedir(dir);
    return most;
}

static void full_segments_are_joined_with_no_other(void **unused) {
    (void)unused;
    enum { FULL = 8192 };
    Fixture f;
    LexStats stats;
    fixture_make(&f, 0, 1);
    lex_close(f.ix);
    LexSpec spec = spec_of(&f, true);
    spec.full = FULL;
    CHECK_OK(lex_open(&f.ix, &spec));
    for (size_t i = 0; i < 1500; i++) {
        doc_add(&f, (int64_t)i);
        if (i % 10 && i + 1 < 1500) continue;
        CHECK_OK(lex_sync(f.ix, &f.committed));
        if (i < 700 && i + 1 < 1500) continue; /* many at once first, then one by one */
        CHECK_OK(lex_merge(f.ix, false, NULL));
        CHECK(!lex_merge_due(f.ix));
    }
    lex_stats(f.ix, &stats);
    CHECK(stats.segments > 8 && stats.segments <= 8 + (uint64_t)stats.bytes / FULL);
    CHECK(segment_largest(&f) >= FULL && segment_largest(&f) < 2 * FULL);
    const LexQuery q = query_random(&f, 5), phrase = query_of(&f, "\"bako cako\" dako -eako");
    check_query(&f, &q, 30, NULL);
    check_query(&f, &phrase, 30, NULL);
    fixture_free(&f);
}

static void compacting_numbers_documents_anew(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, 900, 250);
    remove_some(&f, 2);
    LexHit before[K], after[K];
    size_t n, m;
    const LexQuery q = query_of(&f, "bako cako dako");
    const LexSearch how = {.k = K};
    CHECK_OK(lex_merge(f.ix, true, NULL));
    CHECK_OK(lex_search(f.ix, &q, &how, before, &n));
    uint32_t committed;
    CHECK_OK(lex_compact(f.ix, &committed));
    LexStats stats;
    lex_stats(f.ix, &stats);
    CHECK_INT(committed, stats.live);
    lex_close(f.ix);
    CHECK_OK(lex_drop(f.dir, 1));
    const LexSpec spec = {.dir = f.dir, .generation = 2, .committed = committed, .writer = true};
    CHECK_OK(lex_open(&f.ix, &spec));
    CHECK_OK(lex_search(f.ix, &q, &how, after, &m));
    CHECK_INT(n, m);
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(before[i].id, after[i].id);
        CHECK(memcmp(&before[i].score, &after[i].score, sizeof before[i].score) == 0);
    }
    fixture_free(&f);
}

/* ---- committing, crashing, damage ---- */

static Str file_of(Arena *a, const char *dir, uint32_t end) {
    Str bytes;
    CHECK_OK(file_read(a, arena_printf(a, "%s/lex-1-00000000-%08x.seg", dir, end).p, 1 << 26, &bytes));
    return bytes;
}

/* Batches of several texts each, taken part by part, some of them while the index has none of their terms and some when
 * it has. */
static void batches_make_the_index_that_single_documents_make(void **unused) {
    (void)unused;
    enum { BATCHES = 12, TEXTS = 40 };
    Arena arena = {0};
    Analyzer *a = NULL;
    LexBatch *batch = NULL;
    LexIndex *single = NULL, *parts = NULL;
    uint32_t number, count = 0;
    const char *one = arena_printf(&arena, "%s/one", check_temp_dir()).p,
               *two = arena_printf(&arena, "%s/two", check_temp_dir()).p;
    CHECK_OK(analyzer_open(&a));
    CHECK_OK(lex_batch_open(&batch));
    CHECK_OK(lex_open(&single, &(LexSpec){.dir = one, .generation = 1, .writer = true}));
    CHECK_OK(lex_open(&parts, &(LexSpec){.dir = two, .generation = 1, .writer = true}));
    for (int64_t b = 0, id = 100; b < BATCHES; b++) {
        lex_batch_clear(batch);
        for (int t = 0; t < TEXTS; t++) {
            Buf body = {0};
            for (uint32_t w = noise(60); w > 0; w--) word_put(&body);
            const Str fields[LEX_FIELDS] = {STR("next"), STR("src/a.c"), STR("Over all"), buf_str(&body)};
            CHECK_OK(lex_batch_add(batch, a, fields));
            if (t % 7 != 3) CHECK_OK(lex_add(single, a, id + t, fields, &number)); /* those are left out below */
            buf_free(&body);
        }
        CHECK_INT(lex_batch_size(batch), TEXTS);
        for (uint32_t t = 0; t < TEXTS; t += 7) {
            const uint32_t before = TEXTS - t < 3 ? TEXTS - t : 3, behind = TEXTS - t < 7 ? TEXTS - t : 7;
            CHECK_OK(lex_add_batch(parts, batch, t, before, id + t));
            if (behind > 4) CHECK_OK(lex_add_batch(parts, batch, t + 4, behind - 4, id + t + 4));
        }
        id += 1000;
    }
    CHECK_ERR(lex_add_batch(parts, batch, 30, 11, 5), ERR_INPUT, "a batch of 40 documents has none from 30 to 41");
    CHECK_ERR(lex_add_batch(parts, batch, 0, 1, -1), ERR_INPUT, "cannot have the ids -1");
    CHECK_OK(lex_sync(single, &count));
    CHECK_OK(lex_sync(parts, &number));
    CHECK_INT(count, number);
    const Str x = file_of(&arena, one, count), y = file_of(&arena, two, count);
    CHECK(x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
    /* The same batch into an index that has forgotten its terms, and into another one. */
    CHECK_OK(lex_add_batch(parts, batch, 0, 1, 1));
    CHECK_OK(lex_add_batch(single, batch, 0, 1, 1));
    CHECK_OK(lex_sync(single, &count));
    CHECK_OK(lex_sync(parts, &count));
    Buf report = {0};
    CHECK_OK(lex_check(single, &report));
    CHECK_OK(lex_check(parts, &report));
    buf_free(&report);
    lex_close(single);
    lex_close(parts);
    lex_batch_close(batch);
    analyzer_close(a);
    CHECK_OK(file_remove_tree(one));
    CHECK_OK(file_remove_tree(two));
    arena_free(&arena);
}

static void what_is_not_committed_is_cut_off_by_the_next_writer(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, 300, 100);
    const uint32_t kept = f.committed;
    for (int64_t i = 0; i < 50; i++) doc_add(&f, i);
    CHECK_OK(lex_sync(f.ix, &f.committed)); /* and the store does not commit it */
    lex_close(f.ix);
    f.committed = kept;
    for (size_t d = kept; d < f.plain->n; d++) free(f.plain->docs[d].tokens);
    f.plain->n = kept;
    const LexQuery q = query_of(&f, "bako cako");
    for (int writer = 0; writer < 2; writer++) {
        fixture_open(&f, writer);
        check_query(&f, &q, K, NULL);
        if (!writer) lex_close(f.ix);
    }
    LexIndex *second;
    const LexSpec spec = spec_of(&f, true);
    CHECK_ERR(lex_open(&second, &spec), ERR_BUSY, "held by another");
    for (int64_t i = 0; i < 20; i++) doc_add(&f, 5000 + i);
    CHECK_OK(lex_sync(f.ix, &f.committed));
    check_query(&f, &q, K, NULL);
    lex_close(f.ix);
    CHECK_OK(lex_drop(f.dir, 1));
    CHECK_ERR(lex_open(&f.ix, &spec), ERR_NO_INDEX, "no segment from document 0 on");
    fixture_free(&f);
}

static void a_reader_with_an_older_count_opens_what_a_merge_has_joined(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, 600, 200);
    const LexQuery q = query_of(&f, "bako");
    LexSpec spec = spec_of(&f, false);
    spec.committed = 400;
    CHECK_OK(lex_merge(f.ix, true, NULL));
    LexIndex *old;
    LexHit hits[600];
    size_t n;
    CHECK_OK(lex_open(&old, &spec));
    const LexSearch how = {.k = 600};
    CHECK_OK(lex_search(old, &q, &how, hits, &n));
    CHECK(n > 50);
    for (size_t i = 0; i < n; i++) CHECK(hits[i].number < 400);
    lex_close(old);
    fixture_free(&f);
}

/* Path of the only segment of documents [first, end). */
static const char *segment_path(const Fixture *f, uint32_t first, uint32_t end) {
    static char path[640];
    (void)snprintf(path, sizeof path, "%s/lex-1-%08x-%08x.seg", f->dir, first, end);
    return path;
}

static void flipped_bytes_and_cuts_are_found_before_an_answer(void **unused) {
    (void)unused;
    Fixture f;
    Arena a = {0};
    Str bytes;
    fixture_make(&f, 200, 200);
    lex_close(f.ix);
    const char *path = segment_path(&f, 0, 200);
    const LexSpec spec = spec_of(&f, false);
    CHECK_OK(file_read(&a, path, 1 << 24, &bytes));
    char *changed = arena_alloc(&a, bytes.n);
    for (size_t at = 0; at < bytes.n; at += 1 + at / 64) {
        memcpy(changed, bytes.p, bytes.n);
        changed[at] = (char)(changed[at] ^ (1 << at % 8));
        CHECK_OK(file_write_atomic(path, str_make(changed, bytes.n), 0644));
        const Err err = lex_open(&f.ix, &spec);
        if (err != ERR_CORRUPT && err != ERR_FORMAT) fail_msg("a flipped bit at byte %zu: %s", at, err_name(err));
        CHECK(strstr(err_text(), path) != NULL);
        CHECK_STR(str_of(err_fix_text()), "pythia index --force");
    }
    for (size_t n = 0; n < bytes.n; n += 1 + n / 5) {
        CHECK_OK(file_write_atomic(path, str_upto(bytes, n), 0644));
        CHECK_INT(lex_open(&f.ix, &spec), ERR_CORRUPT);
    }
    CHECK_OK(file_write_atomic(path, bytes, 0644));
    fixture_open(&f, false);
    Buf report = {0};
    CHECK_OK(lex_check(f.ix, &report));
    memcpy(changed, bytes.p, bytes.n);
    changed[bytes.n / 2] = (char)~changed[bytes.n / 2];
    CHECK_OK(file_write_atomic(path, str_make(changed, bytes.n), 0644));
    CHECK_ERR(lex_check(f.ix, &report), ERR_CORRUPT, "1 findings");
    CHECK(str_find(buf_str(&report), str_of(path)) >= 0);
    buf_free(&report);
    arena_free(&a);
    fixture_free(&f);
}

static void a_segment_of_another_layout_is_told_from_a_damaged_one(void **unused) {
    (void)unused;
    Fixture f;
    Arena a = {0};
    Str bytes;
    fixture_make(&f, 10, 10);
    lex_close(f.ix);
    const char *path = segment_path(&f, 0, 10);
    const LexSpec spec = spec_of(&f, false);
    CHECK_OK(file_read(&a, path, 1 << 24, &bytes));
    uint8_t *changed = arena_alloc(&a, bytes.n);
    memcpy(changed, bytes.p, bytes.n);
    const uint32_t layout = LEX_LAYOUT + 6;
    memcpy(changed + INDEX_HEAD_BYTES + INDEX_BLOCK_HEAD + 64 + SEG_LAYOUT * sizeof layout, &layout, sizeof layout);
    put_sums_right(changed, bytes.n);
    CHECK_OK(file_write_atomic(path, str_make((const char *)changed, bytes.n), 0644));
    CHECK_ERR(lex_open(&f.ix, &spec), ERR_FORMAT, "has layout 7 of the words, this program reads 1");
    CHECK_STR(str_of(err_fix_text()), "pythia index --force");
    CHECK_OK(file_write_atomic(path, bytes, 0644));
    fixture_open(&f, false);
    arena_free(&a);
    fixture_free(&f);
}

/* Adds, removes, syncs, commits (by telling the count to the pipe), merges. */
static Err write_more(Fixture *f, const char *dir, int tell, uint32_t *committed, bool *merged) {
    LexIndex *ix = NULL;
    uint32_t number;
    const Str fields[LEX_FIELDS] = {{"bako", 4}, {"cako", 4}, {"dako", 4}, {"bako cako bako", 14}};
    const ChunkRange gone = {1000, 1010};
    const LexSpec spec = {.dir = dir, .generation = 1, .committed = *committed, .writer = true};
    Err err = lex_open(&ix, &spec);
    for (int64_t i = 0; !err && i < 3; i++) err = lex_add(ix, f->analyzer, i, fields, &number);
    if (!err) err = lex_remove(ix, &gone, 1, NULL);
    if (!err) err = lex_sync(ix, committed);
    if (!err && tell >= 0 && write(tell, committed, sizeof *committed) != sizeof *committed) _exit(1);
    if (!err) err = lex_merge(ix, true, NULL);
    *merged = !err;
    lex_close(ix);
    return err;
}

static void every_failing_call_leaves_what_was_committed(void **unused) {
    (void)unused;
    Fixture f;
    long nth = 1;
    bool merged = false;
    fixture_make(&f, 120, 50);
    lex_close(f.ix);
    f.ix = NULL;
    for (; !merged && nth < 200; nth++) {
        uint32_t committed = f.committed;
        fault_arm(nth, ENOSPC);
        const Err err = write_more(&f, f.dir, -1, &committed, &merged);
        fault_arm(0, 0);
        if (err) CHECK_INT(err, ERR_IO);
        LexSpec spec = spec_of(&f, false);
        spec.committed = committed;
        Buf report = {0};
        CHECK_OK(lex_open(&f.ix, &spec));
        LexStats stats;
        lex_stats(f.ix, &stats);
        CHECK_INT(stats.numbers, committed);
        if (committed == f.committed) CHECK_INT(stats.live, f.committed);
        CHECK_OK(lex_check(f.ix, &report));
        buf_free(&report);
        lex_close(f.ix);
        f.ix = NULL;
        if (committed == f.committed) continue;
        /* synced: the next round begins from the first state again */
        CHECK_OK(file_remove_tree(f.dir));
        fixture_free(&f);
        fixture_make(&f, 120, 50);
        lex_close(f.ix);
        f.ix = NULL;
    }
    CHECK(nth > 15);
    CHECK(merged);
    fixture_free(&f);
}

static void killed_at_any_moment_everything_committed_is_there(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, 50, 50);
    lex_close(f.ix);
    f.ix = NULL;
    for (int round = 0; round < 12; round++) {
        int told[2];
        CHECK(pipe(told) == 0);
        const pid_t child = fork();
        if (child == 0) {
            uint32_t committed = f.committed;
            bool merged;
            while (write_more(&f, f.dir, told[1], &committed, &merged) == ERR_OK) {}
            _exit(1);
        }
        (void)close(told[1]);
        uint32_t committed = f.committed;
        /* What the child told counts as the store's commit. It is killed while it goes on. */
        for (int i = 0; i < 1 + round % 4; i++)
            CHECK_INT(read(told[0], &committed, sizeof committed), sizeof committed);
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        while (read(told[0], &committed, sizeof committed) == sizeof committed) {}
        (void)close(told[0]);
        f.committed = committed;
        Buf report = {0};
        for (int writer = 0; writer < 2; writer++) {
            fixture_open(&f, writer);
            LexStats stats;
            lex_stats(f.ix, &stats);
            if (writer) CHECK_INT(stats.numbers, committed);
            CHECK_OK(lex_check(f.ix, &report));
            lex_close(f.ix);
        }
        buf_free(&report);
        f.ix = NULL;
    }
    fixture_free(&f);
}

/* ---- readers beside a writer ---- */

typedef struct {
    const LexIndex *ix;
    LexQuery query;
    atomic_bool stop;
    atomic_uint searches;
} Reading;

static void *read_on(void *ctx) {
    Reading *r = ctx;
    LexScratch *scratch;
    size_t before = 0;
    if (lex_scratch_open(&scratch)) return (void *)1;
    while (!atomic_load(&r->stop)) {
        LexHit hits[2000];
        size_t n = 0;
        const LexSearch how = {.k = 2000, .scratch = scratch};
        if (lex_search(r->ix, &r->query, &how, hits, &n) || n < before) return (void *)1; /* only added to */
        before = n;
        atomic_fetch_add(&r->searches, 1);
    }
    lex_scratch_close(scratch);
    return NULL;
}

static void searches_go_on_while_the_writer_adds_and_merges(void **unused) {
    (void)unused;
    Fixture f;
    fixture_make(&f, 100, 100);
    Reading r = {.ix = f.ix, .query = query_of(&f, "bako cako dako \"bako cako\"")};
    r.query = query_of(&f, "bako cako dako");
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) CHECK_INT(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (size_t i = 0; i < 400 || atomic_load(&r.searches) < 20; i++) {
        if (f.plain->n < DOCS) doc_add(&f, 9000 + (int64_t)i);
        if (i % 10 == 0) CHECK_OK(lex_sync(f.ix, &f.committed));
        if (i % 40 == 0) CHECK_OK(lex_merge(f.ix, i % 80 == 0, NULL));
    }
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < 2; i++) {
        void *failed;
        (void)pthread_join(threads[i], &failed);
        CHECK(failed == NULL);
    }
    fixture_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_a_plain_bm25f_and_pruning_changes_no_bit),
        cmocka_unit_test(other_settings_than_the_blocks_were_made_with_are_exact_too),
        cmocka_unit_test(phrases_prefixes_must_and_must_not_find_what_the_plain_way_finds),
        cmocka_unit_test(a_query_is_read_into_clauses),
        cmocka_unit_test(words_that_only_ask_count_less_unless_they_are_asked_for),
        cmocka_unit_test(filters_come_before_the_k_best),
        cmocka_unit_test(an_empty_index_a_large_k_and_bad_queries_are_answered),
        cmocka_unit_test(removed_documents_are_not_found_and_count_in_no_score_before_a_merge_or_after),
        cmocka_unit_test(merges_change_no_score_and_keep_segments_few),
        cmocka_unit_test(full_segments_are_joined_with_no_other),
        cmocka_unit_test(compacting_numbers_documents_anew),
        cmocka_unit_test(batches_make_the_index_that_single_documents_make),
        cmocka_unit_test(what_is_not_committed_is_cut_off_by_the_next_writer),
        cmocka_unit_test(a_reader_with_an_older_count_opens_what_a_merge_has_joined),
        cmocka_unit_test(flipped_bytes_and_cuts_are_found_before_an_answer),
        cmocka_unit_test(a_segment_of_another_layout_is_told_from_a_damaged_one),
        cmocka_unit_test(every_failing_call_leaves_what_was_committed),
        cmocka_unit_test(killed_at_any_moment_everything_committed_is_there),
        cmocka_unit_test(searches_go_on_while_the_writer_adds_and_merges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
