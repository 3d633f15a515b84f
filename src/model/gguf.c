/* gguf.c - reading GGUF: one walk over the metadata that checks everything, then getters that cannot go wrong.
 *
 * The walk is a cursor over the mapped bytes. Every read asks first whether that much is left (n > left, never
 * at + n > size, which could wrap); counts are compared with the named limits and with what the bytes left could hold
 * at best, so that a file of 30 bytes that claims 2^60 keys costs nothing. Hash maps of keys and names are seeded from
 * the clock: a file cannot be built to make them slow.
 *
 * Memory: keys and tensors in the Gguf's arena (some 80 bytes each), all strings borrowed from the map. String arrays
 * are walked once for checking and once more by gguf_get_strs: 0.15 ms for 30,522 words, cheaper than keeping an index
 * of arrays that nobody may want.
 */
#include "model/gguf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/sys.h"

enum { GGUF_HEADER_BYTES = 24, GGUF_KEY_BYTES_MIN = 8 + 4 + 1, GGUF_TENSOR_BYTES_MIN = 8 + 1 + 4 + 8 + 4 + 8 };

struct Gguf {
    Arena arena;
    FileMap map; /* {0} when the bytes are the caller's */
    Str bytes;
    const char *name;
    uint32_t version;
    uint64_t alignment;
    uint64_t data_at; /* first byte of tensor data */
    GgufKey *keys;    /* [n_keys] */
    size_t n_keys;
    GgufTensor *tensors; /* [n_tensors] */
    size_t n_tensors;
    Map key_map, tensor_map; /* name -> position above */
};

typedef struct {
    const Gguf *g;
    uint64_t at; /* <= g->bytes.n */
} Cursor;

static const char *const type_names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                         "bool", "string", "array", "u64", "i64", "f64"};
static const uint8_t type_bytes[] = {
#define GGUF_TYPE_BYTES(name, number, bytes) [number] = (bytes),
    GGUF_TYPE_LIST(GGUF_TYPE_BYTES)
#undef GGUF_TYPE_BYTES
};
enum { TYPE_COUNT = sizeof type_bytes };
_Static_assert(sizeof type_names / sizeof *type_names == TYPE_COUNT, "a name for each type");

const char *gguf_type_name(GgufType type) { return (unsigned)type < TYPE_COUNT ? type_names[type] : "unknown"; }
size_t gguf_type_bytes(GgufType type) { return (unsigned)type < TYPE_COUNT ? type_bytes[type] : 0; }

/* ---- the cursor ---- */

static uint64_t cursor_left(const Cursor *c) { return c->g->bytes.n - c->at; }

static Err cursor_take(Cursor *c, uint64_t n, const char *what, Str *out) {
    if (n > cursor_left(c))
        return err_set(ERR_CORRUPT,
                       "model '%s' ends inside %s at byte %" PRIu64 ": %" PRIu64 " bytes wanted, %" PRIu64 " left",
                       c->g->name, what, c->at, n, cursor_left(c));
    *out = str_make(c->g->bytes.p + c->at, (size_t)n);
    c->at += n;
    return ERR_OK;
}

static uint64_t load_u64(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | b[i];
    return v;
}

static uint32_t load_u32(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static Err cursor_u32(Cursor *c, const char *what, uint32_t *out) {
    Str s = {"", 0};
    TRY(cursor_take(c, 4, what, &s));
    *out = load_u32(s.p);
    return ERR_OK;
}

static Err cursor_u64(Cursor *c, const char *what, uint64_t *out) {
    Str s = {"", 0};
    TRY(cursor_take(c, 8, what, &s));
    *out = load_u64(s.p);
    return ERR_OK;
}

static Err cursor_str(Cursor *c, uint64_t max, const char *what, Str *out) {
    uint64_t at = c->at, n = 0;
    TRY(cursor_u64(c, what, &n));
    if (n > cursor_left(c))
        return err_set(ERR_CORRUPT,
                       "model '%s': %s at byte %" PRIu64 " claims %" PRIu64 " bytes, the file has %" PRIu64 " left",
                       c->g->name, what, at, n, cursor_left(c));
    if (n > max)
        return err_set(ERR_LIMIT, "model '%s': %s at byte %" PRIu64 " has %" PRIu64 " bytes, the limit is %" PRIu64,
                       c->g->name, what, at, n, max);
    return cursor_take(c, n, what, out);
}

/* ---- the walk ---- */

static Err read_header(Cursor *c, uint64_t *n_tensors, uint64_t *n_keys) {
    Gguf *g = (Gguf *)(uintptr_t)c->g;
    Str magic = {"", 0};
    if (g->bytes.n < 4 || memcmp(g->bytes.p, "GGUF", 4) != 0)
        return err_set(ERR_CORRUPT, "'%s' is not a GGUF file: byte 0 does not begin with \"GGUF\"", g->name);
    TRY(cursor_take(c, 4, "the header", &magic));
    TRY(cursor_u32(c, "the header", &g->version));
    if ((g->version & 0xFFFF) == 0 && g->version)
        return err_set(ERR_UNSUPPORTED, "model '%s' is a big-endian GGUF file; only little-endian ones can be read",
                       g->name);
    if (g->version != 2 && g->version != 3)
        return err_set(ERR_UNSUPPORTED, "model '%s' is GGUF version %" PRIu32 "; versions 2 and 3 can be read", g->name,
                       g->version);
    TRY(cursor_u64(c, "the header", n_tensors));
    TRY(cursor_u64(c, "the header", n_keys));
    if (*n_tensors > cursor_left(c) / GGUF_TENSOR_BYTES_MIN)
        return err_set(ERR_CORRUPT, "model '%s' claims %" PRIu64 " tensors at byte 8, its %zu bytes cannot hold them",
                       g->name, *n_tensors, g->bytes.n);
    if (*n_keys > cursor_left(c) / GGUF_KEY_BYTES_MIN)
        return err_set(ERR_CORRUPT, "model '%s' claims %" PRIu64 " keys at byte 16, its %zu bytes cannot hold them",
                       g->name, *n_keys, g->bytes.n);
    if (*n_tensors > GGUF_TENSORS_MAX)
        return err_set(ERR_LIMIT, "model '%s' has %" PRIu64 " tensors, the limit is %d", g->name, *n_tensors,
                       GGUF_TENSORS_MAX);
    if (*n_keys > GGUF_KEYS_MAX)
        return err_set(ERR_LIMIT, "model '%s' has %" PRIu64 " keys, the limit is %d", g->name, *n_keys, GGUF_KEYS_MAX);
    return ERR_OK;
}

static Err check_bools(const Gguf *g, const GgufKey *k) {
    for (size_t i = 0; i < k->bytes.n; i++)
        if ((unsigned char)k->bytes.p[i] > 1)
            return err_set(ERR_CORRUPT, "model '%s': key '%.*s' holds %d at byte %" PRIu64 ", a bool is 0 or 1",
                           g->name, STR_FMT(k->key), (unsigned char)k->bytes.p[i], k->at + i);
    return ERR_OK;
}

static Err read_array(Cursor *c, GgufKey *k) {
    const Gguf *g = c->g;
    uint64_t head_at = c->at;
    uint32_t item = 0;
    TRY(cursor_u32(c, "an array", &item));
    TRY(cursor_u64(c, "an array", &k->count));
    if (item == GGUF_ARRAY)
        return err_set(ERR_UNSUPPORTED, "model '%s': key '%.*s' at byte %" PRIu64 " is an array of arrays", g->name,
                       STR_FMT(k->key), head_at);
    if (item >= TYPE_COUNT)
        return err_set(ERR_CORRUPT,
                       "model '%s': key '%.*s' at byte %" PRIu64 " is an array of the unknown type %" PRIu32, g->name,
                       STR_FMT(k->key), head_at, item);
    uint64_t least = item == GGUF_STR ? 8 : type_bytes[item];
    if (k->count > cursor_left(c) / least)
        return err_set(ERR_CORRUPT,
                       "model '%s': key '%.*s' at byte %" PRIu64 " claims %" PRIu64 " items, the file has "
                       "%" PRIu64 " bytes left",
                       g->name, STR_FMT(k->key), head_at, k->count, cursor_left(c));
    if (k->count > GGUF_ITEMS_MAX)
        return err_set(ERR_LIMIT, "model '%s': key '%.*s' at byte %" PRIu64 " has %" PRIu64 " items, the limit is %d",
                       g->name, STR_FMT(k->key), head_at, k->count, GGUF_ITEMS_MAX);
    k->item_type = (GgufType)item;
    k->at = c->at;
    if (item != GGUF_STR) {
        TRY(cursor_take(c, k->count * least, "an array", &k->bytes));
    } else {
        Str s = {"", 0};
        for (uint64_t i = 0; i < k->count; i++) TRY(cursor_str(c, GGUF_STRING_LENGTH_MAX, "a string of an array", &s));
        k->bytes = str_make(g->bytes.p + k->at, (size_t)(c->at - k->at));
    }
    return item == GGUF_BOOL ? check_bools(g, k) : ERR_OK;
}

static Err read_key(Cursor *c, GgufKey *k) {
    const Gguf *g = c->g;
    uint64_t key_at = c->at;
    uint32_t type = 0;
    TRY(cursor_str(c, GGUF_KEY_LENGTH_MAX, "a key", &k->key));
    if (k->key.n == 0 || memchr(k->key.p, 0, k->key.n))
        return err_set(ERR_CORRUPT, "model '%s': the key at byte %" PRIu64 " is empty or holds a NUL", g->name, key_at);
    TRY(cursor_u32(c, "a key's type", &type));
    if (type >= TYPE_COUNT)
        return err_set(ERR_CORRUPT, "model '%s': key '%.*s' at byte %" PRIu64 " has the unknown type %" PRIu32, g->name,
                       STR_FMT(k->key), key_at, type);
    k->type = k->item_type = (GgufType)type;
    k->count = 1;
    k->at = c->at;
    if (type == GGUF_ARRAY) return read_array(c, k);
    if (type == GGUF_STR) {
        k->at += 8;
        return cursor_str(c, GGUF_STRING_LENGTH_MAX, "a string", &k->bytes);
    }
    TRY(cursor_take(c, type_bytes[type], "a value", &k->bytes));
    return type == GGUF_BOOL ? check_bools(g, k) : ERR_OK;
}

static Err read_keys(Cursor *c, Gguf *g, uint64_t n) {
    g->keys = arena_array(&g->arena, GgufKey, (size_t)n);
    if (!g->keys) return arena_error();
    TRY(map_reserve(&g->key_map, (size_t)n));
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = c->at;
        TRY(read_key(c, &g->keys[i]));
        if (map_get(&g->key_map, g->keys[i].key))
            return err_set(ERR_CORRUPT, "model '%s': key '%.*s' at byte %" PRIu64 " was there before", g->name,
                           STR_FMT(g->keys[i].key), at);
        TRY(map_put(&g->key_map, g->keys[i].key, i));
        g->n_keys = (size_t)i + 1;
    }
    return ERR_OK;
}

/* shape, items and bytes of a tensor whose head stands at byte `at`. */
static Err read_shape(Cursor *c, uint64_t at, GgufTensor *t, uint64_t *bytes) {
    const Gguf *g = c->g;
    t->items = 1;
    for (size_t d = 0; d < GGUF_DIMS_MAX; d++) t->shape[d] = 1;
    for (uint32_t d = 0; d < t->n_dims; d++) {
        TRY(cursor_u64(c, "a tensor's shape", &t->shape[d]));
        if (t->shape[d] == 0 || __builtin_mul_overflow(t->items, t->shape[d], &t->items) || t->items > INT64_MAX / 64)
            return err_set(ERR_CORRUPT,
                           "model '%s': tensor '%.*s' at byte %" PRIu64 " has an impossible shape (dimension "
                           "%" PRIu32 " is %" PRIu64 ")",
                           g->name, STR_FMT(t->name), at, d, t->shape[d]);
    }
    uint32_t type = 0;
    TRY(cursor_u32(c, "a tensor's type", &type));
    t->format = block_format(type);
    if (!t->format)
        return err_set(ERR_UNSUPPORTED,
                       "model '%s': tensor '%.*s' at byte %" PRIu64 " has the unknown type %" PRIu32
                       "; known to be readable are %s",
                       g->name, STR_FMT(t->name), at, type, block_readable_names());
    if (t->shape[0] % t->format->items)
        return err_set(ERR_CORRUPT,
                       "model '%s': tensor '%.*s' at byte %" PRIu64 " has rows of %" PRIu64 " numbers, %s "
                       "wants a multiple of %" PRIu32,
                       g->name, STR_FMT(t->name), at, t->shape[0], t->format->name, t->format->items);
    *bytes = t->items / t->format->items * t->format->bytes; /* < 2^63: no format needs more than 8 bytes a number */
    return ERR_OK;
}

/* Reads a tensor's head; data keeps its relative offset in p and its size in n until the data's start is known. */
static Err read_tensor(Cursor *c, GgufTensor *t, uint64_t *offset) {
    const Gguf *g = c->g;
    uint64_t at = c->at, bytes = 0;
    TRY(cursor_str(c, GGUF_NAME_LENGTH_MAX, "a tensor's name", &t->name));
    if (t->name.n == 0 || memchr(t->name.p, 0, t->name.n))
        return err_set(ERR_CORRUPT, "model '%s': the tensor name at byte %" PRIu64 " is empty or holds a NUL", g->name,
                       at);
    TRY(cursor_u32(c, "a tensor's dimensions", &t->n_dims));
    if (t->n_dims == 0 || t->n_dims > GGUF_DIMS_MAX)
        return err_set(ERR_CORRUPT,
                       "model '%s': tensor '%.*s' at byte %" PRIu64 " has %" PRIu32 " dimensions, 1 to %d are "
                       "possible",
                       g->name, STR_FMT(t->name), at, t->n_dims, GGUF_DIMS_MAX);
    TRY(read_shape(c, at, t, &bytes));
    TRY(cursor_u64(c, "a tensor's offset", offset));
    if (*offset % g->alignment)
        return err_set(ERR_CORRUPT,
                       "model '%s': tensor '%.*s' lies at offset %" PRIu64 ", not a multiple of the alignment "
                       "%" PRIu64,
                       g->name, STR_FMT(t->name), *offset, g->alignment);
    t->data.n = (size_t)bytes;
    return ERR_OK;
}

typedef struct {
    const char *p; /* = tensor->data.p */
    const GgufTensor *tensor;
} Place;

static int place_order(const void *a, const void *b) {
    const Place *x = a, *y = b;
    return (x->p > y->p) - (x->p < y->p);
}

/* Overlapping tensors harm no memory, but let a small file ask for any number of large copies. */
static Err check_overlap(Gguf *g) {
    Place *places = arena_array(&g->arena, Place, g->n_tensors);
    if (!places) return arena_error();
    for (size_t i = 0; i < g->n_tensors; i++) places[i] = (Place){g->tensors[i].data.p, &g->tensors[i]};
    if (g->n_tensors) qsort(places, g->n_tensors, sizeof *places, place_order);
    for (size_t i = 1; i < g->n_tensors; i++) {
        const GgufTensor *before = places[i - 1].tensor;
        if (places[i].p < before->data.p + before->data.n)
            return err_set(ERR_CORRUPT, "model '%s': tensors '%.*s' and '%.*s' overlap at byte %zu", g->name,
                           STR_FMT(before->name), STR_FMT(places[i].tensor->name), (size_t)(places[i].p - g->bytes.p));
    }
    return ERR_OK;
}

static Err read_tensors(Cursor *c, Gguf *g, uint64_t n) {
    g->tensors = arena_array(&g->arena, GgufTensor, (size_t)n);
    uint64_t *offsets = arena_array(&g->arena, uint64_t, (size_t)n);
    if (!g->tensors || !offsets) return arena_error();
    TRY(map_reserve(&g->tensor_map, (size_t)n));
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = c->at;
        TRY(read_tensor(c, &g->tensors[i], &offsets[i]));
        if (map_get(&g->tensor_map, g->tensors[i].name))
            return err_set(ERR_CORRUPT, "model '%s': tensor '%.*s' at byte %" PRIu64 " was there before", g->name,
                           STR_FMT(g->tensors[i].name), at);
        TRY(map_put(&g->tensor_map, g->tensors[i].name, i));
    }
    uint64_t over = c->at % g->alignment;
    g->data_at = over ? c->at + (g->alignment - over) : c->at; /* no wrap: alignment <= 2^16, at <= size of a map */
    uint64_t data_bytes = g->data_at < g->bytes.n ? g->bytes.n - g->data_at : 0;
    for (uint64_t i = 0; i < n; i++) {
        GgufTensor *t = &g->tensors[i];
        if (t->data.n > data_bytes || offsets[i] > data_bytes - t->data.n)
            return err_set(ERR_CORRUPT,
                           "model '%s': tensor '%.*s' leaves the file: %zu bytes at offset %" PRIu64 " of %" PRIu64
                           " bytes of data (is the file cut off?)",
                           g->name, STR_FMT(t->name), t->data.n, offsets[i], data_bytes);
        t->data.p = g->bytes.p + g->data_at + offsets[i];
    }
    g->n_tensors = (size_t)n;
    return check_overlap(g);
}

static Err read_all(Gguf *g) {
    Cursor c = {.g = g};
    uint64_t n_tensors = 0, n_keys = 0;
    TRY(read_header(&c, &n_tensors, &n_keys));
    TRY(read_keys(&c, g, n_keys));
    g->alignment = GGUF_ALIGNMENT;
    TRY(gguf_get_u64(g, "general.alignment", &g->alignment));
    if (g->alignment == 0 || g->alignment > GGUF_ALIGNMENT_MAX || (g->alignment & (g->alignment - 1)))
        return err_set(ERR_CORRUPT, "model '%s': general.alignment is %" PRIu64 ", a power of two up to %d is possible",
                       g->name, g->alignment, GGUF_ALIGNMENT_MAX);
    return read_tensors(&c, g, n_tensors);
}

/* ---- life ---- */

/* g->map may be filled already; takes g over in any case. */
static Err open_finish(Gguf **out, Gguf *g, Str bytes, const char *name) {
    g->bytes = bytes;
    g->key_map.seed = g->tensor_map.seed = (uint64_t)clock_mono_ns() ^ (uintptr_t)g;
    g->name = arena_cstr(&g->arena, str_of(name));
    Err err = g->name ? read_all(g) : arena_error();
    if (err) {
        gguf_close(g);
        return err;
    }
    *out = g;
    return ERR_OK;
}

Err gguf_open_bytes(Gguf **out, Str bytes, const char *name) {
    *out = NULL;
    Gguf *g = calloc(1, sizeof *g);
    if (!g) return err_set(ERR_NOMEM, "out of memory for model '%s'", name);
    return open_finish(out, g, bytes, name);
}

Err gguf_open_path(Gguf **out, const char *path) {
    *out = NULL;
    FileInfo info;
    TRY(file_info(path, true, &info));
    if (info.type == FILE_NONE)
        return err_fix(err_set(ERR_NO_MODEL, "there is no model file '%s'", path), "pythia model list");
    Gguf *g = calloc(1, sizeof *g);
    if (!g) return err_set(ERR_NOMEM, "out of memory for model '%s'", path);
    Err err = file_map(path, &g->map);
    if (err) {
        free(g);
        return err;
    }
    return open_finish(out, g, g->map.bytes, path);
}

void gguf_close(Gguf *g) {
    if (!g) return;
    map_free(&g->key_map);
    map_free(&g->tensor_map);
    file_unmap(&g->map);
    arena_free(&g->arena);
    free(g);
}

const char *gguf_name(const Gguf *g) { return g->name; }
uint32_t gguf_version(const Gguf *g) { return g->version; }
Str gguf_bytes(const Gguf *g) { return g->bytes; }
size_t gguf_keys(const Gguf *g) { return g->n_keys; }
const GgufKey *gguf_key_at(const Gguf *g, size_t i) { return i < g->n_keys ? &g->keys[i] : NULL; }
size_t gguf_tensors(const Gguf *g) { return g->n_tensors; }
const GgufTensor *gguf_tensor_at(const Gguf *g, size_t i) { return i < g->n_tensors ? &g->tensors[i] : NULL; }

const GgufKey *gguf_key(const Gguf *g, const char *key) {
    const uint64_t *at = map_get(&g->key_map, str_of(key));
    return at ? &g->keys[*at] : NULL;
}

const GgufTensor *gguf_tensor(const Gguf *g, const char *name) {
    const uint64_t *at = map_get(&g->tensor_map, str_of(name));
    return at ? &g->tensors[*at] : NULL;
}

void gguf_hot(const Gguf *g) {
    if (g->map.map_) sys_map_hot(g->map.map_, g->map.bytes.n);
}

void gguf_forget(const Gguf *g, const GgufTensor *t) { file_map_forget(&g->map, t->data); }

/* ---- getters ---- */

Err gguf_need(const Gguf *g, const char *key) {
    if (gguf_key(g, key)) return ERR_OK;
    return err_set(ERR_CORRUPT, "model '%s' has no key '%s'", g->name, key);
}

static Err wrong_type(const Gguf *g, const GgufKey *k, const char *wanted) {
    return err_set(ERR_CORRUPT, "model '%s': key '%.*s' at byte %" PRIu64 " is %s%s, %s is wanted", g->name,
                   STR_FMT(k->key), k->at, k->type == GGUF_ARRAY ? "an array of " : "a value of type ",
                   gguf_type_name(k->item_type), wanted);
}

static bool type_is_integer(GgufType t) { return t <= GGUF_I32 || t == GGUF_U64 || t == GGUF_I64; }

/* An integer of any type as sign and magnitude. p: type_bytes[type] bytes. */
typedef struct {
    uint64_t bits;
    bool negative; /* then bits is the two's complement */
} Integer;

static Integer load_integer(GgufType type, const char *p) {
    switch (type) {
    case GGUF_U8:
        return (Integer){(unsigned char)*p, false};
    case GGUF_I8:
        return (Integer){(uint64_t)(signed char)*p, (signed char)*p < 0};
    case GGUF_U16:
        return (Integer){(unsigned char)p[0] | (uint64_t)(unsigned char)p[1] << 8, false};
    case GGUF_I16: {
        int16_t v = (int16_t)((unsigned char)p[0] | (unsigned)(unsigned char)p[1] << 8);
        return (Integer){(uint64_t)v, v < 0};
    }
    case GGUF_U32:
        return (Integer){load_u32(p), false};
    case GGUF_I32:
        return (Integer){(uint64_t)(int32_t)load_u32(p), (int32_t)load_u32(p) < 0};
    case GGUF_I64:
        return (Integer){load_u64(p), (int64_t)load_u64(p) < 0};
    default:
        return (Integer){load_u64(p), false};
    }
}

static Err get_integer(const Gguf *g, const char *key, Integer *v, bool *found) {
    const GgufKey *k = gguf_key(g, key);
    *found = k;
    if (!k) return ERR_OK;
    if (!type_is_integer(k->type)) return wrong_type(g, k, "an integer");
    *v = load_integer(k->type, k->bytes.p);
    return ERR_OK;
}

static Err out_of_range(const Gguf *g, const char *key, Integer v, const char *type) {
    if (v.negative)
        return err_set(ERR_CORRUPT, "model '%s': key '%s' is %" PRId64 ", which does not fit %s", g->name, key,
                       (int64_t)v.bits, type);
    return err_set(ERR_CORRUPT, "model '%s': key '%s' is %" PRIu64 ", which does not fit %s", g->name, key, v.bits,
                   type);
}

Err gguf_get_u64(const Gguf *g, const char *key, uint64_t *out) {
    Integer v = {0};
    bool found = false;
    TRY(get_integer(g, key, &v, &found));
    if (!found) return ERR_OK;
    if (v.negative) return out_of_range(g, key, v, "u64");
    *out = v.bits;
    return ERR_OK;
}

Err gguf_get_u32(const Gguf *g, const char *key, uint32_t *out) {
    Integer v = {0};
    bool found = false;
    TRY(get_integer(g, key, &v, &found));
    if (!found) return ERR_OK;
    if (v.negative || v.bits > UINT32_MAX) return out_of_range(g, key, v, "u32");
    *out = (uint32_t)v.bits;
    return ERR_OK;
}

Err gguf_get_i64(const Gguf *g, const char *key, int64_t *out) {
    Integer v = {0};
    bool found = false;
    TRY(get_integer(g, key, &v, &found));
    if (!found) return ERR_OK;
    if (!v.negative && v.bits > INT64_MAX) return out_of_range(g, key, v, "i64");
    *out = (int64_t)v.bits;
    return ERR_OK;
}

static float load_float(GgufType type, const char *p) {
    if (type == GGUF_F32) {
        uint32_t bits = load_u32(p);
        float v;
        memcpy(&v, &bits, sizeof v);
        return v;
    }
    uint64_t bits = load_u64(p);
    double v;
    memcpy(&v, &bits, sizeof v);
    return (float)v;
}

Err gguf_get_f32(const Gguf *g, const char *key, float *out) {
    const GgufKey *k = gguf_key(g, key);
    if (!k) return ERR_OK;
    if (k->type != GGUF_F32 && k->type != GGUF_F64) return wrong_type(g, k, "a float");
    *out = load_float(k->type, k->bytes.p);
    return ERR_OK;
}

Err gguf_get_bool(const Gguf *g, const char *key, bool *out) {
    const GgufKey *k = gguf_key(g, key);
    if (!k) return ERR_OK;
    if (k->type != GGUF_BOOL) return wrong_type(g, k, "a bool");
    *out = k->bytes.p[0] != 0;
    return ERR_OK;
}

Err gguf_get_str(const Gguf *g, const char *key, Str *out) {
    const GgufKey *k = gguf_key(g, key);
    if (!k) return ERR_OK;
    if (k->type != GGUF_STR) return wrong_type(g, k, "a string");
    *out = k->bytes;
    return ERR_OK;
}

Err gguf_get_strs(const Gguf *g, Arena *a, const char *key, Str **out, size_t *n) {
    const GgufKey *k = gguf_key(g, key);
    if (!k) return ERR_OK;
    if (k->type != GGUF_ARRAY || k->item_type != GGUF_STR) return wrong_type(g, k, "an array of strings");
    Str *items = arena_array(a, Str, (size_t)k->count);
    if (!items) return arena_error();
    const char *p = k->bytes.p; /* walked and checked by read_array */
    for (uint64_t i = 0; i < k->count; i++) {
        items[i] = str_make(p + 8, (size_t)load_u64(p));
        p = items[i].p + items[i].n;
    }
    *out = items;
    *n = (size_t)k->count;
    return ERR_OK;
}

Err gguf_get_i32s(const Gguf *g, Arena *a, const char *key, int32_t **out, size_t *n) {
    const GgufKey *k = gguf_key(g, key);
    if (!k) return ERR_OK;
    if (k->type != GGUF_ARRAY || !type_is_integer(k->item_type)) return wrong_type(g, k, "an array of integers");
    int32_t *items = arena_array(a, int32_t, (size_t)k->count);
    if (!items) return arena_error();
    size_t step = type_bytes[k->item_type];
    for (uint64_t i = 0; i < k->count; i++) {
        Integer v = load_integer(k->item_type, k->bytes.p + i * step);
        if (v.negative ? (int64_t)v.bits < INT32_MIN : v.bits > INT32_MAX)
            return err_set(ERR_CORRUPT, "model '%s': item %" PRIu64 " of key '%s' at byte %" PRIu64 " does not fit i32",
                           g->name, i, key, k->at + i * step);
        items[i] = (int32_t)(int64_t)v.bits;
    }
    *out = items;
    *n = (size_t)k->count;
    return ERR_OK;
}

Err gguf_get_f32s(const Gguf *g, Arena *a, const char *key, float **out, size_t *n) {
    const GgufKey *k = gguf_key(g, key);
    if (!k) return ERR_OK;
    if (k->type != GGUF_ARRAY || (k->item_type != GGUF_F32 && k->item_type != GGUF_F64))
        return wrong_type(g, k, "an array of floats");
    float *items = arena_array(a, float, (size_t)k->count);
    if (!items) return arena_error();
    for (uint64_t i = 0; i < k->count; i++)
        items[i] = load_float(k->item_type, k->bytes.p + i * type_bytes[k->item_type]);
    *out = items;
    *n = (size_t)k->count;
    return ERR_OK;
}

Err gguf_get_u8s(const Gguf *g, const char *key, Str *out) {
    const GgufKey *k = gguf_key(g, key);
    if (!k) return ERR_OK;
    if (k->type != GGUF_ARRAY || type_bytes[k->item_type] != 1) return wrong_type(g, k, "an array of bytes");
    *out = k->bytes;
    return ERR_OK;
}
