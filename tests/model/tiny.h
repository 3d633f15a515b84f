/* tiny.h - the tiny golden networks, whole or with one thing changed, for the tests of opening and running. */
#ifndef PYTHIA_TESTS_MODEL_TINY_H
#define PYTHIA_TESTS_MODEL_TINY_H

#include "base/file.h"
#include "base/hash.h"
#include "check.h"
#include "model/gguf.h"
#include "model/model_impl.h"

#define TINY       TESTS_DIR "/golden/tiny_bert.gguf"
#define TINY_MIXED TESTS_DIR "/golden/tiny_bert_mixed.gguf"

/* Copies a key as it stands. */
static inline void tiny_copy_key(GgufWriter *w, const Gguf *g, const GgufKey *k, const char *name, Arena *a) {
    Str *strs = NULL;
    size_t n = 0;
    uint32_t u = 0;
    float f = 0;
    if (k->type == GGUF_STR)
        gguf_set_str(w, name, k->bytes);
    else if (k->type == GGUF_F32 && !gguf_get_f32(g, name, &f))
        gguf_set_f32(w, name, f);
    else if (k->type == GGUF_BOOL)
        gguf_set_bool(w, name, k->bytes.p[0] != 0);
    else if (k->type == GGUF_U32 && !gguf_get_u32(g, name, &u))
        gguf_set_u32(w, name, u);
    else if (k->type != GGUF_ARRAY)
        fail_msg("no copy of key '%s'", name);
    else if (k->item_type != GGUF_STR)
        gguf_set_array(w, name, k->item_type, k->bytes.p, (size_t)k->count);
    else {
        CHECK_OK(gguf_get_strs(g, a, name, &strs, &n));
        gguf_set_strs(w, name, strs, n);
    }
}

/* A copy of a golden file without the key or tensor called `without`; `add` may set another in its place. */
static inline void tiny_changed(const char *path, const char *without, void (*add)(GgufWriter *), Buf *out) {
    Gguf *g = NULL;
    GgufWriter *w = NULL;
    Arena a = {0};
    CHECK_OK(gguf_open_path(&g, path));
    CHECK_OK(gguf_writer_open(&w));
    if (add) add(w);
    for (size_t i = 0; i < gguf_keys(g); i++) {
        const GgufKey *k = gguf_key_at(g, i);
        if (!str_is(k->key, without)) tiny_copy_key(w, g, k, arena_cstr(&a, k->key), &a);
    }
    for (size_t i = 0; i < gguf_tensors(g); i++) {
        const GgufTensor *t = gguf_tensor_at(g, i);
        if (!str_is(t->name, without))
            gguf_add_tensor(w, arena_cstr(&a, t->name), (BlockType)t->format->type, t->shape, t->n_dims, t->data);
    }
    CHECK_OK(gguf_writer_bytes(w, out));
    gguf_writer_close(w);
    gguf_close(g);
    arena_free(&a);
}

/* Opens out of an exact-size copy that AddressSanitizer watches. */
static inline Err tiny_try(const Buf *bytes, const ModelOpts *opts) {
    Model *m = NULL;
    char *copy = malloc(bytes->n);
    assert_non_null(copy);
    memcpy(copy, bytes->p, bytes->n);
    Err err = model_open_bytes(&m, str_make(copy, bytes->n), "x.gguf", kern_table(), opts);
    if (err) CHECK(m == NULL);
    model_close(m);
    free(copy);
    return err;
}

static inline Err tiny_try_changed(const char *without, void (*add)(GgufWriter *)) {
    Buf bytes = {0};
    tiny_changed(TINY, without, add, &bytes);
    Err err = tiny_try(&bytes, NULL);
    buf_free(&bytes);
    return err;
}

static inline Model *tiny_open(const char *path, const Kern *kern, const ModelOpts *opts, Buf *bytes) {
    Model *m = NULL;
    Arena a = {0};
    Str file;
    CHECK_OK(file_read(&a, path, 1 << 20, &file));
    buf_clear(bytes);
    buf_add(bytes, file);
    arena_free(&a);
    CHECK_OK(model_open_bytes(&m, buf_str(bytes), path, kern, opts));
    return m;
}

#endif
