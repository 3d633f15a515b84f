/* import_tok_wordpiece.c - a WordPiece tokenizer out of a Hugging Face folder.
 *
 * The vocabulary comes from tokenizer.json where there is one, else from vocab.txt (a token a line; its number is its
 * id). How text is normalised comes from tokenizer_config.json, as `transformers` has it, which lets that file win over
 * the normaliser in tokenizer.json, missing switches at their defaults; from tokenizer.json only when there is none.
 *
 * The spelling in the GGUF is llama.cpp's; tok_wordpiece.c tells it, and reads what is written here.
 */
#include "base/file.h"
#include "model/import_tok.h"

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
    ImportVocab *vocab;
    bool clean, chinese, lower, strip;
    int64_t special[SPECIALS]; /* ids; -1: none */
} Words;

/* ---- reading ---- */

static Err vocab_from_lines(const Import *im, ImportVocab *v) {
    const char *path = path_join(im->arena, im->dir, "vocab.txt");
    if (!path) return arena_error();
    FileInfo info;
    TRY(file_info(path, true, &info));
    if (info.type == FILE_NONE) return err_set(ERR_INPUT, "'%s' has neither tokenizer.json nor vocab.txt", im->dir);
    Str rest, line;
    TRY(file_read(im->arena, path, IMPORT_JSON_MAX, &rest));
    for (int64_t id = 0; str_line(&rest, &line); id++) TRY(vocab_set(v, "vocab.txt", line, id, TOK_TYPE_NORMAL));
    return ERR_OK;
}

static Err vocab_from_model(const Import *im, ImportVocab *v) {
    const json_t *model = json_object_get(v->tokenizer, "model");
    Str prefix = STR("##");
    int64_t longest = 100;
    TRY(import_str(TOKENIZER, model, "continuing_subword_prefix", &prefix));
    TRY(import_int(TOKENIZER, model, "max_input_chars_per_word", 0, 1 << 20, &longest));
    if (!str_is(prefix, "##") || longest != 100)
        return err_set(ERR_UNSUPPORTED,
                       TOKENIZER ": continuations begin with '%.*s', words end at %lld characters; known: ##, 100",
                       STR_FMT(prefix), (long long)longest);
    return vocab_copy_object(im, v);
}

/* Nothing is the same in normalised text: a token may be lowered there. */
static bool never_normal(Str text) {
    (void)text;
    return false;
}

/* Stripping blanks around an added token changes no id: WordPiece drops blanks anyway. */
static Err vocab_from_json(const Import *im, ImportVocab *v) {
    bool mask_strips = false;
    TRY(vocab_part_check(v->tokenizer, "normalizer", "BertNormalizer"));
    TRY(vocab_part_check(v->tokenizer, "pre_tokenizer", "BertPreTokenizer"));
    TRY(vocab_from_model(im, v));
    return vocab_added(im, v, &(AddedRules){.normal = never_normal, .blanks_free = true}, &mask_strips);
}

/* ---- switches and special tokens ---- */

static Err switches_read(const Import *im, Words *v) {
    const json_t *config = v->vocab->config, *tokenizer = v->vocab->tokenizer;
    const char *file = config ? TOK_CONFIG : TOKENIZER;
    const json_t *normalizer = json_object_get(tokenizer, "normalizer");
    v->clean = v->chinese = v->lower = true;
    TRY(import_bool(TOKENIZER, normalizer, "clean_text", &v->clean));
    const json_t *from = config ? config : normalizer;
    TRY(import_bool(file, from, config ? "do_lower_case" : "lowercase", &v->lower));
    TRY(import_bool(file, from, config ? "tokenize_chinese_chars" : "handle_chinese_chars", &v->chinese));
    v->strip = v->lower; /* the reference's default */
    TRY(import_bool(file, from, "strip_accents", &v->strip));
    v->lower |= im->lowercase;
    return ERR_OK;
}

static Err specials_read(Words *v) {
    for (int s = 0; s < SPECIALS; s++) {
        Str text = str_of(special_names[s].text);
        TRY(vocab_special(v->vocab, special_names[s].key, &text));
        v->special[s] = vocab_find(v->vocab, text);
        if (v->special[s] >= 0)
            v->vocab->types[v->special[s]] = TOK_TYPE_CONTROL;
        else if (special_names[s].needed)
            return err_set(ERR_INPUT, "the vocabulary has no '%.*s' (%s)", STR_FMT(text), special_names[s].key);
    }
    return ERR_OK;
}

/* What goes around a text must be [CLS] … [SEP]. */
static Err template_check(const json_t *tokenizer) {
    const json_t *post = json_object_get(tokenizer, "post_processor");
    Str type = STR("BertProcessing");
    TRY(import_str(TOKENIZER, post, "type", &type));
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
    const size_t n = sizeof TOK_BLANK - 1;
    char *p = arena_alloc(a, n + text.n);
    if (!p) return (Str){0};
    memcpy(p, TOK_BLANK, n);
    if (text.n) memcpy(p + n, text.p, text.n);
    return str_make(p, n + text.n);
}

/* The spelling of the GGUF, and whether the reader needs to be told that it is a continuation. */
static Str token_spell(Arena *a, Str text, int32_t type, bool *hidden) {
    *hidden = false;
    if (type == TOK_TYPE_UNUSED) return text;
    if (type == TOK_TYPE_CONTROL && !str_starts(text, STR(TOK_BLANK))) return text;
    if (type == TOK_TYPE_CONTROL || !str_starts(text, STR("##"))) return with_phantom(a, text);
    Str body = str_from(text, 2);
    *hidden = str_starts(body, STR(TOK_BLANK)) || (body.n >= 2 && body.p[0] == '[' && body.p[body.n - 1] == ']');
    return body;
}

static Err words_write(const Import *im, ImportVocab *v) {
    int32_t *hidden = arena_array(im->arena, int32_t, v->n);
    if (!hidden) return arena_error();
    size_t n_hidden = 0;
    for (size_t i = 0; i < v->n; i++) {
        bool is_hidden = false;
        if (!v->tokens[i].p) continue;
        v->tokens[i] = token_spell(im->arena, v->tokens[i], v->types[i], &is_hidden);
        if (!v->tokens[i].p) return arena_error();
        if (is_hidden) hidden[n_hidden++] = (int32_t)i;
    }
    TRY(vocab_write(im, v));
    if (n_hidden) gguf_set_array(im->out, "pythia.tokenizer.continuations", GGUF_I32, hidden, n_hidden);
    return ERR_OK;
}

static void specials_write(GgufWriter *w, const Words *v) {
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
static void switches_write(GgufWriter *w, const Words *v) {
    if (!v->clean) gguf_set_bool(w, "pythia.tokenizer.clean_text", false);
    if (!v->chinese) gguf_set_bool(w, "pythia.tokenizer.chinese_chars", false);
    if (!v->lower) gguf_set_bool(w, "pythia.tokenizer.lowercase", false);
    if (v->strip != v->lower) gguf_set_bool(w, "pythia.tokenizer.strip_accents", v->strip);
}

/* vocab.txt says nothing of tokens added to it: without tokenizer.json their ways of matching would be guessed. */
static Err extras_refuse(const Import *im, const ImportVocab *v) {
    json_t *added = NULL;
    TRY(import_json(im, "added_tokens.json", false, &added));
    size_t n = json_object_size(added);
    json_decref(added);
    n += json_array_size(json_object_get(v->config, "additional_special_tokens"));
    n += json_array_size(json_object_get(v->map, "additional_special_tokens"));
    if (n == 0) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "'%s' adds tokens to its vocab.txt; they need a tokenizer.json, which is not there",
                   im->dir);
}

Err import_tok_wordpiece(const Import *im, ImportVocab *v) {
    Words words = {.vocab = v};
    TRY(v->tokenizer ? vocab_from_json(im, v) : vocab_from_lines(im, v));
    if (!v->tokenizer) TRY(extras_refuse(im, v));
    TRY(template_check(v->tokenizer));
    TRY(switches_read(im, &words));
    TRY(specials_read(&words));
    gguf_set_str(im->out, "tokenizer.ggml.model", STR("bert"));
    gguf_set_str(im->out, "tokenizer.ggml.pre", STR("default"));
    TRY(words_write(im, v));
    specials_write(im->out, &words);
    switches_write(im->out, &words);
    return ERR_OK;
}
