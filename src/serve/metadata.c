/* metadata.c - see metadata.h. */
#include "serve/metadata.h"

#include "base/meta.h"

enum { FILTERS_MAX = 64 };

/* ---- replies ---- */

/* Of one name all values. */
static void value_write(JsonOut *j, Str meta, Str name) {
    Buf all = {0};
    for (Str n, v; meta_next(&meta, &n, &v);) {
        if (!str_eq(n, name)) continue;
        if (all.n) buf_add_z(&all, "; ");
        buf_add(&all, v);
    }
    jout_str(j, buf_str(&all));
    buf_free(&all);
}

static bool is_named_before(Str meta, Str name) {
    for (Str n, v; meta_next(&meta, &n, &v) && n.p != name.p;)
        if (str_eq(n, name)) return true;
    return false;
}

void jout_kv_about(JsonOut *j, Str title, Str meta) {
    char key[META_NAME_MAX + 1];
    if (title.n) jout_kv_str(j, "title", title);
    if (!meta.n) return;
    jout_key(j, "metadata");
    jout_begin(j, '{');
    for (Str rest = meta, name, value; meta_next(&rest, &name, &value);) {
        if (name.n > META_NAME_MAX || is_named_before(meta, name)) continue;
        memcpy(key, name.p, name.n);
        key[name.n] = 0;
        jout_key(j, key);
        value_write(j, meta, name);
    }
    jout_end(j, '}');
}

/* ---- requests ---- */

/* A value as text; {NULL,0}: it is none that can be one. ERR_NOMEM. */
static Err value_text(Arena *a, const json_t *v, Str *out) {
    *out = (Str){NULL, 0};
    if (json_is_string(v))
        *out = str_make(json_string_value(v), json_string_length(v));
    else if (json_is_boolean(v))
        *out = json_is_true(v) ? STR("true") : STR("false");
    else if (json_is_integer(v))
        *out = arena_printf(a, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        *out = arena_printf(a, "%.15g", json_real_value(v));
    else
        return ERR_OK;
    return out->p ? ERR_OK : arena_error();
}

typedef Err (*ValueSink)(void *ctx, Str name, Str value);

/* Every value of the object, those of arrays one by one. */
static Err values_each(Arena *a, const json_t *object, const char *where, ValueSink sink, void *ctx) {
    const char *key;
    json_t *given;
    json_object_foreach((json_t *)(uintptr_t)object, key, given) {
        const size_t n = json_is_array(given) ? json_array_size(given) : 1;
        for (size_t i = 0; i < n; i++) {
            Str text;
            TRY(value_text(a, json_is_array(given) ? json_array_get(given, i) : given, &text));
            if (!text.p)
                return err_set(ERR_USAGE, "'%s.%.200s' must be a text, a number, true or false, or an array of them",
                               where, key);
            TRY(sink(ctx, str_of(key), text));
        }
    }
    return ERR_OK;
}

static Err line_add(void *ctx, Str name, Str value) {
    Buf *lines = ctx;
    const size_t before = lines->n;
    if (!meta_add(lines, name, value))
        return err_set(ERR_USAGE,
                       "'metadata.%.*s' is '%.*s', which is no date; valid: 2026, 2026-11-21, 2026-11-21T04:45Z",
                       STR_FMT(str_upto(name, 100)), STR_FMT(str_upto(value, 100)));
    size_t n = 0;
    for (Str rest = buf_str(lines), a, b; meta_next(&rest, &a, &b);) n++;
    if (n == META_LINES_MAX && lines->n == before)
        return err_set(ERR_LIMIT, "'metadata' has more than %d values", META_LINES_MAX);
    return ERR_OK;
}

Err metadata_lines(Arena *a, const json_t *object, Str *out) {
    Buf lines = {0};
    Err err = values_each(a, object, "metadata", line_add, &lines);
    if (!err) err = buf_ok(&lines);
    if (!err) *out = arena_str(a, buf_str(&lines));
    if (!err && !out->p) err = arena_error();
    buf_free(&lines);
    return err;
}

typedef struct {
    Arena *a;
    const char *where;
    Str *list; /* [FILTERS_MAX] */
    size_t n;
} Filters;

static Err filter_add(void *ctx, Str name, Str value) {
    Filters *f = ctx;
    if (f->n == FILTERS_MAX) return err_set(ERR_USAGE, "'%s' has more than %d values", f->where, FILTERS_MAX);
    if (str_trim(value).n == 0 || str_find_char(name, '=') >= 0)
        return err_set(ERR_USAGE, "'%s.%.*s' must name something and not be blank", f->where,
                       STR_FMT(str_upto(name, 100)));
    f->list[f->n] = arena_printf(f->a, "%.*s=%.*s", STR_FMT(name), STR_FMT(value));
    return f->list[f->n++].p ? ERR_OK : arena_error();
}

Err metadata_filter(Arena *a, const json_t *object, const char *where, const Str **out, size_t *n) {
    Filters f = {.a = a, .where = where};
    *out = NULL;
    *n = 0;
    if (!object) return ERR_OK;
    f.list = arena_array(a, Str, FILTERS_MAX);
    if (!f.list) return arena_error();
    TRY(values_each(a, object, where, filter_add, &f));
    *out = f.list;
    *n = f.n;
    return ERR_OK;
}
