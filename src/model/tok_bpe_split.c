/* tok_bpe_split.c - pre-tokenizers as PCRE2 patterns, the reference's own with three things made explicit.
 *
 * Classes. The reference's engine (Oniguruma) has the categories of Unicode 16, PCRE2 those of the release that a
 * distribution carries (14 in Debian bookworm). The *_NEW lists below are what 16 has over 14, found by asking both
 * about every code point; nothing was taken away or moved. White space is a list of its own (tok_space.h).
 *
 * Backtracking. "\s*[\r\n]+" tries each of the blanks before it finds that no line ends behind them; written as blanks
 * and ends of line in turn, none given back, it matches the same in one pass. All others give back one character at
 * most, so that a text costs time in proportion to its length, and machine code needs no stack beyond the 32 KB it has.
 *
 * Contractions match any case, Unicode's too ("'ſ").
 *
 * Sources: the tokenizer.json of the families' models; the names are those of llama.cpp's converter.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/tok_bpe_split.h"

#include <pcre2.h>
#include <stdlib.h>

#include "model/tok_space.h"

/* ---- classes: what stands between [ and ] ---- */

#define LU_NEW "\\x{1C89}\\x{A7CB}-\\x{A7CC}\\x{A7DA}\\x{A7DC}\\x{10D50}-\\x{10D65}"
#define LL_NEW "\\x{1C8A}\\x{A7CD}\\x{A7DB}\\x{10D70}-\\x{10D85}\\x{1DF25}-\\x{1DF2A}"
#define LM_NEW "\\x{10D4E}\\x{10D6F}\\x{16D40}-\\x{16D42}\\x{16D6B}-\\x{16D6C}\\x{1E030}-\\x{1E06D}\\x{1E4EB}"
#define LO_NEW                                                                                                         \
    "\\x{105C0}-\\x{105F3}\\x{10D4A}-\\x{10D4D}\\x{10D4F}\\x{10EC2}-\\x{10EC4}\\x{1123F}-\\x{11240}"                   \
    "\\x{11380}-\\x{11389}\\x{1138B}\\x{1138E}\\x{11390}-\\x{113B5}\\x{113B7}\\x{113D1}\\x{113D3}"                     \
    "\\x{11BC0}-\\x{11BE0}\\x{11F02}\\x{11F04}-\\x{11F10}\\x{11F12}-\\x{11F33}\\x{1342F}\\x{13441}-\\x{13446}"         \
    "\\x{13460}-\\x{143FA}\\x{16100}-\\x{1611D}\\x{16D43}-\\x{16D6A}\\x{18CFF}\\x{1B132}\\x{1B155}"                    \
    "\\x{1E4D0}-\\x{1E4EA}\\x{1E5D0}-\\x{1E5ED}\\x{1E5F0}\\x{2B739}\\x{2EBF0}-\\x{2EE5D}\\x{31350}-\\x{323AF}"
#define N_NEW                                                                                                          \
    "\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}\\x{16130}-\\x{16139}"        \
    "\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1D2C0}-\\x{1D2D3}\\x{1E4F0}-\\x{1E4F9}\\x{1E5F1}-\\x{1E5FA}"
#define P_NEW                                                                                                          \
    "\\x{1B4E}-\\x{1B4F}\\x{1B7F}\\x{10D6E}\\x{113D4}-\\x{113D5}\\x{113D7}-\\x{113D8}\\x{11B00}-\\x{11B09}\\x{11BE1}"  \
    "\\x{11F43}-\\x{11F4F}\\x{16D6D}-\\x{16D6F}\\x{1E5FF}"
#define S_NEW                                                                                                          \
    "\\x{2427}-\\x{2429}\\x{2FFC}-\\x{2FFF}\\x{31E4}-\\x{31E5}\\x{31EF}\\x{10D8E}-\\x{10D8F}\\x{1CC00}-\\x{1CCEF}"     \
    "\\x{1CD00}-\\x{1CEB3}\\x{1F6DC}\\x{1F774}-\\x{1F776}\\x{1F77B}-\\x{1F77F}\\x{1F7D9}\\x{1F8B2}-\\x{1F8BB}"         \
    "\\x{1F8C0}-\\x{1F8C1}\\x{1FA75}-\\x{1FA77}\\x{1FA87}-\\x{1FA89}\\x{1FA8F}\\x{1FAAD}-\\x{1FAAF}"                   \
    "\\x{1FABB}-\\x{1FABF}\\x{1FAC6}\\x{1FACE}-\\x{1FACF}\\x{1FADA}-\\x{1FADC}\\x{1FADF}\\x{1FAE8}-\\x{1FAE9}"         \
    "\\x{1FAF7}-\\x{1FAF8}\\x{1FBCB}-\\x{1FBEF}"
#define M_NEW                                                                                                          \
    "\\x{897}\\x{CF3}\\x{ECE}\\x{10D69}-\\x{10D6D}\\x{10EFC}-\\x{10EFF}\\x{11241}\\x{113B8}-\\x{113C0}\\x{113C2}"      \
    "\\x{113C5}\\x{113C7}-\\x{113CA}\\x{113CC}-\\x{113D0}\\x{113D2}\\x{113E1}-\\x{113E2}\\x{11F00}-\\x{11F01}"         \
    "\\x{11F03}\\x{11F34}-\\x{11F3A}\\x{11F3E}-\\x{11F42}\\x{11F5A}\\x{13440}\\x{13447}-\\x{13455}"                    \
    "\\x{1611E}-\\x{1612F}\\x{1E08F}\\x{1E4EC}-\\x{1E4EF}\\x{1E5EE}-\\x{1E5EF}"

#define L     "\\p{L}" LU_NEW LL_NEW LM_NEW LO_NEW
#define N     "\\p{N}" N_NEW
#define P     "\\p{P}" P_NEW
#define S     "\\p{S}" S_NEW
#define M     "\\p{M}" M_NEW
#define WS    TOK_SPACE_CLASS
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}" LU_NEW LM_NEW LO_NEW M_NEW
#define LOWER "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}" LL_NEW LM_NEW LO_NEW M_NEW

/* ---- pieces that several patterns share ---- */

#define CONTRACTION "(?i:'(?:[stmd]|re|ve|ll))"
#define LINES                                                                                                          \
    "(?:[\\t\\x0B\\x0C\\x20\\x85\\xA0\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}]*+["    \
    "\\r\\n]++)++"
#define BLANKS "[" WS "]+(?![^" WS "])|[" WS "]+"
#define SIGNS  " ?[^" WS L N "]++"

#define GPT2           "'(?:[stmd]|re|ve|ll)| ?[" L "]++| ?[" N "]++|" SIGNS "|" BLANKS
#define CL100K(digits) CONTRACTION "|[^\\r\\n" L N "]?[" L "]++|" digits "|" SIGNS "[\\r\\n]*+|" LINES "|" BLANKS
#define QWEN35         CONTRACTION "|[^\\r\\n" L N "]?[" L M "]++|[" N "]| ?[^" WS L M N "]++[\\r\\n]*+|" LINES "|" BLANKS
#define O200K(contraction, digits)                                                                                     \
    "[^\\r\\n" L N "]?[" UPPER "]*[" LOWER "]++" contraction "|[^\\r\\n" L N "]?[" UPPER "]++[" LOWER                  \
    "]*+" contraction "|" digits "|" SIGNS "[\\r\\n/]*+|" LINES "|" BLANKS
#define DEEPSEEK3                                                                                                      \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]++|[^\\r\\n" L P S "]?[" L M "]++| ?[" P S                    \
    "]++[\\r\\n]*+|" LINES "|" BLANKS

static const TokPre families[] = {
    {.names = "gpt-2 phi-2 mpt jina-v2-es jina-v2-de", .patterns = {GPT2}, .letters = true},
    {.names = "roberta-bpe jina-v1-en jina-v2-code",
     .patterns = {GPT2},
     .letters = true,
     .add_bos = true,
     .add_eos = true,
     .mask_left_strips = true},
    {.names = "olmo", .patterns = {GPT2}, .letters = true, .nfc = true},
    {.names = "modern-bert",
     .patterns = {GPT2},
     .letters = true,
     .nfc = true,
     .add_bos = true,
     .add_eos = true,
     .mask_left_strips = true},
    {.names = "starcoder refact command-r smollm codeshell", .patterns = {"[" N "]", GPT2}, .letters = true},
    {.names = "llama3 llama-v3 llama-bpe falcon3 lfm2",
     .patterns = {CL100K("[" N "]{1,3}+")},
     .letters = true,
     .whole_words = true,
     .add_bos = true},
    {.names = "dbrx smaug-bpe", .patterns = {CL100K("[" N "]{1,3}+")}, .letters = true},
    {.names = "glm4 chatglm-bpe", .patterns = {CL100K("[" N "]{1,3}+")}, .letters = true, .whole_words = true},
    {.names = "qwen2 deepseek-r1-qwen megrez", .patterns = {CL100K("[" N "]")}, .letters = true, .nfc = true},
    {.names = "qwen35", .patterns = {QWEN35}, .letters = true, .nfc = true},
    {.names = "gpt-4o llama4", .patterns = {O200K(CONTRACTION "?", "[" N "]{1,3}+")}, .whole_words = true},
    {.names = "tekken", .patterns = {O200K("", "[" N "]")}, .whole_words = true, .add_bos = true},
    {.names = "deepseek-coder",
     .patterns = {"[\\r\\n]", "[" WS "]?[" L "]++", "[" WS "]?[" P "]++",
                  "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]++", "[" N "]"}},
    {.names = "deepseek-v3",
     .patterns = {"[" N "]{1,3}+", "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]++", DEEPSEEK3}},
};
enum { FAMILIES = sizeof families / sizeof *families, LEVELS_MAX = 6 };

const TokPre *tok_pre_find(Str name) {
    for (size_t i = 0; i < FAMILIES; i++) {
        Str rest = str_of(families[i].names), one;
        while (str_cut(&rest, ' ', &one))
            if (str_eq(one, name)) return &families[i];
    }
    return NULL;
}

void tok_pre_names(Buf *out) {
    for (size_t i = 0; i < FAMILIES; i++) {
        Str rest = str_of(families[i].names), one;
        while (str_cut(&rest, ' ', &one)) buf_printf(out, "%s'%.*s'", out->n ? ", " : "", STR_FMT(one));
    }
}

/* ---- compiling ---- */

struct TokSplit {
    size_t n;
    pcre2_code *codes[LEVELS_MAX];
    bool letters;
    bool machine_code; /* all of them: where the system forbids it, PCRE2's interpreter matches the same, slower */
};

static Err pcre_error(Err code, const char *what, int number) {
    PCRE2_UCHAR text[160] = "";
    pcre2_get_error_message(number, text, sizeof text);
    return err_set(code, "%s: %s", what, (const char *)text);
}

Err tok_split_open(TokSplit **out, const TokPre *pre) {
    TokSplit *s = calloc(1, sizeof *s);
    *out = s;
    if (!s) return err_set(ERR_NOMEM, "out of memory for a pre-tokenizer");
    s->machine_code = true;
    s->letters = pre->letters;
    for (; s->n < LEVELS_MAX && pre->patterns[s->n]; s->n++) {
        int number = 0;
        PCRE2_SIZE at = 0;
        pcre2_code *code =
            pcre2_compile((PCRE2_SPTR)pre->patterns[s->n], PCRE2_ZERO_TERMINATED, PCRE2_UTF, &number, &at, NULL);
        if (!code) return pcre_error(ERR_INTERNAL, "cannot compile the pre-tokenizer's pattern", number);
        s->codes[s->n] = code;
        if (pcre2_jit_compile(code, PCRE2_JIT_COMPLETE)) s->machine_code = false;
    }
    return ERR_OK;
}

void tok_split_close(TokSplit *s) {
    if (!s) return;
    for (size_t i = 0; i < s->n; i++) pcre2_code_free(s->codes[i]);
    free(s);
}

/* ---- cutting ---- */

typedef struct {
    const TokSplit *split;
    pcre2_match_data *match; /* one for all levels: what it says is taken out before the next call */
    pcre2_match_context *limits;
    TokWord word;
    void *ctx;
} Cut;

static Err cut_piece(const Cut *c, size_t level, Str piece);

/* A gap between two matches, and a match, are pieces of the next level, or words. */
static inline Err piece_done(const Cut *c, size_t level, Str piece) {
    if (piece.n == 0) return ERR_OK;
    return level + 1 < c->split->n ? cut_piece(c, level + 1, piece) : c->word(c->ctx, piece);
}

/* Bytes of the word that p[0, n) begins with, where letters alone tell; else 0. Cutting takes 64 ns a word instead of
 * 81 on code, 46 instead of 76 on prose. */
static inline size_t letters_match(const char *p, size_t n) {
    size_t start = p[0] == ' ', i = start;
    while (i < n && (uint8_t)((p[i] | 0x20) - 'a') < 26) i++;
    return i == start || (i < n && (uint8_t)p[i] >= 0x80) ? 0 : i;
}

static Err cut_piece(const Cut *c, size_t level, Str piece) {
    const bool letters = c->split->letters && level + 1 == c->split->n;
    const pcre2_code *code = c->split->codes[level];
    PCRE2_SPTR bytes = (PCRE2_SPTR)piece.p;
    for (size_t at = 0; at < piece.n;) {
        size_t n = letters ? letters_match(piece.p + at, piece.n - at) : 0;
        if (n) {
            TRY(c->word(c->ctx, str_make(piece.p + at, n)));
            at += n;
            continue;
        }
        int found = c->split->machine_code
                        ? pcre2_jit_match(code, bytes, piece.n, at, PCRE2_NO_UTF_CHECK, c->match, c->limits)
                        : pcre2_match(code, bytes, piece.n, at, PCRE2_NO_UTF_CHECK, c->match, c->limits);
        if (found == PCRE2_ERROR_NOMATCH) return piece_done(c, level, str_from(piece, at));
        if (found < 0) return pcre_error(ERR_LIMIT, "the pre-tokenizer cannot cut the text", found);
        const PCRE2_SIZE *where = pcre2_get_ovector_pointer(c->match);
        size_t start = where[0], end = where[1];
        if (end <= at) return err_set(ERR_INTERNAL, "a pre-tokenizer's pattern matches nothing");
        TRY(piece_done(c, level, str_make(piece.p + at, start - at)));
        TRY(piece_done(c, level, str_make(piece.p + start, end - start)));
        at = end;
    }
    return ERR_OK;
}

/* Steps of a match that a text of n bytes may take: the patterns need a few a byte (all of it may be one match).
 * PCRE2's own limit, ten million, is less than a text of 10 MB needs, and its interpreter's memory grows with the
 * same. */
static uint32_t steps_allowed(size_t n) {
    const size_t least = 100000, each = 16;
    return n < (UINT32_MAX - least) / each ? (uint32_t)(least + each * n) : UINT32_MAX;
}

Err tok_split(const TokSplit *s, Str text, TokWord word, void *ctx) {
    Cut cut = {.split = s, .word = word, .ctx = ctx};
    cut.match = pcre2_match_data_create(1, NULL);
    cut.limits = pcre2_match_context_create(NULL);
    Err err = ERR_OK;
    if (cut.match && cut.limits) {
        pcre2_set_match_limit(cut.limits, steps_allowed(text.n));
        err = cut_piece(&cut, 0, text);
    } else {
        err = err_set(ERR_NOMEM, "out of memory for cutting a text");
    }
    pcre2_match_context_free(cut.limits);
    pcre2_match_data_free(cut.match);
    return err;
}
