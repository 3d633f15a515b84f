/* What names a model on a hub, and what does not. The way of the bytes is tested in tests/cli/test_pull.py. */
#include "check.h"
#include "model/hub.h"

static void a_reference_has_repository_file_and_revision(void **state) {
    static const struct {
        const char *text, *repo, *file, *revision;
    } cases[] = {
        {"org/name", "org/name", "", "main"},
        {"bert-base-uncased", "bert-base-uncased", "", "main"},
        {"org/name@v1.0", "org/name", "", "v1.0"},
        {"org/name/x.gguf", "org/name", "x.gguf", "main"},
        {"org/name/sub dir/x.gguf@refs/pr/1", "org/name", "sub dir/x.gguf", "refs/pr/1"},
        {" hf.co/org/name ", "org/name", "", "main"},
        {"https://huggingface.co/org/name/blob/dev/a/x.gguf", "org/name", "a/x.gguf", "dev"},
        {"https://huggingface.co/org/name/resolve/main/x.gguf", "org/name", "x.gguf", "main"},
        {"https://huggingface.co/org/name/tree/main", "org/name", "", "main"},
        {"org/resolve/resolve/main/x", "org/resolve", "x", "main"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        HubRef ref;
        CHECK_OK(hub_ref_parse(&a, str_of(cases[i].text), &ref));
        CHECK_STR(ref.repo, cases[i].repo);
        CHECK_STR(ref.file, cases[i].file);
        CHECK_STR(ref.revision, cases[i].revision);
        arena_free(&a);
    }
}

static void what_could_leave_the_cache_is_refused(void **state) {
    static const char *const cases[] = {
        "",
        " ",
        "/org/name",
        "org//x",
        "../name",
        "org/..",
        "org/-name",
        "org/name.",
        "or--g/name",
        "org/na me",
        "org/name/../x",
        "org/name/./x",
        "org/name//x",
        "org/name/x/",
        "org/name@",
        "org/name@..",
        "org/name@a/..",
        "org/name@/etc",
        "org/name/a\\b",
        "org/name/a\nb",
        "o\x7f/name",
        "org/name@a b\x01",
        "org/name/blob",
        "org/name/a@b/../../c",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        HubRef ref;
        CHECK_ERR(hub_ref_parse(&a, str_of(cases[i]), &ref), ERR_USAGE, "names no model on a hub");
        arena_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_has_repository_file_and_revision),
        cmocka_unit_test(what_could_leave_the_cache_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
