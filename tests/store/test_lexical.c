/* Words: what is found, in which order, against a BM25F of a few lines over all chunks; filters; hostile queries. */
#include <math.h>

#include "fixture.h"

#include "store/local.h"

/* ---- small cases ---- */

static void rare_words_rank_above_common_ones(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "1.c", "the cat sat on the mat");
    (void)fixture_put(&f, "2.c", "the dog sat on the log");
    (void)fixture_put(&f, "3.c", "the the the the the");
    (void)fixture_put(&f, "4.c", "a zebra and the cat");
    CHECK_STR(fixture_search(&f, "the zebra", NULL, 2), "4.c 3.c");
    CHECK_STR(fixture_search(&f, "cat", NULL, 10), "4.c 1.c"); /* the shorter one first */
    CHECK_STR(fixture_search(&f, "absent", NULL, 10), "");
    CHECK_STR(fixture_search(&f, "", NULL, 10), "");
    CHECK_STR(fixture_search(&f, " .,;", NULL, 10), "");
    CHECK_STR(fixture_search(&f, "cat", NULL, 0), "");
    CHECK_STR(fixture_search(&f, "cat", NULL, 1), "4.c");
    fixture_close(&f);
}

static void ties_are_broken_by_chunk_id(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    for (int i = 0; i < 9; i++) {
        const char name[] = {(char)('i' - i), '.', 'c', 0};
        (void)fixture_put(&f, name, "same words here");
    }
    CHECK_STR(fixture_search(&f, "words", NULL, 4), "i.c h.c g.c f.c");
    fixture_close(&f);
}

static void phrases_must_stand(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "1.c", "connection reset by peer");
    (void)fixture_put(&f, "2.c", "reset the connection");
    (void)fixture_put(&f, "3.c", "connection reset and the handler");
    CHECK_STR(fixture_search(&f, "\"connection reset\"", NULL, 9), "1.c 3.c");
    CHECK_STR(fixture_search(&f, "\"connection reset\" handler", NULL, 9), "3.c 1.c"); /* words beside it add */
    CHECK_STR(fixture_search(&f, "\"reset connection\" handler", NULL, 9), "");
    CHECK_STR(fixture_search(&f, "\"connection reset\" \"by peer\"", NULL, 9), "1.c");
    CHECK_STR(fixture_search(&f, "\"connection reset", NULL, 2), "2.c 1.c"); /* no partner: two words */
    CHECK_STR(fixture_search(&f, "\"\" \" . \" handler", NULL, 9), "3.c");
    CHECK_STR(fixture_search(&f, "\"peer\"", NULL, 9), "1.c");
    fixture_close(&f);
}

static void identifiers_are_found_whole_and_by_their_parts(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "1.c", "int max_retries = 3;");
    (void)fixture_put(&f, "2.c", "the max of all retries");
    CHECK_STR(fixture_search(&f, "max_retries", NULL, 9), "1.c 2.c");
    CHECK_STR(fixture_search(&f, "retries", NULL, 9), "1.c 2.c");
    CHECK_STR(fixture_search(&f, "\"max_retries\"", NULL, 9), "1.c");
    CHECK_STR(fixture_search(&f, "\"max retries\"", NULL, 9), "1.c"); /* its parts stand side by side */
    fixture_close(&f);
}

static void symbol_path_and_heading_are_searched_too(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    Doc doc = fixture_doc(&f, "src/parser/lexer.c", STR("body text"));
    doc.title = STR("Manual");
    Chunk c = {.end = 9, .symbol = STR("scan"), .kind = STR("function"), .heading = STR("Install Linux")};
    const StorePut put = {.collection = f.collection, .doc = &doc, .chunks = &c, .n_chunks = 1};
    int64_t id = 0;
    CHECK_OK(store_put(f.store, &put, &id));
    (void)fixture_put(&f, "other.c", "scan parser install manual body text and more of it");
    const char *const found_first[] = {"scan", "parser", "install", "manual", "lexer"};
    for (size_t i = 0; i < 5; i++) {
        CHECK_STR(fixture_search(&f, found_first[i], NULL, 1), "src/parser/lexer.c"); /* fields weigh more */
    }
    fixture_close(&f);
}

static void words_of_one_collection_do_not_weigh_in_another(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "1.c", "rare common");
    (void)fixture_put(&f, "2.c", "common common");
    StoreLexHit *before = NULL, *after = NULL;
    size_t n = 0;
    CHECK_OK(store_lexical(f.store, &f.arena, f.collection, STR("rare"), NULL, 5, &before, &n));
    CHECK_INT(n, 1);
    const int64_t other = fixture_collection(&f, "other");
    for (int i = 0; i < 20; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "%d.c", i);
        const Doc doc = fixture_doc(&f, path, STR("rare rare and long and longer"));
        (void)fixture_put_doc(&f, other, &doc, false);
    }
    CHECK_OK(store_lexical(f.store, &f.arena, f.collection, STR("rare"), NULL, 5, &after, &n));
    CHECK_INT(n, 1);
    CHECK_INT(after[0].chunk_id, before[0].chunk_id);
    CHECK_NEAR(after[0].score, before[0].score, 0);
    fixture_close(&f);
}

static void hostile_queries_are_only_words(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "1.c", "near and or not alpha");
    (void)fixture_put(&f, "2.c", "beta");
    const char *const queries[] = {
        "NEAR(alpha beta, 2)",  "alpha AND",       "OR OR OR",       "NOT alpha",  "body:alpha",
        "{symbol path}: alpha", "^alpha",          "alpha*",         "alpha + b",  "(alpha",
        "alpha) OR (gamma",     "-alpha",          "al''pha' alpha", "\\\" alpha", "alpha;--",
        "%s%n alpha",           "\x1f alpha \x01", "alpha\" OR \"x", "\"alpha\"*", "\"alpha\" NEAR",
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        StoreLexHit *hits = NULL;
        size_t n = 0;
        CHECK_OK(store_lexical(f.store, &f.arena, f.collection, str_of(queries[i]), NULL, 9, &hits, &n));
    }
    StoreLexHit *hits = NULL;
    size_t n = 0;
    CHECK_OK(store_lexical(f.store, &f.arena, f.collection, STR("al\0pha alpha\0"), NULL, 9, &hits, &n));
    CHECK_INT(n, 1);
    CHECK_ERR(store_lexical(f.store, &f.arena, 99, STR("alpha"), NULL, 9, &hits, &n), ERR_NO_COLLECTION,
              "no collection with id 99");
    fixture_close(&f);
}

static void a_long_query_is_cut_to_its_rarest_words(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    Buf text = {0}, query = {0};
    for (int i = 0; i < 200; i++) buf_printf(&text, "w%d ", i);
    const Doc all = fixture_doc(&f, "all.c", buf_str(&text));
    (void)fixture_put_doc(&f, f.collection, &all, false);
    (void)fixture_put(&f, "rare.c", "w150 only");
    for (int i = 0; i < 200; i++) buf_printf(&query, "w%d ", i);
    for (int i = 0; i < 20000; i++) buf_printf(&query, "x%d ", i % 5000); /* 120 KB */
    for (int i = 0; i < 30; i++) buf_add_z(&query, "\"w1 w2\" ");         /* more phrases than are taken */
    StoreLexHit *hits = NULL;
    size_t n = 0;
    CHECK_OK(store_lexical(f.store, &f.arena, f.collection, buf_str(&query), NULL, 9, &hits, &n));
    CHECK_INT(n, 1); /* the phrase stands in one */
    buf_clear(&query);
    for (int i = 0; i < 200; i++) buf_printf(&query, "w%d ", i);
    CHECK_OK(store_lexical(f.store, &f.arena, f.collection, buf_str(&query), NULL, 9, &hits, &n));
    CHECK(n >= 1);
    buf_free(&text);
    buf_free(&query);
    fixture_close(&f);
}

static void lengths_are_exact_when_short_and_close_when_long(void **state) {
    (void)state;
    for (int64_t length = 0; length < 30000; length++) {
        const int64_t rowid = words_rowid(123456789, length);
        CHECK_INT(words_chunk(rowid), 123456789);
        const int64_t back = words_length(rowid);
        CHECK(back <= length);
        if (length <= 64)
            CHECK_INT(back, length);
        else if (length < 10000)
            CHECK(back * 104 >= length * 100);
    }
    CHECK(words_rowid(1, INT64_MAX) < words_rowid(2, 0));
}

/* ---- filters ---- */

static void filters_narrow_before_the_top_is_taken(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const char *const paths[] = {"src/net/a.c", "src/net/b.h", "src/network.c", "docs/net.md", "src/net", "a.c"};
    for (int i = 0; i < 6; i++) {
        Doc doc = fixture_doc(&f, paths[i], STR("needle"));
        doc.lang = i == 3 ? STR("markdown") : STR("c");
        doc.mtime_ns = (int64_t)(i + 1) * 1000 * 1000000; /* (i + 1) seconds */
        Chunk c = {.end = 6, .kind = i % 2 ? STR("function") : STR("lines"), .hash = chunk_hash_of(str_of(paths[i]))};
        const StorePut put = {.collection = f.collection, .doc = &doc, .chunks = &c, .n_chunks = 1};
        int64_t id = 0;
        CHECK_OK(store_put(f.store, &put, &id));
    }
    const Str net[] = {STR("src/net/")}, two[] = {STR("a.c"), STR("./docs")}, root[] = {STR(".")}, none[] = {STR("sr")};
    const Str globs[] = {STR("*.c"), STR("!src/net/*")}, not_md[] = {STR("!*.md")}, langs[] = {STR("Markdown")};
    const Str kinds[] = {STR("function"), STR("nothing"), STR("function")};
    const struct {
        Filter filter;
        const char *want; /* k is 2: filtering after the top would lose */
    } cases[] = {
        {{.paths = net, .n_paths = 1}, "src/net src/net/a.c"},
        {{.paths = two, .n_paths = 2}, "a.c docs/net.md"},
        {{.paths = root, .n_paths = 1}, "src/net a.c"},
        {{.paths = none, .n_paths = 1}, ""},
        {{.globs = globs, .n_globs = 2}, "a.c src/network.c"},
        {{.globs = not_md, .n_globs = 1}, "src/net a.c"},
        {{.langs = langs, .n_langs = 1}, "docs/net.md"},
        {{.kinds = kinds, .n_kinds = 3}, "a.c docs/net.md"},
        {{.kinds = kinds, .n_kinds = 3, .paths = net, .n_paths = 1}, "src/net/b.h"},
        {{.since_ms = 5000}, "src/net a.c"},
        {{.until_ms = 2000}, "src/net/a.c src/net/b.h"},
        {{.since_ms = 3000, .until_ms = 3000}, "src/network.c"},
        {{.since_ms = 7000}, ""},
    };
    const Sha256 model = {{1}};
    for (uint32_t i = 0; i < 6; i++) {
        const ChunkHash hash = chunk_hash_of(str_of(paths[i]));
        CHECK_OK(store_embedding_put(f.store, f.collection, &model, &hash, i * 60));
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Str got = fixture_search(&f, "needle", &cases[i].filter, 2);
        if (!str_is(got, cases[i].want)) print_message("case %zu\n", i);
        CHECK_STR(got, cases[i].want);
        uint64_t bits[5] = {~0ull, ~0ull, ~0ull, ~0ull, ~0ull};
        size_t count = 9, seen = 0;
        CHECK_OK(store_slots(f.store, f.collection, &model, &cases[i].filter, bits, 301, &count));
        for (int b = 0; b < 320; b++) seen += bits[b / 64] >> (b % 64) & 1;
        CHECK_INT(seen, count);
        CHECK((count == 0) == (cases[i].want[0] == 0));
        /* One by one, through the slots. */
        size_t passed = 0;
        for (uint32_t s = 0; s < 6; s++) {
            const uint32_t slot = s * 60;
            int64_t *ids = NULL;
            size_t *of = NULL, n = 0;
            CHECK_OK(
                store_slot_chunks(f.store, &f.arena, f.collection, &model, &cases[i].filter, &slot, 1, &ids, &of, &n));
            CHECK_INT(n, bits[slot / 64] >> (slot % 64) & 1);
            passed += n;
        }
        CHECK_INT(passed, count);
    }
    fixture_close(&f);
}

static void slots_beyond_the_index_and_without_chunks_have_no_bit(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Sha256 model = {{1}}, other = {{2}};
    const int64_t gone = fixture_put(&f, "gone.c", "gone");
    (void)fixture_put(&f, "a.c", "twice\n\ntwice\n\nonce");
    const char *const texts[] = {"gone", "twice", "once"};
    const uint32_t where[] = {0, 63, 64};
    for (int i = 0; i < 3; i++) {
        const ChunkHash hash = chunk_hash_of(str_of(texts[i]));
        CHECK_OK(store_embedding_put(f.store, f.collection, &model, &hash, where[i]));
    }
    CHECK_OK(store_remove(f.store, gone));
    uint64_t bits[2] = {0};
    size_t count = 0;
    CHECK_OK(store_slots(f.store, f.collection, &model, NULL, bits, 64, &count));
    CHECK(count == 1 && bits[0] == UINT64_C(1) << 63);
    CHECK_OK(store_slots(f.store, f.collection, &model, NULL, bits, 65, &count));
    CHECK(count == 2 && bits[1] == 1);
    CHECK_OK(store_slots(f.store, f.collection, &other, NULL, bits, 65, &count));
    CHECK(count == 0 && bits[0] == 0 && bits[1] == 0);
    const uint32_t asked[] = {64, 0, 63, 7};
    int64_t *ids = NULL;
    size_t *of = NULL, n = 0;
    CHECK_OK(store_slot_chunks(f.store, &f.arena, f.collection, &model, NULL, asked, 4, &ids, &of, &n));
    CHECK_INT(n, 3);
    CHECK(of[0] == 0 && of[1] == 2 && of[2] == 2 && ids[1] < ids[2]);
    uint32_t slot = 0;
    CHECK_OK(store_chunk_slot(f.store, f.collection, &model, ids[1], &slot));
    CHECK_INT(slot, 63);
    CHECK_ERR(store_chunk_slot(f.store, f.collection, &other, ids[1], &slot), ERR_NO_INDEX, "has no vector yet");
    CHECK_STR(str_of(err_fix_text()), "pythia index");
    fixture_close(&f);
}

/* ---- against a plain BM25F ---- */

enum { DOCS = 400, CHUNKS = 3, VOCABULARY = 300, QUERIES = 120, TOP = 10 };

static uint64_t random_next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Word 0 is in most chunks, word 299 in hardly any. */
static unsigned random_word(uint64_t *state) {
    const double u = (double)(random_next(state) % 100000) / 100000;
    return (unsigned)(VOCABULARY * u * u * u);
}

typedef struct {
    unsigned counts[4][VOCABULARY]; /* by field */
    int length;
    int64_t id;
    bool allowed;
} Plain;

/* idf of each word of the query, and the mean length. */
static double plain_idf(const Plain *all, size_t n, const unsigned *query, size_t n_query, double *idf) {
    double mean = 0;
    for (size_t i = 0; i < n; i++) mean += (double)all[i].length / (double)n;
    for (size_t q = 0; q < n_query; q++) {
        double df = 0;
        for (size_t i = 0; i < n; i++) {
            bool has = false;
            for (int f = 0; f < 4; f++) has = has || all[i].counts[f][query[q]] > 0;
            df += has;
        }
        idf[q] = log(1 + ((double)n - df + 0.5) / (df + 0.5));
    }
    return mean;
}

static double plain_score(const Plain *c, const unsigned *query, size_t n_query, const double *idf, double mean) {
    static const double weights[4] = {5, 2, 2, 1};
    double score = 0;
    for (size_t q = 0; q < n_query; q++) {
        double tf = 0;
        for (int f = 0; f < 4; f++) tf += weights[f] * c->counts[f][query[q]];
        const double norm = 1.2 * (0.25 + 0.75 * (double)words_length(words_rowid(0, c->length)) / mean);
        if (tf > 0) score += idf[q] * 2.2 * tf / (tf + norm);
    }
    return score;
}

/* `words` random ones as text; counted in c. */
static void plain_text(Buf *out, Plain *c, int field, int words, uint64_t *seed) {
    for (int i = 0; i < words; i++) {
        const unsigned w = random_word(seed);
        buf_printf(out, "w%u ", w);
        c->counts[field][w]++;
        c->length++;
    }
}

static Plain *plain_corpus(Fixture *f, uint64_t *seed) {
    Plain *all = calloc(DOCS * CHUNKS, sizeof *all);
    CHECK(all != NULL);
    CHECK_OK(store_begin(f->store));
    for (int d = 0; d < DOCS; d++) {
        Buf text = {0}, symbols[CHUNKS] = {{0}}, headings[CHUNKS] = {{0}};
        Chunk chunks[CHUNKS] = {{0}};
        Plain *mine = all + d * CHUNKS;
        for (int c = 0; c < CHUNKS; c++) {
            chunks[c].start = (int64_t)text.n;
            plain_text(&text, &mine[c], 3, 5 + (int)(random_next(seed) % 150), seed);
            chunks[c].end = (int64_t)text.n;
            plain_text(&symbols[c], &mine[c], 0, (int)(random_next(seed) % 3), seed);
            plain_text(&headings[c], &mine[c], 2, (int)(random_next(seed) % 3), seed);
            chunks[c].symbol = buf_str(&symbols[c]);
            chunks[c].heading = buf_str(&headings[c]);
            chunks[c].kind = random_next(seed) % 2 ? STR("even") : STR("odd");
            mine[c].allowed = str_is(chunks[c].kind, "even") && d % 3 == 0;
            mine[c].length += 2; /* the path */
        }
        char path[32];
        (void)snprintf(path, sizeof path, "%s/n%d", d % 3 ? "no" : "yes", d);
        const Doc doc = fixture_doc(f, path, buf_str(&text));
        const StorePut put = {.collection = f->collection, .doc = &doc, .chunks = chunks, .n_chunks = CHUNKS};
        int64_t id = 0;
        CHECK_OK(store_put(f->store, &put, &id));
        StoreChunk *kept = NULL;
        size_t n = 0;
        CHECK_OK(store_chunks_of(f->store, &f->arena, id, &kept, &n));
        for (int c = 0; c < CHUNKS; c++) {
            mine[c].id = kept[c].chunk_id;
            buf_free(&symbols[c]);
            buf_free(&headings[c]);
        }
        buf_free(&text);
    }
    CHECK_OK(store_commit(f->store));
    return all;
}

static void the_ranking_equals_a_plain_bm25f(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    uint64_t seed = 42;
    Plain *all = plain_corpus(&f, &seed);
    const size_t n = DOCS * CHUNKS;
    const Str path = STR("yes"), kind = STR("even");
    const Filter filter = {.paths = &path, .n_paths = 1, .kinds = &kind, .n_kinds = 1};
    for (int q = 0; q < QUERIES; q++) {
        unsigned words[8];
        const size_t n_words = 1 + random_next(&seed) % 8;
        Buf text = {0};
        for (size_t i = 0; i < n_words; i++) {
            words[i] = random_word(&seed); /* the same word may come twice: it counts twice */
            buf_printf(&text, "w%u ", words[i]);
        }
        const bool filtered = q % 2;
        StoreLexHit *hits = NULL;
        size_t found = 0;
        CHECK_OK(store_lexical(f.store, &f.arena, f.collection, buf_str(&text), filtered ? &filter : NULL, TOP, &hits,
                               &found));
        size_t better = 0, matching = 0;
        double idf[8];
        const double mean = plain_idf(all, n, words, n_words, idf);
        for (size_t i = 0; i < n; i++) {
            if (filtered && !all[i].allowed) continue;
            const double score = plain_score(&all[i], words, n_words, idf, mean);
            matching += score > 0;
            size_t at = 0;
            while (at < found && hits[at].chunk_id != all[i].id) at++;
            if (at < found)
                CHECK_NEAR(hits[at].score, score, 1e-4 * score); /* float against double */
            else if (found && score > (double)hits[found - 1].score * (1 + 1e-6))
                better++;
        }
        CHECK_INT(better, 0);
        CHECK_INT(found, matching < TOP ? matching : TOP);
        buf_free(&text);
    }
    free(all);
    fixture_check_sound(&f);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_words_rank_above_common_ones),
        cmocka_unit_test(ties_are_broken_by_chunk_id),
        cmocka_unit_test(phrases_must_stand),
        cmocka_unit_test(identifiers_are_found_whole_and_by_their_parts),
        cmocka_unit_test(symbol_path_and_heading_are_searched_too),
        cmocka_unit_test(words_of_one_collection_do_not_weigh_in_another),
        cmocka_unit_test(hostile_queries_are_only_words),
        cmocka_unit_test(a_long_query_is_cut_to_its_rarest_words),
        cmocka_unit_test(lengths_are_exact_when_short_and_close_when_long),
        cmocka_unit_test(filters_narrow_before_the_top_is_taken),
        cmocka_unit_test(slots_beyond_the_index_and_without_chunks_have_no_bit),
        cmocka_unit_test(the_ranking_equals_a_plain_bm25f),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
