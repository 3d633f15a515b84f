/* template_test.c - Jinja's tests: `x is defined`, `x is divisibleby 3`. */
#include <utf8proc.h>

#include "model/template_run.h"

/* Tests without an argument. False: there is none of that name. */
static bool test_plain(Str name, Val v, bool *out) {
    bool list = val_is(v, VAL_LIST), plain_list = list && v.list->kind != LIST_LAZY, dict = val_is(v, VAL_DICT);
    const struct {
        const char *name;
        bool holds;
    } tests[] = {
        {"defined", !val_is(v, VAL_UNDEFINED)},
        {"undefined", val_is(v, VAL_UNDEFINED)},
        {"none", val_is(v, VAL_NONE)},
        {"boolean", val_is(v, VAL_BOOL)},
        {"true", val_is(v, VAL_BOOL) && v.boolean},
        {"false", val_is(v, VAL_BOOL) && !v.boolean},
        {"integer", val_is(v, VAL_INT)},
        {"float", val_is(v, VAL_FLOAT)},
        {"number", val_is_number(v)},
        {"string", val_is(v, VAL_STR)},
        {"mapping", dict},
        {"iterable", list || dict || val_is(v, VAL_STR) || val_is(v, VAL_UNDEFINED) || val_is(v, VAL_LOOP)},
        {"sequence", plain_list || dict || val_is(v, VAL_STR) || val_is(v, VAL_UNDEFINED)},
        {"callable",
         val_is(v, VAL_UNDEFINED) || val_is(v, VAL_MACRO) || val_is(v, VAL_FUNCTION) || val_is(v, VAL_METHOD)},
        {"escaped", false},
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (str_is(name, tests[i].name)) {
            *out = tests[i].holds;
            return true;
        }
    return false;
}

static Err test_case(Render *r, Str name, Val self, bool *out) {
    Str s;
    TRY(run_str(r, self, &s));
    TRY(run_spend(r, s.n / 8));
    Buf text = {0};
    text_case(&text, s, str_is(name, "lower") ? utf8proc_tolower : utf8proc_toupper);
    Err err = buf_ok(&text);
    *out = str_eq(buf_str(&text), s); /* Python wants a letter with a case in it too */
    text_case(&text, s, str_is(name, "lower") ? utf8proc_toupper : utf8proc_tolower);
    *out = *out && !str_eq(str_from(buf_str(&text), s.n), s);
    buf_free(&text);
    return err;
}

static Err test_remainder(Render *r, Str name, Val self, int64_t divisor, bool *out) {
    int64_t whole = 0;
    TRY(bind_whole(r, name, self, &whole));
    if (divisor == 0) return run_fail(r, ERR_INPUT, "a division by 0");
    *out = divisor == -1 || whole % divisor == 0;
    return ERR_OK;
}

static bool names_order(Str name, bool *less, bool *equal) {
    static const struct {
        const char *names[3];
        bool less, equal;
    } tests[] = {{{"lt", "lessthan", "<"}, true, false},
                 {{"le", "<=", "<="}, true, true},
                 {{"gt", "greaterthan", ">"}, false, false},
                 {{"ge", ">=", ">="}, false, true}};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        for (size_t k = 0; k < 3; k++)
            if (str_is(name, tests[i].names[k])) {
                *less = tests[i].less;
                *equal = tests[i].equal;
                return true;
            }
    return false;
}

/* Tests with one. */
static Err test_against(Render *r, Str name, Val self, Val other, bool *out) {
    bool less, equal;
    int order = 0;
    int64_t divisor = 0;
    if (str_is(name, "equalto") || str_is(name, "eq") || str_is(name, "==")) return run_equal(r, self, other, out);
    if (str_is(name, "ne") || str_is(name, "!=")) {
        TRY(run_equal(r, self, other, out));
        *out = !*out;
        return ERR_OK;
    }
    if (str_is(name, "sameas")) { /* of texts and numbers there is but one of each here */
        TRY(run_equal(r, self, other, out));
        *out = *out && self.kind == other.kind;
        return ERR_OK;
    }
    if (str_is(name, "in")) return run_contains(r, other, self, out);
    if (str_is(name, "divisibleby")) {
        TRY(bind_whole(r, name, other, &divisor));
        return test_remainder(r, name, self, divisor, out);
    }
    if (!names_order(name, &less, &equal))
        return run_fail(r, ERR_UNSUPPORTED, "unknown test '%.*s'", STR_FMT(str_upto(name, 64)));
    TRY(run_order(r, self, other, &order));
    *out = order == 0 ? equal : (order < 0) == less;
    return ERR_OK;
}

Err run_test(Render *r, Str name, Val self, const Args *args, bool *out) {
    Val v[ARGS_MAX];
    if (test_plain(name, self, out)) return bind_args(r, name, args, "", 0, v);
    if (str_is(name, "lower") || str_is(name, "upper")) return test_case(r, name, self, out);
    if (str_is(name, "even")) return test_remainder(r, name, self, 2, out);
    if (str_is(name, "odd")) {
        TRY(test_remainder(r, name, self, 2, out));
        *out = !*out;
        return ERR_OK;
    }
    TRY(bind_args(r, name, args, "other", 0, v));
    return test_against(r, name, self, v[0], out);
}
