/* import_tok.c - a tokenizer out of a Hugging Face folder: tokenizer.json, and beside it tokenizer_config.json and
 * special_tokens_map.json, which name the special tokens.
 *
 * Truncation and padding in tokenizer.json are left alone: they are habits of whoever saved it, not limits of the
 * model. Spelling in the GGUF is llama.cpp's, and tok_*.c read what is written here.
 */
#include "model/import_tok.h"

/* ---- gathering ---- */

Err vocab_set(ImportVocab *v, const char *file, Str text, int64_t id, int32_t type) {
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

Err vocab_copy(const Import *im, ImportVocab *v, Str text, int64_t id, int32_t type) {
    Str copy = arena_str(im->arena, text);
    if (!copy.p) return arena_error();
    return vocab_set(v, TOKENIZER, copy, id, type);
}

Err vocab_copy_object(const Import *im, ImportVocab *v) {
    json_t *vocab = json_object_get(json_object_get(v->tokenizer, "model"), "vocab"), *id;
    const char *text;
    if (!json_is_object(vocab)) return err_set(ERR_INPUT, TOKENIZER " has no vocabulary");
    json_object_foreach(vocab, text, id) {
        if (!json_is_integer(id)) return err_set(ERR_INPUT, TOKENIZER ": token '%s' has no id", text);
        TRY(vocab_copy(im, v, str_of(text), json_integer_value(id), TOK_TYPE_NORMAL));
    }
    return ERR_OK;
}

int64_t vocab_find(const ImportVocab *v, Str text) {
    for (size_t id = 0; id < v->n; id++)
        if (v->tokens[id].p && str_eq(v->tokens[id], text)) return (int64_t)id;
    return -1;
}

/* ---- parts ---- */

Err vocab_part_type(const json_t *part, Str *out) {
    *out = STR("none");
    return json_is_object(part) ? import_str(TOKENIZER, part, "type", out) : ERR_OK;
}

Err vocab_part_check(const json_t *tokenizer, const char *part, const char *types) {
    Str got, rest = str_of(types), one;
    TRY(vocab_part_type(json_object_get(tokenizer, part), &got));
    while (str_cut(&rest, '|', &one))
        if (str_eq(got, one)) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, TOKENIZER ": the %s is of type '%.*s'; known: %s", part, STR_FMT(got), types);
}

static bool is_sequence(const json_t *part) {
    const char *type = json_string_value(json_object_get(part, "type"));
    return type && strcmp(type, "Sequence") == 0;
}

size_t vocab_parts(const json_t *part, const char *list) {
    if (!json_is_object(part)) return 0;
    return is_sequence(part) ? json_array_size(json_object_get(part, list)) : 1;
}

const json_t *vocab_part(const json_t *part, const char *list, size_t i) {
    return is_sequence(part) ? json_array_get(json_object_get(part, list), i) : part;
}

Err vocab_special(const ImportVocab *v, const char *key, Str *out) {
    const struct {
        const char *file;
        const json_t *object;
    } from[] = {{TOK_SPECIALS, v->map}, {TOK_CONFIG, v->config}}; /* the later wins */
    for (size_t i = 0; i < IMPORT_COUNT(from); i++) {
        const json_t *token = json_object_get(from[i].object, key);
        TRY(json_is_object(token) ? import_str(from[i].file, token, "content", out)
                                  : import_str(from[i].file, from[i].object, key, out));
    }
    return ERR_OK;
}

/* ---- added tokens ---- */

typedef struct {
    bool special, normalized, single_word, left, right;
    int64_t id;
    Str text;
} Added;

static Err added_read(const json_t *token, Added *out) {
    *out = (Added){.id = -1, .text = {"", 0}};
    TRY(import_bool(TOKENIZER, token, "special", &out->special));
    TRY(import_bool(TOKENIZER, token, "normalized", &out->normalized));
    TRY(import_bool(TOKENIZER, token, "single_word", &out->single_word));
    TRY(import_bool(TOKENIZER, token, "lstrip", &out->left));
    TRY(import_bool(TOKENIZER, token, "rstrip", &out->right));
    TRY(import_int(TOKENIZER, token, "id", 0, INT32_MAX, &out->id));
    return import_str(TOKENIZER, token, "content", &out->text);
}

static Err added_check(const Added *t, const AddedRules *rules, Str mask) {
    bool left = t->left && !str_eq(t->text, mask);
    const char *how = t->single_word                             ? "as a single word"
                      : t->right && !rules->blanks_free          ? "with the blanks behind it"
                      : left && !rules->blanks_free              ? "with the blanks before it"
                      : t->normalized && !rules->normal(t->text) ? "after normalising"
                                                                 : NULL;
    if (!how) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, TOKENIZER ": added token '%.*s' is matched %s", STR_FMT(t->text), how);
}

Err vocab_added(const Import *im, ImportVocab *v, const AddedRules *rules, bool *mask_strips) {
    const json_t *list = json_object_get(v->tokenizer, "added_tokens");
    Str mask = {"", 0};
    *mask_strips = false;
    TRY(vocab_special(v, "mask_token", &mask));
    for (size_t i = 0; i < json_array_size(list); i++) {
        Added t;
        TRY(added_read(json_array_get(list, i), &t));
        TRY(added_check(&t, rules, mask));
        /* Gemma's tokenizer has a token for pictures that the text's network has no row for. */
        if (t.id >= 0 && (uint64_t)t.id >= v->n && t.special) continue;
        TRY(vocab_copy(im, v, t.text, t.id, t.special ? TOK_TYPE_CONTROL : TOK_TYPE_USER_DEFINED));
        *mask_strips |= t.left;
    }
    return ERR_OK;
}

/* ---- marks ---- */

/* {"SpecialToken": {"id": "<s>"}}: the id of the token, by the processor's own table. -1: it is a text. */
static Err mark_id(const ImportVocab *v, const json_t *post, const json_t *item, int64_t *out) {
    const json_t *special = json_object_get(item, "SpecialToken");
    const char *name = json_string_value(json_object_get(special, "id"));
    *out = -1;
    if (!special) return ERR_OK;
    const json_t *ids =
        json_object_get(json_object_get(json_object_get(post, "special_tokens"), name ? name : ""), "ids");
    if (json_array_size(ids) != 1 || !json_is_integer(json_array_get(ids, 0)))
        return err_set(ERR_UNSUPPORTED, TOKENIZER ": the post_processor's '%s' is not one token", name ? name : "?");
    *out = json_integer_value(json_array_get(ids, 0));
    if (*out >= 0 && (uint64_t)*out < v->n && v->tokens[*out].p) return ERR_OK;
    return err_set(ERR_INPUT, TOKENIZER ": the post_processor's '%s' has id %lld, which is no token", name,
                   (long long)*out);
}

/* [mark] text [mark] */
static Err single_read(const ImportVocab *v, const json_t *post, ImportMarks *out) {
    const json_t *single = json_object_get(post, "single");
    size_t n = json_array_size(single), texts = 0;
    for (size_t i = 0; i < n && n <= 3; i++) {
        int64_t id = -1;
        TRY(mark_id(v, post, json_array_get(single, i), &id));
        if (id < 0)
            texts++;
        else if (texts == 0 && out->before < 0)
            out->before = id;
        else if (texts == 1 && out->behind < 0)
            out->behind = id;
        else
            texts = 2; /* two marks on one side */
    }
    if (texts == 1) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, TOKENIZER ": the post_processor is not one mark before or behind a text");
}

/* [mark] text [separators] text [mark], with the separators equal to the mark behind; anything else leaves 0. */
static Err pair_read(const ImportVocab *v, const json_t *post, ImportMarks *out) {
    const json_t *pair = json_object_get(post, "pair");
    size_t n = json_array_size(pair), texts = 0;
    int64_t between = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t id = -1;
        TRY(mark_id(v, post, json_array_get(pair, i), &id));
        texts += id < 0;
        between += id >= 0 && texts == 1;
        bool fits =
            id < 0 || (texts == 0 ? i == 0 && id == out->before : id == out->behind && (texts < 2 || i + 1 == n));
        if (!fits) return ERR_OK;
    }
    if (texts == 2) out->separators = between;
    return ERR_OK;
}

/* ["</s>", 2] */
static Err named_mark(const json_t *post, const char *key, int64_t n, int64_t *out) {
    const json_t *id = json_array_get(json_object_get(post, key), 1);
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= n)
        return err_set(ERR_INPUT, TOKENIZER ": the post_processor has no token '%s'", key);
    *out = json_integer_value(id);
    return ERR_OK;
}

static Err processor_read(const ImportVocab *v, const json_t *post, ImportMarks *out) {
    Str type;
    TRY(vocab_part_type(post, &type));
    if (str_is(type, "none") || str_is(type, "ByteLevel")) return ERR_OK;
    if (str_is(type, "TemplateProcessing")) {
        TRY(single_read(v, post, out));
        return pair_read(v, post, out);
    }
    if (!str_is(type, "RobertaProcessing") && !str_is(type, "BertProcessing"))
        return err_set(ERR_UNSUPPORTED, TOKENIZER ": the post_processor is of type '%.*s'", STR_FMT(type));
    TRY(named_mark(post, "cls", (int64_t)v->n, &out->before));
    out->separators = str_is(type, "RobertaProcessing") ? 2 : 1;
    return named_mark(post, "sep", (int64_t)v->n, &out->behind);
}

Err marks_read(const ImportVocab *v, ImportMarks *out) {
    const json_t *post = json_object_get(v->tokenizer, "post_processor");
    *out = (ImportMarks){-1, -1, -1, 0};
    for (size_t i = 0; i < vocab_parts(post, "processors"); i++)
        TRY(processor_read(v, vocab_part(post, "processors", i), out));
    return ERR_OK;
}

/* ---- writing ---- */

Err vocab_write(const Import *im, ImportVocab *v) {
    for (size_t i = 0; i < v->n; i++) {
        if (v->tokens[i].p) continue;
        v->tokens[i] = arena_printf(im->arena, "[PAD%zu]", i);
        v->types[i] = TOK_TYPE_UNUSED;
        if (!v->tokens[i].p) return arena_error();
    }
    gguf_set_strs(im->out, "tokenizer.ggml.tokens", v->tokens, v->n);
    if (v->scores) gguf_set_array(im->out, "tokenizer.ggml.scores", GGUF_F32, v->scores, v->n);
    gguf_set_array(im->out, "tokenizer.ggml.token_type", GGUF_I32, v->types, v->n);
    return ERR_OK;
}

Err vocab_marks_write(const Import *im, const ImportVocab *v, const ImportMarks *marks, int64_t usual) {
    const struct {
        const char *name, *key;
        int64_t mark; /* which wins over the name */
    } specials[] = {
        {"bos_token", "tokenizer.ggml.bos_token_id", marks->before},
        {"eos_token", "tokenizer.ggml.eos_token_id", marks->behind},
        {"unk_token", "tokenizer.ggml.unknown_token_id", marks->unknown},
        {"sep_token", "tokenizer.ggml.seperator_token_id", -1}, /* llama.cpp's spelling */
        {"pad_token", "tokenizer.ggml.padding_token_id", -1},
        {"cls_token", "tokenizer.ggml.cls_token_id", -1},
        {"mask_token", "tokenizer.ggml.mask_token_id", -1},
    };
    for (size_t i = 0; i < IMPORT_COUNT(specials); i++) {
        Str text = {NULL, 0};
        TRY(vocab_special(v, specials[i].name, &text));
        int64_t id = specials[i].mark >= 0 ? specials[i].mark : text.p ? vocab_find(v, text) : -1;
        if (id >= 0) gguf_set_u32(im->out, specials[i].key, (uint32_t)id);
    }
    gguf_set_bool(im->out, "tokenizer.ggml.add_bos_token", marks->before >= 0);
    gguf_set_bool(im->out, "tokenizer.ggml.add_eos_token", marks->behind >= 0);
    if (!im->reranker) return ERR_OK;
    if (marks->separators == 0 || marks->before < 0)
        return err_set(ERR_UNSUPPORTED, TOKENIZER ": the post_processor puts no marks around and between two texts");
    if (marks->separators != usual) gguf_set_u32(im->out, "pythia.pair.separators", (uint32_t)marks->separators);
    return ERR_OK;
}

/* ---- the kind ---- */

static Err kind_import(const Import *im, ImportVocab *v) {
    const json_t *model = json_object_get(v->tokenizer, "model");
    Str type;
    bool bytes = false;
    if (!v->tokenizer) return import_tok_wordpiece(im, v);
    TRY(vocab_part_type(model, &type));
    TRY(import_bool(TOKENIZER, model, "byte_fallback", &bytes));
    if (str_is(type, "WordPiece")) return import_tok_wordpiece(im, v);
    if (str_is(type, "BPE")) return bytes ? import_tok_merges(im, v) : import_tok_bytes(im, v);
    if (str_is(type, "Unigram")) return import_tok_unigram(im, v);
    return err_set(ERR_UNSUPPORTED, TOKENIZER ": the model is of type '%.*s'; known: WordPiece, BPE, Unigram",
                   STR_FMT(type));
}

Err import_tokenizer(const Import *im, size_t n_vocab) {
    ImportVocab v = {.n = n_vocab};
    v.tokens = arena_array(im->arena, Str, n_vocab);
    v.types = arena_array(im->arena, int32_t, n_vocab);
    if (!v.tokens || !v.types) return arena_error();
    json_t *tokenizer = NULL, *config = NULL, *map = NULL;
    Err err = ERR_OK;
    if ((err = import_json(im, TOKENIZER, false, &tokenizer))) goto done;
    if ((err = import_json(im, TOK_CONFIG, false, &config))) goto done;
    if ((err = import_json(im, TOK_SPECIALS, false, &map))) goto done;
    v.tokenizer = tokenizer;
    v.config = config;
    v.map = map;
    err = kind_import(im, &v);
done:
    json_decref(tokenizer);
    json_decref(config);
    json_decref(map);
    return err;
}
