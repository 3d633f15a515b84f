/* remote_reply.c - what a service answered, checked number by number: it is somebody else's bytes. See remote.h.
 *
 * {"data": [{"index": 0, "embedding": [0.1, …] or "base64 of little-endian f32"}, …]}: the order of the list means
 * nothing, the index does; without one (some services) it is the place in the list.
 */
#include <math.h>

#include "base/base64.h"
#include "base/json.h"
#include "model/remote.h"

enum { DIM_MAX = 65536 };

static Err read_base64(Str text, size_t dim, float *out /* [dim] */) {
    Buf bytes = {0};
    bool fits = base64_decode(text, BASE64_LOOSE, &bytes) && (bytes.failed || bytes.n == dim * sizeof *out);
    Err err = fits ? buf_ok(&bytes) : err_set(ERR_NETWORK, "an embedding is no base64 of %zu floats", dim);
    for (size_t i = 0; !err && i < dim; i++) {
        const uint8_t *b = (const uint8_t *)bytes.p + 4 * i;
        uint32_t word = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&out[i], &word, sizeof word);
    }
    buf_free(&bytes);
    return err;
}

static Err read_floats(const json_t *list, size_t dim, float *out) {
    for (size_t i = 0; i < dim; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_number(v)) return err_set(ERR_NETWORK, "an embedding holds something that is no number");
        out[i] = (float)json_number_value(v);
    }
    return ERR_OK;
}

static Err normalize(float *v, size_t dim) {
    double sum = 0;
    for (size_t i = 0; i < dim; i++) sum += (double)v[i] * (double)v[i];
    if (!isfinite(sum)) return err_set(ERR_NETWORK, "an embedding is not finite");
    if (sum <= 0) return err_set(ERR_NETWORK, "an embedding is all zeros");
    double scale = 1 / sqrt(sum);
    for (size_t i = 0; i < dim; i++) v[i] = (float)((double)v[i] * scale);
    return ERR_OK;
}

/* Floats in one embedding; 0: it is none. */
static size_t dimension_of(const json_t *embedding) {
    if (json_is_array(embedding)) return json_array_size(embedding);
    if (!json_is_string(embedding)) return 0;
    Str text = str_make(json_string_value(embedding), json_string_length(embedding));
    for (int pads = 0; text.n && pads < 2 && text.p[text.n - 1] == '='; pads++) text.n--;
    size_t bytes = text.n / 4 * 3 + (text.n % 4 ? text.n % 4 - 1 : 0);
    return bytes % 4 == 0 ? bytes / 4 : 0;
}

static Err read_item(const json_t *item, size_t at, size_t n, size_t dim, bool *seen, float *out) {
    int64_t index = (int64_t)at;
    const json_t *embedding = json_object_get(item, "embedding");
    if (json_get_i64(item, "index", &index) || index < 0 || (uint64_t)index >= n || seen[index])
        return err_set(ERR_NETWORK, "item %zu of the answer has an index that cannot be", at);
    size_t got = dimension_of(embedding);
    if (got != dim)
        return err_set(ERR_MODEL_MISMATCH, "text %lld got an embedding of %zu dimensions, the model has %zu",
                       (long long)index, got, dim);
    seen[index] = true;
    float *row = out + (size_t)index * dim;
    TRY(json_is_array(embedding)
            ? read_floats(embedding, dim, row)
            : read_base64(str_make(json_string_value(embedding), json_string_length(embedding)), dim, row));
    return normalize(row, dim);
}

static Err read_all(Arena *a, const json_t *root, size_t n, size_t *dim, float **out) {
    const json_t *data = json_object_get(root, "data");
    if (!json_is_array(data)) return err_set(ERR_NETWORK, "the answer has no list 'data'");
    if (json_array_size(data) != n)
        return err_set(ERR_NETWORK, "the answer has %zu embeddings for %zu texts", json_array_size(data), n);
    if (*dim == 0) *dim = dimension_of(json_object_get(json_array_get(data, 0), "embedding"));
    if (*dim == 0 || *dim > DIM_MAX) return err_set(ERR_NETWORK, "the answer's first embedding is none");
    bool *seen = arena_array(a, bool, n);
    *out = arena_alloc_array(a, n, *dim * sizeof **out);
    if (!seen || !*out) return arena_error();
    for (size_t i = 0; i < n; i++) TRY(read_item(json_array_get(data, i), i, n, *dim, seen, *out));
    return ERR_OK;
}

Err remote_reply_read(Arena *a, Str body, size_t n, size_t *dim, float **out) {
    json_t *root = NULL;
    *out = NULL;
    if (n == 0) return err_set(ERR_USAGE, "no texts were sent");
    if (json_read(body, "answer", &root)) return err_set(ERR_NETWORK, "the answer is no JSON");
    Err err = read_all(a, root, n, dim, out);
    json_decref(root);
    return err;
}
