/* Bytes on their way in: kept, hashed, limited, without a trace; and base64. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/spool.h"
#include "check.h"

static char dir[64];

static size_t files_in(const char *path) {
    size_t n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

static int folder_make(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/pythia-spool-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int folder_drop(void **state) {
    (void)state;
    return file_remove_tree(dir) ? -1 : 0;
}

static void spool_keeps_and_hashes_what_comes_in_pieces(void **state) {
    (void)state;
    Spool *s = NULL;
    char back[32] = "";
    CHECK_OK(spool_open(&s, dir, 100));
    CHECK_OK(spool_add(s, STR("turquoise ")));
    CHECK_OK(spool_add(s, STR("")));
    CHECK_OK(spool_add(s, STR("water")));
    CHECK_OK(spool_end(s));
    const Sha256 whole = sha256_of(STR("turquoise water"));
    assert_memory_equal(spool_sha256(s), &whole, sizeof whole);
    assert_int_equal(spool_size(s), 15);
    assert_int_equal(read(spool_fd(s), back, sizeof back), 15);
    assert_string_equal(back, "turquoise water");
    assert_int_equal(files_in(dir), 0); /* it has no name */
    Sha256 again;
    CHECK_OK(sha256_fd(spool_fd(s), &again));
    assert_memory_equal(&again, &whole, sizeof whole);
    spool_close(s);
}

static void spool_refuses_more_than_its_limit(void **state) {
    (void)state;
    Spool *s = NULL;
    CHECK_OK(spool_open(&s, dir, 10));
    CHECK_OK(spool_add(s, STR("0123456789")));
    assert_int_equal(spool_add(s, STR("x")), ERR_LIMIT);
    assert_string_equal(err_text(), "more than 10 bytes");
    spool_close(s);
}

static void spool_drains_a_pipe_to_its_end(void **state) {
    (void)state;
    Spool *s = NULL;
    int ends[2];
    volatile int cancel = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    (void)close(ends[1]);
    CHECK_OK(spool_open(&s, dir, 10));
    CHECK_OK(spool_drain(s, ends[0], &cancel));
    CHECK_OK(spool_end(s));
    assert_int_equal(spool_size(s), 3);
    cancel = 1;
    spool_close(s);
    CHECK_OK(spool_open(&s, dir, 10));
    assert_int_equal(spool_drain(s, ends[0], &cancel), ERR_INTERRUPT);
    spool_close(s);
    (void)close(ends[0]);
}

static void base64_reads_and_writes_what_rfc_4648_shows(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"Zg==", "f"},
                                           {"Zm8=", "fo"},
                                           {"Zm9v", "foo"},
                                           {"Zm9vYg==", "foob"},
                                           {"Zm9vYmE=", "fooba"},
                                           {"Zm9vYmFy", "foobar"},
                                           {"+/+/", "\xfb\xff\xbf"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        Buf out = {0};
        assert_true(base64_decode(str_of(pairs[i][0]), BASE64_STRICT, &out));
        assert_true(str_is(buf_str(&out), pairs[i][1]));
        out.n = 0;
        base64_encode(str_of(pairs[i][1]), &out);
        assert_true(str_is(buf_str(&out), pairs[i][0]));
        buf_free(&out);
    }
}

static void base64_that_others_write_is_read_without_padding_and_in_both_alphabets(void **state) {
    (void)state;
    static const char *const good[][2] = {
        {"Zg", "f"}, {"Zg=", "f"}, {"Zm8", "fo"}, {"-_-/", "\xfb\xff\xbf"}, {"Zh==", "f"}};
    static const char *const bad[] = {"Z", "Zm9v\n", "Zm 9", "Zg==Zg==", "===="};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Buf out = {0};
        assert_true(base64_decode(str_of(good[i][0]), BASE64_LOOSE, &out));
        assert_true(str_is(buf_str(&out), good[i][1]));
        buf_free(&out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Buf out = {0};
        assert_false(base64_decode(str_of(bad[i]), BASE64_LOOSE, &out));
        buf_free(&out);
    }
}

static void base64_refuses_what_is_none(void **state) {
    (void)state;
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",  "Z===",     "====", "Zm9v\n",
                                      "Zm 9", "Zh==", "Zm9=", "Zg==Zg==", "Zm-_"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Buf out = {0};
        assert_false(base64_decode(str_of(bad[i]), BASE64_STRICT, &out));
        buf_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spool_keeps_and_hashes_what_comes_in_pieces, folder_make, folder_drop),
        cmocka_unit_test_setup_teardown(spool_refuses_more_than_its_limit, folder_make, folder_drop),
        cmocka_unit_test_setup_teardown(spool_drains_a_pipe_to_its_end, folder_make, folder_drop),
        cmocka_unit_test(base64_reads_and_writes_what_rfc_4648_shows),
        cmocka_unit_test(base64_that_others_write_is_read_without_padding_and_in_both_alphabets),
        cmocka_unit_test(base64_refuses_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
