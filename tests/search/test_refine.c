/* Searches in an index that keeps no vectors, against the same in one that does: what is computed anew, what ends it,
 * what the hits say. Store and model are stand-ins of a few lines, linked before the real ones; the indexes are
 * real. */
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "check.h"
#include "search/no_rerank.h"
#include "search/no_symbols.h"
#include "search/search.h"

enum { DIM = 64, ROWS = 1500, QUESTIONS = 20, LIMIT = 10, TWINS = 30 };

/* ---- the stand-ins ---- */

/* Chunk i + 1 has slot i, but for the last TWINS, whose text is chunk 1's. Every 7th has the words of the question. */
struct Store {
    bool words; /* questions have words at all */
    float prior;
};

static uint32_t slot_of(int64_t chunk) { return chunk > ROWS - TWINS ? 0 : (uint32_t)chunk - 1; }

Err store_ranges(Store *s, Arena *a, int64_t collection, const Filter *filter, ChunkRange **out, size_t *n) {
    (void)s, (void)a, (void)collection, (void)filter, (void)out, (void)n;
    return err_set(ERR_INTERNAL, "no lexical index asks for ranges here");
}

const StoreCaps *store_caps(const Store *s) {
    static const StoreCaps caps = {.lexical = true};
    (void)s;
    return &caps;
}

Err store_lexical(Store *s, Arena *a, int64_t collection, Str query, const Filter *filter, size_t k, StoreLexHit **out,
                  size_t *n) {
    (void)collection;
    (void)query;
    (void)filter;
    *out = arena_array(a, StoreLexHit, ROWS + 1);
    *n = 0;
    for (int64_t c = 7; s->words && c <= ROWS && *n < k; c += 7)
        (*out)[(*n)++] = (StoreLexHit){c, 9.0f - 0.01f * (float)c / 7};
    return ERR_OK;
}

Err store_slots(Store *s, int64_t collection, const Sha256 *model, const Filter *filter, uint64_t *bits, uint32_t rows,
                size_t *count) {
    (void)s;
    (void)collection;
    (void)model;
    (void)filter;
    (void)bits;
    *count = rows;
    return ERR_OK;
}

Err store_slot_chunks(Store *s, Arena *a, int64_t collection, const Sha256 *model, const Filter *filter,
                      const uint32_t *slots, size_t n, int64_t **out_ids, size_t **slot_at, size_t *n_out) {
    (void)s;
    (void)collection;
    (void)model;
    (void)filter;
    *out_ids = arena_array(a, int64_t, n + TWINS);
    *slot_at = arena_array(a, size_t, n + TWINS);
    *n_out = 0;
    for (size_t i = 0; i < n; i++) {
        (*out_ids)[*n_out] = slots[i] + 1;
        (*slot_at)[(*n_out)++] = i;
        for (int64_t c = ROWS - TWINS + 1; slots[i] == 0 && c <= ROWS; c++) {
            (*out_ids)[*n_out] = c;
            (*slot_at)[(*n_out)++] = i;
        }
    }
    return ERR_OK;
}

Err store_chunk(Store *s, Arena *a, int64_t chunk_id, int64_t *collection, StoreChunk *out) {
    (void)s;
    (void)a;
    *collection = 1;
    *out = (StoreChunk){.chunk_id = chunk_id, .doc_id = chunk_id};
    return ERR_OK;
}

Err store_chunk_prior(Store *s, int64_t chunk_id, float *prior) {
    *prior = chunk_id % 2 ? 1.0f : s->prior;
    return ERR_OK;
}

Err store_chunk_slot(Store *s, int64_t collection, const Sha256 *model, int64_t chunk_id, uint32_t *slot) {
    (void)s;
    (void)collection;
    (void)model;
    *slot = slot_of(chunk_id);
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
    const float *question; /* what any text is embedded to */
};

const ModelInfo *model_info(const Model *m) { return &m->info; }

Err model_embed(const Model *m, Pool *pool, const Str *texts, size_t n, const EmbedOpts *opts, float *out,
                EmbedInfo *info) {
    (void)pool;
    (void)texts;
    (void)opts;
    (void)info;
    CHECK_INT(n, 1);
    memcpy(out, m->question, DIM * sizeof *out);
    return ERR_OK;
}

/* ---- data ---- */

static uint64_t state64 = 88172645463325252ull;

static float noise(void) {
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        state64 ^= state64 >> 12;
        state64 ^= state64 << 25;
        state64 ^= state64 >> 27;
        sum += (float)((double)((state64 * 2685821657736338717ull) >> 40) / 8388608.0 - 1.0);
    }
    return sum;
}

/* [n, DIM] on the sphere, some directions wider than others. */
static float *cloud(size_t n) {
    float *rows = malloc(n * DIM * sizeof *rows);
    CHECK(rows);
    for (size_t i = 0; i < n; i++) {
        float *row = rows + i * DIM, sum = 0;
        for (size_t d = 0; d < DIM; d++) {
            row[d] = noise() / (1 + (float)d / 8);
            sum += row[d] * row[d];
        }
        for (size_t d = 0; d < DIM; d++) row[d] /= sqrtf(sum);
    }
    return rows;
}

static const char *dir;
static float *rows, *questions;
static VecIndex *exact, *compact;
static Arena arena;
static Store store;
static Model model;
static StoreCollection collection = {.id = 1, .dim = DIM};

/* What computes rows. */
static struct {
    size_t calls, asked, good; /* good: calls that are answered before the deadline; 0: all */
    uint32_t lost;             /* every so-many-th slot cannot be had; 0: none */
    size_t most;               /* slots of a call */
} computer;

static Err row_compute(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out, bool *had) {
    (void)ctx;
    (void)deadline;
    computer.calls++;
    if (n > computer.most) computer.most = n;
    if (computer.good && computer.calls > computer.good) return err_set(ERR_DEADLINE, "too late");
    computer.asked += n;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) CHECK(slots[k] != slots[i]);
        had[i] = computer.lost == 0 || slots[i] % computer.lost != 0;
        memcpy(out + i * DIM, rows + slots[i] * DIM, DIM * sizeof *out);
    }
    return ERR_OK;
}

static VecIndex *index_of(const char *kind) {
    char folder[700];
    VecIndex *ix;
    uint32_t first;
    (void)snprintf(folder, sizeof folder, "%s/%s", dir, kind);
    VecSpec spec = {.kind = kind, .dir = folder, .dim = DIM, .generation = 1, .writer = true};
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_OK(vec_add(ix, rows, ROWS - TWINS, &first));
    CHECK_OK(vec_sync(ix, &spec.committed));
    CHECK_OK(vec_build(ix, NULL, NULL));
    return ix;
}

static int data_make(void **st) {
    (void)st;
    dir = check_temp_dir();
    rows = cloud(ROWS);
    questions = cloud(QUESTIONS);
    exact = index_of("exact");
    compact = index_of("compact");
    model = (Model){.info = {.name = STR("stand-in"), .path = STR("/m.gguf"), .dim = DIM}};
    return 0;
}

static int data_free(void **st) {
    (void)st;
    vec_close(exact);
    vec_close(compact);
    free(rows);
    free(questions);
    arena_free(&arena);
    return file_remove_tree(dir) != ERR_OK;
}

static int begin(void **st) {
    (void)st;
    memset(&computer, 0, sizeof computer);
    store = (Store){.words = true, .prior = 1.0f};
    return 0;
}

/* ---- helpers ---- */

static SearchReply ask(VecIndex *ix, size_t question, const SearchRequest *rq) {
    SearchSource source = {
        .store = &store, .collection = &collection, .index = ix, .fetch = row_compute, .model = &model};
    SearchReply reply;
    model.question = questions + question * DIM;
    CHECK_OK(search(&arena, &source, 1, rq, &reply));
    return reply;
}

static SearchRequest request(SearchMode mode) {
    return (SearchRequest){.query = STR("what is it"), .mode = mode, .alpha = 0.7f, .limit = LIMIT};
}

static size_t shared(const SearchReply *a, const SearchReply *b) {
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n; k++) n += a->hits[i].chunk.chunk_id == b->hits[k].chunk.chunk_id;
    return n;
}

/* The hits of all questions beside those of the exact index; *asked: rows computed. */
static size_t shared_of_all(const SearchRequest *rq, size_t *asked) {
    size_t same = 0;
    *asked = 0;
    for (size_t q = 0; q < QUESTIONS; q++) {
        SearchReply want = ask(exact, q, rq), got = ask(compact, q, rq);
        CHECK(!want.refined.any && got.refined.any && got.refined.proven && !got.deadline_hit);
        CHECK_INT(got.n, want.n);
        for (size_t i = 0; i < got.n; i++) CHECK(rq->fusion == FUSION_RRF || !got.hits[i].estimated);
        for (size_t i = 1; i < got.n; i++) CHECK(got.hits[i].score <= got.hits[i - 1].score);
        same += shared(&want, &got);
        *asked += got.refined.asked;
    }
    CHECK_INT(*asked, computer.asked);
    return same;
}

/* ---- tests ---- */

static void hits_are_those_of_an_index_with_vectors(void **st) {
    (void)st;
    size_t asked;
    SearchRequest rq = request(MODE_SEMANTIC);
    CHECK(shared_of_all(&rq, &asked) >= QUESTIONS * LIMIT * 97 / 100);
    CHECK(asked <= QUESTIONS * 80);
    computer.asked = 0;
    rq = request(MODE_HYBRID);
    CHECK(shared_of_all(&rq, &asked) >= QUESTIONS * LIMIT * 97 / 100);
    CHECK(asked <= QUESTIONS * 80);
    computer.asked = 0;
    store.prior = 0.5f; /* every second document counts half */
    CHECK(shared_of_all(&rq, &asked) >= QUESTIONS * LIMIT * 97 / 100);
    computer.asked = 0;
    store.prior = 1.0f;
    rq.fusion = FUSION_RRF;
    CHECK(shared_of_all(&rq, &asked) >=
          QUESTIONS * LIMIT * 80 / 100); /* ranks beyond its hits are those of estimates */
    CHECK(computer.most <= 8);
}

static void a_bound_ends_it_and_the_rest_are_estimates(void **st) {
    (void)st;
    SearchRequest rq = request(MODE_SEMANTIC);
    rq.recompute = 5;
    for (size_t q = 0; q < QUESTIONS; q++) {
        SearchReply got = ask(compact, q, &rq);
        size_t estimated = 0;
        CHECK_INT(got.n, LIMIT);
        CHECK_INT(got.refined.asked, 5);
        CHECK(!got.refined.proven && !got.deadline_hit);
        for (size_t i = 0; i < got.n; i++) estimated += got.hits[i].estimated;
        CHECK(estimated >= LIMIT - 5);
    }
    CHECK_INT(computer.asked, QUESTIONS * 5);
}

static void a_deadline_ends_it_with_what_there_is(void **st) {
    (void)st;
    SearchRequest rq = request(MODE_HYBRID);
    computer.good = 1;
    SearchReply got = ask(compact, 0, &rq);
    CHECK_INT(got.n, LIMIT);
    CHECK(got.deadline_hit && !got.refined.proven);
    CHECK_INT(got.refined.asked, computer.asked);
    begin(NULL);
    Deadline soon = {.at_ns =
                         clock_mono_ns() + INT64_C(3600) * 1000000000}; /* far away: the first batch tries the speed */
    rq.deadline = &soon;
    got = ask(compact, 0, &rq);
    CHECK(!got.deadline_hit && got.refined.proven && computer.most > 2);
    Deadline over = {.at_ns = clock_mono_ns() - 1};
    rq.deadline = &over;
    begin(NULL);
    got = ask(compact, 0, &rq);
    CHECK(got.deadline_hit && !got.refined.proven);
    CHECK_INT(computer.asked, 0);
    CHECK_INT(got.n, LIMIT); /* by their words */
}

static void chunks_whose_text_is_gone_keep_estimates(void **st) {
    (void)st;
    SearchRequest rq = request(MODE_SEMANTIC);
    computer.lost = 3;
    for (size_t q = 0; q < QUESTIONS; q++) {
        SearchReply got = ask(compact, q, &rq);
        CHECK_INT(got.n, LIMIT);
        CHECK(got.refined.lost > 0 && !got.refined.proven && !got.deadline_hit);
        for (size_t i = 0; i < got.n; i++)
            CHECK_INT(got.hits[i].estimated, slot_of(got.hits[i].chunk.chunk_id) % 3 == 0);
    }
}

static void the_same_text_is_computed_once(void **st) {
    (void)st;
    SearchRequest rq = request(MODE_SEMANTIC);
    rq.limit = TWINS;
    SearchSource source = {
        .store = &store, .collection = &collection, .index = compact, .fetch = row_compute, .model = &model};
    SearchReply got;
    model.question = rows; /* chunk 1's own text, and that of its twins */
    CHECK_OK(search(&arena, &source, 1, &rq, &got));
    CHECK_INT(got.n, TWINS);
    for (size_t i = 0; i < got.n; i++) {
        CHECK_INT(slot_of(got.hits[i].chunk.chunk_id), 0);
        CHECK_NEAR(got.hits[i].cosine, 1, 1e-5);
    }
    CHECK(computer.asked <= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hits_are_those_of_an_index_with_vectors, begin),
        cmocka_unit_test_setup(a_bound_ends_it_and_the_rest_are_estimates, begin),
        cmocka_unit_test_setup(a_deadline_ends_it_with_what_there_is, begin),
        cmocka_unit_test_setup(chunks_whose_text_is_gone_keep_estimates, begin),
        cmocka_unit_test_setup(the_same_text_is_computed_once, begin),
    };
    return cmocka_run_group_tests(tests, data_make, data_free);
}
