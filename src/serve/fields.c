/* fields.c - see fields.h. */
#include "serve/fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 4 }; /* of objects within tables */

static const Field *field_find(const Field *fields, Str name) {
    for (const Field *f = fields; f && f->name; f++)
        if (str_is(name, f->name) || (f->alias && str_is(name, f->alias))) return f;
    return NULL;
}

void fields_names(Buf *b, const Field *fields) {
    for (const Field *f = fields; f && f->name; f++) {
        if (f->flags & FIELD_IGNORED) continue;
        if (f != fields) buf_add_z(b, ", ");
        buf_add_z(b, f->name);
    }
}

static Err unknown(const Field *fields, const char *where, Str name) {
    Buf names = {0};
    fields_names(&names, fields);
    Err err =
        names.n ? err_set(ERR_USAGE, "unknown field '%s%.*s'; valid: %s", where, STR_FMT(str_upto(name, 200)),
                          names.p ? names.p : "")
                : err_set(ERR_USAGE, "unknown field '%s%.*s'; there is none here", where, STR_FMT(str_upto(name, 200)));
    buf_free(&names);
    return err;
}

/* ---- checking ---- */

static void type_names(Buf *b, int types) {
    static const struct {
        int type;
        const char *name;
    } names[] = {{FIELD_STR, "a string"},
                 {FIELD_STRS, "an array of strings"},
                 {FIELD_INT, "an integer"},
                 {FIELD_NUM, "a number"},
                 {FIELD_BOOL, "true or false"},
                 {FIELD_OBJECT | FIELD_ANY, "an object"},
                 {FIELD_OBJECTS, "an array of objects"},
                 {FIELD_NUMS, "an array of integers"},
                 {FIELD_NUMLISTS, "an array of arrays of integers"}};
    const char *before = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(types & names[i].type)) continue;
        buf_printf(b, "%s%s", before, names[i].name);
        before = " or ";
    }
}

static Err wrong_type(const Field *f, const char *where) {
    Buf b = {0};
    type_names(&b, f->types);
    Err err = err_set(ERR_USAGE, "'%s%s' must be %s", where, f->name, b.p ? b.p : "of another type");
    buf_free(&b);
    return err;
}

static bool choice_in(const char *values, Str s) {
    Str rest = str_of(values), one;
    while (str_cut(&rest, '|', &one))
        if (str_eq(one, s)) return true;
    return false;
}

static Err string_check(const Field *f, const char *where, const json_t *v) {
    Str s = str_make(json_string_value(v), json_string_length(v));
    size_t most = f->max_bytes ? f->max_bytes : FIELD_BYTES_MAX;
    if (s.n > most) return err_set(ERR_LIMIT, "'%s%s' has %zu bytes; at most %zu are taken", where, f->name, s.n, most);
    if (f->values && !choice_in(f->values, s))
        return err_set(ERR_USAGE, "'%s%s' cannot be '%.*s'; valid: %s", where, f->name, STR_FMT(str_upto(s, 100)),
                       f->values);
    if (s.n == 0 && !(f->flags & FIELD_BLANK_OK)) return err_set(ERR_USAGE, "'%s%s' is empty", where, f->name);
    /* "a\0b" would be "a" to whoever reads it as a path, a column or a message. */
    if (f->max_bytes && f->max_bytes <= FIELD_NAME_MAX && str_find_char(s, 0) >= 0)
        return err_set(ERR_USAGE, "'%s%s' has a NUL character", where, f->name);
    return ERR_OK;
}

static Err number_check(const Field *f, const char *where, const json_t *v) {
    double x = json_number_value(v);
    if (f->min == f->max || (x >= f->min && x <= f->max)) return ERR_OK;
    return err_set(ERR_USAGE, "'%s%s' cannot be %.17g; valid: %.17g to %.17g", where, f->name, x, f->min, f->max);
}

static bool all_of(const json_t *array, bool (*is)(const json_t *)) {
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!is(json_array_get(array, i))) return false;
    return true;
}
static bool is_string(const json_t *v) { return json_is_string(v); }
static bool is_integer(const json_t *v) { return json_is_integer(v); }
static bool is_object(const json_t *v) { return json_is_object(v); }
static bool is_integers(const json_t *v) { return json_is_array(v) && all_of(v, is_integer); }

/* An array of integers; where tells whose it is. */
static Err integers_check(const Field *f, const char *where, const json_t *v) {
    const size_t n = json_array_size(v);
    if (n == 0) return err_set(ERR_USAGE, "'%s' is empty", where);
    if (n > FIELD_NUMBERS_MAX)
        return err_set(ERR_LIMIT, "'%s' has %zu items; at most %zu are taken", where, n, FIELD_NUMBERS_MAX);
    for (size_t i = 0; i < n; i++) TRY(number_check(f, "", json_array_get(v, i)));
    return ERR_OK;
}

static Err lists_check(const Field *f, const char *where, const json_t *v) {
    for (size_t i = 0; i < json_array_size(v); i++) {
        char name[160];
        (void)snprintf(name, sizeof name, "%s%s[%zu]", where, f->name, i);
        TRY(integers_check(f, name, json_array_get(v, i)));
    }
    return ERR_OK;
}

static Err check_in(const Field *fields, const char *where, json_t *object, int depth);

static Err array_check(const Field *f, const char *where, json_t *v, int depth) {
    size_t n = json_array_size(v), most = f->max_items ? f->max_items : FIELD_ITEMS_MAX;
    if (n && (f->types & FIELD_NUMS) && all_of(v, is_integer)) return integers_check(f, f->name, v);
    if (n > most) return err_set(ERR_LIMIT, "'%s%s' has %zu items; at most %zu are taken", where, f->name, n, most);
    if (n == 0 && (f->flags & FIELD_REQUIRED)) return err_set(ERR_USAGE, "'%s%s' is empty", where, f->name);
    if ((f->types & FIELD_STRS) && all_of(v, is_string)) {
        for (size_t i = 0; i < n; i++) TRY(string_check(f, where, json_array_get(v, i)));
        return ERR_OK;
    }
    if ((f->types & FIELD_OBJECTS) && all_of(v, is_object)) {
        for (size_t i = 0; f->members && i < n; i++) {
            char name[160];
            (void)snprintf(name, sizeof name, "%s%s[%zu].", where, f->name, i);
            TRY(check_in(f->members, name, json_array_get(v, i), depth + 1));
        }
        return ERR_OK;
    }
    if ((f->types & FIELD_NUMLISTS) && all_of(v, is_integers)) return lists_check(f, where, v);
    return wrong_type(f, where);
}

static Err value_check(const Field *f, const char *where, json_t *v, int depth) {
    if (f->flags & FIELD_IGNORED) return ERR_OK;
    if (json_is_array(v)) return array_check(f, where, v, depth);
    if (json_is_string(v) && (f->types & (FIELD_STR))) return string_check(f, where, v);
    if (json_is_integer(v) && (f->types & (FIELD_INT | FIELD_NUM))) return number_check(f, where, v);
    if (json_is_real(v) && (f->types & FIELD_NUM)) return number_check(f, where, v);
    /* 10.0 is an integer to a writer that has only one kind of numbers. */
    if (json_is_real(v) && (f->types & FIELD_INT) && json_real_value(v) == floor(json_real_value(v)) &&
        fabs(json_real_value(v)) < 9007199254740992.0) /* 2^53: exact up to there */
        return number_check(f, where, v);
    if (json_is_boolean(v) && (f->types & FIELD_BOOL)) return ERR_OK;
    if (json_is_object(v) && (f->types & FIELD_OBJECT)) {
        char name[160];
        (void)snprintf(name, sizeof name, "%s%s.", where, f->name);
        return check_in(f->members, name, v, depth + 1);
    }
    if (json_is_object(v) && (f->types & FIELD_ANY)) return ERR_OK;
    return wrong_type(f, where);
}

/* Drops nulls and gives members their own names. */
static Err names_settle(const Field *fields, const char *where, json_t *object) {
    const char *key;
    json_t *v;
    void *next;
    json_object_foreach_safe(object, next, key, v) {
        const Field *f = field_find(fields, str_of(key));
        if (!f) return unknown(fields, where, str_of(key));
        if (json_is_null(v)) {
            (void)json_object_del(object, key);
        } else if (strcmp(key, f->name) != 0) {
            if (json_object_get(object, f->name))
                return err_set(ERR_USAGE, "'%s%s' and '%s%s' are two names of one field", where, f->name, where, key);
            if (json_object_set(object, f->name, v) || json_object_del(object, key))
                return err_set(ERR_NOMEM, "out of memory for a request");
        }
    }
    return ERR_OK;
}

static Err check_in(const Field *fields, const char *where, json_t *object, int depth) {
    if (depth > DEPTH_MAX) return err_set(ERR_LIMIT, "'%s' is nested too deep", where);
    TRY(names_settle(fields, where, object));
    for (const Field *f = fields; f && f->name; f++) {
        json_t *v = json_object_get(object, f->name);
        if (v) TRY(value_check(f, where, v, depth));
        if (!v && (f->flags & FIELD_REQUIRED)) return err_set(ERR_USAGE, "'%s%s' is missing", where, f->name);
    }
    return ERR_OK;
}

Err fields_check(const Field *fields, json_t *object) {
    if (!json_is_object(object)) return err_set(ERR_USAGE, "the request must be a JSON object");
    return check_in(fields, "", object, 0);
}

/* ---- from a URL ---- */

static json_t *value_of_text(const Field *f, Str text) {
    int64_t i = 0;
    double d = 0;
    if ((f->types & FIELD_INT) && str_to_i64(text, &i)) return json_integer(i);
    if ((f->types & FIELD_NUM) && str_to_f64(text, &d)) return json_real(d);
    if (f->types & FIELD_BOOL) {
        if (str_is(text, "true") || str_is(text, "1")) return json_true();
        if (str_is(text, "false") || str_is(text, "0")) return json_false();
    }
    if (f->types & (FIELD_STR | FIELD_STRS)) return json_stringn(text.p ? text.p : "", text.n);
    return NULL;
}

Err fields_set(const Field *fields, json_t *object, Str name, Str text) {
    const Field *f = field_find(fields, name);
    if (!f) return unknown(fields, "", name);
    json_t *before = json_object_get(object, f->name), *v = value_of_text(f, text);
    if (!v && (f->types & (FIELD_STR | FIELD_STRS))) return err_set(ERR_USAGE, "'%s' is not UTF-8", f->name);
    if (!v) return wrong_type(f, "");
    if (before && json_is_array(before)) {
        if (json_array_append_new(before, v)) return err_set(ERR_NOMEM, "out of memory for a request");
        return ERR_OK;
    }
    if (before) {
        json_decref(v);
        return err_set(ERR_USAGE, "'%s' is given twice", f->name);
    }
    if ((f->types & FIELD_STRS) && !(f->types & FIELD_STR)) {
        json_t *list = json_array();
        if (!list || json_array_append_new(list, v)) {
            json_decref(list);
            return err_set(ERR_NOMEM, "out of memory for a request");
        }
        v = list;
    }
    return json_object_set_new(object, f->name, v) ? err_set(ERR_NOMEM, "out of memory for a request") : ERR_OK;
}

/* ---- describing ---- */

static void bounds_schema(JsonOut *j, const Field *f) {
    if (f->min == f->max) return;
    jout_kv_f64(j, "minimum", f->min);
    jout_kv_f64(j, "maximum", f->max);
}

/* The array of a reply's numbers, or of a request's integers. */
static void numbers_schema(JsonOut *j, const Field *f, bool request) {
    jout_kv_z(j, "type", "array");
    if (request) jout_kv_i64(j, "minItems", 1);
    jout_key(j, "items");
    jout_begin(j, '{');
    jout_kv_z(j, "type", request ? "integer" : "number");
    if (request) bounds_schema(j, f);
    jout_end(j, '}');
}

static void number_lists_schema(JsonOut *j, const Field *f, bool request) {
    jout_kv_z(j, "type", "array");
    if (request) jout_kv_i64(j, "minItems", 1);
    if (request && f->max_items) jout_kv_i64(j, "maxItems", (int64_t)f->max_items);
    jout_key(j, "items");
    jout_begin(j, '{');
    numbers_schema(j, f, request);
    jout_end(j, '}');
}

static void string_schema(JsonOut *j, const Field *f) {
    jout_kv_z(j, "type", "string");
    if (f->values) {
        Str rest = str_of(f->values), one;
        jout_key(j, "enum");
        jout_begin(j, '[');
        while (str_cut(&rest, '|', &one)) jout_str(j, one);
        jout_end(j, ']');
    } else if (!(f->flags & FIELD_BLANK_OK)) {
        jout_kv_i64(j, "minLength", 1);
    }
}

static void strings_schema(JsonOut *j, const Field *f) {
    jout_kv_z(j, "type", "array");
    if ((f->flags & FIELD_REQUIRED) && f->help) jout_kv_i64(j, "minItems", 1);
    if (f->max_items) jout_kv_i64(j, "maxItems", (int64_t)f->max_items);
    jout_key(j, "items");
    jout_begin(j, '{');
    string_schema(j, f);
    jout_end(j, '}');
}

static void type_schema(JsonOut *j, const Field *field, int type, int which, bool closed) {
    Field lean = *field;
    if (which == FIELD_TOOL) { /* every word of a tool's schema costs the agent's context */
        lean.flags |= FIELD_BLANK_OK;
        lean.max_items = 0;
    }
    const Field *f = &lean;
    if (type == FIELD_STR) {
        string_schema(j, f);
    } else if (type == FIELD_STRS) {
        strings_schema(j, f);
    } else if (type == FIELD_INT || type == FIELD_NUM) {
        jout_kv_z(j, "type", type == FIELD_INT ? "integer" : "number");
        bounds_schema(j, f);
    } else if (type == FIELD_BOOL) {
        jout_kv_z(j, "type", "boolean");
    } else if (type == FIELD_NUMS) {
        numbers_schema(j, f, closed);
    } else if (type == FIELD_NUMLISTS) {
        number_lists_schema(j, f, closed);
    } else if (type == FIELD_ANY) {
        jout_kv_z(j, "type", "object");
    } else if (type == FIELD_NULL) {
        jout_kv_z(j, "type", "null");
    } else if (type == FIELD_OBJECT) {
        jout_kv_z(j, "type", "object");
        fields_schema(j, f->members, which, closed);
    } else if (type == FIELD_OBJECTS) {
        jout_kv_z(j, "type", "array");
        if ((f->flags & FIELD_REQUIRED) && f->help) jout_kv_i64(j, "minItems", 1);
        jout_key(j, "items");
        jout_begin(j, '{');
        jout_kv_z(j, "type", "object");
        fields_schema(j, f->members, which, closed);
        jout_end(j, '}');
    }
}

/* One type stands plainly; several as anyOf, but agents get the first alone: some of their clients refuse unions. */
static void field_schema(JsonOut *j, const Field *f, int which, bool closed) {
    jout_begin(j, '{');
    int types = f->types, first = types & -types;
    if (closed && !(f->flags & FIELD_REQUIRED)) types |= FIELD_NULL; /* in a request null is as good as missing */
    if (first == types || which == FIELD_TOOL) {
        int type = which == FIELD_TOOL && (f->types & FIELD_STRS) ? FIELD_STRS : first;
        type_schema(j, f, type, which, closed);
    } else {
        jout_key(j, "anyOf");
        jout_begin(j, '[');
        for (int type = 1; type <= FIELD_NULL; type <<= 1) {
            if (!(types & type)) continue;
            jout_begin(j, '{');
            type_schema(j, f, type, which, closed);
            jout_end(j, '}');
        }
        jout_end(j, ']');
    }
    if (f->help) jout_kv_z(j, "description", f->help);
    if (f->standard) {
        jout_key(j, "default");
        jout_raw(j, str_of(f->standard));
    }
    jout_end(j, '}');
}

void fields_schema(JsonOut *j, const Field *fields, int which, bool closed) {
    jout_key(j, "properties");
    jout_begin(j, '{');
    for (const Field *f = fields; f && f->name; f++) {
        if (which && !(f->flags & which)) continue;
        jout_key(j, f->name);
        field_schema(j, f, which, closed);
    }
    jout_end(j, '}');
    bool any = false;
    for (const Field *f = fields; f && f->name; f++) any |= (f->flags & FIELD_REQUIRED) && (!which || f->flags & which);
    if (any) {
        jout_key(j, "required");
        jout_begin(j, '[');
        for (const Field *f = fields; f->name; f++)
            if ((f->flags & FIELD_REQUIRED) && (!which || f->flags & which)) jout_str(j, str_of(f->name));
        jout_end(j, ']');
    }
    if (closed) jout_kv_bool(j, "additionalProperties", false);
}

/* ---- reading ---- */

Str field_str(const json_t *object, const char *name, const char *otherwise) {
    const json_t *v = json_object_get(object, name);
    return json_is_string(v) ? str_make(json_string_value(v), json_string_length(v)) : str_of(otherwise);
}

int64_t field_i64(const json_t *object, const char *name, int64_t otherwise) {
    const json_t *v = json_object_get(object, name);
    if (json_is_integer(v)) return json_integer_value(v);
    return json_is_real(v) ? (int64_t)json_real_value(v) : otherwise;
}

double field_f64(const json_t *object, const char *name, double otherwise) {
    const json_t *v = json_object_get(object, name);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

bool field_bool(const json_t *object, const char *name, bool otherwise) {
    const json_t *v = json_object_get(object, name);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

Err field_strs(Arena *a, const json_t *object, const char *name, const Str **out, size_t *n) {
    const json_t *v = json_object_get(object, name);
    *out = NULL;
    *n = json_is_array(v) ? json_array_size(v) : json_is_string(v) ? 1 : 0;
    if (*n == 0) return ERR_OK;
    Str *list = arena_array(a, Str, *n);
    if (!list) return arena_error();
    for (size_t i = 0; i < *n; i++) {
        const json_t *s = json_is_array(v) ? json_array_get(v, i) : v;
        list[i] = str_make(json_string_value(s), json_string_length(s));
    }
    *out = list;
    return ERR_OK;
}
