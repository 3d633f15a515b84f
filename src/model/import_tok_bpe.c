/* import_tok_bpe.c - byte-level BPE out of tokenizer.json: RoBERTa, ModernBERT, Qwen2, Qwen3, Llama 3, code models.
 *
 * How words are cut before merging stands in the folder as a pattern, in a GGUF as a name (tokenizer.ggml.pre). So the
 * pattern, the normaliser and two switches are looked up in a table of the families that tok_bpe_split.c knows; what is
 * not there is refused: a near miss would give other ids for some texts.
 */
#include "model/import_tok.h"

/* Patterns as the reference's files spell them. */
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CL100K(digits)                                                                                                 \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits                                               \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *pattern, *name;
    bool digits, nfc, mask_strips, whole_words;
} families[] = {
    {GPT2, "gpt-2", false, false, false, false},
    {GPT2, "roberta-bpe", false, false, true, false},
    {GPT2, "olmo", false, true, false, false},
    {GPT2, "modern-bert", false, true, true, false},
    {GPT2, "starcoder", true, false, false, false},
    {CL100K("\\p{N}"), "qwen2", false, true, false, false},
    {CL100K("\\p{N}{1,3}"), "llama-bpe", false, false, false, true},
    {CL100K("\\p{N}{1,3}"), "dbrx", false, false, false, false},
};

typedef struct {
    Str pattern;
    bool digits, nfc, mask_strips, whole_words;
} Cutting;

/* ---- how words are cut ---- */

static Err normalizer_read(const ImportVocab *v, Cutting *c) {
    const json_t *normalizer = json_object_get(v->tokenizer, "normalizer");
    for (size_t i = 0; i < vocab_parts(normalizer, "normalizers"); i++) {
        Str type;
        TRY(vocab_part_type(vocab_part(normalizer, "normalizers", i), &type));
        if (!str_is(type, "NFC"))
            return err_set(ERR_UNSUPPORTED, TOKENIZER ": the normalizer has a '%.*s'; known before bytes: NFC",
                           STR_FMT(type));
        c->nfc = true;
    }
    return ERR_OK;
}

static Err bytes_step(const json_t *step, Cutting *c) {
    bool prefix = true, pattern = true;
    TRY(import_bool(TOKENIZER, step, "add_prefix_space", &prefix));
    TRY(import_bool(TOKENIZER, step, "use_regex", &pattern));
    if (prefix)
        return err_set(ERR_UNSUPPORTED, TOKENIZER ": the pre_tokenizer puts a space before each text "
                                                  "('add_prefix_space')");
    if (pattern && c->pattern.p) return err_set(ERR_UNSUPPORTED, TOKENIZER ": the pre_tokenizer cuts by two patterns");
    if (pattern) c->pattern = STR(GPT2);
    return ERR_OK;
}

static Err split_step(const json_t *step, Cutting *c) {
    Str behavior = {"", 0};
    bool invert = false;
    TRY(import_str(TOKENIZER, step, "behavior", &behavior));
    TRY(import_bool(TOKENIZER, step, "invert", &invert));
    if (!str_is(behavior, "Isolated") || invert || c->pattern.p)
        return err_set(ERR_UNSUPPORTED, TOKENIZER ": the pre_tokenizer splits '%.*s'%s; known: one, Isolated",
                       STR_FMT(behavior), invert ? ", inverted" : "");
    TRY(import_str(TOKENIZER, json_object_get(step, "pattern"), "Regex", &c->pattern));
    return c->pattern.p ? ERR_OK : err_set(ERR_UNSUPPORTED, TOKENIZER ": the pre_tokenizer splits without a Regex");
}

static Err pre_tokenizer_read(const ImportVocab *v, Cutting *c) {
    const json_t *pre = json_object_get(v->tokenizer, "pre_tokenizer");
    bool bytes = false;
    for (size_t i = 0; i < vocab_parts(pre, "pretokenizers"); i++) {
        const json_t *step = vocab_part(pre, "pretokenizers", i);
        Str type;
        TRY(vocab_part_type(step, &type));
        if (str_is(type, "ByteLevel")) {
            bytes = true;
            TRY(bytes_step(step, c));
        } else if (str_is(type, "Split") && !bytes) {
            TRY(split_step(step, c));
        } else if (str_is(type, "Digits") && !bytes) {
            TRY(import_bool(TOKENIZER, step, "individual_digits", &c->digits));
            if (!c->digits) return err_set(ERR_UNSUPPORTED, TOKENIZER ": the pre_tokenizer keeps digits together");
        } else {
            return err_set(ERR_UNSUPPORTED,
                           TOKENIZER ": the pre_tokenizer has a '%.*s'; known: Split, Digits, "
                                     "ByteLevel, in this order",
                           STR_FMT(type));
        }
    }
    if (bytes && c->pattern.p) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, TOKENIZER ": merges without ByteLevel; known: byte-level BPE, or byte_fallback");
}

static Err family_find(const Cutting *c, const char **name) {
    for (size_t i = 0; i < IMPORT_COUNT(families); i++) {
        *name = families[i].name;
        if (str_is(c->pattern, families[i].pattern) && c->digits == families[i].digits && c->nfc == families[i].nfc &&
            c->mask_strips == families[i].mask_strips && c->whole_words == families[i].whole_words)
            return ERR_OK;
    }
    return err_set(ERR_UNSUPPORTED, TOKENIZER ": no known family cuts words by '%.*s'%s%s%s%s", STR_FMT(c->pattern),
                   c->digits ? " and single digits" : "", c->nfc ? ", composed (NFC)" : "",
                   c->mask_strips ? ", the mask with the blanks before it" : "",
                   c->whole_words ? ", whole words first (ignore_merges)" : "");
}

/* ---- vocabulary and merges ---- */

/* Composing leaves ASCII alone; what follows a token may compose with its last letter, which real tokens do not end
 * in. */
static bool is_ascii(Str text) {
    for (size_t i = 0; i < text.n; i++)
        if ((uint8_t)text.p[i] >= 0x80) return false;
    return true;
}
static bool always_normal(Str text) {
    (void)text;
    return true;
}

static Err model_check(const json_t *model) {
    static const char *const empty[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    double dropout = 0;
    TRY(import_f64(TOKENIZER, model, "dropout", 0, 1, &dropout));
    if (dropout != 0) return err_set(ERR_UNSUPPORTED, TOKENIZER ": merges with dropout");
    for (size_t i = 0; i < IMPORT_COUNT(empty); i++) {
        Str s = {"", 0};
        TRY(import_str(TOKENIZER, model, empty[i], &s));
        if (s.n) return err_set(ERR_UNSUPPORTED, TOKENIZER ": '%s' is '%.*s'; known: none", empty[i], STR_FMT(s));
    }
    return ERR_OK;
}

/* "left right", or ["left", "right"]. */
static Err merge_line(const Import *im, const json_t *merge, size_t i, Str *out) {
    const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
    if (json_is_string(merge))
        *out = arena_str(im->arena, str_make(json_string_value(merge), json_string_length(merge)));
    else if (json_array_size(merge) == 2 && json_is_string(left) && json_is_string(right))
        *out = arena_printf(im->arena, "%s %s", json_string_value(left), json_string_value(right));
    else
        return err_set(ERR_INPUT, TOKENIZER ": merge %zu is not two tokens", i);
    return out->p ? ERR_OK : arena_error();
}

static Err merges_write(const Import *im, const json_t *model) {
    const json_t *merges = json_object_get(model, "merges");
    size_t n = json_array_size(merges);
    if (!json_is_array(merges)) return err_set(ERR_INPUT, TOKENIZER " has no merges");
    Str *lines = arena_array(im->arena, Str, n + 1);
    if (!lines) return arena_error();
    for (size_t i = 0; i < n; i++) TRY(merge_line(im, json_array_get(merges, i), i, &lines[i]));
    gguf_set_strs(im->out, "tokenizer.ggml.merges", lines, n);
    return ERR_OK;
}

/* A byte without a token is left out by a tokenizer without an unknown token, but not by one that has it. */
static Err bytes_check(const ImportVocab *v, const json_t *model) {
    bool seen[324] = {false};
    Str unknown = {"", 0};
    TRY(import_str(TOKENIZER, model, "unk_token", &unknown));
    for (size_t i = 0; unknown.n && i < v->n; i++) {
        Str t = v->tokens[i];
        uint32_t cp = t.n == 1 ? (uint8_t)t.p[0] : 0;
        if (t.n == 2) cp = ((uint8_t)t.p[0] & 31u) << 6 | ((uint8_t)t.p[1] & 63u);
        if (cp < IMPORT_COUNT(seen)) seen[cp] = true;
    }
    /* GPT-2's letters of bytes: printable ones are themselves, the others follow from U+0100 on. */
    for (uint32_t byte = 0, next = 0x100; unknown.n && byte < 256; byte++) {
        bool plain = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
        if (!seen[plain ? byte : next])
            return err_set(ERR_UNSUPPORTED, TOKENIZER ": byte %u has no token, and is not left out but '%.*s'", byte,
                           STR_FMT(unknown));
        next += !plain;
    }
    return ERR_OK;
}

Err import_tok_bytes(const Import *im, ImportVocab *v) {
    const json_t *model = json_object_get(v->tokenizer, "model");
    const char *family = NULL;
    Cutting cutting = {0};
    ImportMarks marks;
    TRY(model_check(model));
    TRY(normalizer_read(v, &cutting));
    TRY(pre_tokenizer_read(v, &cutting));
    TRY(import_bool(TOKENIZER, model, "ignore_merges", &cutting.whole_words));
    TRY(vocab_copy_object(im, v));
    TRY(bytes_check(v, model));
    AddedRules rules = {.normal = cutting.nfc ? is_ascii : always_normal};
    TRY(vocab_added(im, v, &rules, &cutting.mask_strips));
    TRY(family_find(&cutting, &family));
    TRY(marks_read(v, &marks));
    gguf_set_str(im->out, "tokenizer.ggml.model", STR("gpt2"));
    gguf_set_str(im->out, "tokenizer.ggml.pre", str_of(family));
    TRY(vocab_write(im, v));
    TRY(merges_write(im, model));
    return vocab_marks_write(im, v, &marks, strcmp(family, "roberta-bpe") == 0 ? 2 : 1);
}
