/* Token ids against the reference's: golden/tok/ (made by tools/make_goldens_tok.py), and the real vocabulary. */
#include "check.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "model/tok.h"

enum { FILE_MAX = 1 << 24, IDS_MAX = 4096 };
#define PHANTOM "\xE2\x96\x81"

/* ---- a tokenizer out of a list of tokens ---- */

typedef struct {
    Arena arena;
    Buf bytes;
    Gguf *g;
    Tok *t;
} Made;

/* Spelled as in a GGUF; tokens of the shape [x] are control ones. */
static void vocab_set(GgufWriter *w, Arena *a, const Str *tokens, size_t n) {
    Str *spelled = arena_array(a, Str, n);
    int32_t *types = arena_array(a, int32_t, n), *hidden = arena_array(a, int32_t, n);
    size_t n_hidden = 0;
    for (size_t i = 0; i < n; i++) {
        Str t = tokens[i];
        bool control = i < 5 && t.n && t.p[0] == '[';
        types[i] = control ? 3 : 1;
        if (control)
            spelled[i] = t;
        else if (str_starts(t, STR("##")))
            spelled[i] = str_from(t, 2);
        else {
            char *p = arena_alloc(a, t.n + 3); /* not by printf: "\\0" is a token */
            memcpy(p, PHANTOM, 3);
            if (t.n) memcpy(p + 3, t.p, t.n);
            spelled[i] = str_make(p, t.n + 3);
        }
        if (str_starts(t, STR("##" PHANTOM)) || str_starts(t, STR("##["))) hidden[n_hidden++] = (int32_t)i;
    }
    gguf_set_str(w, "tokenizer.ggml.model", STR("bert"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", spelled, n);
    gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, n);
    if (n_hidden) gguf_set_array(w, "pythia.tokenizer.continuations", GGUF_I32, hidden, n_hidden);
}

static Err made_open(Made *m, GgufWriter *w) {
    Err err = gguf_writer_bytes(w, &m->bytes);
    gguf_writer_close(w);
    CHECK_OK(err);
    CHECK_OK(gguf_open_bytes(&m->g, buf_str(&m->bytes), "made.gguf"));
    return tok_open(&m->t, m->g);
}

static void made_close(Made *m) {
    tok_close(m->t);
    gguf_close(m->g);
    buf_free(&m->bytes);
    arena_free(&m->arena);
    *m = (Made){0};
}

static const Str small[] = {
    {"[PAD]", 5}, {"[UNK]", 5}, {"[CLS]", 5},  {"[SEP]", 5}, {"[MASK]", 6}, {"the", 3},
    {"un", 2},    {"##aff", 5}, {"##able", 6}, {"a", 1},     {"##a", 3},    {"[", 1},
};
enum { SMALL = sizeof small / sizeof *small };

static void open_small(Made *m) {
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    vocab_set(w, &m->arena, small, SMALL);
    CHECK_OK(made_open(m, w));
}

static void check_ids(const Tok *t, Str text, bool special, const int32_t *want, size_t n_want) {
    int32_t ids[IDS_MAX];
    size_t n = 0;
    CHECK_OK(tok_encode(t, text, special, ids, IDS_MAX, &n));
    CHECK_INT(n, n_want);
    for (size_t i = 0; i < n; i++) CHECK_INT(ids[i], want[i]);
    if (!special) CHECK_INT(tok_count(t, text), n_want);
}
#define CHECK_IDS(t, text, special, ...)                                                                               \
    do {                                                                                                               \
        const int32_t want_[] = {__VA_ARGS__};                                                                         \
        check_ids((t), (text), (special), want_, sizeof want_ / sizeof *want_);                                        \
    } while (0)

static void words_become_the_longest_pieces(void **state) {
    (void)state;
    Made m = {0};
    open_small(&m);
    CHECK_IDS(m.t, STR("The unaffable A"), false, 5, 6, 7, 8, 9);
    CHECK_IDS(m.t, STR("the"), true, 2, 5, 3);
    CHECK_IDS(m.t, STR(""), true, 2, 3);
    check_ids(m.t, STR(" \t\r\n"), false, NULL, 0);
    CHECK_IDS(m.t, STR("unaffablex the"), false, 1, 5); /* a rest without a piece: the whole word */
    made_close(&m);
}

static void special_tokens_in_the_text_become_their_ids(void **state) {
    (void)state;
    Made m = {0};
    open_small(&m);
    CHECK_IDS(m.t, STR("the[MASK]the"), false, 5, 4, 5);
    CHECK_IDS(m.t, STR("[CLS] the [SEP]"), true, 2, 2, 5, 3, 3);
    CHECK_IDS(m.t, STR("[mask]"), false, 11, 1, 1); /* as written only */
    CHECK_IDS(m.t, STR("[MASK"), false, 11, 1);
    made_close(&m);
}

static void ill_formed_bytes_and_controls_vanish(void **state) {
    (void)state;
    Made m = {0};
    open_small(&m);
    CHECK_IDS(m.t,
              STR("t\0h\xff\x01"
                  "e"),
              false, 5);
    CHECK_IDS(m.t,
              STR("th\xe2\x80\x8b\xf0\x9f"
                  "e"),
              false, 5);                         /* U+200B, half an emoji */
    CHECK_IDS(m.t, STR("th\xc3\xa9"), false, 5); /* é */
    made_close(&m);
}

static void a_word_over_a_hundred_characters_is_unknown(void **state) {
    (void)state;
    Made m = {0};
    open_small(&m);
    char text[128];
    memset(text, 'a', sizeof text);
    CHECK_INT(tok_count(m.t, str_make(text, 100)), 100);
    CHECK_IDS(m.t, str_make(text, 101), false, 1);
    made_close(&m);
}

static void more_ids_than_room_are_counted(void **state) {
    (void)state;
    Made m = {0};
    open_small(&m);
    int32_t ids[3] = {-7, -7, -7};
    size_t n = 0;
    CHECK_OK(tok_encode(m.t, STR("the the the"), true, ids, 2, &n));
    CHECK_INT(n, 5);
    CHECK_INT(ids[0], 2);
    CHECK_INT(ids[1], 5);
    CHECK_INT(ids[2], -7);
    CHECK_OK(tok_encode(m.t, STR("the"), false, NULL, 0, &n));
    CHECK_INT(n, 1);
    made_close(&m);
}

static void tokens_read_as_the_reference_spells_them(void **state) {
    (void)state;
    Made m = {0};
    open_small(&m);
    CHECK_INT(tok_vocab_size(m.t), SMALL);
    for (size_t i = 0; i < SMALL; i++) CHECK(str_eq(tok_text(m.t, (int32_t)i), small[i]));
    CHECK_STR(tok_text(m.t, SMALL), "");
    CHECK_STR(tok_text(m.t, -1), "");
    const TokSpecial *s = tok_special(m.t);
    CHECK(s->cls == 2 && s->sep == 3 && s->unk == 1 && s->pad == 0 && s->mask == 4);
    CHECK_STR(str_of(tok_kind(m.t)), "bert");
    made_close(&m);
}

/* ---- what cannot be opened ---- */

typedef void (*Damage)(GgufWriter *w, Arena *a);

static void check_refused(Damage damage, Err code, const char *part) {
    Made m = {0};
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    damage(w, &m.arena);
    CHECK_ERR(made_open(&m, w), code, part);
    CHECK(m.t == NULL);
    made_close(&m);
}

static void no_keys(GgufWriter *w, Arena *a) { (void)w, (void)a; }
static void other_kind(GgufWriter *w, Arena *a) {
    (void)a;
    gguf_set_str(w, "tokenizer.ggml.model", STR("frob"));
}
static void no_tokens(GgufWriter *w, Arena *a) {
    (void)a;
    gguf_set_str(w, "tokenizer.ggml.model", STR("bert"));
}
static void empty_vocabulary(GgufWriter *w, Arena *a) {
    no_tokens(w, a);
    gguf_set_strs(w, "tokenizer.ggml.tokens", NULL, 0);
}
static void no_unknown(GgufWriter *w, Arena *a) {
    (void)a;
    const Str tokens[] = {STR(PHANTOM "a")};
    no_tokens(w, a);
    gguf_set_strs(w, "tokenizer.ggml.tokens", tokens, 1);
}
static void special_outside(GgufWriter *w, Arena *a) {
    vocab_set(w, a, small, SMALL);
    gguf_set_u32(w, "tokenizer.ggml.mask_token_id", SMALL);
}
static void continuation_outside(GgufWriter *w, Arena *a) {
    const int32_t far[] = {-1};
    vocab_set(w, a, small, SMALL);
    gguf_set_array(w, "pythia.tokenizer.continuations", GGUF_I32, far, 1);
}
static void types_missing(GgufWriter *w, Arena *a) {
    const int32_t types[] = {3, 3};
    no_unknown(w, a);
    gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, 2);
}
static void tokens_of_numbers(GgufWriter *w, Arena *a) {
    const int32_t numbers[] = {1, 2};
    no_tokens(w, a);
    gguf_set_array(w, "tokenizer.ggml.tokens", GGUF_I32, numbers, 2);
}

static void a_vocabulary_that_lies_is_refused(void **state) {
    (void)state;
    check_refused(no_keys, ERR_CORRUPT, "tokenizer.ggml.model");
    check_refused(other_kind, ERR_UNSUPPORTED,
                  "model 'made.gguf' has a tokenizer of kind 'frob'; known: 'bert', 'gpt2'");
    check_refused(no_tokens, ERR_CORRUPT, "tokenizer.ggml.tokens");
    check_refused(empty_vocabulary, ERR_CORRUPT, "empty vocabulary");
    check_refused(no_unknown, ERR_CORRUPT, "no token for the unknown");
    check_refused(special_outside, ERR_CORRUPT, "'tokenizer.ggml.mask_token_id' is 12, the vocabulary has 12 tokens");
    check_refused(continuation_outside, ERR_CORRUPT, "continuation -1 is outside the vocabulary");
    check_refused(types_missing, ERR_CORRUPT, "1 tokens, but 2 token types");
    check_refused(tokens_of_numbers, ERR_CORRUPT, "tokenizer.ggml.tokens");
}

static void an_older_file_without_types_opens(void **state) {
    (void)state;
    const Str tokens[] = {STR("[PAD]"), STR("[unused1]"), STR("[UNK]"),     STR("[CLS]"),
                          STR("[SEP]"), STR("[MASK]"),    STR(PHANTOM "a"), STR("b")};
    Made m = {0};
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("bert"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", tokens, 8);
    gguf_set_u32(w, "tokenizer.ggml.cls_token_id", 3);
    CHECK_OK(made_open(&m, w));
    CHECK_IDS(m.t, STR("ab[SEP] b"), true, 3, 6, 7, 4, 2, 4);
    CHECK_STR(tok_text(m.t, 1), "[unused1]");
    CHECK_STR(tok_text(m.t, 7), "##b");
    made_close(&m);
}

/* ---- against the reference ---- */

static Str golden(Arena *a, const char *name) {
    Str text = {"", 0};
    const char *path = path_join(a, TESTS_DIR "/golden/tok", name);
    CHECK_OK(file_read(a, path, FILE_MAX, &text));
    return text;
}

static size_t golden_vocab(Arena *a, Str **out) {
    Str rest = golden(a, "vocab.txt"), line;
    size_t n = 0;
    *out = arena_array(a, Str, rest.n);
    while (str_line(&rest, &line)) (*out)[n++] = line;
    return n;
}

static void set_switch(GgufWriter *w, const json_t *switches, const char *key, const char *gguf_key) {
    const json_t *v = json_object_get(switches, key);
    if (v) gguf_set_bool(w, gguf_key, json_is_true(v));
}

static void open_section(Made *m, const Str *vocab, size_t n, const json_t *switches) {
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    vocab_set(w, &m->arena, vocab, n);
    set_switch(w, switches, "clean_text", "pythia.tokenizer.clean_text");
    set_switch(w, switches, "handle_chinese_chars", "pythia.tokenizer.chinese_chars");
    set_switch(w, switches, "lowercase", "pythia.tokenizer.lowercase");
    set_switch(w, switches, "strip_accents", "pythia.tokenizer.strip_accents");
    CHECK_OK(made_open(m, w));
}

static void check_line(const Tok *t, const json_t *line, int number) {
    static char text[1 << 14];
    static int32_t ids[IDS_MAX];
    Str hex = {"", 0};
    CHECK_OK(json_get_str(line, "hex", &hex));
    CHECK(hex.n / 2 <= sizeof text && hex_read(hex, (uint8_t *)text, hex.n / 2));
    const json_t *want = json_object_get(line, "ids");
    size_t n = 0;
    CHECK_OK(tok_encode(t, str_make(text, hex.n / 2), false, ids, IDS_MAX, &n));
    bool same = n == json_array_size(want);
    size_t i = 0;
    for (; same && i < n; i++) same = ids[i] == json_integer_value(json_array_get(want, i));
    if (!same) fail_msg("lines.jsonl:%d: id %zu differs (%zu ids, want %zu)", number, i, n, json_array_size(want));
}

static void ids_equal_the_references_with_all_switches(void **state) {
    (void)state;
    Arena a = {0};
    Str *vocab = NULL, rest = golden(&a, "lines.jsonl"), text;
    size_t n_vocab = golden_vocab(&a, &vocab);
    Made m = {0};
    int number = 0, lines = 0, sections = 0;
    while (str_line(&rest, &text)) {
        json_t *line = NULL;
        number++;
        CHECK_OK(json_read(text, "lines.jsonl", &line));
        const json_t *switches = json_object_get(line, "switches");
        if (switches) {
            made_close(&m);
            open_section(&m, vocab, n_vocab, switches);
            sections++;
        } else {
            check_line(m.t, line, number);
            lines++;
        }
        json_decref(line);
    }
    CHECK_INT(sections, 6);
    CHECK(lines > 500);
    made_close(&m);
    arena_free(&a);
}

static void a_file_in_llama_cpps_spelling_gives_the_same(void **state) {
    (void)state;
    Arena a = {0};
    Gguf *g = NULL;
    Tok *t = NULL;
    Str *vocab = NULL;
    size_t n = golden_vocab(&a, &vocab), at = 0;
    CHECK_OK(gguf_open_path(&g, TESTS_DIR "/golden/tok/small.gguf"));
    CHECK_OK(tok_open(&t, g));
    for (size_t i = 0; i < n; i++) { /* the file leaves out what that spelling cannot tell apart */
        if (str_starts(vocab[i], STR("##" PHANTOM)) || str_is(vocab[i], "##[x]")) continue;
        CHECK(str_eq(tok_text(t, (int32_t)at++), vocab[i]));
    }
    CHECK_INT(tok_vocab_size(t), at);
    CHECK_INT(tok_special(t)->mask, 4);
    tok_close(t);
    gguf_close(g);
    arena_free(&a);
}

/* ---- the generator of tools/make_goldens_tok.py ---- */

static const char *const words[] = {"the",  "quick", "brown",  "fox",    "return", "if",    "def",
                                    "self", "none",  "import", "size_t", "static", "const", "char",
                                    "void", "int",   "buffer", "parse",  "error",  "index", "value"};
static const char *const signs[] = {"(",  ")",  "{",    "}",  "[",  "]", ";", ":", ",",  ".",   "->",   "==",  "!=",
                                    "+=", "\t", "    ", "\n", "\"", "'", "_", "#", "//", "\\n", "0x1F", "1e-5"};
static const Str odd[] = {{"[CLS]", 5},       {"[SEP]", 5}, {"[MASK]", 6},       {"[PAD]", 5},       {"[UNK]", 5},
                          {"[cls]", 5},       {"[MASK", 5}, {"[[CLS]]", 7},      {"[unused1]", 9},   {"##ing", 5},
                          {PHANTOM "the", 6}, {"\0", 1},    {"\xEF\xBF\xBD", 3}, {"\xE2\x80\x8D", 3}};
static const uint32_t blocks[][2] = {{0x20, 0x5F},     {0x00, 0x20},     {0x80, 0x1D0},   {0x300, 0x70},
                                     {0x370, 0x1C0},   {0x590, 0x370},   {0x900, 0x700},  {0x1E00, 0x270},
                                     {0xAC00, 0x80},   {0x4E00, 0x80},   {0xF900, 0x250}, {0xFE00, 0x200},
                                     {0x1D100, 0x100}, {0x1F300, 0x400}, {0x8D4, 14},     {0x1E000, 0x2B},
                                     {0x1E944, 7},     {0x11440, 8},     {0x302A, 6},     {0x1B40, 5}};
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
enum {
    SWEEP = 0x110000 / 64,
    HOSTILE = 6000,
    BYTES = 2000,
    CODE = 3000,
    TEXTS = 2 * SWEEP + HOSTILE + BYTES + CODE,
    BATCH = 256
};

static uint32_t below(uint64_t *state, size_t n) { /* splitmix64 */
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) % n);
}

static void add_code_point(Buf *b, uint32_t cp) {
    char bytes[4];
    if (cp < 0xD800 || cp >= 0xE000) buf_add_bytes(b, bytes, utf8_encode(cp, bytes));
}

static void generate_hostile(Buf *b, uint64_t *r) {
    size_t chosen[3];
    for (int k = 0; k < 3; k++) chosen[k] = below(r, COUNT_OF(blocks));
    for (uint32_t n = 1 + below(r, 80); n > 0; n--) {
        uint32_t what = below(r, 32);
        if (what == 0)
            buf_add(b, odd[below(r, COUNT_OF(odd))]);
        else if (what < 3)
            buf_char(b, ' ');
        else {
            const uint32_t *block = blocks[chosen[below(r, 3)]];
            add_code_point(b, block[0] + below(r, block[1]));
        }
    }
}

static void generate_code(Buf *b, uint64_t *r) {
    for (uint32_t n = 1 + below(r, 60); n > 0; n--) {
        uint32_t what = below(r, 4);
        if (what == 0) {
            buf_add_z(b, signs[below(r, COUNT_OF(signs))]);
            continue;
        }
        const char *word = words[below(r, COUNT_OF(words))];
        bool upper = what == 1 && below(r, 3) == 0;
        for (; *word; word++) buf_char(b, upper && *word >= 'a' && *word <= 'z' ? (char)(*word - 32) : *word);
        if (below(r, 2)) buf_char(b, ' ');
    }
}

static void generate(Buf *b, uint32_t i) {
    uint64_t r = i;
    buf_clear(b);
    if (i < 2 * SWEEP) { /* each code point, between words and inside one */
        bool inside = i >= SWEEP;
        uint32_t first = (inside ? i - SWEEP : i) * 64;
        for (uint32_t c = first; c < first + 64; c++) {
            if (inside)
                buf_add_z(b, "ab");
            else if (c > first)
                buf_char(b, ' ');
            add_code_point(b, c);
            if (!inside) buf_char(b, 'x');
        }
    } else if (i < 2 * SWEEP + HOSTILE) {
        generate_hostile(b, &r);
    } else if (i < 2 * SWEEP + HOSTILE + BYTES) {
        for (uint32_t n = 1 + below(&r, 120); n > 0; n--) buf_char(b, (char)below(&r, 256));
    } else {
        generate_code(b, &r);
    }
}

/* As struct.pack("<%di") writes them. */
static void add_ids(Buf *b, const int32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 4; k++) buf_char(b, (char)((uint32_t)ids[i] >> 8 * k));
}

static void ids_equal_the_references_on_every_code_point_and_45816_texts(void **state) {
    (void)state;
    const char *path = getenv("PYTHIA_TEST_MODEL");
    Arena a = {0};
    Gguf *g = NULL;
    Tok *t = NULL;
    if (!path) path = TESTS_DIR "/../.setup/models/all-minilm-l6-v2.gguf";
    if (gguf_open_path(&g, path))
        fail_msg("%s; run: tools/setup.sh model-source && tools/setup.sh model build/pythia", err_text());
    CHECK_OK(tok_open(&t, g));
    CHECK_INT(tok_vocab_size(t), 30522);
    Str rest = golden(&a, "digests.txt"), want;
    Buf text = {0}, packed = {0};
    static int32_t ids[IDS_MAX];
    for (uint32_t at = 0; at < TEXTS; at += BATCH) {
        buf_clear(&packed);
        for (uint32_t i = at; i < at + BATCH && i < TEXTS; i++) {
            size_t n = 0;
            generate(&text, i);
            CHECK_OK(tok_encode(t, buf_str(&text), false, ids, IDS_MAX, &n));
            CHECK(n <= IDS_MAX);
            int32_t count = (int32_t)n;
            add_ids(&packed, &count, 1);
            add_ids(&packed, ids, n);
        }
        char hex[17];
        CHECK_OK(buf_ok(&packed));
        hex_write(sha256_of(buf_str(&packed)).bytes, 8, hex);
        CHECK(str_line(&rest, &want));
        if (!str_is(want, hex)) fail_msg("texts %u to %u differ from the reference", at, at + BATCH - 1);
    }
    CHECK(!str_line(&rest, &want));
    buf_free(&text);
    buf_free(&packed);
    tok_close(t);
    gguf_close(g);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_the_longest_pieces),
        cmocka_unit_test(special_tokens_in_the_text_become_their_ids),
        cmocka_unit_test(ill_formed_bytes_and_controls_vanish),
        cmocka_unit_test(a_word_over_a_hundred_characters_is_unknown),
        cmocka_unit_test(more_ids_than_room_are_counted),
        cmocka_unit_test(tokens_read_as_the_reference_spells_them),
        cmocka_unit_test(a_vocabulary_that_lies_is_refused),
        cmocka_unit_test(an_older_file_without_types_opens),
        cmocka_unit_test(ids_equal_the_references_with_all_switches),
        cmocka_unit_test(a_file_in_llama_cpps_spelling_gives_the_same),
        cmocka_unit_test(ids_equal_the_references_on_every_code_point_and_45816_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
