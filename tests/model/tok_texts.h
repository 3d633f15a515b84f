/* tok_texts.h - what the tests of tokenizers share: the texts of tools/make_goldens_tok_bpe.py, made again, and checks
 * against a golden folder's lines.jsonl and digests.txt. */
#ifndef PYTHIA_TESTS_TOK_TEXTS_H
#define PYTHIA_TESTS_TOK_TEXTS_H

#include "check.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "model/tok.h"

/* ---- an open vocabulary ---- */

typedef struct {
    Buf bytes;
    Gguf *g;
    Tok *t;
} TokFile;

static inline void tok_file_close(TokFile *f) {
    tok_close(f->t);
    gguf_close(f->g);
    buf_free(&f->bytes);
    *f = (TokFile){0};
}

/* Of what was set in w, which is closed. */
static inline Err tok_file_made(TokFile *f, GgufWriter *w) {
    Err err = gguf_writer_bytes(w, &f->bytes);
    gguf_writer_close(w);
    CHECK_OK(err);
    CHECK_OK(gguf_open_bytes(&f->g, buf_str(&f->bytes), "made.gguf"));
    return tok_open(&f->t, f->g);
}

static inline void check_ids(const Tok *t, Str text, bool special, const int32_t *want, size_t n_want) {
    int32_t ids[256];
    size_t n = 0;
    CHECK_OK(tok_encode(t, text, special, ids, 256, &n));
    CHECK_INT(n, n_want);
    for (size_t i = 0; i < n; i++) CHECK_INT(ids[i], want[i]);
    if (!special) CHECK_INT(tok_count(t, text), n_want);
}
#define CHECK_IDS(t, text, special, ...)                                                                               \
    do {                                                                                                               \
        const int32_t want_[] = {__VA_ARGS__};                                                                         \
        check_ids((t), (text), (special), want_, sizeof want_ / sizeof *want_);                                        \
    } while (0)

/* ---- the generator ---- */

enum {
    TEXTS_SWEEP = 0x40000 / 128 + 0x1000 / 128,
    TEXTS_HOSTILE = 2000,
    TEXTS_CODE = 500,
    TEXTS = TEXTS_SWEEP + TEXTS_HOSTILE + TEXTS_CODE,
    TEXTS_BATCH = 256
};
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static inline uint32_t texts_below(uint64_t *state, size_t n) { /* splitmix64 */
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) % n);
}

static inline void texts_letter(Buf *b, uint32_t cp) {
    char bytes[4];
    if (cp < 0xD800 || cp >= 0xE000) buf_add_bytes(b, bytes, utf8_encode(cp, bytes));
}

static inline void texts_sweep(Buf *b, uint32_t i) {
    uint32_t first = i < 0x40000 / 128 ? i * 128 : 0xE0000 + i * 128 - 0x40000;
    for (uint32_t cp = first; cp < first + 128; cp++) {
        buf_add(b, STR("ab"));
        texts_letter(b, cp);
        buf_char(b, '1');
        texts_letter(b, cp);
        buf_char(b, ' ');
    }
}

static inline void texts_hostile(Buf *b, uint64_t *r) {
    static const Str odd[] = {{"<|end|>", 7},
                              {" [MASK]", 7},
                              {"[MASK] ", 7},
                              {"<s>", 3},
                              {"</s>", 4},
                              {"<unk>", 5},
                              {"<0x41>", 6},
                              {"▁", 3},
                              {"▁▁", 6},
                              {"   ", 3},
                              {"\t\t", 2},
                              {"'\xC5\xBF", 3},
                              {"'LL", 3},
                              {"\0", 1},
                              {"\xEF\xBF\xBD", 3},
                              {"\u200d", 3},
                              {"\u180e", 3},
                              {"\xC2\x85", 2},
                              {"\u2028", 3},
                              {"e\u0301", 3},
                              {"a\u0323\u0301", 5},
                              {"\uff76\uff9e", 6},
                              {"\ufb01", 3},
                              {"\u2460", 3},
                              {"\u0663\u0664", 4},
                              {"\u01c5", 2},
                              {"<\u0338", 3},
                              {"\u1100\u1161\u11a8", 9},
                              {"\uac00\u11a8", 6},
                              {"\r", 1},
                              {"\u3000", 3}};
    static const uint32_t blocks[][2] = {
        {0x20, 0x5F},    {0x00, 0x20},    {0x80, 0x1D0},   {0x300, 0x70},    {0x370, 0x1C0},   {0x590, 0x370},
        {0x900, 0x700},  {0x1100, 0x100}, {0x1E00, 0x270}, {0x2000, 0x70},   {0x3040, 0xC0},   {0xAC00, 0x80},
        {0x4E00, 0x80},  {0xF900, 0x250}, {0xFE00, 0x200}, {0x1D100, 0x100}, {0x1F300, 0x400}, {0x10D40, 0x50},
        {0x11380, 0x80}, {0x1AB0, 0x50},  {0x1E130, 0x10}, {0x1100, 0x100}};
    size_t chosen[3];
    for (int k = 0; k < 3; k++) chosen[k] = texts_below(r, COUNT_OF(blocks));
    for (uint32_t n = 1 + texts_below(r, 80); n > 0; n--) {
        uint32_t what = texts_below(r, 32);
        if (what < 3)
            buf_add(b, odd[texts_below(r, COUNT_OF(odd))]);
        else if (what < 6)
            buf_char(b, ' ');
        else {
            const uint32_t *block = blocks[chosen[texts_below(r, 3)]];
            texts_letter(b, block[0] + texts_below(r, block[1]));
        }
    }
}

static inline void texts_code(Buf *b, uint64_t *r) {
    static const char *const words[] = {"the",        "quick",     "brown",  "fox",    "return", "if",    "def",
                                        "self",       "none",      "import", "size_t", "static", "const", "char",
                                        "void",       "int",       "buffer", "parse",  "error",  "index", "value",
                                        "HTTPServer", "camelCase", "we'll",  "I'M",    "it's"};
    static const char *const signs[] = {"(",          ")",    "{",      "}",    "[",        "]",     ";",  ":",
                                        "\x2C",       ".",    "->",     "==",   "!=",       "+=",    "\t", "    ",
                                        "\n",         "\r\n", "\n\n\n", "\"",   "'",        "_",     "#",  "//",
                                        "/* ---- */", "\\n",  "0x1F",   "1e-5", "12345678", "  \n  "};
    for (uint32_t n = 1 + texts_below(r, 60); n > 0; n--) {
        uint32_t what = texts_below(r, 4);
        if (what == 0) {
            buf_add_z(b, signs[texts_below(r, COUNT_OF(signs))]);
            continue;
        }
        const char *word = words[texts_below(r, COUNT_OF(words))];
        bool upper = what == 1 && texts_below(r, 3) == 0;
        for (; *word; word++) buf_char(b, upper && *word >= 'a' && *word <= 'z' ? (char)(*word - 32) : *word);
        if (texts_below(r, 2)) buf_char(b, ' ');
    }
}

static inline void texts_generate(Buf *b, uint32_t i) {
    uint64_t r = i;
    buf_clear(b);
    if (i < TEXTS_SWEEP)
        texts_sweep(b, i);
    else if (i < TEXTS_SWEEP + TEXTS_HOSTILE)
        texts_hostile(b, &r);
    else
        texts_code(b, &r);
}

/* ---- against the goldens ---- */

/* Opens what a section's head names. */
typedef void (*TokOpen)(TokFile *f, Str name);

static inline void texts_check_line(const Tok *t, const json_t *line, int number) {
    static char text[1 << 14];
    static int32_t ids[1 << 12];
    Str hex = {"", 0};
    CHECK_OK(json_get_str(line, "hex", &hex));
    CHECK(hex.n / 2 <= sizeof text && hex_read(hex, (uint8_t *)text, hex.n / 2));
    const json_t *want = json_object_get(line, "ids");
    size_t n = 0, i = 0;
    CHECK_OK(tok_encode(t, str_make(text, hex.n / 2), false, ids, COUNT_OF(ids), &n));
    bool same = n == json_array_size(want);
    for (; i < n && i < json_array_size(want); i++)
        if (ids[i] != json_integer_value(json_array_get(want, i))) break;
    if (!same || i < n)
        fail_msg("lines.jsonl:%d: id %zu differs (%zu ids, want %zu)", number, i, n, json_array_size(want));
}

/* Returns how many sections there were. key: what their heads are called by. */
static inline int texts_check_lines(const char *path, const char *key, TokOpen open) {
    Arena a = {0};
    Str rest = {"", 0}, text, name = {"", 0};
    TokFile f = {0};
    int number = 0, sections = 0;
    CHECK_OK(file_read(&a, path, 1 << 22, &rest));
    while (str_line(&rest, &text)) {
        json_t *line = NULL;
        number++;
        CHECK_OK(json_read(text, "lines.jsonl", &line));
        if (json_object_get(line, key)) {
            CHECK_OK(json_get_str(line, key, &name));
            tok_file_close(&f);
            open(&f, name);
            sections++;
        } else {
            texts_check_line(f.t, line, number);
        }
        json_decref(line);
    }
    tok_file_close(&f);
    arena_free(&a);
    return sections;
}

/* The digest of the ids of texts [first, first + TEXTS_BATCH). */
static inline void texts_digest(const Tok *t, uint32_t first, char hex[65]) {
    static int32_t ids[1 << 14];
    Buf text = {0};
    Sha256Stream *s = NULL;
    CHECK_OK(sha256_begin(&s));
    for (uint32_t i = first; i < first + TEXTS_BATCH && i < TEXTS; i++) {
        size_t n = 0;
        texts_generate(&text, i);
        CHECK_OK(tok_encode(t, buf_str(&text), false, ids + 1, COUNT_OF(ids) - 1, &n));
        CHECK(n < COUNT_OF(ids));
        ids[0] = (int32_t)n;
        sha256_add(s, str_make((const char *)ids, (n + 1) * sizeof *ids));
    }
    Sha256 sum = sha256_end(s);
    hex_write(sum.bytes, 8, hex);
    buf_free(&text);
}

/* digests.txt: a line a section, its name and a digest for each batch. */
static inline int texts_check_digests(const char *path, TokOpen open) {
    Arena a = {0};
    Str rest = {"", 0}, line, name, want;
    int sections = 0;
    CHECK_OK(file_read(&a, path, 1 << 20, &rest));
    for (; str_line(&rest, &line); sections++) {
        TokFile f = {0};
        CHECK(str_cut(&line, ' ', &name));
        open(&f, name);
        for (uint32_t first = 0; first < TEXTS; first += TEXTS_BATCH) {
            char hex[65];
            CHECK(str_cut(&line, ' ', &want));
            texts_digest(f.t, first, hex);
            if (!str_is(want, hex))
                fail_msg("%.*s: ids of texts %u to %u differ", STR_FMT(name), first, first + TEXTS_BATCH - 1);
        }
        tok_file_close(&f);
    }
    arena_free(&a);
    return sections;
}

#endif
