/* template_val.c - values compared, counted, looked up, and read from JSON. */
#include "model/template_val.h"

#include <math.h>

#include "base/utf8.h"
#include "model/template.h"

const char *val_type(Val v) {
    static const char *const names[] = {"undefined", "none",      "bool", "int",   "float",    "str",   "list",
                                        "dict",      "namespace", "loop", "macro", "function", "method"};
    if (v.kind == VAL_LIST && v.list->kind == LIST_TUPLE) return "tuple";
    return names[v.kind];
}

bool val_truth(Val v) {
    switch (v.kind) {
    case VAL_UNDEFINED:
    case VAL_NONE:
        return false;
    case VAL_BOOL:
        return v.boolean;
    case VAL_INT:
        return v.integer != 0;
    case VAL_FLOAT:
        return v.real != 0;
    case VAL_STR:
        return v.str.n > 0;
    case VAL_LIST:
        return v.list->n > 0 || v.list->kind == LIST_LAZY;
    case VAL_DICT:
        return v.dict->n > 0;
    default:
        return true;
    }
}

static bool list_equal(const ValList *a, const ValList *b, unsigned depth, size_t *cost) {
    if (a->n != b->n || a->kind != b->kind || depth == 0) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!val_equal(a->items[i], b->items[i], depth - 1, cost)) return false;
    return true;
}

static bool dict_equal(const ValDict *a, const ValDict *b, unsigned depth, size_t *cost) {
    if (a->n != b->n || depth == 0) return false;
    for (size_t i = 0; i < a->n; i++) {
        const Val *other = val_dict_get(b, a->pairs[i].key, cost);
        if (!other || !val_equal(a->pairs[i].value, *other, depth - 1, cost)) return false;
    }
    return true;
}

bool val_equal(Val a, Val b, unsigned depth, size_t *cost) {
    ++*cost;
    if (val_is_whole(a) && val_is_whole(b)) return val_whole(a) == val_whole(b);
    if (val_is_number(a) && val_is_number(b)) return val_real(a) == val_real(b);
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case VAL_UNDEFINED:
    case VAL_NONE:
        return true;
    case VAL_STR:
        if (a.str.n == b.str.n) *cost += a.str.n / 16;
        return str_eq(a.str, b.str);
    case VAL_FUNCTION:
        return str_eq(a.str, b.str);
    case VAL_LIST:
        return a.list == b.list || list_equal(a.list, b.list, depth, cost);
    case VAL_DICT:
        return a.dict == b.dict || dict_equal(a.dict, b.dict, depth, cost);
    default: /* the same thing or not: all other kinds are pointers */
        return a.dict == b.dict;
    }
}

ValList *val_list_new(Arena *a, size_t n, ListKind kind) {
    ValList *list = arena_new(a, ValList);
    if (!list) return NULL;
    *list = (ValList){arena_array(a, Val, n), n, kind};
    return list->items ? list : NULL;
}

ValDict *val_dict_new(Arena *a) { return arena_new(a, ValDict); }

Val *val_dict_get(const ValDict *d, Val key, size_t *cost) {
    for (size_t i = 0; i < d->n; i++)
        if (val_equal(d->pairs[i].key, key, 1, cost)) return &d->pairs[i].value;
    return NULL;
}

Err val_dict_put(Arena *a, ValDict *d, Val key, Val value) {
    size_t cost = 0;
    Val *old = val_dict_get(d, key, &cost);
    if (old) {
        *old = value;
        return ERR_OK;
    }
    if (d->n == d->capacity) {
        size_t capacity = d->capacity ? d->capacity * 2 : 4;
        ValPair *pairs = arena_array(a, ValPair, capacity);
        if (!pairs) return arena_error();
        if (d->n) memcpy(pairs, d->pairs, d->n * sizeof *pairs);
        d->pairs = pairs;
        d->capacity = capacity;
    }
    d->pairs[d->n++] = (ValPair){key, value};
    return ERR_OK;
}

size_t val_chars(Str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((uint8_t)s.p[i] & 0xC0) != 0x80;
    return n;
}

size_t val_char_at(Str s, size_t i) {
    size_t at = 0;
    for (; at < s.n; at++)
        if (((uint8_t)s.p[at] & 0xC0) != 0x80 && i-- == 0) break;
    return at;
}

static Err list_from_json(Arena *a, const json_t *j, unsigned depth, Val *out) {
    ValList *list = val_list_new(a, json_array_size(j), LIST_PLAIN);
    if (!list) return arena_error();
    for (size_t i = 0; i < list->n; i++) TRY(val_from_json(a, json_array_get(j, i), depth + 1, &list->items[i]));
    *out = val_list(list);
    return ERR_OK;
}

/* Keys of an object differ already. */
static Err dict_from_json(Arena *a, const json_t *j, unsigned depth, Val *out) {
    ValDict *dict = val_dict_new(a);
    size_t n = json_object_size(j);
    if (!dict) return arena_error();
    *dict = (ValDict){arena_array(a, ValPair, n), 0, n};
    if (!dict->pairs) return arena_error();
    json_t *object = json_incref((json_t *)(uintptr_t)j); /* jansson iterates over what is not const */
    Err err = ERR_OK;
    for (void *it = json_object_iter(object); it && !err; it = json_object_iter_next(object, it)) {
        ValPair *pair = &dict->pairs[dict->n++];
        pair->key = val_str(str_of(json_object_iter_key(it)));
        err = val_from_json(a, json_object_iter_value(it), depth + 1, &pair->value);
    }
    json_decref(object);
    *out = val_dict(dict);
    return err;
}

Err val_from_json(Arena *a, const json_t *j, unsigned depth, Val *out) {
    if (depth > TEMPLATE_DEPTH_MAX)
        return err_set(ERR_LIMIT, "messages are nested more than %d deep", TEMPLATE_DEPTH_MAX);
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return dict_from_json(a, j, depth, out);
    case JSON_ARRAY:
        return list_from_json(a, j, depth, out);
    case JSON_STRING:
        *out = val_str(str_make(json_string_value(j), json_string_length(j)));
        return ERR_OK;
    case JSON_INTEGER:
        *out = val_int(json_integer_value(j));
        return ERR_OK;
    case JSON_REAL:
        *out = val_float(json_real_value(j));
        return ERR_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = val_bool(json_is_true(j));
        return ERR_OK;
    default:
        *out = val_none();
        return ERR_OK;
    }
}
