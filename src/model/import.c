/* import.c - a Hugging Face folder to a GGUF that both we and llama.cpp read.
 *
 * Read are config.json (architecture and sizes), model.safetensors, the tokenizer (import_tok.c), and what
 * sentence-transformers keeps beside them: modules.json (which steps follow the network), the pooling's config.json,
 * sentence_bert_config.json (how many tokens it cuts at). Key and tensor names are those that llama.cpp's converter
 * writes; what it has no name for stands under `pythia.`:
 *
 *     pythia.max_tokens   u32   where the model was told to cut texts, when that is below <arch>.context_length
 *     pythia.normalize    bool  false when modules.json has no Normalize step
 *     pythia.tokenizer.*        tok_wordpiece.c
 *
 * Numbers stay in the type they have; vectors (biases, norms) and the small position and type tables become F32, which
 * is what llama.cpp's kernels expect and loses nothing.
 *
 * Threads: one call is one thread's.
 */
#include "model/import.h"

#include <stdio.h>

#include "base/file.h"

static const ImportArch *const import_archs[] = {&import_bert};
enum { IMPORT_ARCHS = sizeof(import_archs) / sizeof(import_archs[0]) };

/* ---- JSON files ---- */

Err import_json(const Import *im, const char *file, bool needed, json_t **out) {
    *out = NULL;
    const char *path = path_join(im->arena, im->dir, file);
    if (!path) return arena_error();
    FileInfo info;
    TRY(file_info(path, true, &info));
    if (info.type == FILE_NONE)
        return needed ? err_set(ERR_INPUT, "'%s' has no %s: not a Hugging Face model folder", im->dir, file) : ERR_OK;
    Str text;
    TRY(file_read(im->arena, path, IMPORT_JSON_MAX, &text));
    TRY(json_read(text, path, out));
    if (json_is_object(*out) || json_is_array(*out)) return ERR_OK;
    json_decref(*out);
    *out = NULL;
    return err_set(ERR_INPUT, "'%s' holds neither an object nor an array", path);
}

Err import_int(const char *file, const json_t *object, const char *key, int64_t low, int64_t high, int64_t *out) {
    const json_t *v = json_object_get(object, key);
    if (!v || json_is_null(v)) return ERR_OK;
    if (!json_is_integer(v)) return err_set(ERR_INPUT, "%s: '%s' must be an integer", file, key);
    json_int_t value = json_integer_value(v);
    if (value < low || value > high)
        return err_set(ERR_INPUT, "%s: '%s' is %lld; it must be from %lld to %lld", file, key, (long long)value,
                       (long long)low, (long long)high);
    *out = value;
    return ERR_OK;
}

Err import_bool(const char *file, const json_t *object, const char *key, bool *out) {
    const json_t *v = json_object_get(object, key);
    if (!v || json_is_null(v)) return ERR_OK;
    if (!json_is_boolean(v)) return err_set(ERR_INPUT, "%s: '%s' must be true or false", file, key);
    *out = json_is_true(v);
    return ERR_OK;
}

Err import_str(const char *file, const json_t *object, const char *key, Str *out) {
    const json_t *v = json_object_get(object, key);
    if (!v || json_is_null(v)) return ERR_OK;
    if (!json_is_string(v)) return err_set(ERR_INPUT, "%s: '%s' must be a string", file, key);
    *out = str_make(json_string_value(v), json_string_length(v));
    return ERR_OK;
}

/* ---- what sentence-transformers adds ---- */

static const struct {
    const char *name, *legacy; /* pooling_mode: "mean"; "pooling_mode_mean_tokens": true */
    Pooling pooling;
} pooling_modes[] = {
    {"mean", "pooling_mode_mean_tokens", POOL_MEAN},
    {"cls", "pooling_mode_cls_token", POOL_CLS},
    {"max", "pooling_mode_max_tokens", POOL_NONE},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", POOL_NONE},
    {"weightedmean", "pooling_mode_weightedmean_tokens", POOL_NONE},
    {"lasttoken", "pooling_mode_lasttoken", POOL_NONE},
};
enum { POOLING_MODES = sizeof pooling_modes / sizeof *pooling_modes };

/* Exactly one mode, and one that we have. */
static Err pooling_choose(const char *file, const json_t *config, Pooling *out) {
    const json_t *mode = json_object_get(config, "pooling_mode");
    if (json_is_array(mode) && json_array_size(mode) == 1) mode = json_array_get(mode, 0);
    const char *chosen = NULL;
    for (size_t i = 0; i < POOLING_MODES; i++) {
        bool on = false;
        if (json_is_string(mode))
            on = strcmp(json_string_value(mode), pooling_modes[i].name) == 0;
        else
            TRY(import_bool(file, config, pooling_modes[i].legacy, &on));
        if (!on) continue;
        if (chosen)
            return err_set(ERR_UNSUPPORTED, "%s: pooling by '%s' and '%s' together", file, chosen,
                           pooling_modes[i].name);
        chosen = pooling_modes[i].name;
        *out = pooling_modes[i].pooling;
    }
    if (!chosen) return err_set(ERR_INPUT, "%s names no pooling that is known", file);
    if (*out == POOL_NONE) return err_set(ERR_UNSUPPORTED, "%s: pooling by '%s'; known: mean, cls", file, chosen);
    return ERR_OK;
}

static Err pooling_read(Import *im, Str folder) {
    if (str_starts(folder, STR("/")) || str_find(folder, STR("..")) >= 0)
        return err_set(ERR_INPUT, "modules.json: path '%.*s' leaves the folder", STR_FMT(folder));
    Str file = arena_printf(im->arena, "%.*s%sconfig.json", STR_FMT(folder), folder.n ? "/" : "");
    if (!file.p) return arena_error();
    json_t *config = NULL;
    TRY(import_json(im, file.p, true, &config));
    Err err = pooling_choose(file.p, config, &im->pooling);
    json_decref(config);
    return err;
}

/* The step's class: the last part of "sentence_transformers.models.Pooling". */
static Err module_read(Import *im, const json_t *module) {
    Str type = {"", 0}, folder = {"", 0};
    TRY(import_str("modules.json", module, "type", &type));
    TRY(import_str("modules.json", module, "path", &folder));
    Str class = str_from(type, (size_t)(str_rfind_char(type, '.') + 1));
    if (str_is(class, "Transformer")) {
        if (folder.n == 0) return ERR_OK;
        return err_set(ERR_UNSUPPORTED, "modules.json: the network stands in '%.*s'; import that folder",
                       STR_FMT(folder));
    }
    if (str_is(class, "Pooling")) return pooling_read(im, folder);
    if (str_is(class, "Normalize")) {
        im->normalize = true;
        return ERR_OK;
    }
    return err_set(ERR_UNSUPPORTED, "modules.json: step '%.*s'; known: Transformer, Pooling, Normalize", STR_FMT(type));
}

static Err modules_read(Import *im) {
    /* Without modules.json: the mean, as sentence-transformers does; normalised, because a search compares by cosine. */
    im->pooling = POOL_MEAN;
    im->normalize = true;
    json_t *modules = NULL;
    TRY(import_json(im, "modules.json", false, &modules));
    if (!modules) return ERR_OK;
    im->normalize = false;
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < json_array_size(modules); i++) err = module_read(im, json_array_get(modules, i));
    json_decref(modules);
    return err;
}

static Err sentence_config_read(Import *im) {
    json_t *config = NULL;
    TRY(import_json(im, "sentence_bert_config.json", false, &config));
    Err err = import_int("sentence_bert_config.json", config, "max_seq_length", 1, 1 << 24, &im->max_tokens);
    if (!err) err = import_bool("sentence_bert_config.json", config, "do_lower_case", &im->lowercase);
    json_decref(config);
    return err;
}

/* ---- the whole ---- */

static Err arch_find(const Import *im, const ImportArch **out) {
    Str type = {"", 0};
    TRY(import_str("config.json", im->config, "model_type", &type));
    for (size_t i = 0; i < IMPORT_ARCHS; i++)
        if (str_is(type, import_archs[i]->model_type)) {
            *out = import_archs[i];
            return ERR_OK;
        }
    char known[256] = "";
    size_t n = 0;
    for (size_t i = 0; i < IMPORT_ARCHS && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s'%s'", i ? ", " : "", import_archs[i]->model_type);
    return err_set(ERR_UNSUPPORTED, "'%s' has model_type '%.*s'; known: %s", im->dir, STR_FMT(type), known);
}

static Err weights_open(Import *im) {
    const char *path = path_join(im->arena, im->dir, "model.safetensors");
    if (!path) return arena_error();
    FileInfo info;
    TRY(file_info(path, true, &info));
    if (info.type == FILE_NONE)
        return err_set(ERR_INPUT, "'%s' has no model.safetensors (weights in other formats or parts are not read)",
                       im->dir);
    return safetensors_open_path(&im->weights, path);
}

static Err import_write(Import *im, const char *name, const char *out_path) {
    const ImportArch *arch = NULL;
    size_t n_vocab = 0;
    TRY(import_json(im, "config.json", true, &im->config));
    TRY(arch_find(im, &arch));
    TRY(modules_read(im));
    TRY(sentence_config_read(im));
    TRY(weights_open(im));
    TRY(gguf_writer_open(&im->out));
    const char *folder = path_absolute(im->arena, im->dir);
    if (!folder) return arena_error();
    gguf_set_str(im->out, "general.architecture", str_of(arch->model_type));
    gguf_set_str(im->out, "general.type", STR("model"));
    gguf_set_str(im->out, "general.name", name && *name ? str_of(name) : path_base(str_of(folder)));
    TRY(arch->write(im, &n_vocab));
    if (!im->normalize) gguf_set_bool(im->out, "pythia.normalize", false);
    TRY(import_tokenizer(im, n_vocab));
    TRY(gguf_writer_write(im->out, out_path));
    Sha256 id; /* the checksum is kept beside the file, for model_open and model_verify */
    return model_file_id(out_path, &id);
}

Err model_import(const char *hf_dir, const char *out_path, const char *name) {
    Arena arena = {0};
    Import im = {.dir = hf_dir, .arena = &arena};
    Err err = import_write(&im, name, out_path);
    gguf_writer_close(im.out);
    safetensors_close(im.weights);
    json_decref(im.config);
    arena_free(&arena);
    return err;
}
