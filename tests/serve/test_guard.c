/* Names and origins that may come in, tokens, rates. */
#include "serve/guard.h"

#include "base/file.h"
#include "check.h"
#include "serve/tokens.h"

static void loopback_names_are_told_exactly(void **state) {
    (void)state;
    static const char *const good[] = {"localhost", "LocalHost", "127.0.0.1", "127.255.0.9", "[::1]", "::1"};
    static const char *const bad[] = {
        "",           "127.0.0",    "127.0.0.1.", "127.0.0.256", "127.evil.com", "127.0.0.1.nip.io", "a.localhost",
        "localhost.", "0x7f.0.0.1", "2130706433", "[::2]",       "127..0.1",     "127.0.0.1 "};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK(host_is_loopback(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (host_is_loopback(str_of(bad[i]))) fail_msg("'%s' is no loopback name", bad[i]);
}

static void a_bound_name_is_allowed_and_others_only_elsewhere(void **state) {
    (void)state;
    HostRules here = {
        .loopback = true, .host = STR("127.0.0.1"), .origins = STR("https://a.example, http://b.example:1")};
    HostRules open = {.loopback = false, .host = STR("10.0.0.1"), .origins = STR("")};
    CHECK(host_allowed(&here, STR("localhost:99")));
    CHECK(!host_allowed(&here, STR("evil.com")));
    CHECK(!host_allowed(&here, STR("localhost:")));
    CHECK(!host_allowed(&here, STR("localhost:123456")));
    CHECK(!host_allowed(&here, STR("u@localhost")));
    CHECK(host_allowed(&open, STR("search.example:80")));
    CHECK(!host_allowed(&open, STR("a/b")));
    CHECK(origin_allowed(&here, STR("127.0.0.1:8080"), STR("https://a.example")));
    CHECK(origin_allowed(&here, STR("127.0.0.1:8080"), STR("http://b.example:1")));
    CHECK(!origin_allowed(&here, STR("127.0.0.1:8080"), STR("http://b.example")));
    CHECK(!origin_allowed(&here, STR("127.0.0.1:8080"), STR("https://a.example.org")));
    CHECK(origin_allowed(&here, STR("127.0.0.1:8080"), STR("http://[::1]:8080")));
    CHECK(!origin_allowed(&here, STR("127.0.0.1:8080"), STR("null")));
    CHECK(!origin_allowed(&here, STR("127.0.0.1:8080"), STR("")));
    CHECK(origin_allowed(&open, STR("search.example:80"), STR("http://10.0.0.1:8080")));
    /* A page of this very server; not where a name that is none is a trick (DNS rebinding). */
    CHECK(origin_allowed(&open, STR("search.example:8080"), STR("http://search.example:8080")));
    CHECK(origin_allowed(&open, STR("search.example"), STR("https://Search.example")));
    CHECK(!origin_allowed(&open, STR("search.example:8080"), STR("http://search.example:8081")));
    CHECK(!origin_allowed(&open, STR("search.example:8080"), STR("http://other.example:8080")));
    CHECK(!origin_allowed(&here, STR("evil.example:8080"), STR("http://evil.example:8080")));
}

static void a_bucket_fills_with_time(void **state) {
    (void)state;
    RateLimit *r = calloc(1, sizeof *r);
    int64_t now = 1000000000;
    CHECK(r != NULL);
    CHECK_INT(pthread_mutex_init(&r->lock, NULL), 0);
    r->rate = 2;
    CHECK_INT(rate_take(r, STR("a"), now), 0);
    CHECK_INT(rate_take(r, STR("a"), now), 0);
    CHECK_INT(rate_take(r, STR("a"), now), 1);
    CHECK_INT(rate_take(r, STR("b"), now), 0);
    CHECK_INT(rate_take(r, STR("a"), now + 500000000), 0);
    CHECK_INT(rate_take(r, STR("a"), now + 500000000), 1);
    r->rate = 0;
    CHECK_INT(rate_take(r, STR("a"), now), 0);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

static void tokens_are_kept_as_hashes_and_taken_back(void **state) {
    (void)state;
    Arena a = {0};
    const char *dir = check_temp_dir(), *file = path_join(&a, dir, "sub/tokens");
    char text[TOKEN_TEXT], other[TOKEN_TEXT], id[TOKEN_ID], who[TOKEN_ID];
    Token *list = NULL;
    size_t n = 0;
    Role role = ROLE_NONE;
    Tokens *t = NULL;
    Str kept;
    CHECK_OK(tokens_list(&a, file, &list, &n));
    CHECK_INT(n, 0);
    CHECK_OK(tokens_open(&t, file, STR("inside")));
    CHECK(tokens_wanted(t));
    tokens_close(t);
    CHECK_OK(tokens_open(&t, file, STR("")));
    CHECK(!tokens_wanted(t));
    CHECK_OK(tokens_create(file, STR("ci"), ROLE_WRITE, text, id));
    CHECK_INT(strlen(text), 47);
    CHECK_OK(tokens_create(file, STR("cd"), ROLE_READ, other, who));
    CHECK(strcmp(text, other) != 0);
    CHECK_ERR(tokens_create(file, STR("ci"), ROLE_READ, other, id), ERR_INPUT, "'ci'");
    CHECK_ERR(tokens_create(file, STR(""), ROLE_READ, other, id), ERR_USAGE, "1 to 100");
    CHECK_OK(file_read(&a, file, 1 << 20, &kept));
    CHECK(str_find(kept, str_of(text)) < 0);
    CHECK(tokens_wanted(t)); /* the file is read again */
    CHECK(tokens_check(t, str_of(text), &role, who));
    CHECK_INT(role, ROLE_WRITE);
    CHECK(!tokens_check(t, str_upto(str_of(text), 46), &role, who));
    CHECK(!tokens_check(t, STR(""), &role, who));
    CHECK_OK(tokens_revoke(file, STR("ci")));
    CHECK(!tokens_check(t, str_of(text), &role, who));
    CHECK_ERR(tokens_revoke(file, STR("ci")), ERR_NO_DOCUMENT, "'ci'");
    CHECK_OK(tokens_revoke(file, STR("cd")));
    CHECK(tokens_wanted(t)); /* all revoked is not "open to all" */
    CHECK_OK(file_write_atomic(file, STR("{\"id\":\"x\"}\n"), 0600));
    CHECK_ERR(tokens_list(&a, file, &list, &n), ERR_CORRUPT, "line 1");
    tokens_close(t);
    CHECK_ERR(tokens_open(&t, file, STR("")), ERR_CORRUPT, "line 1");
    CHECK_OK(file_remove_tree(dir));
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_names_are_told_exactly),
        cmocka_unit_test(a_bound_name_is_allowed_and_others_only_elsewhere),
        cmocka_unit_test(a_bucket_fills_with_time),
        cmocka_unit_test(tokens_are_kept_as_hashes_and_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
