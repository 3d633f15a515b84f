/* test_choice.c - PYTHIA_CPU chooses the kernels. The choice is made once a process, so each case has a child. */
#include <sys/wait.h>

#include "check.h"
#include "kern/kern.h"

/* What a process that starts with PYTHIA_CPU=value (NULL: unset) chooses: "name" or "code: text | fix". */
static void choose_in_child(const char *value, char out[512]) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char text[512];
        if (value)
            (void)setenv("PYTHIA_CPU", value, 1);
        else
            (void)unsetenv("PYTHIA_CPU");
        Err err = kern_init();
        int n = err ? snprintf(text, sizeof text, "%s: %s | %s", err_name(err), err_text(), err_fix_text())
                    : snprintf(text, sizeof text, "%s", kern_table()->name);
        _exit(write(ends[1], text, (size_t)n) == n ? 0 : 1);
    }
    (void)close(ends[1]);
    ssize_t n = read(ends[0], out, 511);
    assert_true(n > 0);
    out[n] = 0;
    (void)close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void without_a_wish_the_best_level_is_taken(void **state) {
    (void)state;
    const Kern *levels[8];
    char got[512];
    size_t n = kern_levels(levels, 8);
    choose_in_child(NULL, got);
    assert_string_equal(got, levels[n - 1]->name);
    choose_in_child("", got);
    assert_string_equal(got, levels[n - 1]->name);
}

static void each_level_can_be_forced(void **state) {
    (void)state;
    const Kern *levels[8];
    char got[512];
    size_t n = kern_levels(levels, 8);
    for (size_t i = 0; i < n; i++) {
        choose_in_child(levels[i]->name, got);
        assert_string_equal(got, levels[i]->name);
    }
}

static void an_unknown_level_is_an_error_that_lists_the_valid_ones(void **state) {
    (void)state;
    char got[512];
    choose_in_child("sse9", got);
    CHECK(strstr(got, "usage: PYTHIA_CPU is 'sse9', this machine can do: scalar") == got);
    CHECK(strstr(got, "unset PYTHIA_CPU") != NULL);
    choose_in_child("AVX2", got);
    CHECK(strstr(got, "'AVX2'") != NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_wish_the_best_level_is_taken),
        cmocka_unit_test(each_level_can_be_forced),
        cmocka_unit_test(an_unknown_level_is_an_error_that_lists_the_valid_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
