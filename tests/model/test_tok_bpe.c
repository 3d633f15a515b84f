/* Byte-level BPE: ids against the reference's (golden/tok_bpe, made by tools/make_goldens_tok_bpe.py), the merging
 * itself against its definition, files that lie, and threads. */
#include "tok_texts.h"

#include "base/pool.h"
#include "model/generate_text.h"
#include "model/tok_bpe_nfc.h"
#include "model/tok_bpe_split.h"
#include "model/tok_merge.h"

#define GOLDEN TESTS_DIR "/golden/tok_bpe/"

/* ---- the golden vocabulary, with another family ---- */

static void copy_keys(GgufWriter *w, const char *pre) {
    Arena a = {0};
    Gguf *g = NULL;
    Str *strs = NULL;
    int32_t *types = NULL;
    size_t n = 0;
    CHECK_OK(gguf_open_path(&g, GOLDEN "bpe.gguf"));
    gguf_set_str(w, "tokenizer.ggml.model", STR("gpt2"));
    gguf_set_str(w, "tokenizer.ggml.pre", str_of(pre));
    CHECK_OK(gguf_get_strs(g, &a, "tokenizer.ggml.tokens", &strs, &n));
    gguf_set_strs(w, "tokenizer.ggml.tokens", strs, n);
    CHECK_OK(gguf_get_strs(g, &a, "tokenizer.ggml.merges", &strs, &n));
    gguf_set_strs(w, "tokenizer.ggml.merges", strs, n);
    CHECK_OK(gguf_get_i32s(g, &a, "tokenizer.ggml.token_type", &types, &n));
    gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, n);
    const char *const ids[] = {"tokenizer.ggml.mask_token_id", "tokenizer.ggml.bos_token_id",
                               "tokenizer.ggml.eos_token_id"};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        uint32_t id = 0;
        CHECK_OK(gguf_get_u32(g, ids[i], &id));
        gguf_set_u32(w, ids[i], id);
    }
    gguf_close(g);
    arena_free(&a);
}

static void open_family(TokFile *f, Str name) {
    char pre[64];
    (void)snprintf(pre, sizeof pre, "%.*s", STR_FMT(name));
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    copy_keys(w, pre);
    CHECK_OK(tok_file_made(f, w));
}

static void ids_equal_the_references_for_each_family(void **state) {
    (void)state;
    CHECK_INT(texts_check_lines(GOLDEN "lines.jsonl", "pre", open_family), 12);
}

static void ids_equal_the_references_on_every_code_point_and_hostile_texts(void **state) {
    (void)state;
    CHECK_INT(texts_check_digests(GOLDEN "digests.txt", open_family), 12);
}

static void every_family_compiles(void **state) {
    (void)state;
    Buf names = {0};
    tok_pre_names(&names);
    Str rest = buf_str(&names), name;
    size_t n = 0;
    for (; str_cut(&rest, '\'', &name); n++) {
        if (n % 2 == 0) continue; /* between quotes */
        const TokPre *pre = tok_pre_find(name);
        TokSplit *split = NULL;
        CHECK(pre != NULL);
        CHECK_OK(tok_split_open(&split, pre));
        tok_split_close(split);
    }
    CHECK(n > 40);
    CHECK(tok_pre_find(STR("gpt")) == NULL && tok_pre_find(STR("")) == NULL);
    buf_free(&names);
}

/* ---- a vocabulary by hand ---- */

static const Str hand[] = {{"h", 1},  {"e", 1},    {"l", 1},     {"o", 1},       {"Ġ", 2},  {"he", 2},
                           {"ll", 2}, {"hell", 4}, {"hello", 5}, {"<|end|>", 7}, {"lo", 2}, {"<s>", 3}};
static const int32_t hand_types[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 3};
static const Str hand_merges[] = {{"h e", 3}, {"l l", 3}, {"he ll", 5}, {"hell o", 6}, {"l o", 3}};
enum { HAND = COUNT_OF(hand), HAND_MERGES = COUNT_OF(hand_merges), END = 9, START = 11 };

static void hand_set(GgufWriter *w) {
    gguf_set_str(w, "tokenizer.ggml.model", STR("gpt2"));
    gguf_set_str(w, "tokenizer.ggml.pre", STR("gpt-2"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", hand, HAND);
    gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, hand_types, HAND);
}

static GgufWriter *hand_writer(void) {
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    hand_set(w);
    gguf_set_strs(w, "tokenizer.ggml.merges", hand_merges, HAND_MERGES);
    return w;
}

static void open_hand(TokFile *f) { CHECK_OK(tok_file_made(f, hand_writer())); }

static void merges_go_by_rank_then_from_the_left(void **state) {
    (void)state;
    TokFile f = {0};
    open_hand(&f);
    CHECK_IDS(f.t, STR("hello"), false, 8);
    CHECK_IDS(f.t, STR("helo"), false, 5, 10);
    CHECK_IDS(f.t, STR("hellllo"), false, 7, 6, 3); /* "ll" before "l o" */
    CHECK_IDS(f.t, STR("lll"), false, 6, 2);        /* the left pair of equals */
    CHECK_IDS(f.t, STR(" hello hello"), false, 4, 8, 4, 8);
    CHECK_IDS(f.t, STR("hello<|end|>lo"), false, 8, END, 10);
    check_ids(f.t, STR(""), true, NULL, 0);
    CHECK_STR(str_of(tok_kind(f.t)), "gpt2");
    CHECK_STR(tok_text(f.t, 4), "Ġ");
    tok_file_close(&f);
}

static void bytes_without_a_token_are_left_out(void **state) {
    (void)state;
    TokFile f = {0};
    open_hand(&f);
    CHECK_IDS(f.t, STR("hxe"), false, 5); /* the reference, too, then merges what has become neighbours */
    check_ids(f.t, STR("\xff\xfe zzz"), false, (const int32_t[]){4}, 1);
    tok_file_close(&f);
}

/* ---- and back ---- */

/* What a token stands for, or its spelling if it is a control token and that is asked for. */
static void check_decoded(const Tok *t, int32_t id, bool control, const char *want) {
    Buf bytes = {0};
    buf_add_z(&bytes, "|"); /* it appends */
    tok_decode(t, id, control, &bytes);
    CHECK_STR(str_from(buf_str(&bytes), 1), want);
    buf_free(&bytes);
}

static void tokens_go_back_to_their_bytes(void **state) {
    (void)state;
    TokFile f = {0};
    open_hand(&f);
    CHECK(tok_decodes(f.t));
    check_decoded(f.t, 8, false, "hello");
    check_decoded(f.t, 4, false, " "); /* the letter of byte 0x20 */
    CHECK(tok_is_control(f.t, END) && !tok_is_control(f.t, 8));
    check_decoded(f.t, END, false, "");
    check_decoded(f.t, END, true, "<|end|>");
    check_decoded(f.t, -1, true, "");
    check_decoded(f.t, HAND, true, "");
    CHECK(!tok_is_control(f.t, -1) && !tok_is_control(f.t, HAND));
    tok_file_close(&f);
}

/* The letters that stand for the bytes of "é" and of U+1F600, one token each but for two of the four; and an added
 * token, whose letters are themselves. */
static void characters_may_be_split_over_tokens(void **state) {
    (void)state;
    static const Str tokens[] = {{"Ã", 2}, {"©", 2}, {"ð", 2}, {"ŁĺĢ", 6}, {"Ġa", 3}, {"Ċ", 2}, {"é Ġ", 5}};
    static const int32_t types[] = {1, 1, 1, 1, 1, 1, 4};
    static const char *const want[] = {"\xC3", "\xA9", "\xF0", "\x9F\x98\x80", " a", "\n", "é Ġ"};
    TokFile f = {0};
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("gpt2"));
    gguf_set_str(w, "tokenizer.ggml.pre", STR("gpt-2"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", tokens, COUNT_OF(tokens));
    gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, COUNT_OF(types));
    gguf_set_strs(w, "tokenizer.ggml.merges", NULL, 0);
    CHECK_OK(tok_file_made(&f, w));
    for (size_t i = 0; i < COUNT_OF(tokens); i++) check_decoded(f.t, (int32_t)i, false, want[i]);

    /* As they stream: a character comes when its last byte has come. */
    static const char *const shown[] = {"", "é", "", "\xF0\x9F\x98\x80", " a", "\n", "é Ġ"};
    GenerateText text;
    Buf bytes = {0};
    CHECK_OK(generate_text_open(&text, NULL, 0));
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        buf_clear(&bytes);
        buf_clear(&text.ready);
        tok_decode(f.t, (int32_t)i, false, &bytes);
        CHECK_OK(generate_text_add(&text, buf_str(&bytes)));
        CHECK_STR(buf_str(&text.ready), shown[i]);
    }
    generate_text_free(&text);
    buf_free(&bytes);
    tok_file_close(&f);
}

/* All of a real family's texts, byte for byte. */
static void what_is_encoded_decodes_to_itself(void **state) {
    (void)state;
    static const char *const texts[] = {"naïve café\n\tint main(void) { return 0; }", "日本の首都は東京です。",
                                        "\xF0\x9F\x98\x80\xF0\x9F\x8F\xBD!", "  three  spaces   ", "العاصمة"};
    TokFile f = {0};
    int32_t ids[256];
    size_t n = 0;
    open_family(&f, STR("gpt-2"));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        Buf back = {0};
        CHECK_OK(tok_encode(f.t, str_of(texts[i]), false, ids, 256, &n));
        CHECK(n <= 256);
        for (size_t k = 0; k < n; k++) tok_decode(f.t, ids[k], true, &back);
        CHECK_STR(buf_str(&back), texts[i]);
        buf_free(&back);
    }
    tok_file_close(&f);
}

/* ---- control tokens as text ---- */

static void control_tokens_may_be_only_text(void **state) {
    (void)state;
    static const size_t at[] = {5};
    TokFile f = {0};
    int32_t ids[8];
    size_t n = 0, found = 0;
    open_hand(&f);
    CHECK_OK(tok_encode_plain(f.t, STR("hello<|end|>lo<|end|>"), at, 1, ids, 8, &n));
    CHECK_INT(n, 4); /* of the first one's letters the vocabulary has "e" */
    CHECK_INT(ids[0], 8);
    CHECK_INT(ids[1], 1);
    CHECK_INT(ids[2], 10);
    CHECK_INT(ids[3], END);
    CHECK(tok_find_control(f.t, STR("hello<|end|>lo<|end|>"), 0, &found));
    CHECK_INT(found, 5);
    CHECK(tok_find_control(f.t, STR("hello<|end|>lo<|end|>"), 6, &found));
    CHECK_INT(found, 14);
    CHECK(!tok_find_control(f.t, STR("hello<|end|>lo"), 6, &found));
    CHECK(tok_find_control(f.t, STR("lo<|e \n"), 0, &found)); /* cut and continued it would be one */
    CHECK_INT(found, 2);
    CHECK(!tok_find_control(f.t, STR("lo<|e d"), 0, &found));
    CHECK(!tok_find_control(f.t, STR(" \n"), 0, &found));
    CHECK(!tok_find_control(f.t, STR(""), 0, &found));
    tok_file_close(&f);
}

static void marks_go_around_as_the_file_says(void **state) {
    (void)state;
    GgufWriter *w = hand_writer();
    TokFile f = {0};
    gguf_set_u32(w, "tokenizer.ggml.bos_token_id", START);
    gguf_set_u32(w, "tokenizer.ggml.eos_token_id", END);
    gguf_set_bool(w, "tokenizer.ggml.add_bos_token", true);
    gguf_set_bool(w, "tokenizer.ggml.add_eos_token", true);
    CHECK_OK(tok_file_made(&f, w));
    CHECK_IDS(f.t, STR("lo"), true, START, 10, END);
    CHECK_IDS(f.t, STR(""), true, START, END);
    CHECK_IDS(f.t, STR("lo"), false, 10);
    CHECK_INT(tok_special(f.t)->cls, START);
    CHECK_INT(tok_special(f.t)->sep, END);
    tok_file_close(&f);

    w = hand_writer(); /* named, not wanted */
    gguf_set_u32(w, "tokenizer.ggml.bos_token_id", START);
    gguf_set_u32(w, "tokenizer.ggml.eos_token_id", END);
    CHECK_OK(tok_file_made(&f, w));
    CHECK_IDS(f.t, STR("lo"), true, 10);
    CHECK(tok_special(f.t)->cls == -1 && tok_special(f.t)->sep == -1);
    CHECK(tok_special(f.t)->bos == START && tok_special(f.t)->eos == END);
    tok_file_close(&f);
}

static void more_ids_than_room_are_counted(void **state) {
    (void)state;
    TokFile f = {0};
    open_hand(&f);
    int32_t ids[3] = {-7, -7, -7};
    size_t n = 0;
    CHECK_OK(tok_encode(f.t, STR("hello lo lo"), false, ids, 2, &n));
    CHECK_INT(n, 5);
    CHECK(ids[0] == 8 && ids[1] == 4 && ids[2] == -7);
    tok_file_close(&f);
}

/* ---- files that lie ---- */

static void check_refused(GgufWriter *w, Err code, const char *part) {
    TokFile f = {0};
    CHECK_ERR(tok_file_made(&f, w), code, part);
    CHECK(f.t == NULL);
    tok_file_close(&f);
}

static void check_merges_refused(const char *merge, const char *part) {
    const Str merges[] = {STR("h e"), str_of(merge)};
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    hand_set(w);
    gguf_set_strs(w, "tokenizer.ggml.merges", merges, 2);
    check_refused(w, ERR_CORRUPT, part);
}

static void a_vocabulary_that_lies_is_refused(void **state) {
    (void)state;
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    hand_set(w);
    check_refused(w, ERR_CORRUPT, "model 'made.gguf' has no key 'tokenizer.ggml.merges'");
    check_merges_refused("hello", "merge 1, 'hello', is not two tokens");
    check_merges_refused("", "merge 1, '', is not two tokens");
    check_merges_refused("h ", "merge 1, 'h ', is not two tokens");
    check_merges_refused("h q", "merge 1, 'h q', is not of two tokens that make a third");
    check_merges_refused("h l", "merge 1, 'h l', is not of two tokens that make a third");
    check_merges_refused("h \xE2\x82\xAC", "is not two tokens");

    w = hand_writer();
    gguf_set_bool(w, "tokenizer.ggml.add_bos_token", true);
    check_refused(w, ERR_CORRUPT, "asks for a token before each text and does not name it");
    w = hand_writer();
    gguf_set_u32(w, "tokenizer.ggml.eos_token_id", HAND);
    check_refused(w, ERR_CORRUPT, "'tokenizer.ggml.eos_token_id' is 12, the vocabulary has 12 tokens");
}

static void an_unknown_family_is_named(void **state) {
    (void)state;
    const struct {
        const char *pre, *part;
    } cases[] = {{"frob", "model 'made.gguf' has a pre-tokenizer 'frob'; known: 'gpt-2', "},
                 {"default", "it was made by an old converter: convert it again"},
                 {"", "does not say how its tokenizer cuts words ('tokenizer.ggml.pre')"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        GgufWriter *w = NULL;
        CHECK_OK(gguf_writer_open(&w));
        gguf_set_str(w, "tokenizer.ggml.model", STR("gpt2"));
        gguf_set_str(w, "tokenizer.ggml.pre", str_of(cases[i].pre));
        gguf_set_strs(w, "tokenizer.ggml.tokens", hand, HAND);
        check_refused(w, ERR_UNSUPPORTED, cases[i].part);
    }
}

/* ---- merging, against its definition ---- */

enum { LETTERS = 4, DEFINITION_MAX = 400 };

/* Some pairs of small ids merge, with ranks that repeat. */
static TokPair made_pair(const void *ctx, const TokSymbol *left, const TokSymbol *right) {
    uint64_t r = *(const uint64_t *)ctx + (uint64_t)left->id * 1000003 + (uint64_t)right->id;
    if (texts_below(&r, 3) == 0) return (TokPair){TOK_NO_RANK, -1};
    return (TokPair){texts_below(&r, 50), (int32_t)texts_below(&r, 40)};
}

static size_t merge_by_definition(TokSymbol *s, size_t n, const uint64_t *seed) {
    for (;;) {
        size_t best = n;
        TokPair least = {TOK_NO_RANK, -1};
        for (size_t i = 0; i + 1 < n; i++) {
            TokPair pair = made_pair(seed, &s[i], &s[i + 1]);
            if (pair.rank < least.rank) least = pair, best = i;
        }
        if (best == n) return n;
        s[best] = (TokSymbol){s[best].at, s[best].n + s[best + 1].n, least.id};
        n--;
        memmove(s + best + 1, s + best + 2, (n - best - 1) * sizeof *s);
    }
}

static void merging_short_and_long_words_follows_the_definition(void **state) {
    (void)state;
    static TokSymbol got[DEFINITION_MAX], want[DEFINITION_MAX];
    for (uint64_t seed = 0; seed < 600; seed++) {
        uint64_t r = seed;
        Arena scratch = {0};
        size_t n = seed % 3 ? texts_below(&r, 60) : texts_below(&r, DEFINITION_MAX), left = n;
        for (size_t i = 0; i < n; i++)
            want[i] = got[i] = (TokSymbol){(uint32_t)i, 1, (int32_t)texts_below(&r, LETTERS)};
        CHECK_OK(tok_merge(got, &left, made_pair, &seed, &scratch));
        CHECK_INT(left, merge_by_definition(want, n, &seed));
        for (size_t i = 0; i < left; i++)
            CHECK(got[i].at == want[i].at && got[i].n == want[i].n && got[i].id == want[i].id);
        arena_free(&scratch);
    }
}

/* ---- composing ---- */

static void check_nfc(const char *text, const char *want) {
    Arena a = {0};
    Str out;
    CHECK_OK(tok_nfc(str_of(text), &a, &out));
    CHECK_STR(out, want);
    arena_free(&a);
}

static void texts_are_composed_as_the_reference_composes(void **state) {
    (void)state;
    Arena a = {0};
    Str out, plain = STR("caf\u00e9 \u4e2d\u6587 \uac01");
    CHECK_OK(tok_nfc(plain, &a, &out));
    CHECK(out.p == plain.p); /* not copied */
    check_nfc("cafe\u0301", "caf\u00e9");
    check_nfc("a\u0323\u0301 a\u0301\u0323", "\u1ea1\u0301 \u1ea1\u0301");
    check_nfc("\u212b\u2126\u1fef", "\u00c5\u03a9`"); /* singletons */
    check_nfc("\u1100\u1161\u11a8", "\uac01");
    check_nfc("<\u0338", "\u226e");
    check_nfc("\u0301a", "\u0301a");
    check_nfc("a\u1ac1\u0323", "a\u1ac1\u0323"); /* a mark of Unicode 14: a starter to the reference */
    arena_free(&a);
}

/* A megabyte of marks in descending order of class is sorted in linear time. */
static void hostile_marks_do_not_cost_squares(void **state) {
    (void)state;
    enum { PAIRS = 1 << 18 };
    Arena a = {0};
    Buf text = {0};
    Str out;
    for (int i = 0; i < PAIRS; i++) buf_add(&text, i & 1 ? STR("\u0323") : STR("\u0301"));
    CHECK_OK(buf_ok(&text));
    CHECK_OK(tok_nfc(buf_str(&text), &a, &out));
    CHECK_INT(out.n, text.n);
    CHECK(memcmp(out.p, "\u0323\u0323", 4) == 0);
    buf_free(&text);
    arena_free(&a);
}

/* ---- long texts, and threads ---- */

static void check_long(const Tok *t, Str unit, size_t bytes) {
    Buf text = {0};
    while (text.n < bytes) buf_add(&text, unit);
    buf_add(&text, STR("x"));
    CHECK_OK(buf_ok(&text));
    size_t n = 0;
    CHECK_OK(tok_encode(t, buf_str(&text), false, NULL, 0, &n));
    CHECK(n > 0 && n <= text.n);
    buf_free(&text);
}

/* More ends of line in a row than PCRE2 takes steps when nobody says. */
static void ten_megabytes_of_blank_lines_are_cut(void **state) {
    (void)state;
    TokFile f = {0};
    open_family(&f, STR("qwen2"));
    check_long(f.t, STR("\n "), 10 << 20);
    tok_file_close(&f);
}

static void long_runs_are_cut_in_linear_time(void **state) {
    (void)state;
    const char *const families[] = {"gpt-2", "qwen2", "gpt-4o", "deepseek-v3", "deepseek-coder"};
    const char *const units[] = {"a", "A",      " ",      "\n",     "\n ", " \n",    "1", "!",
                                 "'", "\u4e2d", "\u0301", "\u00c9", "aA",  "\u3000", "<|"};
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        TokFile f = {0};
        open_family(&f, str_of(families[i]));
        for (size_t k = 0; k < COUNT_OF(units); k++) check_long(f.t, str_of(units[k]), 1 << 17);
        tok_file_close(&f);
    }
}

typedef struct {
    const Tok *t;
    char digests[8][65];
} Shared;

static Err encode_shared(void *ctx, size_t i, size_t worker) {
    Shared *shared = ctx;
    Buf text = {0};
    uint64_t sum = 0;
    (void)worker;
    for (uint32_t k = 0; k < 200; k++) {
        int32_t ids[4096];
        size_t n = 0;
        texts_generate(&text, TEXTS_SWEEP + TEXTS_HOSTILE - 50 + k);
        TRY(tok_encode(shared->t, buf_str(&text), false, ids, 4096, &n));
        sum ^= xxh3_seeded(str_make((const char *)ids, n * sizeof *ids), sum);
    }
    (void)snprintf(shared->digests[i], 65, "%016llx", (unsigned long long)sum);
    buf_free(&text);
    return ERR_OK;
}

static void threads_share_a_tokenizer(void **state) {
    (void)state;
    TokFile f = {0};
    Pool *pool = NULL;
    Shared shared = {0};
    open_family(&f, STR("qwen2"));
    shared.t = f.t;
    CHECK_OK(pool_open(&pool, 4));
    CHECK_OK(pool_for(pool, 8, encode_shared, &shared));
    for (int i = 1; i < 8; i++) CHECK_STR(str_of(shared.digests[i]), shared.digests[0]);
    pool_close(pool);
    tok_file_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_equal_the_references_for_each_family),
        cmocka_unit_test(ids_equal_the_references_on_every_code_point_and_hostile_texts),
        cmocka_unit_test(every_family_compiles),
        cmocka_unit_test(merges_go_by_rank_then_from_the_left),
        cmocka_unit_test(bytes_without_a_token_are_left_out),
        cmocka_unit_test(tokens_go_back_to_their_bytes),
        cmocka_unit_test(characters_may_be_split_over_tokens),
        cmocka_unit_test(what_is_encoded_decodes_to_itself),
        cmocka_unit_test(control_tokens_may_be_only_text),
        cmocka_unit_test(marks_go_around_as_the_file_says),
        cmocka_unit_test(more_ids_than_room_are_counted),
        cmocka_unit_test(a_vocabulary_that_lies_is_refused),
        cmocka_unit_test(an_unknown_family_is_named),
        cmocka_unit_test(merging_short_and_long_words_follows_the_definition),
        cmocka_unit_test(texts_are_composed_as_the_reference_composes),
        cmocka_unit_test(hostile_marks_do_not_cost_squares),
        cmocka_unit_test(ten_megabytes_of_blank_lines_are_cut),
        cmocka_unit_test(long_runs_are_cut_in_linear_time),
        cmocka_unit_test(threads_share_a_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
