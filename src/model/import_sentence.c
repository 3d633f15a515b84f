/* import_sentence.c - what sentence-transformers keeps beside a network: modules.json (which steps follow it), the
 * folders of those steps, sentence_bert_config.json (where texts are cut), config_sentence_transformers.json (prompts).
 */
#include <stdio.h>

#include "model/import.h"

#define MODULES   "modules.json"
#define SENTENCES "sentence_bert_config.json"
#define PROMPTS   "config_sentence_transformers.json"

/* ---- pooling ---- */

static const struct {
    const char *name, *legacy; /* pooling_mode: "mean"; "pooling_mode_mean_tokens": true */
    Pooling pooling;
} pooling_modes[] = {
    {"mean", "pooling_mode_mean_tokens", POOL_MEAN},
    {"cls", "pooling_mode_cls_token", POOL_CLS},
    {"lasttoken", "pooling_mode_lasttoken", POOL_LAST},
    {"max", "pooling_mode_max_tokens", POOL_NONE},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", POOL_NONE},
    {"weightedmean", "pooling_mode_weightedmean_tokens", POOL_NONE},
};

/* Exactly one mode, and one that we have. */
static Err pooling_choose(const char *file, const json_t *config, Pooling *out) {
    const json_t *mode = json_object_get(config, "pooling_mode");
    if (json_is_array(mode) && json_array_size(mode) == 1) mode = json_array_get(mode, 0);
    const char *chosen = NULL;
    for (size_t i = 0; i < IMPORT_COUNT(pooling_modes); i++) {
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
    if (*out == POOL_NONE)
        return err_set(ERR_UNSUPPORTED, "%s: pooling by '%s'; known: mean, cls, lasttoken", file, chosen);
    return import_want_bool(file, config, "include_prompt", true);
}

/* ---- steps ---- */

/* Reads "<folder>/config.json"; *file is its name, for messages. */
static Err step_config(const Import *im, Str folder, const char **file, json_t **config) {
    if (str_starts(folder, STR("/")) || str_find(folder, STR("..")) >= 0)
        return err_set(ERR_INPUT, MODULES ": path '%.*s' leaves the folder", STR_FMT(folder));
    *file = arena_printf(im->arena, "%.*s%sconfig.json", STR_FMT(folder), folder.n ? "/" : "").p;
    if (!*file) return arena_error();
    return import_json(im, *file, true, config);
}

static Err pooling_read(Import *im, Str folder) {
    const char *file = NULL;
    json_t *config = NULL;
    TRY(step_config(im, folder, &file, &config));
    Err err = pooling_choose(file, config, &im->pooling);
    json_decref(config);
    return err;
}

static Err dense_read(Import *im, Str folder) {
    const char *file = NULL;
    json_t *config = NULL;
    if (im->n_dense == IMPORT_DENSE_MAX)
        return err_set(ERR_UNSUPPORTED, MODULES ": more than %d steps are Dense", IMPORT_DENSE_MAX);
    TRY(step_config(im, folder, &file, &config));
    Err err = import_want_str(file, config, "activation_function", "torch.nn.modules.linear.Identity");
    json_decref(config);
    im->dense[im->n_dense] = arena_str(im->arena, folder);
    if (!err && !im->dense[im->n_dense++].p) err = arena_error();
    return err;
}

typedef enum { STEP_NETWORK, STEP_POOLING, STEP_DENSE, STEP_NORMALIZE, STEPS } Step;
static const char *const step_names[STEPS] = {"Transformer", "Pooling", "Dense", "Normalize"};

static Err step_read(Import *im, Step step, Str folder) {
    switch (step) {
    case STEP_NETWORK:
        if (folder.n == 0) return ERR_OK;
        return err_set(ERR_UNSUPPORTED, MODULES ": the network stands in '%.*s'; import that folder", STR_FMT(folder));
    case STEP_POOLING:
        return pooling_read(im, folder);
    case STEP_DENSE:
        return dense_read(im, folder);
    default:
        im->normalize = true;
        return ERR_OK;
    }
}

/* The step's class is the last part of "sentence_transformers.models.Pooling". Steps must come in the order above:
 * dense layers behind the pooled vector, the norm at the end. */
static Err module_read(Import *im, const json_t *module, int *last) {
    Str type = {"", 0}, folder = {"", 0};
    TRY(import_str(MODULES, module, "type", &type));
    TRY(import_str(MODULES, module, "path", &folder));
    Str class = str_from(type, (size_t)(str_rfind_char(type, '.') + 1));
    int s = 0;
    while (s < STEPS && !str_is(class, step_names[s])) s++;
    if (s == STEPS)
        return err_set(ERR_UNSUPPORTED, MODULES ": step '%.*s'; known: Transformer, Pooling, Dense, Normalize",
                       STR_FMT(type));
    if (s < *last || (s == *last && s != STEP_DENSE && s != STEP_NETWORK))
        return err_set(ERR_UNSUPPORTED, MODULES ": step '%s' stands behind '%s'", step_names[s], step_names[*last]);
    *last = s;
    return step_read(im, (Step)s, folder);
}

static Err modules_read(Import *im) {
    /* Without modules.json: the mean, as sentence-transformers does; normalised, because a search compares by
     * cosine. */
    im->pooling = POOL_MEAN;
    im->normalize = true;
    json_t *modules = NULL;
    TRY(import_json(im, MODULES, false, &modules));
    if (!modules) return ERR_OK;
    im->normalize = false;
    im->sentences = json_array_size(modules) > 1; /* a cross-encoder's has the network alone */
    Err err = ERR_OK;
    int last = STEP_NETWORK;
    for (size_t i = 0; !err && i < json_array_size(modules); i++)
        err = module_read(im, json_array_get(modules, i), &last);
    json_decref(modules);
    return err;
}

/* ---- limits and prompts ---- */

/* Where sentence-transformers is not told, it cuts where the tokenizer does. */
static Err limit_read(Import *im) {
    json_t *config = NULL;
    TRY(import_json(im, SENTENCES, false, &config));
    Err err = import_int(SENTENCES, config, "max_seq_length", 1, 1 << 24, &im->max_tokens);
    if (!err) err = import_bool(SENTENCES, config, "do_lower_case", &im->lowercase);
    json_decref(config);
    if (err || im->max_tokens) return err;
    TRY(import_json(im, "tokenizer_config.json", false, &config));
    const json_t *limit = import_member(config, "model_max_length");
    if (json_is_integer(limit) && json_integer_value(limit) > 0 && json_integer_value(limit) < 1 << 24)
        im->max_tokens = json_integer_value(limit);
    json_decref(config);
    return ERR_OK;
}

/* The first prompt of several names; "" when there is none. */
static Err prompt_read(const Import *im, const json_t *config, const char *names, Str *out) {
    const json_t *prompts = json_object_get(config, "prompts");
    Str fallback = {"", 0}, text = {NULL, 0};
    TRY(import_str(PROMPTS, config, "default_prompt_name", &fallback));
    TRY(import_str(PROMPTS, prompts, names, &text));
    const char *name = arena_cstr(im->arena, fallback);
    if (!name) return arena_error();
    if (!text.p && *name) TRY(import_str(PROMPTS, prompts, name, &text));
    *out = arena_str(im->arena, text.p ? text : STR(""));
    return out->p ? ERR_OK : arena_error();
}

static Err prompts_read(Import *im) {
    json_t *config = NULL;
    TRY(import_json(im, PROMPTS, false, &config));
    /* Names as encode_query and encode_document look for them. */
    Err err = prompt_read(im, config, "query", &im->prefix[EMBED_QUERY]);
    if (!err) err = prompt_read(im, config, "document|passage|corpus", &im->prefix[EMBED_DOCUMENT]);
    json_decref(config);
    return err;
}

Err import_sentence_read(Import *im) {
    TRY(modules_read(im));
    TRY(limit_read(im));
    return prompts_read(im);
}

void import_sentence_write(const Import *im, int64_t context) {
    const Str *prefix = im->prefix;
    if (im->max_tokens && im->max_tokens < context)
        gguf_set_u32(im->out, "pythia.max_tokens", (uint32_t)im->max_tokens);
    if (!im->normalize && !im->reranker) gguf_set_bool(im->out, "pythia.normalize", false);
    /* Both empty is what sentence-transformers writes of itself: then the model's family may still want some. */
    if (im->reranker || (!prefix[EMBED_QUERY].n && !prefix[EMBED_DOCUMENT].n)) return;
    gguf_set_str(im->out, "pythia.prefix.query", prefix[EMBED_QUERY]);
    gguf_set_str(im->out, "pythia.prefix.document", prefix[EMBED_DOCUMENT]);
}
