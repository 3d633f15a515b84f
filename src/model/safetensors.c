/* safetensors.c - the checks that make a safetensors file safe to read (format: safetensors.h). */
#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/map.h"

struct Safetensors {
    Arena arena;
    FileMap file; /* {0} when opened from bytes */
    Str bytes, data;
    const char *name;
    SafeTensor *tensors; /* [n] sorted by place */
    size_t n;
    Map by_name;
};

static const struct {
    const char *name;
    uint64_t bytes;
} safe_types[SAFE_TYPE_COUNT] = {
#define SAFE_TYPE_ROW(name, bytes) {#name, bytes},
    SAFE_TYPE_LIST(SAFE_TYPE_ROW)
#undef SAFE_TYPE_ROW
};

const char *safe_type_name(SafeType type) { return safe_types[type].name; }

static Err bad_tensor(const Safetensors *s, const SafeTensor *t, Err code, const char *what) {
    return err_set(code, "'%s': tensor '%.*s' %s", s->name, STR_FMT(t->name), what);
}

static Err type_read(const Safetensors *s, SafeTensor *t, const json_t *value) {
    const json_t *dtype = json_object_get(value, "dtype");
    if (!json_is_string(dtype)) return bad_tensor(s, t, ERR_CORRUPT, "has no dtype");
    Str name = str_make(json_string_value(dtype), json_string_length(dtype));
    for (int i = 0; i < SAFE_TYPE_COUNT; i++)
        if (str_is(name, safe_types[i].name)) {
            t->type = (SafeType)i;
            return ERR_OK;
        }
    return err_set(ERR_UNSUPPORTED, "'%s': tensor '%.*s' has the unknown dtype '%.*s'", s->name, STR_FMT(t->name),
                   STR_FMT(name));
}

static Err shape_read(const Safetensors *s, SafeTensor *t, const json_t *value) {
    const json_t *shape = json_object_get(value, "shape");
    if (!json_is_array(shape)) return bad_tensor(s, t, ERR_CORRUPT, "has no shape");
    size_t n = json_array_size(shape);
    if (n > SAFE_DIMS_MAX)
        return err_set(ERR_LIMIT, "'%s': tensor '%.*s' has %zu dimensions; the limit is %d", s->name, STR_FMT(t->name),
                       n, SAFE_DIMS_MAX);
    t->n_dims = (uint32_t)n;
    t->items = 1;
    for (size_t i = 0; i < SAFE_DIMS_MAX; i++) {
        t->shape[i] = 1;
        if (i >= n) continue;
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return bad_tensor(s, t, ERR_CORRUPT, "has a dimension that is no count");
        t->shape[i] = (uint64_t)json_integer_value(dim);
        if (__builtin_mul_overflow(t->items, t->shape[i], &t->items))
            return bad_tensor(s, t, ERR_CORRUPT, "has a shape that overflows");
    }
    return ERR_OK;
}

static Err offsets_read(const Safetensors *s, SafeTensor *t, const json_t *value) {
    const json_t *offsets = json_object_get(value, "data_offsets");
    const json_t *b = json_array_get(offsets, 0), *e = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(b) || !json_is_integer(e))
        return bad_tensor(s, t, ERR_CORRUPT, "has no data_offsets");
    int64_t begin = json_integer_value(b), end = json_integer_value(e);
    if (begin < 0 || end < begin || (uint64_t)end > s->data.n)
        return err_set(ERR_CORRUPT, "'%s': tensor '%.*s' lies at bytes %lld to %lld of %zu", s->name, STR_FMT(t->name),
                       (long long)begin, (long long)end, s->data.n);
    uint64_t need = 0;
    if (__builtin_mul_overflow(t->items, safe_types[t->type].bytes, &need) || need != (uint64_t)(end - begin))
        return err_set(ERR_CORRUPT, "'%s': tensor '%.*s' has %lld bytes; its shape and dtype ask for %llu", s->name,
                       STR_FMT(t->name), (long long)(end - begin), (unsigned long long)need);
    t->data = str_make(s->data.p + begin, (size_t)need);
    return ERR_OK;
}

static int by_place(const void *a, const void *b) {
    const SafeTensor *x = a, *y = b;
    if (x->data.p != y->data.p) return x->data.p < y->data.p ? -1 : 1;
    /* Empty tensors before the one that begins where they stand. */
    if (x->data.n != y->data.n) return x->data.n < y->data.n ? -1 : 1;
    return str_cmp(x->name, y->name);
}

/* The tensors, sorted, cover the data: no byte twice, none left over (a place to hide things in). */
static Err places_check(const Safetensors *s) {
    size_t at = 0;
    for (size_t i = 0; i < s->n; i++) {
        const SafeTensor *t = &s->tensors[i];
        size_t begin = (size_t)(t->data.p - s->data.p);
        if (begin != at)
            return err_set(ERR_CORRUPT, "'%s': tensor '%.*s' begins at byte %zu of the data, expected %zu", s->name,
                           STR_FMT(t->name), begin, at);
        at += t->data.n;
    }
    if (at != s->data.n)
        return err_set(ERR_CORRUPT, "'%s': %zu bytes of data belong to no tensor", s->name, s->data.n - at);
    return ERR_OK;
}

static Err tensors_read(Safetensors *s, json_t *header) {
    size_t n = json_object_size(header);
    if (n > SAFE_TENSORS_MAX)
        return err_set(ERR_LIMIT, "'%s' has %zu tensors; the limit is %d", s->name, n, SAFE_TENSORS_MAX);
    s->tensors = arena_array(&s->arena, SafeTensor, n);
    if (!s->tensors) return arena_error();
    const char *key;
    json_t *value;
    json_object_foreach(header, key, value) {
        if (strcmp(key, "__metadata__") == 0) continue;
        SafeTensor *t = &s->tensors[s->n];
        t->name = arena_str(&s->arena, str_of(key));
        if (!t->name.p) return arena_error();
        if (!json_is_object(value)) return bad_tensor(s, t, ERR_CORRUPT, "is not described by an object");
        TRY(type_read(s, t, value));
        TRY(shape_read(s, t, value));
        TRY(offsets_read(s, t, value));
        s->n++;
    }
    qsort(s->tensors, s->n, sizeof *s->tensors, by_place);
    TRY(places_check(s));
    for (size_t i = 0; i < s->n; i++) TRY(map_put(&s->by_name, s->tensors[i].name, i));
    return ERR_OK;
}

static Err header_read(Safetensors *s) {
    Str bytes = s->bytes;
    if (bytes.n < 8) return err_set(ERR_CORRUPT, "'%s' has %zu bytes: no safetensors file", s->name, bytes.n);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | (uint8_t)bytes.p[i];
    if (length > bytes.n - 8)
        return err_set(ERR_CORRUPT, "'%s': the header of %llu bytes leaves the file of %zu", s->name,
                       (unsigned long long)length, bytes.n);
    if (length > SAFE_HEADER_MAX)
        return err_set(ERR_LIMIT, "'%s': the header has %llu bytes; the limit is %d", s->name,
                       (unsigned long long)length, SAFE_HEADER_MAX);
    s->data = str_from(bytes, 8 + (size_t)length);
    json_t *header = NULL;
    Err err = json_read(str_make(bytes.p + 8, (size_t)length), s->name, &header);
    if (!err && !json_is_object(header)) err = err_set(ERR_CORRUPT, "'%s': the header is no JSON object", s->name);
    if (!err) err = tensors_read(s, header);
    json_decref(header);
    return err == ERR_INPUT ? ERR_CORRUPT : err; /* json.h cannot know that this is a damaged file */
}

static Err open_named(Safetensors **out, const char *path, Str bytes, bool map) {
    *out = NULL;
    Safetensors *s = calloc(1, sizeof *s);
    if (!s) return err_set(ERR_NOMEM, "out of memory for '%s'", path);
    Err err = ERR_OK;
    s->name = arena_cstr(&s->arena, str_of(path));
    if (!s->name) err = arena_error();
    if (!err && map) err = file_map(path, &s->file);
    s->bytes = map ? s->file.bytes : bytes;
    if (!err) err = header_read(s);
    if (err) {
        safetensors_close(s);
        return err;
    }
    *out = s;
    return ERR_OK;
}

Err safetensors_open_path(Safetensors **out, const char *path) { return open_named(out, path, (Str){0}, true); }
Err safetensors_open_bytes(Safetensors **out, Str bytes, const char *name) {
    return open_named(out, name, bytes, false);
}

void safetensors_close(Safetensors *s) {
    if (!s) return;
    map_free(&s->by_name);
    file_unmap(&s->file);
    arena_free(&s->arena);
    free(s);
}

const char *safetensors_name(const Safetensors *s) { return s->name; }
size_t safetensors_count(const Safetensors *s) { return s->n; }
const SafeTensor *safetensors_at(const Safetensors *s, size_t i) { return &s->tensors[i]; }

const SafeTensor *safetensors_find(const Safetensors *s, const char *name) {
    const uint64_t *at = map_get(&s->by_name, str_of(name));
    return at ? &s->tensors[*at] : NULL;
}
