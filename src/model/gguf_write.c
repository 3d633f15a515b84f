/* gguf_write.c - writing GGUF version 3: keys and tensor heads are gathered in two buffers, data is borrowed.
 *
 * A file of 90 MB is never held in memory: header, heads and tensors are appended to a file beside the target, synced,
 * and renamed over it. Setters keep the first thing that goes wrong; gguf_writer_write tells it, so that an importer
 * reads as a list of keys.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "model/gguf.h"

typedef struct {
    Str data;
    uint64_t padding; /* zeros behind it */
} WriteTensor;

struct GgufWriter {
    Arena arena;     /* names, for the maps */
    Buf keys, heads; /* as they stand in the file */
    uint64_t n_keys, n_tensors;
    uint64_t data_bytes;
    WriteTensor *tensors; /* [cap_tensors] */
    size_t cap_tensors;
    Map key_map, tensor_map;
    ErrInfo failed; /* code ERR_OK: nothing went wrong so far */
};

Err gguf_writer_open(GgufWriter **out) {
    *out = calloc(1, sizeof **out);
    return *out ? ERR_OK : err_set(ERR_NOMEM, "out of memory for a model writer");
}

void gguf_writer_close(GgufWriter *w) {
    if (!w) return;
    map_free(&w->key_map);
    map_free(&w->tensor_map);
    buf_free(&w->keys);
    buf_free(&w->heads);
    free(w->tensors);
    arena_free(&w->arena);
    free(w);
}

static void put_u32(Buf *b, uint32_t v) {
    const char bytes[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
    buf_add_bytes(b, bytes, sizeof bytes);
}

static void put_u64(Buf *b, uint64_t v) {
    put_u32(b, (uint32_t)v);
    put_u32(b, (uint32_t)(v >> 32));
}

static void put_str(Buf *b, Str s) {
    put_u64(b, s.n);
    buf_add(b, s);
}

/* Keeps the error of a failed call. */
static void keep(GgufWriter *w, Err err) {
    if (err && !w->failed.code) err_save(&w->failed, err);
}

/* The name's own copy, checked for length and that it is new. */
static Err claim(GgufWriter *w, Map *map, const char *what, const char *name, size_t max, Str *out) {
    Str s = str_of(name);
    if (s.n == 0 || s.n > max)
        return err_set(ERR_LIMIT, "%s '%.*s' has %zu bytes, 1 to %zu are possible", what, STR_FMT(s), s.n, max);
    if (map_get(map, s)) return err_set(ERR_INPUT, "%s '%s' is set twice", what, name);
    *out = arena_str(&w->arena, s);
    if (!out->p) return arena_error();
    return map_put(map, *out, 1);
}

static bool key_begin(GgufWriter *w, const char *key, GgufType type) {
    Str name = {"", 0};
    if (w->failed.code) return false;
    Err err = claim(w, &w->key_map, "key", key, GGUF_KEY_LENGTH_MAX, &name);
    if (err) {
        keep(w, err);
        return false;
    }
    put_str(&w->keys, name);
    put_u32(&w->keys, type);
    w->n_keys++;
    return true;
}

static void set_u32_as(GgufWriter *w, const char *key, GgufType type, uint32_t v, size_t bytes) {
    if (!key_begin(w, key, type)) return;
    const char le[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
    buf_add_bytes(&w->keys, le, bytes);
}

static void set_u64_as(GgufWriter *w, const char *key, GgufType type, uint64_t v) {
    if (key_begin(w, key, type)) put_u64(&w->keys, v);
}

void gguf_set_u8(GgufWriter *w, const char *key, uint8_t v) { set_u32_as(w, key, GGUF_U8, v, 1); }
void gguf_set_i8(GgufWriter *w, const char *key, int8_t v) { set_u32_as(w, key, GGUF_I8, (uint32_t)v, 1); }
void gguf_set_u16(GgufWriter *w, const char *key, uint16_t v) { set_u32_as(w, key, GGUF_U16, v, 2); }
void gguf_set_i16(GgufWriter *w, const char *key, int16_t v) { set_u32_as(w, key, GGUF_I16, (uint32_t)v, 2); }
void gguf_set_u32(GgufWriter *w, const char *key, uint32_t v) { set_u32_as(w, key, GGUF_U32, v, 4); }
void gguf_set_i32(GgufWriter *w, const char *key, int32_t v) { set_u32_as(w, key, GGUF_I32, (uint32_t)v, 4); }
void gguf_set_u64(GgufWriter *w, const char *key, uint64_t v) { set_u64_as(w, key, GGUF_U64, v); }
void gguf_set_i64(GgufWriter *w, const char *key, int64_t v) { set_u64_as(w, key, GGUF_I64, (uint64_t)v); }
void gguf_set_bool(GgufWriter *w, const char *key, bool v) { set_u32_as(w, key, GGUF_BOOL, v, 1); }

void gguf_set_f32(GgufWriter *w, const char *key, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    set_u32_as(w, key, GGUF_F32, bits, 4);
}

void gguf_set_f64(GgufWriter *w, const char *key, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    set_u64_as(w, key, GGUF_F64, bits);
}

void gguf_set_str(GgufWriter *w, const char *key, Str v) {
    if (key_begin(w, key, GGUF_STR)) put_str(&w->keys, v);
}

void gguf_set_strs(GgufWriter *w, const char *key, const Str *v, size_t n) {
    if (!key_begin(w, key, GGUF_ARRAY)) return;
    put_u32(&w->keys, GGUF_STR);
    put_u64(&w->keys, n);
    for (size_t i = 0; i < n; i++) put_str(&w->keys, v[i]);
}

void gguf_set_array(GgufWriter *w, const char *key, GgufType item_type, const void *v, size_t n) {
    size_t step = gguf_type_bytes(item_type), bytes;
    if (step == 0 || __builtin_mul_overflow(step, n, &bytes)) {
        keep(w,
             err_set(ERR_INPUT, "key '%s': no array of %zu items of type %d can be written", key, n, (int)item_type));
        return;
    }
    if (!key_begin(w, key, GGUF_ARRAY)) return;
    put_u32(&w->keys, item_type);
    put_u64(&w->keys, n);
    buf_add_bytes(&w->keys, v, bytes);
}

void gguf_set_copy(GgufWriter *w, const GgufKey *k) {
    const char *key = arena_cstr(&w->arena, k->key);
    if (!key) keep(w, arena_error());
    if (!key || !key_begin(w, key, k->type)) return;
    if (k->type == GGUF_STR) put_u64(&w->keys, k->bytes.n);
    if (k->type == GGUF_ARRAY) {
        put_u32(&w->keys, k->item_type);
        put_u64(&w->keys, k->count);
    }
    buf_add(&w->keys, k->bytes);
}

/* ---- tensors ---- */

static Err check_tensor(const char *name, const BlockFormat *f, const uint64_t *shape, size_t n_dims, Str data) {
    if (n_dims == 0 || n_dims > GGUF_DIMS_MAX)
        return err_set(ERR_INPUT, "tensor '%s' has %zu dimensions, 1 to %d are possible", name, n_dims, GGUF_DIMS_MAX);
    if (!f) return err_set(ERR_INPUT, "tensor '%s' has an unknown type", name);
    uint64_t items = 1, bytes;
    for (size_t d = 0; d < n_dims; d++)
        if (shape[d] == 0 || __builtin_mul_overflow(items, shape[d], &items))
            return err_set(ERR_INPUT, "tensor '%s' has an impossible shape", name);
    if (shape[0] % f->items || __builtin_mul_overflow(items / f->items, f->bytes, &bytes) || bytes != data.n)
        return err_set(ERR_INPUT, "tensor '%s' of %" PRIu64 " numbers in %s does not have %zu bytes", name, items,
                       f->name, data.n);
    return ERR_OK;
}

static Err add_tensor(GgufWriter *w, const char *name, BlockType type, const uint64_t *shape, size_t n_dims, Str data) {
    Str own = {"", 0};
    TRY(check_tensor(name, block_format(type), shape, n_dims, data));
    TRY(claim(w, &w->tensor_map, "tensor", name, GGUF_NAME_LENGTH_MAX, &own));
    if (w->n_tensors == w->cap_tensors) {
        size_t cap = w->cap_tensors ? w->cap_tensors * 2 : 64;
        WriteTensor *more = realloc(w->tensors, cap * sizeof *more);
        if (!more) return err_set(ERR_NOMEM, "out of memory for tensor '%s'", name);
        w->tensors = more;
        w->cap_tensors = cap;
    }
    put_str(&w->heads, own);
    put_u32(&w->heads, (uint32_t)n_dims);
    for (size_t d = 0; d < n_dims; d++) put_u64(&w->heads, shape[d]);
    put_u32(&w->heads, type);
    put_u64(&w->heads, w->data_bytes);
    uint64_t padding = (GGUF_ALIGNMENT - data.n % GGUF_ALIGNMENT) % GGUF_ALIGNMENT;
    w->tensors[w->n_tensors++] = (WriteTensor){data, padding};
    w->data_bytes += data.n + padding;
    return ERR_OK;
}

void gguf_add_tensor(GgufWriter *w, const char *name, BlockType type, const uint64_t *shape, size_t n_dims, Str data) {
    if (!w->failed.code) keep(w, add_tensor(w, name, type, shape, n_dims, data));
}

/* ---- putting it together ---- */

static const char zeros[GGUF_ALIGNMENT];

/* Everything before the data, padded to the alignment. */
static Err write_front(const GgufWriter *w, Buf *out) {
    if (w->failed.code) return err_restore(&w->failed);
    TRY(buf_ok(&w->keys));
    TRY(buf_ok(&w->heads));
    buf_add(out, STR("GGUF"));
    put_u32(out, 3);
    put_u64(out, w->n_tensors);
    put_u64(out, w->n_keys);
    buf_add(out, buf_str(&w->keys));
    buf_add(out, buf_str(&w->heads));
    buf_add_bytes(out, zeros, (GGUF_ALIGNMENT - out->n % GGUF_ALIGNMENT) % GGUF_ALIGNMENT);
    return buf_ok(out);
}

Err gguf_writer_bytes(GgufWriter *w, Buf *out) {
    buf_clear(out);
    TRY(write_front(w, out));
    for (size_t i = 0; i < w->n_tensors; i++) {
        buf_add(out, w->tensors[i].data);
        buf_add_bytes(out, zeros, (size_t)w->tensors[i].padding);
    }
    return buf_ok(out);
}

static Err append_all(const GgufWriter *w, FileAppend *f, Buf *front) {
    TRY(write_front(w, front));
    TRY(file_append(f, front->p, front->n));
    for (size_t i = 0; i < w->n_tensors; i++) {
        TRY(file_append(f, w->tensors[i].data.p, w->tensors[i].data.n));
        if (w->tensors[i].padding) TRY(file_append(f, zeros, (size_t)w->tensors[i].padding));
    }
    return file_append_sync(f);
}

Err gguf_writer_write(GgufWriter *w, const char *path) {
    Err err = ERR_OK;
    Buf front = {0};
    FileAppend f = {.fd = -1};
    const char *beside = NULL;
    if (w->failed.code) return err_restore(&w->failed);
    beside = arena_cstr(&w->arena, arena_printf(&w->arena, "%s.part-%ld", path, (long)getpid()));
    if (!beside) return arena_error();
    if ((err = file_append_open(beside, &f))) goto done;
    if ((err = file_append_truncate(&f, 0))) goto done; /* a leftover of a process with our number */
    if ((err = append_all(w, &f, &front))) goto done;
    err = file_rename(beside, path);
done:
    file_append_close(&f);
    buf_free(&front);
    if (err) {
        ErrInfo info;
        err_save(&info, err);
        if (file_remove(beside)) err = ERR_IO; /* the first error is the one to tell */
        err = err_restore(&info);
    }
    return err;
}
