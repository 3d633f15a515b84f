/* import_tok.c - a WordPiece tokenizer out of a Hugging Face folder.
 *
 * The vocabulary comes from tokenizer.json where there is one, else from vocab.txt (a token a line; its number is its
 * id). How text is normalised comes from tokenizer_config.json, as `transformers` has it, which lets that file win over
 * the normaliser in tokenizer.json, missing switches at their defaults; from tokenizer.json only when there is none. Its
 * truncation and padding are left alone: they are habits of whoever saved it, not limits of the model.
 *
 * The spelling in the GGUF is llama.cpp's; tok_wordpiece.c tells it, and reads what is written here.
 */
#include "base/file.h"
#include "model/import.h"

enum { TYPE_NORMAL = 1, TYPE_CONTROL = 3, TYPE_USER_DEFINED = 4, TYPE_UNUSED = 5 }; /* tokenizer.ggml.token_type */

#define PHANTOM "\xE2\x96\x81" /* U+2581 */

typedef enum { CLS, SEP, UNK, PAD, MASK, SPECIALS } SpecialName;
static const struct {
    const char *key, *text;
    bool needed;
} special_names[SPECIALS] = {
    [CLS] = {"cls_token", "[CLS]", true},     [SEP] = {"sep_token", "[SEP]", true},
    [UNK] = {"unk_token", "[UNK]", true},     [PAD] = {"pad_token", "[PAD]", false},
    [MASK] = {"mask_token", "[MASK]", false},
};

typedef struct {
    Str *tokens;    /* [n] as the reference spells them; {NULL, 0}: a row of embeddings without a token */
    int32_t *types; /* [n] */
    size_t n;       /* rows of embeddings */
    bool clean, chinese, lower, strip;
    int64_t special[SPECIALS]; /* ids; -1: none */
} Vocab;

/* ---- reading ---- */

static Err token_set(Vocab *v, const char *file, Str text, int64_t id, int32_t type) {
    if (id < 0 || (uint64_t)id >= v->n)
        return err_set(ERR_INPUT, "%s: token '%.*s' has id %lld; the model has %zu rows", file, STR_FMT(text),
                       (long long)id, v->n);
    if (v->tokens[id].p && !str_eq(v->tokens[id], text))
        return err_set(ERR_INPUT, "%s: tokens '%.*s' and '%.*s' both have id %lld", file, STR_FMT(v->tokens[id]),
                       STR_FMT(text), (long long)id);
    v->tokens[id] = text;
    v->types[id] = type;
    return ERR_OK;
}

static Err vocab_from_lines(const Import *im, Vocab *v) {
    const char *path = path_join(im->arena, im->dir, "vocab.txt");
    if (!path) return arena_error();
    FileInfo info;
    TRY(file_info(path, true, &info));
    if (info.type == FILE_NONE) return err_set(ERR_INPUT, "'%s' has neither tokenizer.json nor vocab.txt", im->dir);
    Str rest, line;
    TRY(file_read(im->arena, path, IMPORT_JSON_MAX, &rest));
    for (int64_t id = 0; str_line(&rest, &line); id++) TRY(token_set(v, "vocab.txt", line, id, TYPE_NORMAL));
    return ERR_OK;
}

/* {"type": …} of a part of tokenizer.json. */
static Err part_check(const json_t *tokenizer, const char *part, const char *type) {
    Str got = STR("none");
    TRY(import_str("tokenizer.json", json_object_get(tokenizer, part), "type", &got));
    if (str_is(got, type)) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "tokenizer.json: the %s is of type '%.*s'; known: %s", part, STR_FMT(got), type);
}

/* Copies, because the JSON goes before the tokens do. */
static Err token_copy(const Import *im, Vocab *v, Str text, int64_t id, int32_t type) {
    Str copy = arena_str(im->arena, text);
    if (!copy.p) return arena_error();
    return token_set(v, "tokenizer.json", copy, id, type);
}

static Err vocab_from_model(const Import *im, Vocab *v, json_t *model) {
    const char *const file = "tokenizer.json";
    Str prefix = STR("##");
    int64_t longest = 100;
    TRY(import_str(file, model, "continuing_subword_prefix", &prefix));
    TRY(import_int(file, model, "max_input_chars_per_word", 0, 1 << 20, &longest));
    if (!str_is(prefix, "##") || longest != 100)
        return err_set(ERR_UNSUPPORTED,
                       "tokenizer.json: continuations begin with '%.*s', words end at %lld characters; known: ##, 100",
                       STR_FMT(prefix), (long long)longest);
    json_t *vocab = json_object_get(model, "vocab"), *id;
    if (!json_is_object(vocab)) return err_set(ERR_INPUT, "tokenizer.json has no vocabulary");
    const char *text;
    json_object_foreach(vocab, text, id) {
        if (!json_is_integer(id)) return err_set(ERR_INPUT, "tokenizer.json: token '%s' has no id", text);
        TRY(token_copy(im, v, str_of(text), json_integer_value(id), TYPE_NORMAL));
    }
    return ERR_OK;
}

/* Tokens found in the raw text. Stripping blanks around them changes no id: WordPiece drops blanks anyway. */
static Err vocab_from_added(const Import *im, Vocab *v, const json_t *added) {
    const char *const file = "tokenizer.json";
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i);
        bool special = false, normalized = false, single_word = false;
        int64_t id = -1;
        Str text = {"", 0};
        TRY(import_bool(file, token, "special", &special));
        TRY(import_bool(file, token, "normalized", &normalized));
        TRY(import_bool(file, token, "single_word", &single_word));
        TRY(import_int(file, token, "id", 0, INT32_MAX, &id));
        TRY(import_str(file, token, "content", &text));
        if (normalized || single_word)
            return err_set(ERR_UNSUPPORTED, "tokenizer.json: added token '%.*s' is matched %s", STR_FMT(text),
                           normalized ? "after normalising" : "as a single word");
        TRY(token_copy(im, v, text, id, special ? TYPE_CONTROL : TYPE_USER_DEFINED));
    }
    return ERR_OK;
}

static Err vocab_from_json(const Import *im, Vocab *v, const json_t *tokenizer) {
    TRY(part_check(tokenizer, "model", "WordPiece"));
    TRY(part_check(tokenizer, "normalizer", "BertNormalizer"));
    TRY(part_check(tokenizer, "pre_tokenizer", "BertPreTokenizer"));
    TRY(vocab_from_model(im, v, json_object_get(tokenizer, "model")));
    return vocab_from_added(im, v, json_object_get(tokenizer, "added_tokens"));
}

/* ---- switches and special tokens ---- */

static Err switches_read(const Import *im, Vocab *v, const json_t *config, const json_t *tokenizer) {
    const char *file = config ? "tokenizer_config.json" : "tokenizer.json";
    const json_t *normalizer = json_object_get(tokenizer, "normalizer");
    v->clean = v->chinese = v->lower = true;
    TRY(import_bool("tokenizer.json", normalizer, "clean_text", &v->clean));
    const json_t *from = config ? config : normalizer;
    TRY(import_bool(file, from, config ? "do_lower_case" : "lowercase", &v->lower));
    TRY(import_bool(file, from, config ? "tokenize_chinese_chars" : "handle_chinese_chars", &v->chinese));
    v->strip = v->lower; /* the reference's default */
    TRY(import_bool(file, from, "strip_accents", &v->strip));
    v->lower |= im->lowercase;
    return ERR_OK;
}

/* "[CLS]" or {"content": "[CLS]", …} */
static Err special_text(const char *file, const json_t *object, const char *key, Str *out) {
    const json_t *v = json_object_get(object, key);
    return json_is_object(v) ? import_str(file, v, "content", out) : import_str(file, object, key, out);
}

static Err specials_read(Vocab *v, const json_t *config, const json_t *map) {
    for (int s = 0; s < SPECIALS; s++) {
        Str text = str_of(special_names[s].text);
        TRY(special_text("special_tokens_map.json", map, special_names[s].key, &text));
        TRY(special_text("tokenizer_config.json", config, special_names[s].key, &text));
        v->special[s] = -1;
        for (size_t id = 0; id < v->n && v->special[s] < 0; id++)
            if (v->tokens[id].p && str_eq(v->tokens[id], text)) v->special[s] = (int64_t)id;
        if (v->special[s] >= 0)
            v->types[v->special[s]] = TYPE_CONTROL;
        else if (special_names[s].needed)
            return err_set(ERR_INPUT, "the vocabulary has no '%.*s' (%s)", STR_FMT(text), special_names[s].key);
    }
    return ERR_OK;
}

/* What goes around a text must be [CLS] … [SEP]. */
static Err template_check(const json_t *tokenizer) {
    const json_t *post = json_object_get(tokenizer, "post_processor");
    Str type = STR("BertProcessing");
    TRY(import_str("tokenizer.json", post, "type", &type));
    if (str_is(type, "BertProcessing")) return ERR_OK;
    const json_t *single = json_object_get(post, "single");
    bool plain = str_is(type, "TemplateProcessing") && json_array_size(single) == 3 &&
                 json_object_get(json_array_get(single, 0), "SpecialToken") &&
                 json_object_get(json_array_get(single, 1), "Sequence") &&
                 json_object_get(json_array_get(single, 2), "SpecialToken");
    if (plain) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "tokenizer.json: the post_processor '%.*s' is not [CLS] … [SEP]", STR_FMT(type));
}

/* ---- writing ---- */

/* Not by printf: a vocabulary may hold a NUL. */
static Str with_phantom(Arena *a, Str text) {
    const size_t n = sizeof PHANTOM - 1;
    char *p = arena_alloc(a, n + text.n);
    if (!p) return (Str){0};
    memcpy(p, PHANTOM, n);
    if (text.n) memcpy(p + n, text.p, text.n);
    return str_make(p, n + text.n);
}

/* The spelling of the GGUF, and whether the reader needs to be told that it is a continuation. */
static Str token_spell(Arena *a, Str text, int32_t type, bool *hidden) {
    *hidden = false;
    if (type == TYPE_UNUSED) return text;
    if (type == TYPE_CONTROL && !str_starts(text, STR(PHANTOM))) return text;
    if (type == TYPE_CONTROL || !str_starts(text, STR("##"))) return with_phantom(a, text);
    Str body = str_from(text, 2);
    *hidden = str_starts(body, STR(PHANTOM)) || (body.n >= 2 && body.p[0] == '[' && body.p[body.n - 1] == ']');
    return body;
}

static Err vocab_write(const Import *im, Vocab *v) {
    int32_t *hidden = arena_array(im->arena, int32_t, v->n);
    if (!hidden) return arena_error();
    size_t n_hidden = 0;
    for (size_t i = 0; i < v->n; i++) {
        bool is_hidden = false;
        if (!v->tokens[i].p) {
            v->tokens[i] = arena_printf(im->arena, "[PAD%zu]", i);
            v->types[i] = TYPE_UNUSED;
        }
        v->tokens[i] = token_spell(im->arena, v->tokens[i], v->types[i], &is_hidden);
        if (!v->tokens[i].p) return arena_error();
        if (is_hidden) hidden[n_hidden++] = (int32_t)i;
    }
    gguf_set_strs(im->out, "tokenizer.ggml.tokens", v->tokens, v->n);
    gguf_set_array(im->out, "tokenizer.ggml.token_type", GGUF_I32, v->types, v->n);
    if (n_hidden) gguf_set_array(im->out, "pythia.tokenizer.continuations", GGUF_I32, hidden, n_hidden);
    return ERR_OK;
}

static void specials_write(GgufWriter *w, const Vocab *v) {
    const struct {
        const char *key;
        SpecialName name;
    } keys[] = {
        {"tokenizer.ggml.bos_token_id", CLS},     {"tokenizer.ggml.eos_token_id", SEP},
        {"tokenizer.ggml.unknown_token_id", UNK}, {"tokenizer.ggml.seperator_token_id", SEP}, /* llama.cpp's spelling */
        {"tokenizer.ggml.padding_token_id", PAD}, {"tokenizer.ggml.mask_token_id", MASK},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (v->special[keys[i].name] >= 0) gguf_set_u32(w, keys[i].key, (uint32_t)v->special[keys[i].name]);
    gguf_set_bool(w, "tokenizer.ggml.add_bos_token", true);
    gguf_set_bool(w, "tokenizer.ggml.add_eos_token", true);
    gguf_set_bool(w, "tokenizer.ggml.add_sep_token", false);
}

/* Only where they are not as llama.cpp takes them. */
static void switches_write(GgufWriter *w, const Vocab *v) {
    if (!v->clean) gguf_set_bool(w, "pythia.tokenizer.clean_text", false);
    if (!v->chinese) gguf_set_bool(w, "pythia.tokenizer.chinese_chars", false);
    if (!v->lower) gguf_set_bool(w, "pythia.tokenizer.lowercase", false);
    if (v->strip != v->lower) gguf_set_bool(w, "pythia.tokenizer.strip_accents", v->strip);
}

/* vocab.txt says nothing of tokens added to it: without tokenizer.json their ways of matching would be guessed. */
static Err extras_refuse(const Import *im, const json_t *config, const json_t *map) {
    json_t *added = NULL;
    TRY(import_json(im, "added_tokens.json", false, &added));
    size_t n = json_object_size(added);
    json_decref(added);
    n += json_array_size(json_object_get(config, "additional_special_tokens"));
    n += json_array_size(json_object_get(map, "additional_special_tokens"));
    if (n == 0) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "'%s' adds tokens to its vocab.txt; they need a tokenizer.json, which is not there",
                   im->dir);
}

static Err tokenizer_write(const Import *im, Vocab *v, const json_t *tokenizer, const json_t *config,
                           const json_t *map) {
    TRY(tokenizer ? vocab_from_json(im, v, tokenizer) : vocab_from_lines(im, v));
    if (!tokenizer) TRY(extras_refuse(im, config, map));
    TRY(template_check(tokenizer));
    TRY(switches_read(im, v, config, tokenizer));
    TRY(specials_read(v, config, map));
    gguf_set_str(im->out, "tokenizer.ggml.model", STR("bert"));
    gguf_set_str(im->out, "tokenizer.ggml.pre", STR("default"));
    TRY(vocab_write(im, v));
    specials_write(im->out, v);
    switches_write(im->out, v);
    return ERR_OK;
}

Err import_tokenizer(const Import *im, size_t n_vocab) {
    Vocab v = {.n = n_vocab};
    v.tokens = arena_array(im->arena, Str, n_vocab);
    v.types = arena_array(im->arena, int32_t, n_vocab);
    if (!v.tokens || !v.types) return arena_error();
    json_t *tokenizer = NULL, *config = NULL, *map = NULL;
    Err err = ERR_OK;
    if ((err = import_json(im, "tokenizer.json", false, &tokenizer))) goto done;
    if ((err = import_json(im, "tokenizer_config.json", false, &config))) goto done;
    if ((err = import_json(im, "special_tokens_map.json", false, &map))) goto done;
    err = tokenizer_write(im, &v, tokenizer, config, map);
done:
    json_decref(tokenizer);
    json_decref(config);
    json_decref(map);
    return err;
}
