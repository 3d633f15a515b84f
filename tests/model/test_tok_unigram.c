/* Unigram: ids against the reference's (golden/tok_unigram, made by tools/make_goldens_tok_bpe.py), the normaliser's
 * map, and what a file of it may say. */
#include "tok_texts.h"

#include "model/tok_unigram_charsmap.h"

#define GOLDEN TESTS_DIR "/golden/tok_unigram/"
#define SPACE  "\u2581"

static void open_model(TokFile *f, Str name) {
    char path[512];
    (void)snprintf(path, sizeof path, GOLDEN "%.*s.gguf", STR_FMT(name));
    CHECK_OK(gguf_open_path(&f->g, path));
    CHECK_OK(tok_open(&f->t, f->g));
}

static void ids_equal_the_references(void **state) {
    (void)state;
    CHECK_INT(texts_check_lines(GOLDEN "lines.jsonl", "model", open_model), 3);
}

static void ids_equal_the_references_on_every_code_point_and_hostile_texts(void **state) {
    (void)state;
    CHECK_INT(texts_check_digests(GOLDEN "digests.txt", open_model), 3);
}

/* ---- a vocabulary by hand ---- */

typedef struct {
    Str text;
    int32_t type;
    float score;
} Piece;

static const Piece hand[] = {{{"<pad>", 5}, 3, 0},  {{"</s>", 4}, 3, 0},      {{"<unk>", 5}, 2, 0},
                             {{SPACE, 3}, 1, -2},   {{"a", 1}, 1, -3},        {{"b", 1}, 1, -3},
                             {{"ab", 2}, 1, -4},    {{"ba", 2}, 1, -3.5f},    {{SPACE "a", 4}, 1, -4.5f},
                             {{"[MASK]", 6}, 3, 0}, {{"[PAD]", 5}, 5, -10000}};
enum { HAND = COUNT_OF(hand), MASK = 9 };

static GgufWriter *hand_writer(void) {
    GgufWriter *w = NULL;
    Str texts[HAND];
    int32_t types[HAND];
    float scores[HAND];
    for (size_t i = 0; i < HAND; i++) texts[i] = hand[i].text, types[i] = hand[i].type, scores[i] = hand[i].score;
    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("t5"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", texts, HAND);
    gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, HAND);
    gguf_set_array(w, "tokenizer.ggml.scores", GGUF_F32, scores, HAND);
    return w;
}

static void the_way_with_the_highest_sum_is_taken(void **state) {
    (void)state;
    TokFile f = {0};
    CHECK_OK(tok_file_made(&f, hand_writer()));
    CHECK_IDS(f.t, STR("a"), false, 8);      /* -4.5 against -5 */
    CHECK_IDS(f.t, STR("ab"), false, 3, 6);  /* -6 against -7.5 */
    CHECK_IDS(f.t, STR("aba"), false, 8, 7); /* -8 against -9 */
    CHECK_IDS(f.t, STR("a  \t b"), false, 8, 3, 5);
    CHECK_IDS(f.t, STR("a"), true, 8, 1); /* T5's marks, as the file names none */
    check_ids(f.t, STR(" \n\u3000"), false, NULL, 0);
    CHECK_STR(str_of(tok_kind(f.t)), "t5");
    tok_file_close(&f);
}

static void unknown_characters_in_a_row_are_one(void **state) {
    (void)state;
    TokFile f = {0};
    CHECK_OK(tok_file_made(&f, hand_writer()));
    CHECK_IDS(f.t, STR("xyz"), false, 3, 2);
    CHECK_IDS(f.t, STR("axyb z"), false, 8, 2, 5, 3, 2);
    CHECK_IDS(f.t, STR("[PAD]"), false, 3, 2); /* what fills up is no text */
    CHECK_IDS(f.t, STR("\xff\xf0\x9f"), false, 3, 2);
    tok_file_close(&f);
}

static void the_mask_takes_the_white_space_before_it_along(void **state) {
    (void)state;
    TokFile f = {0};
    GgufWriter *w = hand_writer();
    gguf_set_u32(w, "tokenizer.ggml.mask_token_id", MASK);
    gguf_set_bool(w, "tokenizer.ggml.remove_extra_whitespaces", false);
    CHECK_OK(tok_file_made(&f, w));
    CHECK_IDS(f.t, STR("a \u3000[MASK] a"), false, 8, MASK, 3, 8);
    CHECK_IDS(f.t, STR("a  a"), false, 8, 3, 8); /* without words each space counts */
    tok_file_close(&f);
}

/* ---- files that lie ---- */

static void check_refused(GgufWriter *w, Err code, const char *part) {
    TokFile f = {0};
    CHECK_ERR(tok_file_made(&f, w), code, part);
    CHECK(f.t == NULL);
    tok_file_close(&f);
}

static void a_vocabulary_that_lies_is_refused(void **state) {
    (void)state;
    const uint8_t map[] = {8, 0, 0, 0, 1, 2, 3};
    GgufWriter *w = hand_writer();
    gguf_set_array(w, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, map, sizeof map);
    check_refused(w, ERR_CORRUPT, "'tokenizer.ggml.precompiled_charsmap' has 7 bytes and a trie of 8");
    w = hand_writer();
    gguf_set_array(w, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, map, 3);
    check_refused(w, ERR_CORRUPT, "'tokenizer.ggml.precompiled_charsmap' has 3 bytes and a trie of 0");
    w = hand_writer();
    gguf_set_u32(w, "tokenizer.ggml.unknown_token_id", HAND);
    check_refused(w, ERR_CORRUPT, "'tokenizer.ggml.unknown_token_id' is 11, the vocabulary has 11 tokens");

    const Str two[] = {STR("a"), STR("b")};
    const float scores[] = {-1, -2};
    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("t5"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", two, 2);
    gguf_set_array(w, "tokenizer.ggml.scores", GGUF_F32, scores, 2);
    check_refused(w, ERR_CORRUPT, "model 'made.gguf' has no token for the unknown");
}

/* ---- the map ---- */

static void apply(const TokCharsmap *m, Str text, Buf *out) {
    buf_clear(out);
    tok_charsmap_apply(m, text, out);
    CHECK_OK(buf_ok(out));
}

static void the_map_goes_by_clusters(void **state) {
    (void)state;
    TokFile f = {0};
    TokCharsmap m;
    Str bytes = {"", 0};
    Buf out = {0};
    open_model(&f, STR("xlmr"));
    CHECK_OK(gguf_get_u8s(f.g, "tokenizer.ggml.precompiled_charsmap", &bytes));
    CHECK_OK(tok_charsmap_open(&m, bytes, "xlmr.gguf"));
    apply(&m, STR("plain ASCII stays"), &out);
    CHECK_STR(buf_str(&out), "plain ASCII stays");
    apply(&m, STR("\ufb01x e\u0301 \u2460"), &out);
    CHECK_STR(buf_str(&out), "fix \u00e9 1");
    apply(&m, STR("a\r\nb"), &out); /* one cluster: the rest behind its shortest prefix goes */
    CHECK_STR(buf_str(&out), "a b");
    apply(&m, STR("\uff76\uff9e"), &out); /* six bytes: character by character */
    CHECK_STR(buf_str(&out), "\u30ab\u3099");
    apply(&m, STR("x\u200by"), &out);
    CHECK_STR(buf_str(&out), "xy");
    buf_free(&out);
    tok_file_close(&f);
}

/* Every byte of a true map is turned, one at a time: whatever the trie then says, walks end inside it. */
static void a_damaged_map_is_walked_safely(void **state) {
    (void)state;
    TokFile f = {0};
    Str bytes = {"", 0};
    Buf text = {0}, out = {0};
    open_model(&f, STR("xlmr"));
    CHECK_OK(gguf_get_u8s(f.g, "tokenizer.ggml.precompiled_charsmap", &bytes));
    uint8_t *copy = malloc(bytes.n);
    CHECK(copy != NULL);
    for (uint32_t i = 0; i < 24; i++) {
        Buf more = {0};
        texts_generate(&more, TEXTS_SWEEP + i);
        buf_add(&text, buf_str(&more));
        buf_free(&more);
    }
    for (size_t i = 0; i < bytes.n; i += 1 + i % 5) {
        TokCharsmap m;
        memcpy(copy, bytes.p, bytes.n);
        copy[i] ^= (uint8_t)(1u << i % 8 | 1u << (i / 3) % 8);
        if (tok_charsmap_open(&m, str_make((const char *)copy, bytes.n), "damaged")) continue;
        apply(&m, buf_str(&text), &out);
    }
    free(copy);
    buf_free(&text);
    buf_free(&out);
    tok_file_close(&f);
}

static void a_long_word_is_segmented(void **state) {
    (void)state;
    enum { PAIRS = 1 << 17 };
    TokFile f = {0};
    CHECK_OK(tok_file_made(&f, hand_writer()));
    Buf text = {0};
    for (int i = 0; i < PAIRS; i++) buf_add(&text, STR("ab"));
    CHECK_OK(buf_ok(&text));
    CHECK_INT(tok_count(f.t, buf_str(&text)), PAIRS + 1); /* "▁a", "ba" …, "b" */
    buf_free(&text);
    tok_file_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_equal_the_references),
        cmocka_unit_test(ids_equal_the_references_on_every_code_point_and_hostile_texts),
        cmocka_unit_test(the_way_with_the_highest_sum_is_taken),
        cmocka_unit_test(unknown_characters_in_a_row_are_one),
        cmocka_unit_test(the_mask_takes_the_white_space_before_it_along),
        cmocka_unit_test(a_vocabulary_that_lies_is_refused),
        cmocka_unit_test(the_map_goes_by_clusters),
        cmocka_unit_test(a_damaged_map_is_walked_safely),
        cmocka_unit_test(a_long_word_is_segmented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
