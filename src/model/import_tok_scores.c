/* import_tok_scores.c - SentencePiece's tokenizers out of tokenizer.json: BPE with byte_fallback (Gemma), and Unigram
 * (XLM-RoBERTa, bge-m3, E5).
 *
 * Unigram's scores stand in the file. Those of BPE do not: there are merges instead, made of the scores, all ways of
 * making a token of two others, the highest score first. So a token's score is the negative rank of its first merge.
 * That holds only if the merges are all there are, which is checked; a list that was trained otherwise is refused.
 */
#include "base/base64.h"
#include "base/utf8.h"
#include "model/import_tok.h"

static Err scores_take(const Import *im, ImportVocab *v) {
    v->scores = arena_array(im->arena, float, v->n);
    return v->scores ? ERR_OK : arena_error();
}

/* The unknown token, and "<0x0A>" where bytes are fallen back to. */
static void types_set(ImportVocab *v, int64_t unknown, bool bytes) {
    for (size_t i = 0; bytes && i < v->n; i++)
        if (v->tokens[i].p && tok_text_byte(v->tokens[i]) >= 0) v->types[i] = TOK_TYPE_BYTE;
    if (unknown >= 0 && v->types[unknown] == TOK_TYPE_CONTROL) v->types[unknown] = TOK_TYPE_UNKNOWN;
}

/* ---- BPE ---- */

static bool has_no_blank(Str text) { return str_find_char(text, ' ') < 0 && str_find(text, STR(TOK_BLANK)) < 0; }

/* A step that replaces one string by another. */
static bool is_replace(const json_t *step, const char *from, const char *to) {
    const char *type = json_string_value(json_object_get(step, "type"));
    const char *string = json_string_value(json_object_get(json_object_get(step, "pattern"), "String"));
    const char *regex = json_string_value(json_object_get(json_object_get(step, "pattern"), "Regex"));
    const char *content = json_string_value(json_object_get(step, "content"));
    const char *got = string ? string : regex;
    return type && got && content && strcmp(type, "Replace") == 0 && strcmp(got, from) == 0 && strcmp(content, to) == 0;
}

/* Spaces become U+2581, with one more in front or not. */
static Err blanks_read(const ImportVocab *v, bool *prefix) {
    const json_t *normalizer = json_object_get(v->tokenizer, "normalizer");
    bool replaced = false;
    *prefix = false;
    for (size_t i = 0; i < vocab_parts(normalizer, "normalizers"); i++) {
        const json_t *step = vocab_part(normalizer, "normalizers", i);
        Str type, text = {"", 0};
        TRY(vocab_part_type(step, &type));
        TRY(import_str(TOKENIZER, step, "prepend", &text));
        if (str_is(type, "Prepend") && str_is(text, TOK_BLANK))
            *prefix = true;
        else if (is_replace(step, " ", TOK_BLANK))
            replaced = true;
        else
            return err_set(ERR_UNSUPPORTED, TOKENIZER ": the normalizer has a '%.*s'; known: spaces replaced by '%s'",
                           STR_FMT(type), TOK_BLANK);
    }
    if (replaced) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, TOKENIZER ": the normalizer does not replace spaces by '%s'", TOK_BLANK);
}

/* Splitting at spaces splits nothing: none is left. */
static Err no_words_check(const ImportVocab *v) {
    const json_t *pre = json_object_get(v->tokenizer, "pre_tokenizer");
    Str type, at = {"", 0};
    TRY(vocab_part_type(pre, &type));
    TRY(import_str(TOKENIZER, json_object_get(pre, "pattern"), "String", &at));
    if (str_is(type, "none") || (str_is(type, "Split") && str_is(at, " "))) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, TOKENIZER ": the pre_tokenizer is of type '%.*s'; known: none", STR_FMT(type));
}

typedef struct {
    Map ids;          /* text of each token: its id */
    uint32_t *merges; /* [n] how many make a token */
    Buf text;
} Merges;

static Err merge_take(Merges *m, ImportVocab *v, const json_t *merge, size_t rank) {
    const json_t *a = json_array_get(merge, 0), *b = json_array_get(merge, 1);
    Str left = {NULL, 0}, right = {NULL, 0};
    if (json_is_string(merge)) {
        Str whole = str_make(json_string_value(merge), json_string_length(merge));
        ptrdiff_t space = str_find_char(str_from(whole, 1), ' ');
        if (space >= 0) left = str_upto(whole, (size_t)space + 1), right = str_from(whole, (size_t)space + 2);
    } else if (json_array_size(merge) == 2 && json_is_string(a) && json_is_string(b)) {
        left = str_make(json_string_value(a), json_string_length(a));
        right = str_make(json_string_value(b), json_string_length(b));
    }
    if (!left.n || !right.n) return err_set(ERR_INPUT, TOKENIZER ": merge %zu is not two tokens", rank);
    buf_clear(&m->text);
    buf_add(&m->text, left);
    buf_add(&m->text, right);
    TRY(buf_ok(&m->text));
    const uint64_t *id = map_get(&m->ids, buf_str(&m->text));
    if (!id || !map_get(&m->ids, left) || !map_get(&m->ids, right))
        return err_set(ERR_INPUT, TOKENIZER ": merge %zu, '%.*s %.*s', is not of two tokens that make a third", rank,
                       STR_FMT(left), STR_FMT(right));
    if (m->merges[*id]++ == 0) v->scores[*id] = -(float)(rank + 1);
    return ERR_OK;
}

/* Ways of cutting text into two tokens. */
static uint32_t cuts_count(const Merges *m, Str text) {
    uint32_t n = 0, cp;
    for (size_t at = utf8_decode(text, &cp); at < text.n; at += utf8_decode(str_from(text, at), &cp))
        n += map_get(&m->ids, str_upto(text, at)) && map_get(&m->ids, str_from(text, at));
    return n;
}

/* Each token that merging may lead to has all its merges; one that has none is never found by merging. */
static Err merges_check(const Merges *m, ImportVocab *v) {
    for (size_t i = 0; i < v->n; i++) {
        Str text = v->tokens[i];
        uint32_t cp;
        if (!text.p || text.n == 0 || v->types[i] != TOK_TYPE_NORMAL || utf8_decode(text, &cp) == text.n) continue;
        uint32_t cuts = cuts_count(m, text);
        if (m->merges[i] == cuts) continue;
        return err_set(ERR_UNSUPPORTED,
                       TOKENIZER ": token '%.*s' has %u merges of %u that are possible; known: all, as SentencePiece "
                                 "models have them",
                       STR_FMT(text), m->merges[i], cuts);
    }
    return ERR_OK;
}

static Err merges_rank(Merges *m, ImportVocab *v, const json_t *merges) {
    for (size_t i = 0; i < v->n; i++)
        if (v->tokens[i].p && v->tokens[i].n) TRY(map_put(&m->ids, v->tokens[i], i));
    for (size_t i = 0; i < json_array_size(merges); i++) TRY(merge_take(m, v, json_array_get(merges, i), i));
    return merges_check(m, v);
}

/* Runs of U+2581 stand among Gemma's added tokens too, but a text that has them has them by its spaces. */
static void blank_runs_set(ImportVocab *v) {
    for (size_t i = 0; i < v->n; i++) {
        Str rest = v->tokens[i];
        if (!rest.p || v->types[i] != TOK_TYPE_USER_DEFINED) continue;
        while (str_starts(rest, STR(TOK_BLANK))) rest = str_from(rest, sizeof TOK_BLANK - 1);
        if (rest.n == 0) v->types[i] = TOK_TYPE_NORMAL;
    }
}

Err import_tok_merges(const Import *im, ImportVocab *v) {
    const json_t *model = json_object_get(v->tokenizer, "model"), *merges = json_object_get(model, "merges");
    bool prefix = false, mask_strips = false;
    Str unknown = STR("<unk>");
    ImportMarks marks;
    Merges m = {0};
    TRY(blanks_read(v, &prefix));
    TRY(no_words_check(v));
    TRY(import_str(TOKENIZER, model, "unk_token", &unknown));
    TRY(import_want_bool(TOKENIZER, model, "ignore_merges", false));
    if (!json_is_array(merges)) return err_set(ERR_INPUT, TOKENIZER " has no merges");
    TRY(vocab_copy_object(im, v));
    TRY(vocab_added(im, v, &(AddedRules){.normal = has_no_blank}, &mask_strips));
    if (mask_strips) return err_set(ERR_UNSUPPORTED, TOKENIZER ": the mask takes the blanks before it along");
    int64_t unknown_id = vocab_find(v, unknown);
    types_set(v, unknown_id, true);
    blank_runs_set(v);
    TRY(scores_take(im, v));
    m.merges = arena_array(im->arena, uint32_t, v->n);
    if (!m.merges) return arena_error();
    Err err = merges_rank(&m, v, merges);
    map_free(&m.ids);
    buf_free(&m.text);
    TRY(err);
    TRY(marks_read(v, &marks));
    marks.unknown = unknown_id;
    gguf_set_str(im->out, "tokenizer.ggml.model", STR("llama"));
    gguf_set_str(im->out, "tokenizer.ggml.pre", STR("default"));
    gguf_set_bool(im->out, "tokenizer.ggml.add_space_prefix", prefix);
    TRY(vocab_write(im, v));
    return vocab_marks_write(im, v, &marks, 1);
}

/* ---- Unigram ---- */

static Err charsmap_read(const Import *im, Str text, Str *out) {
    Buf bytes = {0};
    Err err = base64_decode(text, BASE64_LOOSE, &bytes)
                  ? buf_ok(&bytes)
                  : err_set(ERR_INPUT, TOKENIZER ": 'precompiled_charsmap' is no base64");
    if (!err) *out = arena_str(im->arena, buf_str(&bytes));
    if (!err && !out->p) err = arena_error();
    buf_free(&bytes);
    return err;
}

/* A map, and steps that leave runs of spaces one space: cutting into words at white space does the same. */
static Err map_read(const Import *im, const ImportVocab *v, Str *map) {
    const json_t *normalizer = json_object_get(v->tokenizer, "normalizer");
    *map = (Str){NULL, 0};
    for (size_t i = 0; i < vocab_parts(normalizer, "normalizers"); i++) {
        const json_t *step = vocab_part(normalizer, "normalizers", i);
        Str type, text = {"", 0};
        TRY(vocab_part_type(step, &type));
        if (str_is(type, "Precompiled") && !map->p) {
            TRY(import_str(TOKENIZER, step, "precompiled_charsmap", &text));
            TRY(charsmap_read(im, text, map));
        } else if (!str_is(type, "Strip") && !is_replace(step, " {2,}", " ") && !is_replace(step, " {2,}", TOK_BLANK)) {
            return err_set(ERR_UNSUPPORTED,
                           TOKENIZER ": the normalizer has a '%.*s'; known: Precompiled, Strip, "
                                     "runs of spaces replaced by one",
                           STR_FMT(type));
        }
    }
    return ERR_OK;
}

/* Words at white space, each with U+2581 before it. */
static Err words_check(const ImportVocab *v) {
    const json_t *pre = json_object_get(v->tokenizer, "pre_tokenizer");
    bool marked = false;
    for (size_t i = 0; i < vocab_parts(pre, "pretokenizers"); i++) {
        const json_t *step = vocab_part(pre, "pretokenizers", i);
        Str type, replacement = STR(TOK_BLANK), scheme = STR("always");
        bool split = true, prefix = true;
        TRY(vocab_part_type(step, &type));
        if (str_is(type, "WhitespaceSplit") && !marked) continue;
        TRY(import_str(TOKENIZER, step, "replacement", &replacement));
        TRY(import_str(TOKENIZER, step, "prepend_scheme", &scheme));
        TRY(import_bool(TOKENIZER, step, "split", &split));
        TRY(import_bool(TOKENIZER, step, "add_prefix_space", &prefix));
        marked =
            str_is(type, "Metaspace") && str_is(replacement, TOK_BLANK) && str_is(scheme, "always") && split && prefix;
        if (!marked)
            return err_set(ERR_UNSUPPORTED,
                           TOKENIZER ": the pre_tokenizer has a '%.*s'; known: WhitespaceSplit, then "
                                     "Metaspace that splits and always prepends '%s'",
                           STR_FMT(type), TOK_BLANK);
    }
    return marked ? ERR_OK : err_set(ERR_UNSUPPORTED, TOKENIZER ": the pre_tokenizer has no Metaspace");
}

/* "vocab": [["token", score], …], an id each in order. */
static Err scored_vocab(const Import *im, ImportVocab *v, const json_t *model) {
    const json_t *vocab = json_object_get(model, "vocab");
    if (!json_is_array(vocab)) return err_set(ERR_INPUT, TOKENIZER " has no vocabulary");
    for (size_t i = 0; i < json_array_size(vocab); i++) {
        const json_t *row = json_array_get(vocab, i), *text = json_array_get(row, 0), *score = json_array_get(row, 1);
        double value = json_number_value(score);
        if (!json_is_string(text) || !json_is_number(score) || !(value > -1e30 && value < 1e30))
            return err_set(ERR_INPUT, TOKENIZER ": token %zu is not a text and its score", i);
        TRY(vocab_copy(im, v, str_make(json_string_value(text), json_string_length(text)), (int64_t)i,
                       TOK_TYPE_NORMAL));
        v->scores[i] = (float)value;
    }
    return ERR_OK;
}

Err import_tok_unigram(const Import *im, ImportVocab *v) {
    const json_t *model = json_object_get(v->tokenizer, "model");
    int64_t unknown = -1;
    bool mask_strips = false, bytes = false;
    Str map;
    ImportMarks marks;
    TRY(map_read(im, v, &map));
    TRY(words_check(v));
    TRY(scores_take(im, v));
    TRY(scored_vocab(im, v, model));
    TRY(import_need_int(TOKENIZER, model, "unk_id", 0, (int64_t)v->n - 1, &unknown));
    TRY(import_bool(TOKENIZER, model, "byte_fallback", &bytes));
    TRY(vocab_added(im, v, &(AddedRules){.normal = has_no_blank, .blanks_free = true}, &mask_strips));
    types_set(v, unknown, bytes);
    TRY(marks_read(v, &marks));
    marks.unknown = unknown;
    gguf_set_str(im->out, "tokenizer.ggml.model", STR("t5"));
    gguf_set_str(im->out, "tokenizer.ggml.pre", STR("default"));
    gguf_set_bool(im->out, "tokenizer.ggml.add_space_prefix", true);
    gguf_set_bool(im->out, "tokenizer.ggml.remove_extra_whitespaces", true);
    if (map.n) gguf_set_array(im->out, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, map.p, map.n);
    TRY(vocab_write(im, v));
    return vocab_marks_write(im, v, &marks, 2);
}
