/* import.c - a Hugging Face folder to a GGUF that both we and llama.cpp read.
 *
 * Read are config.json (architecture and sizes), the weights (import_tensors.c), the tokenizer (import_tok.c), and what
 * sentence-transformers keeps beside them (import_sentence.c). Key and tensor names are those that llama.cpp's
 * converter writes; what it has no name for stands under `pythia.`:
 *
 *     pythia.max_tokens       u32   where the model was told to cut texts, when that is below <arch>.context_length
 *     pythia.normalize        bool  false when modules.json has no Normalize step
 *     pythia.prefix.query     str   what goes before a query and before a document (prefix.c)
 *     pythia.prefix.document  str
 *     pythia.rank.*                 how a reranker's classifier is run (head.c)
 *     pythia.pair.separators  u32   marks between the two texts of a pair, when not the kind's usual (pair.c)
 *     pythia.tokenizer.*            tok_wordpiece.c
 *
 * What would change a vector and is not known is an error that names the file and the key: nothing is guessed.
 *
 * Threads: one call is one thread's.
 */
#include "model/import.h"
#include "base/ascii.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/file.h"

static const ImportArch *const import_archs[] = {
    &import_bert,   &import_roberta, &import_xlm_roberta, &import_camembert, &import_distilbert,  &import_nomic,
    &import_modern, &import_qwen2,   &import_qwen3,       &import_gemma3,    &import_gemma3_whole};

/* ---- JSON files ---- */

/* "model_max_length": 1000000000000000019884624838656, as many folders have it, is more than an integer holds here.
 * Digits of integers beyond 18 become an exponent, in place: "1e30", then blanks. */
static void integers_shorten(char *p, size_t n) {
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\\' && in_string) {
            i++;
            continue;
        }
        if (p[i] == '"') in_string = !in_string;
        if (in_string || !is_digit(p[i])) continue;
        size_t end = i;
        while (end < n && is_digit(p[end])) end++;
        bool whole = end == n || (p[end] != '.' && p[end] != 'e' && p[end] != 'E');
        bool begins = i == 0 || !(p[i - 1] == '.' || p[i - 1] == '+' || p[i - 1] == 'e' || p[i - 1] == 'E' ||
                                  (p[i - 1] == '-' && i > 1 && (p[i - 2] == 'e' || p[i - 2] == 'E')));
        if (whole && begins && end - i > 18 && end - i < 300) {
            char exponent[8];
            int m = snprintf(exponent, sizeof exponent, "e%zu", end - i - 1);
            memset(p + i + 1, ' ', end - i - 1);
            memcpy(p + i + 1, exponent, (size_t)m);
        }
        i = end - 1;
    }
}

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
    char *copy = arena_alloc(im->arena, text.n + 1);
    if (!copy) return arena_error();
    if (text.n) memcpy(copy, text.p, text.n);
    integers_shorten(copy, text.n);
    TRY(json_read(str_make(copy, text.n), path, out));
    if (json_is_object(*out) || json_is_array(*out)) return ERR_OK;
    json_decref(*out);
    *out = NULL;
    return err_set(ERR_INPUT, "'%s' holds neither an object nor an array", path);
}

/* The first of several names that is there, and its value; the names themselves and NULL when none is. */
typedef struct {
    char name[80];
    const json_t *value;
} Member;

static Member member_find(const json_t *object, const char *key) {
    Member m = {0};
    Str rest = str_of(key), one;
    while (str_cut(&rest, '|', &one)) {
        (void)snprintf(m.name, sizeof m.name, "%.*s", STR_FMT(one));
        m.value = json_object_get(object, m.name);
        if (m.value && !json_is_null(m.value)) return m;
    }
    (void)snprintf(m.name, sizeof m.name, "%s", key);
    m.value = NULL;
    return m;
}

const json_t *import_member(const json_t *object, const char *key) { return member_find(object, key).value; }

Err import_int(const char *file, const json_t *object, const char *key, int64_t low, int64_t high, int64_t *out) {
    Member m = member_find(object, key);
    if (!m.value) return ERR_OK;
    if (!json_is_integer(m.value)) return err_set(ERR_INPUT, "%s: '%s' must be an integer", file, m.name);
    json_int_t value = json_integer_value(m.value);
    if (value < low || value > high)
        return err_set(ERR_INPUT, "%s: '%s' is %lld; it must be from %lld to %lld", file, m.name, (long long)value,
                       (long long)low, (long long)high);
    *out = value;
    return ERR_OK;
}

Err import_need_int(const char *file, const json_t *object, const char *key, int64_t low, int64_t high, int64_t *out) {
    if (import_member(object, key)) return import_int(file, object, key, low, high, out);
    Str first = str_of(key), rest = first;
    (void)str_cut(&rest, '|', &first);
    return err_set(ERR_INPUT, "%s has no '%.*s'", file, STR_FMT(first));
}

Err import_f64(const char *file, const json_t *object, const char *key, double low, double high, double *out) {
    Member m = member_find(object, key);
    if (!m.value) return ERR_OK;
    if (!json_is_number(m.value)) return err_set(ERR_INPUT, "%s: '%s' must be a number", file, m.name);
    double value = json_number_value(m.value);
    if (!(value >= low && value <= high))
        return err_set(ERR_INPUT, "%s: '%s' is %g; it must be from %g to %g", file, m.name, value, low, high);
    *out = value;
    return ERR_OK;
}

Err import_bool(const char *file, const json_t *object, const char *key, bool *out) {
    Member m = member_find(object, key);
    if (!m.value) return ERR_OK;
    if (!json_is_boolean(m.value)) return err_set(ERR_INPUT, "%s: '%s' must be true or false", file, m.name);
    *out = json_is_true(m.value);
    return ERR_OK;
}

Err import_str(const char *file, const json_t *object, const char *key, Str *out) {
    Member m = member_find(object, key);
    if (!m.value) return ERR_OK;
    if (!json_is_string(m.value)) return err_set(ERR_INPUT, "%s: '%s' must be a string", file, m.name);
    *out = str_make(json_string_value(m.value), json_string_length(m.value));
    return ERR_OK;
}

Err import_want_bool(const char *file, const json_t *object, const char *key, bool want) {
    Member m = member_find(object, key);
    bool got = want;
    TRY(import_bool(file, object, key, &got));
    if (got == want) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "%s: '%s' is %s; known: %s", file, m.name, got ? "true" : "false",
                   want ? "true" : "false");
}

Err import_want_str(const char *file, const json_t *object, const char *key, const char *want) {
    Member m = member_find(object, key);
    Str got = {"", 0}, rest = str_of(want), one;
    TRY(import_str(file, object, key, &got));
    if (!m.value) return ERR_OK;
    while (str_cut(&rest, '|', &one))
        if (str_eq(got, one)) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "%s: %s '%.*s'; known: %s", file, m.name, STR_FMT(got), want);
}

/* ---- the shape that most networks tell alike ---- */

Err import_shape_read(Import *im, ImportShape *s) {
    static const char *const file = "config.json";
    const json_t *c = im->config;
    int64_t layers = IMPORT_LAYERS_MAX, wide = IMPORT_HIDDEN_MAX, rows = IMPORT_VOCAB_MAX;
    TRY(import_need_int(file, c, "num_hidden_layers|n_layer|n_layers", 1, layers, &s->layers));
    TRY(import_need_int(file, c, "num_attention_heads|n_head|n_heads", 1, wide, &s->heads));
    TRY(import_need_int(file, c, "hidden_size|n_embd|dim", 1, wide, &s->hidden));
    TRY(import_need_int(file, c, "intermediate_size|n_inner|hidden_dim", 1, 8 * wide, &s->ff));
    TRY(import_need_int(file, c, "vocab_size", 1, rows, &s->vocab));
    TRY(import_need_int(file, c, "max_trained_positions|max_position_embeddings|n_positions", 1, IMPORT_POSITIONS_MAX,
                        &s->positions));
    s->kv_heads = s->heads;
    TRY(import_int(file, c, "num_key_value_heads", 1, s->heads, &s->kv_heads));
    if (!import_member(c, "head_dim") && s->hidden % s->heads)
        return err_set(ERR_INPUT, "config.json: hidden_size %lld is no multiple of num_attention_heads %lld",
                       (long long)s->hidden, (long long)s->heads);
    s->head_dim = s->hidden / s->heads;
    TRY(import_int(file, c, "head_dim", 1, wide, &s->head_dim));
    TRY(import_f64(file, c, "layer_norm_eps|layer_norm_epsilon|norm_eps|rms_norm_eps", 1e-30, 0.5, &s->epsilon));
    const uint64_t head = (uint64_t)s->head_dim, heads = (uint64_t)s->heads, kv = (uint64_t)s->kv_heads;
    im->sizes[SIZE_LABELS] = 1;
    im->sizes[SIZE_HIDDEN] = (uint64_t)s->hidden;
    im->sizes[SIZE_FF] = (uint64_t)s->ff;
    im->sizes[SIZE_FF_TWICE] = 2 * (uint64_t)s->ff;
    im->sizes[SIZE_VOCAB] = (uint64_t)s->vocab;
    im->sizes[SIZE_POSITIONS] = (uint64_t)s->positions;
    im->sizes[SIZE_HEAD] = head;
    im->sizes[SIZE_QUERY] = heads * head;
    im->sizes[SIZE_KEY] = kv * head;
    im->sizes[SIZE_QKV] = (heads + 2 * kv) * head;
    return ERR_OK;
}

void import_shape_write(const Import *im, const ImportShape *s, bool grouped) {
    uint32_t file_type = im->matrices == SAFE_F16 ? 1 : im->matrices == SAFE_BF16 ? 32 : 0; /* llama.cpp's numbers */
    gguf_set_str(im->out, "general.architecture", str_of(im->arch));
    gguf_set_u32(im->out, "general.file_type", file_type);
    import_key_u32(im, "block_count", s->layers);
    import_key_u32(im, "context_length", s->positions);
    import_key_u32(im, "embedding_length", s->hidden);
    import_key_u32(im, "feed_forward_length", s->ff);
    import_key_u32(im, "attention.head_count", s->heads);
    import_key_f32(im, s->rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", s->epsilon);
    if (!grouped) return;
    import_key_u32(im, "attention.head_count_kv", s->kv_heads);
    import_key_u32(im, "attention.key_length", s->head_dim);
    import_key_u32(im, "attention.value_length", s->head_dim);
}

/* ---- the whole ---- */

static Err arch_find(const Import *im, const ImportArch **out) {
    Str type = {"", 0};
    TRY(import_str("config.json", im->config, "model_type", &type));
    for (size_t i = 0; i < IMPORT_COUNT(import_archs); i++)
        if (str_is(type, import_archs[i]->model_type)) {
            *out = import_archs[i];
            return ERR_OK;
        }
    char known[512] = "";
    size_t n = 0;
    for (size_t i = 0; i < IMPORT_COUNT(import_archs) && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s'%s'", i ? ", " : "", import_archs[i]->model_type);
    return err_set(ERR_UNSUPPORTED, "'%s' has model_type '%.*s'; known: %s", im->dir, STR_FMT(type), known);
}

/* "architectures": ["BertForSequenceClassification"]: what stands behind the network. */
static Err task_read(Import *im) {
    const json_t *first = json_array_get(json_object_get(im->config, "architectures"), 0);
    if (!first) return ERR_OK;
    if (!json_is_string(first)) return err_set(ERR_INPUT, "config.json: 'architectures' must be strings");
    Str name = str_make(json_string_value(first), json_string_length(first));
    im->reranker = str_ends(name, STR("ForSequenceClassification"));
    return ERR_OK;
}

static Err import_write(Import *im, const char *name, const char *out_path) {
    const ImportArch *arch = NULL;
    int64_t context = 0;
    TRY(import_json(im, "config.json", true, &im->config));
    TRY(arch_find(im, &arch));
    TRY(task_read(im));
    TRY(import_sentence_read(im));
    TRY(import_weights_open(im));
    TRY(gguf_writer_open(&im->out));
    const char *folder = path_absolute(im->arena, im->dir);
    if (!folder) return arena_error();
    gguf_set_str(im->out, "general.type", STR("model"));
    gguf_set_str(im->out, "general.name", name && *name ? str_of(name) : path_base(str_of(folder)));
    TRY(arch->write(im, &context));
    TRY(import_dense(im));
    import_sentence_write(im, context);
    TRY(import_tokenizer(im, (size_t)im->sizes[SIZE_VOCAB]));
    TRY(gguf_writer_write(im->out, out_path));
    Sha256 id; /* the checksum is kept beside the file, for model_open and model_verify */
    return model_file_id(out_path, &id);
}

Err model_import(const char *hf_dir, const char *out_path, const char *name) {
    Arena arena = {0};
    Import im = {.dir = hf_dir, .arena = &arena, .hf_prefix = ""};
    Err err = import_write(&im, name, out_path);
    gguf_writer_close(im.out);
    import_weights_close(&im.weights);
    for (size_t i = 0; i < IMPORT_DENSE_MAX; i++) import_weights_close(&im.dense_weights[i]);
    json_decref(im.config);
    arena_free(&arena);
    return err;
}
