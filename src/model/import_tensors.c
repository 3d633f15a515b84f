/* import_tensors.c - weights out of one safetensors file or several, looked up by name, written by table.
 *
 * Numbers stay in the type they have; vectors (biases, norms) and small tables become F32, which is what llama.cpp's
 * kernels expect and loses nothing. Data of matrices is not copied: the GGUF is written straight from the mapped files.
 */
#include <stdio.h>

#include "base/file.h"
#include "model/import.h"

#define WHOLE "model.safetensors"
#define INDEX "model.safetensors.index.json"

/* ---- opening ---- */

static Err part_open(Import *im, const char *file) {
    ImportWeights *w = &im->weights;
    const char *path = path_join(im->arena, im->dir, file);
    if (!path) return arena_error();
    if (w->n_parts == IMPORT_PARTS_MAX)
        return err_set(ERR_LIMIT, "%s names more than %d files", INDEX, IMPORT_PARTS_MAX);
    TRY(safetensors_open_path(&w->parts[w->n_parts], path));
    w->n_parts++;
    return ERR_OK;
}

/* A plain name: no folder, nothing hidden. */
static bool is_part_name(Str s) {
    return str_ends(s, STR(".safetensors")) && str_find_char(s, '/') < 0 && s.p[0] != '.' && !memchr(s.p, 0, s.n);
}

/* {"weight_map": {"tensor": "file", …}}: each file once, in the order of their first tensors. */
static Err parts_open(Import *im, const json_t *index) {
    json_t *map = json_object_get(index, "weight_map"), *file;
    const char *tensor;
    Map seen = {0};
    Err err = ERR_OK;
    if (!json_is_object(map)) return err_set(ERR_INPUT, "%s has no 'weight_map'", INDEX);
    json_object_foreach(map, tensor, file) {
        Str name = json_is_string(file) ? str_make(json_string_value(file), json_string_length(file)) : STR("");
        if (!is_part_name(name)) {
            err =
                err_set(ERR_INPUT, "%s: '%s' is in '%.*s', which is no file of weights", INDEX, tensor, STR_FMT(name));
            break;
        }
        if (map_get(&seen, name)) continue;
        if ((err = map_put(&seen, name, 1)) || (err = part_open(im, name.p))) break;
    }
    map_free(&seen);
    return err;
}

/* Each tensor of the index must be there; each tensor of the parts only once. */
static Err parts_list(Import *im, const json_t *index) {
    ImportWeights *w = &im->weights;
    for (size_t p = 0; p < w->n_parts; p++) w->n += safetensors_count(w->parts[p]);
    w->all = arena_array(im->arena, ImportWeight, w->n + 1);
    if (!w->all) return arena_error();
    for (size_t p = 0, at = 0; p < w->n_parts; p++)
        for (size_t i = 0; i < safetensors_count(w->parts[p]); i++, at++) {
            const SafeTensor *t = safetensors_at(w->parts[p], i);
            w->all[at] = (ImportWeight){.tensor = t, .file = w->parts[p]};
            if (map_get(&w->by_name, t->name))
                return err_set(ERR_INPUT, "'%s': tensor '%.*s' is in another part too", safetensors_name(w->parts[p]),
                               STR_FMT(t->name));
            TRY(map_put(&w->by_name, t->name, at));
        }
    const char *tensor;
    json_t *map = json_object_get(index, "weight_map"), *file;
    json_object_foreach(map, tensor, file) if (!map_get(&w->by_name, str_of(tensor))) return err_set(
        ERR_INPUT, "%s: tensor '%s' is not in '%s'", INDEX, tensor, json_string_value(file));
    return ERR_OK;
}

Err import_weights_open(Import *im) {
    const char *path = path_join(im->arena, im->dir, WHOLE);
    FileInfo info;
    json_t *index = NULL;
    if (!path) return arena_error();
    TRY(file_info(path, true, &info));
    if (info.type != FILE_NONE) {
        TRY(part_open(im, WHOLE));
        return parts_list(im, NULL);
    }
    TRY(import_json(im, INDEX, false, &index));
    if (!index)
        return err_set(ERR_INPUT, "'%s' has neither %s nor %s (weights in other formats are not read)", im->dir, WHOLE,
                       INDEX);
    Err err = parts_open(im, index);
    if (!err) err = parts_list(im, index);
    json_decref(index);
    return err;
}

void import_weights_close(ImportWeights *w) {
    for (size_t i = 0; i < w->n_parts; i++) safetensors_close(w->parts[i]);
    map_free(&w->by_name);
    *w = (ImportWeights){0};
}

/* ---- finding ---- */

static ImportWeight *weight_find(const Import *im, const char *name) {
    const uint64_t *at = map_get(&im->weights.by_name, str_of(name));
    return at ? &im->weights.all[*at] : NULL;
}

bool import_has(const Import *im, const char *prefix, const char *name) {
    char full[256];
    (void)snprintf(full, sizeof full, "%s%s", prefix, name);
    return weight_find(im, full) != NULL;
}

void import_prefix_find(Import *im, const char *prefixes, const char *name) {
    Str rest = str_of(prefixes), one;
    im->hf_prefix = "";
    while (str_cut(&rest, '|', &one)) {
        const char *prefix = arena_cstr(im->arena, one);
        if (!prefix || !import_has(im, prefix, name)) continue;
        im->hf_prefix = prefix;
        return;
    }
}

/* By the name in use, or a norm's old one: gamma and beta. */
static ImportWeight *part_find(const Import *im, const char *base, const char *part) {
    char name[256];
    (void)snprintf(name, sizeof name, "%s%s.%s", im->hf_prefix, base, part);
    ImportWeight *w = weight_find(im, name);
    if (w) return w;
    (void)snprintf(name, sizeof name, "%s%s.%s", im->hf_prefix, base, strcmp(part, "weight") == 0 ? "gamma" : "beta");
    return weight_find(im, name);
}

/* ---- writing ---- */

static Err block_type_of(const ImportWeight *w, BlockType *out) {
    switch (w->tensor->type) {
    case SAFE_F32:
        *out = BLOCK_F32;
        return ERR_OK;
    case SAFE_F16:
        *out = BLOCK_F16;
        return ERR_OK;
    case SAFE_BF16:
        *out = BLOCK_BF16;
        return ERR_OK;
    default:
        return err_set(ERR_UNSUPPORTED, "'%s': tensor '%.*s' is %s; known: F32, F16, BF16", safetensors_name(w->file),
                       STR_FMT(w->tensor->name), safe_type_name(w->tensor->type));
    }
}

/* cols 0: a vector. */
static Err shape_check(const ImportWeight *w, uint64_t rows, uint64_t cols) {
    const SafeTensor *t = w->tensor;
    uint32_t n_dims = cols > 0 ? 2 : 1;
    if (t->n_dims == n_dims && t->shape[0] == rows && (n_dims == 1 || t->shape[1] == cols)) return ERR_OK;
    char got[128] = "", want[64];
    size_t n = 0;
    for (uint32_t i = 0; i < t->n_dims && n < sizeof got; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%llu", i ? ", " : "", (unsigned long long)t->shape[i]);
    if (n_dims == 2)
        (void)snprintf(want, sizeof want, "%llu, %llu", (unsigned long long)rows, (unsigned long long)cols);
    else
        (void)snprintf(want, sizeof want, "%llu", (unsigned long long)rows);
    return err_set(ERR_INPUT, "'%s': tensor '%.*s' is [%s]; config.json asks for [%s]", safetensors_name(w->file),
                   STR_FMT(t->name), got, want);
}

/* The tensor's numbers from `skip` on as floats, 1 added where that is asked for. */
static Err numbers_make(const Import *im, const SafeTensor *t, BlockType type, uint64_t skip, bool plus_one,
                        Str *data) {
    size_t n = (size_t)(t->items - skip);
    float *numbers = arena_array(im->arena, float, n);
    if (!numbers) return arena_error();
    block_format(type)->decode(t->data.p + skip * (t->data.n / t->items), n, numbers);
    for (size_t i = 0; plus_one && i < n; i++) numbers[i] += 1.0f;
    *data = str_make((const char *)numbers, n * sizeof *numbers);
    return ERR_OK;
}

static Err part_add(Import *im, ImportWeight *w, const char *gguf, uint64_t rows, uint64_t cols, unsigned flags) {
    const SafeTensor *t = w->tensor;
    BlockType type = BLOCK_F32;
    w->taken = true;
    TRY(shape_check(w, rows, cols));
    TRY(block_type_of(w, &type));
    if (strcmp(gguf, "token_embd.weight") == 0) im->matrices = t->type;
    uint64_t skip = flags & TENSOR_POSITIONS ? im->first_position : 0; /* rows; fewer than there are */
    Str data = str_from(t->data, (size_t)(skip * cols * (t->data.n / t->items)));
    if (flags & TENSOR_PLUS_ONE || (type != BLOCK_F32 && (flags & TENSOR_F32 || cols == 0))) {
        TRY(numbers_make(im, t, type, skip * cols, flags & TENSOR_PLUS_ONE, &data));
        type = BLOCK_F32;
    }
    uint64_t shape[2] = {cols ? cols : rows, rows - skip}; /* fastest first */
    gguf_add_tensor(im->out, gguf, type, shape, cols ? 2 : 1, data);
    return ERR_OK;
}

static Err tensor_add(Import *im, const ImportTensor *t, const char *hf, const char *gguf) {
    char name[2 * GGUF_NAME_LENGTH_MAX];
    uint64_t rows = im->sizes[t->rows], cols = im->sizes[t->cols];
    ImportWeight *weight = part_find(im, hf, "weight"), *bias = part_find(im, hf, "bias");
    if (!weight && !(t->flags & TENSOR_MAYBE))
        return err_set(ERR_INPUT, "'%s' has no tensor '%s%s.weight'", im->dir, im->hf_prefix, hf);
    if (weight) {
        (void)snprintf(name, sizeof name, "%s.weight", gguf);
        TRY(part_add(im, weight, name, rows, cols, t->flags));
    }
    if (weight && !bias && t->flags & TENSOR_BIAS)
        return err_set(ERR_INPUT, "'%s' has no tensor '%s%s.bias'", im->dir, im->hf_prefix, hf);
    if (!weight || !bias || !(t->flags & (TENSOR_BIAS | TENSOR_BIAS_MAYBE))) return ERR_OK;
    (void)snprintf(name, sizeof name, "%s.bias", gguf);
    return part_add(im, bias, name, rows, 0, TENSOR_F32);
}

Err import_tensors(Import *im, const ImportTensor *table, size_t n, const char *hf_part, const char *gguf_part) {
    for (size_t i = 0; i < n; i++) {
        char hf[160], gguf[GGUF_NAME_LENGTH_MAX];
        (void)snprintf(hf, sizeof hf, "%s%s", hf_part, table[i].hf);
        (void)snprintf(gguf, sizeof gguf, "%s%s", gguf_part, table[i].gguf);
        TRY(tensor_add(im, &table[i], hf, gguf));
    }
    return ERR_OK;
}

Err import_layers(Import *im, const ImportTensor *table, size_t n, const char *hf_layer, int64_t n_layers) {
    for (int64_t i = 0; i < n_layers; i++) {
        char hf[80], gguf[32];
        (void)snprintf(hf, sizeof hf, "%s%lld.", hf_layer, (long long)i);
        (void)snprintf(gguf, sizeof gguf, "blk.%lld.", (long long)i);
        TRY(import_tensors(im, table, n, hf, gguf));
    }
    return ERR_OK;
}

static bool is_left_out(Str name, const char *prefix, const char *left_out) {
    Str rest = str_of(left_out), one, own = name;
    if (str_starts(name, str_of(prefix))) own = str_from(name, strlen(prefix));
    while (str_cut(&rest, '|', &one))
        if (one.n && (str_starts(name, one) || str_starts(own, one))) return true;
    return false;
}

Err import_leftovers(const Import *im, const char *left_out, const char *what) {
    for (size_t i = 0; i < im->weights.n; i++) {
        const ImportWeight *w = &im->weights.all[i];
        if (w->taken || is_left_out(w->tensor->name, im->hf_prefix, left_out)) continue;
        return err_set(ERR_UNSUPPORTED, "'%s': tensor '%.*s' is no part of %s that is known", safetensors_name(w->file),
                       STR_FMT(w->tensor->name), what);
    }
    return ERR_OK;
}

/* ---- keys ---- */

static const char *full_key(const Import *im, const char *key, char out[128]) {
    (void)snprintf(out, 128, "%s.%s", im->arch, key);
    return out;
}

void import_key_u32(const Import *im, const char *key, int64_t v) {
    char name[128];
    gguf_set_u32(im->out, full_key(im, key, name), (uint32_t)v);
}

void import_key_f32(const Import *im, const char *key, double v) {
    char name[128];
    gguf_set_f32(im->out, full_key(im, key, name), (float)v);
}

void import_key_bool(const Import *im, const char *key, bool v) {
    char name[128];
    gguf_set_bool(im->out, full_key(im, key, name), v);
}
