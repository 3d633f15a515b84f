/* Structs on their way to another process: nothing of them is lost, and nothing is believed that does not fit. */
#include "serve/parcel.h"

#include <math.h>

#include "check.h"
#include "engine/pythia.h"
#include "serve/shared.h"

static const ParcelShape *const shapes[] = {&parcel_search, &parcel_reply, &parcel_answer,
                                            &shared_caller, &shared_texts, &shared_vectors};
enum { SHAPES = sizeof shapes / sizeof *shapes, STRUCT_MAX = 1024 };

static size_t bytes_of(const ParcelMember *m) {
    switch (m->kind) {
    case PARCEL_STR:
        return sizeof(Str);
    case PARCEL_I32:
    case PARCEL_F32:
        return 4;
    case PARCEL_BOOL:
        return 1;
    case PARCEL_PART:
        return m->shape->size;
    default:
        return 8;
    }
}

/* Bytes that no member covers may only be padding: before a member that wants its alignment, or at the end. */
static void check_whole(const ParcelShape *shape) {
    bool covered[STRUCT_MAX] = {false};
    if (shape == &parcel_ask) { /* what it says that it leaves out */
        memset(covered + offsetof(PythiaAsk, session), true, sizeof(Str));
        memset(covered + offsetof(PythiaAsk, owner), true, sizeof(Str));
        memset(covered + offsetof(PythiaAsk, turns), true, 2 * sizeof(void *));
        memset(covered + offsetof(PythiaAsk, tell), true, 2 * sizeof(void *));
    }
    CHECK(shape->size <= STRUCT_MAX);
    for (const ParcelMember *m = shape->members; m->name; m++) {
        const bool counted = m->kind == PARCEL_STRS || m->kind == PARCEL_PARTS;
        for (size_t i = 0; i < bytes_of(m); i++) {
            CHECK(!covered[m->at + i]);
            covered[m->at + i] = true;
        }
        for (size_t i = 0; counted && i < sizeof(size_t); i++) covered[m->n_at + i] = true;
        if (m->shape) check_whole(m->shape);
    }
    for (size_t i = 0, gap = 0; i < shape->size; i++) {
        gap = covered[i] ? 0 : gap + 1;
        if (gap >= 8) fail_msg("byte %zu of a struct of %zu is in no member of its shape", i, shape->size);
    }
}

static void every_member_of_the_structs_travels(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) check_whole(shapes[i]);
    check_whole(&parcel_ask);
}

static Str written(Buf *b, const ParcelShape *shape, const void *from) {
    buf_clear(b);
    JsonOut j = jout_to(b);
    parcel_write(&j, shape, from);
    CHECK_OK(buf_ok(b));
    return buf_str(b);
}

static Err read_back(Arena *a, const ParcelShape *shape, Str text, void *to) {
    json_t *v = NULL;
    CHECK_OK(json_read(text, "parcel", &v));
    const Err err = parcel_read(a, shape, v, to);
    json_decref(v);
    return err;
}

static void a_reply_comes_back_bit_for_bit(void **state) {
    (void)state;
    Arena a = {0};
    Buf first = {0}, second = {0};
    PythiaCopy copies[] = {{.id = STR("k1"), .path = STR("b.c"), .end_line = 7, .likeness = 0.9f}};
    PythiaHit hits[2] = {{.id = STR("k3f9a2"),
                          .path = STR("caf\xe9-\xff.txt"),
                          .content = STR("a\0b \"quoted\" \xC2\x85\n"),
                          .heading = STR(""),
                          .start_line = 1,
                          .end_line = INT32_MAX,
                          .lex_rank = INT32_MIN,
                          .score = 0.1f,
                          .cosine = -0.0f,
                          .bm25 = 3.4028235e38f,
                          .fused = 1e-45f,
                          .freshness = "fresh",
                          .estimated = true,
                          .first_rank = 3,
                          .relevance = 0.7f,
                          .copies = copies,
                          .n_copies = 1,
                          .more_copies = 2},
                         {.freshness = NULL}};
    const PythiaReply reply = {.query = STR("why"),
                               .mode = "hybrid",
                               .hits = hits,
                               .n = 2,
                               .total = INT64_MAX,
                               .has_more = true,
                               .took_ms = 0.1,
                               .recomputed = {.any = true, .computed = INT64_MIN, .ms = 1e300},
                               .reranked = {.any = true, .model = STR("judge"), .scored = 5, .weight = 0.7},
                               .timing = {.fresh_ms = 5e-324},
                               .coverage = {.stale = 7, .ratio = 2.0 / 3}};
    PythiaReply got;
    CHECK_OK(read_back(&a, &parcel_reply, written(&first, &parcel_reply, &reply), &got));
    CHECK(str_eq(buf_str(&first), written(&second, &parcel_reply, &got)));
    CHECK_INT(got.n, 2);
    CHECK(str_eq(got.hits[0].path, hits[0].path));
    CHECK(str_eq(got.hits[0].content, hits[0].content));
    CHECK(got.hits[0].heading.p && !got.hits[0].heading.n && !got.hits[1].heading.p);
    CHECK(got.hits[0].score == hits[0].score && got.hits[0].fused == hits[0].fused && got.hits[0].bm25 == hits[0].bm25);
    CHECK(signbit(got.hits[0].cosine) && !signbit(got.hits[0].prior));
    CHECK_INT(got.hits[0].end_line, INT32_MAX);
    CHECK_INT(got.hits[0].lex_rank, INT32_MIN);
    CHECK(!got.hits[1].freshness && str_is(str_of(got.hits[0].freshness), "fresh"));
    CHECK_INT(got.hits[0].n_copies, 1);
    CHECK(str_eq(got.hits[0].copies[0].path, STR("b.c")) && got.hits[0].copies[0].likeness == 0.9f);
    CHECK(got.reranked.any && str_eq(got.reranked.model, STR("judge")) && got.reranked.scored == 5);
    CHECK_INT(got.total, INT64_MAX);
    CHECK_INT(got.recomputed.computed, INT64_MIN);
    CHECK(got.timing.fresh_ms == 5e-324 && got.coverage.ratio == 2.0 / 3 && got.recomputed.ms == 1e300);
    buf_free(&first);
    buf_free(&second);
    arena_free(&a);
}

static void what_does_not_fit_is_named(void **state) {
    (void)state;
    static const struct {
        const char *json, *part;
    } cases[] = {{"[]", "an object is wanted"},
                 {"{}", "'model' is missing"},
                 {"{\"model\":7}", "'model' must be a string"},
                 {"{\"model\":[\"6\"]}", "'model' must be hex digits"},
                 {"{\"model\":[\"zz\"]}", "'model' must be hex digits"},
                 {"{\"model\":[]}", "'model' must be a string"},
                 {"{\"model\":null,\"query\":1}", "'query' must be true or false"},
                 {"{\"model\":null,\"query\":true,\"texts\":{}}", "'texts' must be an array"},
                 {"{\"model\":null,\"query\":true,\"texts\":[1]}", "'texts' must be a string"}};
    static const struct {
        const char *json, *part;
    } replies[] = {
        {"{\"query\":null,\"mode\":\"a\\u0000b\"}", "'mode' must be a string without NUL"},
        {"{\"query\":null,\"mode\":null,\"hits\":[7]}", "an object is wanted"},
        {"{\"query\":null,\"mode\":null,\"hits\":[],\"total\":1.5}", "'total' must be a whole number"},
        {"{\"query\":null,\"mode\":null,\"hits\":[{\"id\":null,\"uri\":null,\"path\":null,\"collection\":null,"
         "\"root\":null,\"start_line\":2147483648}]}",
         "'start_line' must be a whole number within its type"}};
    Arena a = {0};
    SharedTexts texts;
    PythiaReply reply;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_ERR(read_back(&a, &shared_texts, str_of(cases[i].json), &texts), ERR_INPUT, cases[i].part);
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        CHECK_ERR(read_back(&a, &parcel_reply, str_of(replies[i].json), &reply), ERR_INPUT, replies[i].part);
    arena_free(&a);
}

static Config *config_with(const char *pair) {
    Config *c = NULL;
    char *environ_[] = {(char *)pair, NULL};
    CHECK_OK(config_load(&c, &(ConfigSources){.environ = environ_}));
    return c;
}

static void an_identity_is_of_what_answers_depend_on(void **state) {
    (void)state;
    static const struct {
        const char *pair;
        bool same;
    } cases[] = {{"PYTHIA_SERVE_HTTP=127.0.0.1:1", true}, {"PYTHIA_LOG_LEVEL=trace", true},
                 {"PYTHIA_SEARCH_LIMIT=3", true},         {"PYTHIA_INDEX_MAX_FILE_SIZE=7", true},
                 {"PYTHIA_SEARCH_ALPHA=0.1", false},      {"PYTHIA_MODEL_EMBED=other", false},
                 {"PYTHIA_LEXICAL_B=0.7", false},         {"PYTHIA_ASK_ABSTAIN=0.9", true},
                 {"PYTHIA_ASK_URL=local", false},         {"PYTHIA_INDEX_SEARCH_COMPLEXITY=1", false}};
    char plain[SHARED_IDENTITY], other[SHARED_IDENTITY];
    Config *c = config_with("A=B");
    CHECK_OK(shared_identity(c, "/tmp", plain));
    CHECK_INT(strlen(plain), SHARED_IDENTITY - 1);
    CHECK_OK(shared_identity(c, "/", other));
    CHECK(strcmp(plain, other) != 0);
    config_free(c);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        c = config_with(cases[i].pair);
        CHECK_OK(shared_identity(c, "/tmp/.", other));
        if ((strcmp(plain, other) == 0) != cases[i].same) fail_msg("%s", cases[i].pair);
        config_free(c);
    }
}

static void the_socket_has_its_place(void **state) {
    (void)state;
    Arena a = {0};
    const char *path = NULL;
    char *both[] = {"PYTHIA_HOME=/h", "XDG_RUNTIME_DIR=/run/user/7", NULL},
         *runtime[] = {"XDG_RUNTIME_DIR=/run/user/7", NULL};
    char *relative[] = {"XDG_RUNTIME_DIR=run", NULL};
    char deep[200] = "/";
    CHECK_OK(shared_path(&a, both, "/h", &path));
    CHECK_STR(str_of(path), "/h/pythia.sock");
    CHECK_OK(shared_path(&a, runtime, "/h", &path));
    CHECK_STR(str_of(path), "/run/user/7/pythia/pythia.sock");
    CHECK_OK(shared_path(&a, relative, "/h", &path));
    CHECK_STR(str_of(path), "/h/pythia.sock");
    CHECK_OK(shared_path(&a, NULL, "/h", &path));
    CHECK_STR(str_of(path), "/h/pythia.sock");
    memset(deep + 1, 'x', sizeof deep - 2);
    CHECK_ERR(shared_path(&a, NULL, deep, &path), ERR_LIMIT, "is too long for a socket: at most 107 bytes");
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_of_the_structs_travels),
        cmocka_unit_test(a_reply_comes_back_bit_for_bit),
        cmocka_unit_test(what_does_not_fit_is_named),
        cmocka_unit_test(an_identity_is_of_what_answers_depend_on),
        cmocka_unit_test(the_socket_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
