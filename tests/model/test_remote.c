/* What a service may answer, and where it is asked. The requests are tested in tests/cli/test_remote.py. */
#include <math.h>

#include "check.h"
#include "model/remote.h"

static void the_url_of_embeddings_is_made_of_what_was_configured(void **state) {
    static const char *const cases[][2] = {
        {"http://h:1", "http://h:1/v1/embeddings"},
        {"http://h:1/", "http://h:1/v1/embeddings"},
        {"https://h/v1", "https://h/v1/embeddings"},
        {"https://h/v1/", "https://h/v1/embeddings"},
        {"https://h/api/v3/embeddings", "https://h/api/v3/embeddings"},
        {" https://h/openai ", "https://h/openai/embeddings"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        const char *url = NULL;
        CHECK_OK(remote_url(&a, str_of(cases[i][0]), &url));
        CHECK_STR(str_of(url), cases[i][1]);
        arena_free(&a);
    }
    Arena a = {0};
    const char *url = NULL;
    CHECK_ERR(remote_url(&a, STR("h:1/v1"), &url), ERR_USAGE, "no URL of a service");
    CHECK_ERR(remote_url(&a, STR("http://h/v1?key=x"), &url), ERR_USAGE, "no URL of a service");
    arena_free(&a);
}

static void vectors_come_by_index_as_floats_or_base64_and_normalised(void **state) {
    (void)state;
    Arena a = {0};
    size_t dim = 0;
    float *v = NULL;
    /* base64 of 0, 2 as little-endian f32 */
    Str body = STR("{\"data\":[{\"index\":1,\"embedding\":[3,4]},{\"index\":0,\"embedding\":\"AAAAAAAAAEA=\"}]}");
    CHECK_OK(remote_reply_read(&a, body, 2, &dim, &v));
    CHECK_INT(dim, 2);
    CHECK_NEAR(v[0], 0, 0);
    CHECK_NEAR(v[1], 1, 0);
    CHECK_NEAR(v[2], 0.6, 1e-7);
    CHECK_NEAR(v[3], 0.8, 1e-7);
    dim = 2;
    CHECK_OK(remote_reply_read(&a, STR("{\"data\":[{\"embedding\":[1,0]},{\"embedding\":[0,1e-30]}]}"), 2, &dim, &v));
    CHECK_NEAR(v[3], 1, 1e-6);
    CHECK_OK(remote_reply_read(&a, STR("{\"data\":[{\"embedding\":\"AAAAAAAAAEA\"}]}"), 1, &dim, &v)); /* unpadded */
    arena_free(&a);
}

static void answers_that_cannot_be_are_refused(void **state) {
    static const struct {
        const char *body, *text;
    } cases[] = {
        {"", "no JSON"},
        {"<html>", "no JSON"},
        {"[]", "no list 'data'"},
        {"{\"data\":{}}", "no list 'data'"},
        {"{\"data\":[]}", "0 embeddings for 2 texts"},
        {"{\"data\":[1,2]}", "first embedding is none"},
        {"{\"data\":[{\"embedding\":[]},{\"embedding\":[]}]}", "first embedding is none"},
        {"{\"data\":[{\"embedding\":\"AAA\"},{\"embedding\":[1]}]}", "first embedding is none"},
        {"{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[1]}]}", "of 1 dimensions, the model has 2"},
        {"{\"data\":[{\"embedding\":[1,2]},{\"embedding\":null}]}", "of 0 dimensions"},
        {"{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[1,\"2\"]}]}", "no number"},
        {"{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[0,0]}]}", "all zeros"},
        {"{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[1e300,2]}]}", "not finite"},
        {"{\"data\":[{\"embedding\":[1,2]},{\"embedding\":\"AADAfwAAAEA=\"}]}", "not finite"},
        {"{\"data\":[{\"embedding\":[1,2]},{\"embedding\":\"????AAAAAEA=\"}]}", "no base64 of 2 floats"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":0,\"embedding\":[1,2]}]}", "index that cannot be"},
        {"{\"data\":[{\"index\":-1,\"embedding\":[1,2]},{\"index\":0,\"embedding\":[1,2]}]}", "index that cannot be"},
        {"{\"data\":[{\"index\":2,\"embedding\":[1,2]},{\"index\":0,\"embedding\":[1,2]}]}", "index that cannot be"},
        {"{\"data\":[{\"index\":\"0\",\"embedding\":[1,2]},{\"index\":0,\"embedding\":[1,2]}]}",
         "index that cannot be"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        size_t dim = 0;
        float *v = NULL;
        Err err = remote_reply_read(&a, str_of(cases[i].body), 2, &dim, &v);
        if (err != ERR_NETWORK && err != ERR_MODEL_MISMATCH) fail_msg("case %zu: %d", i, (int)err);
        if (!strstr(err_text(), cases[i].text)) fail_msg("case %zu: %s", i, err_text());
        arena_free(&a);
    }
}

static void ranks_come_by_index_as_probabilities_or_logits(void **state) {
    (void)state;
    Arena a = {0};
    const char *url;
    float s[3];
    CHECK_OK(remote_rank_url(&a, STR("https://h"), &url));
    CHECK_STR(str_of(url), "https://h/v1/rerank");
    CHECK_OK(remote_rank_url(&a, STR("https://api.h.com/v2/"), &url));
    CHECK_STR(str_of(url), "https://api.h.com/v2/rerank");
    CHECK_ERR(remote_rank_url(&a, STR("h"), &url), ERR_USAGE, "no URL of a service (rerank_remote.url)");
    CHECK_OK(remote_ranks_read(&a,
                               STR("{\"results\":[{\"index\":2,\"relevance_score\":1},{\"index\":0,"
                                   "\"relevance_score\":0.75},{\"index\":1,\"relevance_score\":0}]}"),
                               3, s));
    CHECK_NEAR(s[0], 0.75, 0);
    remote_ranks_logits(s, 3);
    CHECK_NEAR(s[0], log(3), 1e-6);
    CHECK_NEAR(s[1], -16.118, 1e-3);
    CHECK_NEAR(s[2], 16.118, 1e-3);
    float logits[3] = {0.5f, -3.0f, 0.75f}; /* one outside of 0..1: they are logits, and stay */
    remote_ranks_logits(logits, 3);
    CHECK_NEAR(logits[0], 0.5, 0);
    CHECK_NEAR(logits[1], -3, 0);
    arena_free(&a);
}

static void ranks_that_cannot_be_are_refused(void **state) {
    static const struct {
        const char *body, *text;
    } cases[] = {
        {"", "no JSON"},
        {"<html>", "no JSON"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":0.5}", "no JSON"}, /* cut */
        {"[]", "no list 'results'"},
        {"{\"results\":5}", "no list 'results'"},
        {"{\"results\":[]}", "0 results for 2 texts"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":1}]}", "1 results for 2 texts"},
        {"{\"results\":[1,2]}", "result 0 of the answer has an index that cannot be"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":1},{\"index\":0,\"relevance_score\":1}]}",
         "result 1 of the answer has an index that cannot be"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":1},{\"index\":2,\"relevance_score\":1}]}",
         "index that cannot be"},
        {"{\"results\":[{\"index\":-1,\"relevance_score\":1},{\"index\":1,\"relevance_score\":1}]}",
         "index that cannot be"},
        {"{\"results\":[{\"relevance_score\":1},{\"index\":1,\"relevance_score\":1}]}", "index that cannot be"},
        {"{\"results\":[{\"index\":0},{\"index\":1,\"relevance_score\":1}]}", "result 0 of the answer has no"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":\"1\"},{\"index\":1,\"relevance_score\":1}]}",
         "no 'relevance_score'"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":1e300},{\"index\":1,\"relevance_score\":1}]}",
         "the score of result 0 is not finite"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        float s[2];
        const Err err = remote_ranks_read(&a, str_of(cases[i].body), 2, s);
        if (err != ERR_NETWORK) fail_msg("case %zu: %d", i, (int)err);
        if (!strstr(err_text(), cases[i].text)) fail_msg("case %zu: %s", i, err_text());
        arena_free(&a);
    }
}

static void tokens_are_estimated_upwards(void **state) {
    (void)state;
    CHECK_INT(remote_rough_tokens(STR("")), 0);
    CHECK_INT(remote_rough_tokens(STR("the cat")), 2);
    CHECK_INT(remote_rough_tokens(STR("internationalisation")), 5);
    CHECK_INT(remote_rough_tokens(STR("a.b(c);")), 7);
    CHECK_INT(remote_rough_tokens(STR("\xE6\x9D\xB1\xE4\xBA\xAC")), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_url_of_embeddings_is_made_of_what_was_configured),
        cmocka_unit_test(vectors_come_by_index_as_floats_or_base64_and_normalised),
        cmocka_unit_test(answers_that_cannot_be_are_refused),
        cmocka_unit_test(ranks_come_by_index_as_probabilities_or_logits),
        cmocka_unit_test(ranks_that_cannot_be_are_refused),
        cmocka_unit_test(tokens_are_estimated_upwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
