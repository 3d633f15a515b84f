/* The whole of search() over a store and a model that are stand-ins of a few lines (linked before the real ones) and
 * the real flat index: what it asks, what it does with dead slots, filters, deadlines, several sources. */
#include <math.h>

#include "base/file.h"
#include "check.h"
#include "search/no_rerank.h"
#include "search/no_symbols.h"
#include "search/search.h"

#define DIM 8

/* ---- the stand-ins ---- */

typedef struct {
    int64_t id, doc;
    int slot;   /* -1: no vector yet */
    float bm25; /* for any query; 0: not found by words */
    const char *lang;
    char hash;
} Row;

struct Store {
    const Row *rows;
    size_t n;
    size_t slot_calls; /* store_chunk_slot */
    size_t prior_calls;
};

static bool passes(const Row *r, const Filter *f) { return !f || !f->n_langs || str_is(f->langs[0], r->lang); }

static const Row *row_of(Store *s, int64_t id) {
    for (size_t i = 0; i < s->n; i++)
        if (s->rows[i].id == id) return &s->rows[i];
    return NULL;
}

Err store_ranges(Store *s, Arena *a, int64_t collection, const Filter *filter, ChunkRange **out, size_t *n) {
    (void)s, (void)a, (void)collection, (void)filter, (void)out, (void)n;
    return err_set(ERR_INTERNAL, "no lexical index asks for ranges here");
}

/* It finds words itself: the lexical index is tried in test_local.c. */
const StoreCaps *store_caps(const Store *s) {
    static const StoreCaps caps = {.lexical = true};
    (void)s;
    return &caps;
}

Err store_lexical(Store *s, Arena *a, int64_t collection, Str query, const Filter *filter, size_t k, StoreLexHit **out,
                  size_t *n) {
    (void)collection;
    (void)query;
    *out = arena_array(a, StoreLexHit, s->n + 1);
    *n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->rows[i].bm25 <= 0 || !passes(&s->rows[i], filter)) continue;
        size_t at = (*n)++;
        for (; at && (*out)[at - 1].score < s->rows[i].bm25; at--) (*out)[at] = (*out)[at - 1];
        (*out)[at] = (StoreLexHit){s->rows[i].id, s->rows[i].bm25};
    }
    if (*n > k) *n = k;
    return ERR_OK;
}

Err store_slots(Store *s, int64_t collection, const Sha256 *model, const Filter *filter, uint64_t *bits, uint32_t rows,
                size_t *count) {
    (void)collection;
    (void)model;
    *count = 0;
    for (size_t i = 0; i < s->n; i++) {
        const Row *r = &s->rows[i];
        if (r->slot < 0 || r->slot >= (int)rows || !passes(r, filter)) continue;
        uint64_t bit = UINT64_C(1) << (r->slot % 64);
        *count += !(bits[r->slot / 64] & bit);
        bits[r->slot / 64] |= bit;
    }
    return ERR_OK;
}

Err store_slot_chunks(Store *s, Arena *a, int64_t collection, const Sha256 *model, const Filter *filter,
                      const uint32_t *slots, size_t n, int64_t **out_ids, size_t **slot_of, size_t *n_out) {
    (void)collection;
    (void)model;
    *out_ids = arena_array(a, int64_t, s->n + 1);
    *slot_of = arena_array(a, size_t, s->n + 1);
    *n_out = 0;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < s->n; i++) {
            if (s->rows[i].slot != (int)slots[k] || !passes(&s->rows[i], filter)) continue;
            (*out_ids)[*n_out] = s->rows[i].id;
            (*slot_of)[(*n_out)++] = k;
        }
    return ERR_OK;
}

Err store_chunk(Store *s, Arena *a, int64_t chunk_id, int64_t *collection, StoreChunk *out) {
    (void)a;
    const Row *r = row_of(s, chunk_id);
    if (!r) return err_set(ERR_NO_DOCUMENT, "no chunk %lld", (long long)chunk_id);
    *collection = 1;
    *out = (StoreChunk){.chunk_id = r->id, .doc_id = r->doc, .lang = str_of(r->lang)};
    out->hash.bytes[0] = (uint8_t)r->hash;
    return ERR_OK;
}

/* Documents in the language "vendored" count for half. */
Err store_chunk_prior(Store *s, int64_t chunk_id, float *prior) {
    const Row *r = row_of(s, chunk_id);
    s->prior_calls++;
    *prior = r && strcmp(r->lang, "vendored") == 0 ? 0.5f : 1.0f;
    return ERR_OK;
}

Err store_chunk_slot(Store *s, int64_t collection, const Sha256 *model, int64_t chunk_id, uint32_t *slot) {
    (void)collection;
    (void)model;
    s->slot_calls++;
    const Row *r = row_of(s, chunk_id);
    if (!r || r->slot < 0) return err_set(ERR_NO_INDEX, "chunk %lld has no vector", (long long)chunk_id);
    *slot = (uint32_t)r->slot;
    return ERR_OK;
}

Err store_text(Store *s, Arena *a, int64_t doc, Str *out) {
    (void)s;
    (void)a;
    (void)out;
    return err_set(ERR_NO_DOCUMENT, "no text of %lld", (long long)doc);
}

struct Model {
    ModelInfo info;
    Err fails;
    int calls;
    Str seen;
};

const ModelInfo *model_info(const Model *m) { return &m->info; }

/* The first axis is the question, whatever it says. */
Err model_embed(const Model *m, Pool *pool, const Str *texts, size_t n, const EmbedOpts *opts, float *out,
                EmbedInfo *info) {
    (void)pool;
    (void)info;
    Model *self = (Model *)(uintptr_t)m;
    self->calls++;
    self->seen = texts[0];
    CHECK_INT(n, 1);
    CHECK_INT(opts->kind, EMBED_QUERY);
    for (size_t d = 0; d < DIM; d++) out[d] = d == 0;
    return m->fails ? err_set(m->fails, "embedding failed") : ERR_OK;
}

/* ---- helpers ---- */

static Arena arena;
static const char *dir;
static Model model;
static StoreCollection collection;

/* An index whose slot i has this cosine to every question. */
static VecIndex *index_of(const float *cosines, size_t n) {
    VecIndex *ix;
    VecSpec spec = {.kind = "exact", .dir = dir, .dim = DIM, .generation = 1, .writer = true};
    CHECK_OK(vec_open(&ix, &spec));
    for (size_t i = 0; i < n; i++) {
        float row[DIM] = {cosines[i], sqrtf(1 - cosines[i] * cosines[i])};
        uint32_t first;
        CHECK_OK(vec_add(ix, row, 1, &first));
    }
    CHECK_OK(vec_sync(ix, &spec.committed));
    vec_close(ix);
    spec.writer = false;
    CHECK_OK(vec_open(&ix, &spec));
    return ix;
}

static int setup(void **state) {
    (void)state;
    dir = check_temp_dir();
    model = (Model){.info = {.name = STR("stand-in"), .path = STR("/m.gguf"), .dim = DIM}};
    collection = (StoreCollection){.id = 1, .name = STR("docs"), .dim = DIM};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return file_remove_tree(dir) != ERR_OK;
}

static SearchRequest request(SearchMode mode, size_t limit) {
    return (SearchRequest){.query = STR("what is it"), .mode = mode, .alpha = 0.7f, .limit = limit};
}

static void check_ids(const SearchReply *r, const int64_t *want, size_t n) {
    CHECK_INT(r->n, n);
    for (size_t i = 0; i < n; i++) CHECK_INT(r->hits[i].chunk.chunk_id, want[i]);
    for (size_t i = 1; i < r->n; i++) CHECK(r->hits[i].score <= r->hits[i - 1].score);
}

/* ---- tests ---- */

static const float small_cosines[] = {0.9f, 0.2f, 0.6f, -0.1f};
static const Row small_rows[] = {{10, 1, 0, 0, "c", 'a'},
                                 {11, 1, 1, 8, "c", 'b'},
                                 {12, 2, 2, 4, "py", 'c'},
                                 {13, 2, 3, 0, "py", 'd'},
                                 {14, 3, -1, 6, "c", 'e'}};

static void weak_words_do_not_outvote_vectors(void **state) {
    (void)state;
    Store store = {.rows = small_rows, .n = 5};
    VecIndex *ix = index_of(small_cosines, 4);
    StoreCollection large = collection;
    large.chunks = 100000; /* where a full match has 39.4 at least */
    SearchSource source = {.store = &store, .collection = &large, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 10);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    const double full = 1.8 * 1.9 * log(100001);
    CHECK_INT(r.hits[1].chunk.chunk_id, 12);
    CHECK_NEAR(r.hits[1].fused, 0.7 * 0.6 + 0.3 * 4 / full, 1e-5);
    CHECK_INT(r.hits[3].chunk.chunk_id, 11); /* the best by words: 0.44 in a small collection */
    CHECK_NEAR(r.hits[3].fused, 0.7 * 0.2 + 0.3 * 8 / full, 1e-5);
    const LexSettings steep = {.k1 = 1.9f, .b = 0.5f, .weights = {1, 1, 1, 1}};
    rq.lex = &steep;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK_NEAR(r.hits[1].fused, 0.7 * 0.6 + 0.3 * 4 / (full * 2.9 / 1.9), 1e-5);
    rq = request(MODE_LEXICAL, 10); /* words alone are measured by the best of them */
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK_NEAR(r.hits[0].fused, 1, 1e-6);
    vec_close(ix);
}

static void each_mode_ranks_by_its_own_evidence(void **state) {
    (void)state;
    Store store = {.rows = small_rows, .n = 5};
    VecIndex *ix = index_of(small_cosines, 4);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_SEMANTIC, 10);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){10, 12, 11, 13}, 4);
    CHECK_INT(r.hits[0].vec_rank, 1);
    CHECK_INT(r.hits[0].lex_rank, 0);
    CHECK_NEAR(r.hits[0].score, 0.9, 1e-6);
    CHECK_NEAR(r.hits[3].score, 0, 0);
    CHECK_INT(r.total, 4);
    rq = request(MODE_LEXICAL, 10);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){11, 14, 12}, 3);
    CHECK_NEAR(r.hits[0].score, 8.0 / 18, 1e-6);
    CHECK_INT(model.calls, 1);
    rq = request(MODE_HYBRID, 10);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    /* 10: .63 + 0; 12: .42 + .15; 14: .7 * 6/16 + .3 * .75 = .4875; 11: .14 + .3; 13: -.07 */
    check_ids(&r, (int64_t[]){10, 12, 14, 11, 13}, 5);
    CHECK_NEAR(r.hits[1].fused, 0.57, 1e-6);
    CHECK_NEAR(r.hits[2].fused, 0.4875, 1e-6);
    CHECK_INT(r.hits[2].vec_rank, 0);
    CHECK_INT(r.hits[1].lex_rank, 3);
    CHECK(!r.deadline_hit);
    rq.fusion = FUSION_RRF;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){11, 12, 10, 14, 13}, 5); /* 1/61 + 1/63, 1/63 + 1/62, 1/61, 1/62, 1/64 */
    vec_close(ix);
}

static void min_score_and_limit_cut_the_list_but_total_counts_all(void **state) {
    (void)state;
    Store store = {.rows = small_rows, .n = 5};
    VecIndex *ix = index_of(small_cosines, 4);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 2);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){10, 12}, 2);
    CHECK_INT(r.total, 5);
    rq.min_score = 0.4f;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){10, 12}, 2);
    CHECK_INT(r.total, 2);
    rq.min_score = 0.99f;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK_INT(r.n, 0);
    CHECK_INT(r.total, 0);
    vec_close(ix);
}

static void documents_of_a_lower_prior_stand_behind(void **state) {
    (void)state;
    enum { N = 200, LIMIT = 10 };
    static Row rows[N];
    static float cosines[N];
    for (int i = 0; i < N; i++) { /* the best 60 of 200 are vendored: at half their value they stand among the last */
        rows[i] = (Row){i + 1, i + 1, i, 0, i < 60 ? "vendored" : "c", (char)i};
        cosines[i] = 0.9f - 0.004f * (float)i;
    }
    Store store = {.rows = rows, .n = N};
    VecIndex *ix = index_of(cosines, N);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_SEMANTIC, LIMIT);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK_INT(r.n, LIMIT);
    for (int i = 0; i < LIMIT; i++) CHECK_INT(r.hits[i].chunk.chunk_id, 61 + i);
    CHECK_NEAR(r.hits[0].score, 0.66, 1e-6);
    CHECK_INT(r.hits[0].vec_rank, 61);                      /* explain tells what the arm said */
    for (int i = 60; i < N; i++) rows[i].lang = "vendored"; /* all alike: nothing changes but the scores */
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    for (int i = 0; i < LIMIT; i++) CHECK_INT(r.hits[i].chunk.chunk_id, 1 + i);
    CHECK_NEAR(r.hits[0].score, 0.45, 1e-6);
    for (int i = 0; i < N; i++) rows[i].lang = "c";
    store.prior_calls = 0;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK_INT(store.prior_calls, LIMIT + 16); /* where no document ranks lower, few are asked */
    vec_close(ix);
}

static void a_filter_reaches_both_arms(void **state) {
    (void)state;
    Store store = {.rows = small_rows, .n = 5};
    VecIndex *ix = index_of(small_cosines, 4);
    Str lang = STR("py");
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 10);
    rq.filter = (Filter){.langs = &lang, .n_langs = 1};
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){12, 13}, 2);
    Filter own = {.langs = &(Str){"rust", 4}, .n_langs = 1}; /* the source's own goes before the request's */
    source.filter = &own;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK_INT(r.n, 0);
    vec_close(ix);
}

static void a_quoted_phrase_keeps_what_words_found_only(void **state) {
    (void)state;
    Store store = {.rows = small_rows, .n = 5};
    VecIndex *ix = index_of(small_cosines, 4);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 10);
    rq.query = STR("\"what is\" it");
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){12, 14, 11}, 3);
    CHECK_STR(model.seen, "what is it");
    vec_close(ix);
}

static void dead_slots_do_not_shorten_the_result(void **state) {
    (void)state;
    enum { N = 3000 };
    float *cosines = malloc(N * sizeof *cosines);
    Row *rows = calloc(20, sizeof *rows);
    for (int i = 0; i < N; i++) cosines[i] = 0.9f - (float)i * 0.0003f;
    for (int i = 0; i < 20; i++) rows[i] = (Row){100 + i, i, N - 20 + i, 0, "c", 'a'}; /* the worst 20 are the living */
    Store store = {.rows = rows, .n = 20};
    VecIndex *ix = index_of(cosines, N);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_SEMANTIC, 5);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){100, 101, 102, 103, 104}, 5);
    CHECK_INT(r.total, 20);
    vec_close(ix);
    free(rows);
    free(cosines);
}

static void words_that_cannot_matter_are_not_looked_up(void **state) {
    (void)state;
    enum { N = 2000 };
    float *cosines = malloc(N * sizeof *cosines);
    Row *rows = calloc(N, sizeof *rows);
    for (int i = 0; i < N; i++) {
        cosines[i] = i == 1500 ? 0.35f : 0.8f * expf(-(float)i / 200);
        rows[i] = (Row){1 + i, i, i, i >= 200 ? 5.0f + 0.001f * (float)((i * 7919) % 2000) : 0, "c", 'a'};
    }
    rows[1500].bm25 = 40; /* words say it is by far the best; its cosine is not among the first hundred */
    Store store = {.rows = rows, .n = N};
    VecIndex *ix = index_of(cosines, N);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 10);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK(store.slot_calls < 100);
    bool found = false;
    for (size_t i = 0; i < r.n; i++)
        if (r.hits[i].chunk.chunk_id == 1501) {
            found = true;
            CHECK_NEAR(r.hits[i].cosine, 0.35, 1e-5);
            CHECK_NEAR(r.hits[i].fused, 0.7 * 0.35 + 0.3, 1e-5);
        }
    CHECK(found);
    /* with a floor for the score, everything that may reach it is looked up: total is exact */
    rq.min_score = 0.2f;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK(store.slot_calls > 500);
    vec_close(ix);
    free(rows);
    free(cosines);
}

static void equal_text_is_shown_once_a_document(void **state) {
    (void)state;
    static const Row rows[] = {
        {1, 1, 0, 9, "c", 'a'}, {2, 1, 0, 9, "c", 'a'}, {3, 2, 0, 9, "c", 'a'}, {4, 1, 1, 2, "c", 'b'}};
    Store store = {.rows = rows, .n = 4};
    VecIndex *ix = index_of((float[]){0.9f, 0.1f}, 2);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 3);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){1, 3, 4}, 3);
    CHECK_INT(r.total, 3);
    vec_close(ix);
}

static void several_sources_share_the_question_and_the_scale(void **state) {
    (void)state;
    static const Row other[] = {{10, 1, 0, 16, "c", 'a'}};
    Store first = {.rows = small_rows, .n = 5}, second = {.rows = other, .n = 1};
    VecIndex *ix = index_of(small_cosines, 4);
    StoreCollection second_collection = {.id = 2, .name = STR("more"), .dim = DIM};
    SearchSource sources[2] = {{.store = &first, .collection = &collection, .index = ix, .model = &model},
                               {.store = &second, .collection = &second_collection, .index = ix, .model = &model}};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 10);
    CHECK_OK(search(&arena, sources, 2, &rq, &r));
    CHECK_INT(model.calls, 1);
    check_ids(&r, (int64_t[]){10, 10, 12, 14, 11, 13}, 6);
    CHECK_STR(r.hits[0].collection->name, "more");
    CHECK_NEAR(r.hits[0].fused, 0.93, 1e-6);
    CHECK_NEAR(r.hits[2].fused, 0.42 + 0.3 * 4 / 16, 1e-6); /* against the best of both */
    vec_close(ix);
}

static void a_deadline_keeps_what_words_found(void **state) {
    (void)state;
    Store store = {.rows = small_rows, .n = 5};
    VecIndex *ix = index_of(small_cosines, 4);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 10);
    model.fails = ERR_DEADLINE;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK(r.deadline_hit);
    check_ids(&r, (int64_t[]){11, 14, 12}, 3);
    CHECK_NEAR(r.hits[0].score, 8.0 / 18, 1e-6);
    model.fails = ERR_OK;
    Deadline over = {.at_ns = 1};
    rq.deadline = &over; /* the scan's turn */
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK(r.deadline_hit);
    CHECK_INT(r.n, 3);
    CHECK_NEAR(r.hits[0].cosine, 0.6, 1e-6); /* what words found is still measured */
    model.fails = ERR_NOMEM;
    CHECK_ERR(search(&arena, &source, 1, &rq, &r), ERR_NOMEM, "embedding failed");
    vec_close(ix);
}

static void without_vectors_words_alone_answer(void **state) {
    (void)state;
    Store store = {.rows = small_rows, .n = 5};
    SearchSource source = {.store = &store, .collection = &collection};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 10);
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    check_ids(&r, (int64_t[]){11, 14, 12}, 3);
    rq.mode = MODE_SEMANTIC;
    CHECK_ERR(search(&arena, &source, 1, &rq, &r), ERR_NO_INDEX, "collection 'docs' has no vectors yet");
    CHECK_STR(str_of(err_fix_text()), "pythia index --collection 'docs'");
    CHECK_OK(search(&arena, NULL, 0, &rq, &r));
    CHECK_INT(r.n, 0);
    VecIndex *empty;
    VecSpec spec = {.kind = "exact", .dir = dir, .dim = DIM, .generation = 1};
    CHECK_OK(vec_open(&empty, &spec));
    source.index = empty;
    source.model = &model;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK_INT(r.n, 0);
    rq.mode = MODE_HYBRID;
    CHECK_OK(search(&arena, &source, 1, &rq, &r));
    CHECK_INT(r.n, 3);
    CHECK_INT(model.calls, 0); /* nothing to compare with */
    vec_close(empty);
}

static void bad_requests_are_told_with_the_value(void **state) {
    (void)state;
    Store store = {.rows = small_rows, .n = 5};
    VecIndex *ix = index_of(small_cosines, 4);
    SearchSource source = {.store = &store, .collection = &collection, .index = ix, .model = &model};
    SearchReply r;
    SearchRequest rq = request(MODE_HYBRID, 0);
    CHECK_ERR(search(&arena, &source, 1, &rq, &r), ERR_USAGE, "limit 0: it must be 1 to 1000");
    rq = request(MODE_HYBRID, 5);
    rq.alpha = NAN;
    CHECK_ERR(search(&arena, &source, 1, &rq, &r), ERR_USAGE, "alpha nan: it must be 0 to 1");
    rq = request(MODE_HYBRID, 5);
    rq.min_score = 1.5f;
    CHECK_ERR(search(&arena, &source, 1, &rq, &r), ERR_USAGE, "min-score 1.5: it must be 0 to 1");
    rq = request(MODE_HYBRID, 5);
    rq.query = STR("  ");
    CHECK_ERR(search(&arena, &source, 1, &rq, &r), ERR_USAGE, "the query is empty");
    rq = request(MODE_HYBRID, 5);
    model.info.id.bytes[0] = 1;
    CHECK_ERR(search(&arena, &source, 1, &rq, &r), ERR_MODEL_MISMATCH,
              "model 'stand-in' (8 dimensions) is not the one of collection 'docs' (8)");
    CHECK_STR(str_of(err_fix_text()), "pythia index --collection 'docs' --model '/m.gguf' --force");
    vec_close(ix);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(each_mode_ranks_by_its_own_evidence),
        T(weak_words_do_not_outvote_vectors),
        T(min_score_and_limit_cut_the_list_but_total_counts_all),
        T(documents_of_a_lower_prior_stand_behind),
        T(a_filter_reaches_both_arms),
        T(a_quoted_phrase_keeps_what_words_found_only),
        T(dead_slots_do_not_shorten_the_result),
        T(words_that_cannot_matter_are_not_looked_up),
        T(equal_text_is_shown_once_a_document),
        T(several_sources_share_the_question_and_the_scale),
        T(a_deadline_keeps_what_words_found),
        T(without_vectors_words_alone_answer),
        T(bad_requests_are_told_with_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
