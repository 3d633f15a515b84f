/* template_filter.c - filters of texts and numbers, as Jinja has them; those of lists are in template_seq.c. */
#include <math.h>

#include <utf8proc.h>

#include "base/utf8.h"
#include "model/template_run.h"

/* ---- text ---- */

/* Anything is text to these. */
static Err filter_case(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str s;
    Buf text = {0};
    TRY(bind_args(r, name, args, "", 0, v));
    TRY(run_str(r, self, &s));
    if (str_is(name, "upper")) text_case(&text, s, utf8proc_toupper);
    if (str_is(name, "lower")) text_case(&text, s, utf8proc_tolower);
    if (str_is(name, "title")) text_title(&text, s, true);
    if (str_is(name, "capitalize")) text_capitalize(&text, s);
    return run_take(r, &text, out);
}

static Err filter_trim(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str s, chars = {NULL, 0};
    TRY(bind_args(r, name, args, "chars", 0, v));
    TRY(run_str(r, self, &s));
    if (!val_is(v[0], VAL_UNDEFINED) && !val_is(v[0], VAL_NONE)) TRY(bind_str(r, name, v[0], &chars));
    TRY(run_spend(r, (s.n / 16 + 1) * (chars.n + 1)));
    *out = val_str(text_trim(s, chars, true, true));
    return ERR_OK;
}

static Err filter_string(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str s;
    TRY(bind_args(r, name, args, "", 0, v));
    TRY(run_str(r, self, &s));
    *out = val_str(s);
    return ERR_OK;
}

static Err filter_escape(Render *r, Str name, Val self, const Args *args, Val *out) {
    static const char *const marks[] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&#34;", ['\''] = "&#39;"};
    Val v[ARGS_MAX];
    Str s;
    Buf text = {0};
    TRY(bind_args(r, name, args, "", 0, v));
    TRY(run_str(r, self, &s));
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < sizeof marks / sizeof *marks && marks[c])
            buf_add_z(&text, marks[c]);
        else
            buf_char(&text, s.p[i]);
    }
    return run_take(r, &text, out);
}

static Err filter_replace(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX], method;
    Str s, old, new;
    TRY(bind_args(r, name, args, "old new count", 2, v));
    TRY(run_str(r, self, &s));
    TRY(run_str(r, v[0], &old));
    TRY(run_str(r, v[1], &new));
    Val plain[] = {val_str(old), val_str(new), v[2]};
    Args same = {.items = plain, .n = val_is(v[2], VAL_UNDEFINED) || val_is(v[2], VAL_NONE) ? 2 : 3};
    TRY(run_attr(r, val_str(s), STR("replace"), &method));
    return run_call(r, method, &same, out);
}

/* Each line but the first is moved in by `width` blanks, or by a text. */
static Err filter_indent(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    int64_t width = 4;
    Str s, line, by = {NULL, 0};
    Buf text = {0}, blanks = {0};
    TRY(bind_args(r, name, args, "width first blank", 0, v));
    TRY(run_str(r, self, &s));
    if (val_is(v[0], VAL_STR))
        by = v[0].str;
    else
        TRY(bind_whole(r, name, v[0], &width));
    if (width > 1 << 10 || by.n > 1 << 10) return run_fail(r, ERR_LIMIT, "'indent' is too wide");
    TRY(run_spend(r, s.n));
    for (int64_t i = 0; !by.p && i < width; i++) buf_char(&blanks, ' ');
    if (!by.p) by = buf_str(&blanks);
    bool first = true;
    for (Str rest = s; str_line(&rest, &line); first = false) {
        if (!first) buf_char(&text, '\n');
        if (first ? val_truth(v[1]) : line.n || val_truth(v[2])) buf_add(&text, by);
        buf_add(&text, line);
    }
    if (first && val_truth(v[1])) buf_add(&text, by);
    if (str_ends(s, STR("\n"))) { /* the reference counts an empty line behind it */
        buf_char(&text, '\n');
        if (val_truth(v[2])) buf_add(&text, by);
    }
    buf_free(&blanks);
    return run_take(r, &text, out);
}

static Err json_style(const Render *r, Str name, const Val *v, Arena *a, JsonStyle *style) {
    int64_t indent = 0;
    *style = (JsonStyle){.ascii = val_truth(v[0]), .sort = val_truth(v[3]), .comma = STR(", "), .colon = STR(": ")};
    if (val_is(v[1], VAL_STR)) style->indent = v[1].str;
    if (val_is_whole(v[1])) {
        TRY(bind_whole(r, name, v[1], &indent));
        if (indent > 64) return run_fail(r, ERR_LIMIT, "'tojson' is indented too far");
        style->indent = arena_printf(a, "%*s", (int)(indent < 0 ? 0 : indent), "");
        if (!style->indent.p) return arena_error();
    }
    if (style->indent.p) style->comma = STR(",");
    if (!val_is(v[2], VAL_LIST)) return ERR_OK;
    const ValList *both = v[2].list;
    if (both->n != 2 || !val_is(both->items[0], VAL_STR) || !val_is(both->items[1], VAL_STR))
        return run_fail(r, ERR_INPUT, "'tojson' wants two separators");
    style->comma = both->items[0].str;
    style->colon = both->items[1].str;
    return ERR_OK;
}

static Err filter_tojson(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    JsonStyle style;
    Buf text = {0};
    TRY(bind_args(r, name, args, "ensure_ascii indent separators sort_keys", 0, v));
    TRY(json_style(r, name, v, r->arena, &style));
    Err err = text_json(r, &text, self, &style, 0);
    if (!err) return run_take(r, &text, out);
    buf_free(&text);
    return err;
}

/* ---- numbers ---- */

static Err filter_int(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    int64_t whole = 0;
    double real = 0;
    TRY(bind_args(r, name, args, "default base", 0, v));
    *out = val_is(v[0], VAL_UNDEFINED) ? val_int(0) : v[0];
    if (val_is(self, VAL_STR)) {
        Str s = text_trim(self.str, (Str){NULL, 0}, true, true);
        if (str_to_i64(s, &whole)) {
            *out = val_int(whole);
            return ERR_OK;
        }
        if (!str_to_f64(s, &real)) return ERR_OK;
    } else if (val_is_whole(self)) {
        *out = val_int(val_whole(self));
        return ERR_OK;
    } else if (!val_is(self, VAL_FLOAT)) {
        return ERR_OK;
    } else {
        real = self.real;
    }
    if (fabs(real) < 9.2e18) *out = val_int((int64_t)real); /* not for NaN */
    return ERR_OK;
}

static Err filter_float(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    double real = 0;
    TRY(bind_args(r, name, args, "default", 0, v));
    *out = val_is(v[0], VAL_UNDEFINED) ? val_float(0) : v[0];
    if (val_is_number(self)) *out = val_float(val_real(self));
    if (val_is(self, VAL_STR) && str_to_f64(text_trim(self.str, (Str){NULL, 0}, true, true), &real))
        *out = val_float(real);
    return ERR_OK;
}

static Err filter_abs(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    TRY(bind_args(r, name, args, "", 0, v));
    if (!val_is_number(self) || (val_is_whole(self) && val_whole(self) == INT64_MIN))
        return run_fail(r, ERR_INPUT, "%s has no absolute value", val_type(self));
    int64_t whole = val_is_whole(self) ? val_whole(self) : 0;
    *out = val_is_whole(self) ? val_int(whole < 0 ? -whole : whole) : val_float(fabs(self.real));
    return ERR_OK;
}

static Err filter_round(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    int64_t places = 0;
    Str how = STR("common");
    TRY(bind_args(r, name, args, "precision method", 0, v));
    TRY(bind_whole(r, name, v[0], &places));
    if (val_is(v[1], VAL_STR)) how = v[1].str;
    if (!val_is_number(self) || places < 0 || places > 15)
        return run_fail(r, ERR_INPUT, "%s cannot be rounded to %lld places", val_type(self), (long long)places);
    double scale = pow(10, (double)places), x = val_real(self) * scale;
    x = str_is(how, "ceil") ? ceil(x) : str_is(how, "floor") ? floor(x) : nearbyint(x);
    *out = val_float(x / scale);
    return ERR_OK;
}

/* ---- any value ---- */

static Err filter_default(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    TRY(bind_args(r, name, args, "default_value boolean", 0, v));
    bool missing = val_is(self, VAL_UNDEFINED) || (val_truth(v[1]) && !val_truth(self));
    *out = !missing ? self : args->n + args->n_named ? v[0] : val_str(STR(""));
    return ERR_OK;
}

static Err filter_attr(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str key = {NULL, 0};
    TRY(bind_args(r, name, args, "name", 1, v));
    TRY(bind_str(r, name, v[0], &key));
    if (method_known(self, key) || val_is(self, VAL_LOOP) || val_is(self, VAL_NAMESPACE))
        return run_attr(r, self, key, out);
    *out = val_undefined(key); /* entries are not attributes */
    return ERR_OK;
}

static const Filter filters[] = {
    {"upper", filter_case},      {"lower", filter_case},      {"title", filter_case},    {"capitalize", filter_case},
    {"trim", filter_trim},       {"string", filter_string},   {"safe", filter_string},   {"escape", filter_escape},
    {"e", filter_escape},        {"replace", filter_replace}, {"indent", filter_indent}, {"tojson", filter_tojson},
    {"int", filter_int},         {"float", filter_float},     {"abs", filter_abs},       {"round", filter_round},
    {"default", filter_default}, {"d", filter_default},       {"attr", filter_attr},
};

Err run_filter(Render *r, Str name, Val self, const Args *args, Val *out) {
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (str_is(name, filters[i].name)) return filters[i].fn(r, name, self, args, out);
    for (const Filter *f = filter_seq_table; f->name; f++)
        if (str_is(name, f->name)) return f->fn(r, name, self, args, out);
    return run_fail(r, ERR_UNSUPPORTED, "unknown filter '%.*s'", STR_FMT(str_upto(name, 64)));
}
