/* SentencePiece's BPE: ids against SentencePiece's own (golden/tok_spm, made by tools/make_goldens_tok_bpe.py), and
 * what a file of it may say. */
#include "tok_texts.h"

#define GOLDEN TESTS_DIR "/golden/tok_spm/"
#define SPACE  "\u2581"

static void open_model(TokFile *f, Str name) {
    char path[512];
    (void)snprintf(path, sizeof path, GOLDEN "%.*s.gguf", STR_FMT(name));
    CHECK_OK(gguf_open_path(&f->g, path));
    CHECK_OK(tok_open(&f->t, f->g));
}

static void ids_equal_sentencepieces(void **state) {
    (void)state;
    CHECK_INT(texts_check_lines(GOLDEN "lines.jsonl", "model", open_model), 3);
}

static void ids_equal_sentencepieces_on_every_code_point_and_hostile_texts(void **state) {
    (void)state;
    CHECK_INT(texts_check_digests(GOLDEN "digests.txt", open_model), 3);
}

/* ---- a vocabulary by hand ---- */

typedef struct {
    Str text;
    int32_t type;
    float score;
} Piece;

static const Piece hand[] = {
    {{"<unk>", 5}, 2, 0},     {{"<s>", 3}, 3, 0},    {{"</s>", 4}, 3, 0},   {{SPACE, 3}, 1, -10},
    {{"a", 1}, 1, -11},       {{"b", 1}, 1, -12},    {{"ab", 2}, 1, -1},    {{SPACE "a", 4}, 1, -2},
    {{"ba", 2}, 1, -3},       {{"<0xC3>", 6}, 6, 0}, {{"<0xA9>", 6}, 6, 0}, {{"  ", 2}, 4, -1000},
    {{"[PAD]", 5}, 5, -1000}, {{"aa", 2}, 1, -0.0f},
};
enum { HAND = COUNT_OF(hand) };

static GgufWriter *hand_writer(void) {
    GgufWriter *w = NULL;
    Str texts[HAND];
    int32_t types[HAND];
    float scores[HAND];
    for (size_t i = 0; i < HAND; i++) texts[i] = hand[i].text, types[i] = hand[i].type, scores[i] = hand[i].score;
    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("llama"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", texts, HAND);
    gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, HAND);
    gguf_set_array(w, "tokenizer.ggml.scores", GGUF_F32, scores, HAND);
    return w;
}

static void the_highest_score_merges_first_then_the_left(void **state) {
    (void)state;
    TokFile f = {0};
    GgufWriter *w = hand_writer();
    gguf_set_bool(w, "tokenizer.ggml.add_space_prefix", false);
    CHECK_OK(tok_file_made(&f, w));
    CHECK_IDS(f.t, STR("ab"), false, 6);
    CHECK_IDS(f.t, STR("aba"), false, 6, 4);
    CHECK_IDS(f.t, STR("aaa"), false, 13, 4);
    CHECK_IDS(f.t, STR("aab"), false, 13, 5);
    CHECK_IDS(f.t, STR("a ab"), false, 4, 3, 6);
    CHECK_IDS(f.t, STR("[PAD]"), false, 0); /* what fills up is no text; neighbouring unknowns are one */
    CHECK_STR(str_of(tok_kind(f.t)), "llama");
    tok_file_close(&f);
}

static void a_space_goes_before_texts_and_behind_added_tokens(void **state) {
    (void)state;
    TokFile f = {0};
    CHECK_OK(tok_file_made(&f, hand_writer()));
    CHECK_IDS(f.t, STR("a"), false, 7);
    CHECK_IDS(f.t, STR(" a"), false, 3, 7);
    CHECK_IDS(f.t, STR("a</s>a"), false, 7, 2, 7);
    CHECK_IDS(f.t, STR("b  b"), false, 3, 5, 11, 3, 5); /* a run of spaces that is a token */
    check_ids(f.t, STR(""), false, NULL, 0);
    CHECK_IDS(f.t, STR("a"), true, 1, 7); /* Llama's marks, as the file names none */
    tok_file_close(&f);
}

static void characters_without_a_token_fall_back_to_bytes_or_the_unknown(void **state) {
    (void)state;
    TokFile f = {0};
    GgufWriter *w = hand_writer();
    gguf_set_bool(w, "tokenizer.ggml.add_space_prefix", false);
    CHECK_OK(tok_file_made(&f, w));
    CHECK_IDS(f.t,
              STR("a\u00e9"
                  "b"),
              false, 4, 9, 10, 5);
    CHECK_IDS(f.t, STR("a\u4e2d\u6587zb"), false, 4, 0, 5);
    CHECK_IDS(f.t, STR("z z"), false, 0, 3, 0);
    CHECK_IDS(f.t, STR("a\xff\xc3"), false, 4, 0); /* U+FFFD twice */
    tok_file_close(&f);
}

static void check_refused(GgufWriter *w, Err code, const char *part) {
    TokFile f = {0};
    CHECK_ERR(tok_file_made(&f, w), code, part);
    CHECK(f.t == NULL);
    tok_file_close(&f);
}

static void a_vocabulary_that_lies_is_refused(void **state) {
    (void)state;
    const Str texts[] = {STR("<unk>"), STR("a")};
    const float scores[] = {0, __builtin_nanf("")};
    const int32_t types[] = {2};
    GgufWriter *w = NULL;
    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("llama"));
    check_refused(w, ERR_CORRUPT, "model 'made.gguf' has no key 'tokenizer.ggml.tokens'");

    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("llama"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", texts, 2);
    check_refused(w, ERR_CORRUPT, "model 'made.gguf' has no key 'tokenizer.ggml.scores'");

    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("llama"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", texts, 2);
    gguf_set_array(w, "tokenizer.ggml.scores", GGUF_F32, scores, 1);
    check_refused(w, ERR_CORRUPT, "has 2 tokens, but 1 scores");

    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("llama"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", texts, 2);
    gguf_set_array(w, "tokenizer.ggml.scores", GGUF_F32, scores, 2);
    check_refused(w, ERR_CORRUPT, "the score of token 1 is not a number");

    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "tokenizer.ggml.model", STR("llama"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", texts, 2);
    gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, 1);
    check_refused(w, ERR_CORRUPT, "has 2 tokens, but 1 token types");
}

/* Without words to cut it into, half a megabyte is one word. */
static void a_text_of_one_word_is_merged_by_the_heap(void **state) {
    (void)state;
    enum { PAIRS = 1 << 18 };
    TokFile f = {0};
    GgufWriter *w = hand_writer();
    gguf_set_bool(w, "tokenizer.ggml.add_space_prefix", false);
    CHECK_OK(tok_file_made(&f, w));
    Buf text = {0};
    for (int i = 0; i < PAIRS; i++) buf_add(&text, STR("ab"));
    CHECK_OK(buf_ok(&text));
    CHECK_INT(tok_count(f.t, buf_str(&text)), PAIRS);
    buf_free(&text);
    tok_file_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_equal_sentencepieces),
        cmocka_unit_test(ids_equal_sentencepieces_on_every_code_point_and_hostile_texts),
        cmocka_unit_test(the_highest_score_merges_first_then_the_left),
        cmocka_unit_test(a_space_goes_before_texts_and_behind_added_tokens),
        cmocka_unit_test(characters_without_a_token_fall_back_to_bytes_or_the_unknown),
        cmocka_unit_test(a_vocabulary_that_lies_is_refused),
        cmocka_unit_test(a_text_of_one_word_is_merged_by_the_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
