/* Tests of usage.h: uses that are alike have one shape, and arguments are counted. */
#include "check.h"

#include "chunk/usage.h"

static Usage use(Arena *a, const char *text, const char *name) {
    Usage u;
    const Str t = str_of(text);
    const ptrdiff_t at = str_find(t, str_of(name));
    CHECK(at >= 0);
    CHECK_OK(usage_of(a, t, (size_t)at, strlen(name), &u));
    return u;
}

static void what_differs_from_use_to_use_is_left_out(void **state) {
    (void)state;
    static const struct {
        const char *text, *shape;
        int args;
    } cases[] = {
        {"    if (!next(&retry->wait, clock_now(x, y))) return 1;\n", "if (!next(&_, clock_now(…)))", 2},
        {"    int n = next(things[0], \"a, (b\", 3);\n", "_ = next(_, \"…\", 0)", 3},
        {"    struct buf *b = next(NULL);", "_ = next(NULL)", 1},
        {"\tself.queue.next(thing)\n", "_.next(_)", 1},
        {"return next()\n", "return next()", 0},
        {"TRY(next(a, b,\n         c[1].d));\n", "TRY(next(_, _, _))", 3},
        {"x = next", "_ = next", USAGE_ARGS_NONE},
        {"callback = next;\nother(1);", "_ = next", USAGE_ARGS_NONE},
        {"let v = next::<u32>(a)?;", "_ = next(_)?", 1},
        {"next!(\"{}\", a);", "next(\"…\", _)", 2},
        {"auto v = next<std::vector<int>>(1, );", "_ = next(0)", 1},
        {"await next({a: 1, b: 2}, [1, 2], (x) => x + 1)", "await next({_: 0, _: 0}, [0, 0], (_) => _ + 0)", 3},
        {"next(FLAG_ONE | FLAG_TWO, true)", "next(FLAG_ONE | FLAG_TWO, true)", 2},
        {"while (next(a) == 0) {", "while (next(_) == 0)", 1},
        {"next(a, b", "next(_, _…", 2},
        {"next(\"never closed\n);", "next(\"…\")", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        const Usage u = use(&a, cases[i].text, "next");
        CHECK_STR(u.shape, cases[i].shape);
        CHECK_INT(u.args, cases[i].args);
        arena_free(&a);
    }
}

static void long_parts_are_cut(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    for (int i = 0; i < 60; i++) buf_add_z(&b, "CONSTANT_OF_A_KIND + ");
    buf_add_z(&b, "next(");
    for (int i = 0; i < 2000; i++) buf_add_z(&b, "\303\274ber(1), ");
    const Usage u = use(&a, b.p, "next");
    CHECK(u.shape.n <= USAGE_SHAPE_MAX);
    CHECK(str_starts(u.shape, STR("…")));
    CHECK(u.args > 10);
    buf_free(&b);
    arena_free(&a);
}

static void signatures_name_what_is_wanted(void **state) {
    (void)state;
    static const struct {
        const char *signature, *name;
        int args;
    } cases[] = {
        {"next", "next", USAGE_ARGS_NONE},
        {"static int backoff_next(struct backoff *b, uint64_t now)", "backoff_next", 2},
        {"def next(self, now: float = 1.0) -> float", "next", 1},
        {"Backoff::next()", "Backoff::next", 0},
        {"int main(void)", "main", 0},
        {"int printf(const char *format, ...)", "printf", USAGE_ARGS_NONE},
        {"fn next(&self, f: fn(a, b) -> c)", "next", 1},
        {"next(_, _)", "next", 2},
        {"(", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Str name;
        int args;
        usage_wanted(str_of(cases[i].signature), &name, &args);
        CHECK_STR(name, cases[i].name);
        CHECK_INT(args, cases[i].args);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_differs_from_use_to_use_is_left_out),
        cmocka_unit_test(long_parts_are_cut),
        cmocka_unit_test(signatures_name_what_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
