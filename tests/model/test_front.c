/* The front of a long text has the ids of the whole, for each kind of tokenizer and each kind of text that has no
 * end. */
#include "check.h"
#include "model/tok.h"

enum { BYTES = 300000 };

static const char *const files[] = {"tok/small",     "tok_bpe/bpe",      "tok_spm/gemma",     "tok_spm/llama",
                                    "tok_spm/plain", "tok_unigram/xlmr", "tok_unigram/spaces"};

static uint32_t next(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

typedef enum { WORDS, ONE_LETTER, ONE_WORD, BLANKS, LINES, PERIOD, HAN, BAD_BYTES, MARKS, SHAPES } Shape;

static Buf text_make(Shape shape) {
    static const char words[] = "the file reads a name and returns it while naive retries of it wait ";
    Buf b = {0};
    uint32_t seed = 7;
    while (b.n < BYTES) {
        uint32_t r = next(&seed);
        switch (shape) {
        case WORDS:
            buf_add(&b, str_make(words + r % 60, 1 + r % 7));
            if (r % 3 == 0) buf_char(&b, ' ');
            break;
        case ONE_LETTER:
            buf_char(&b, 'a');
            break;
        case ONE_WORD:
            buf_char(&b, (char)('a' + r % 26));
            break;
        case BLANKS:
            buf_char(&b, ' ');
            break;
        case LINES:
            buf_add_z(&b, r % 4 ? "\n" : " \t");
            break;
        case PERIOD:
            buf_add_z(&b, "abcab");
            break;
        case HAN:
            buf_char(&b, (char)0xE4);
            buf_char(&b, (char)(0xB8 + r % 8));
            buf_char(&b, (char)(0x80 + r % 64));
            break;
        case BAD_BYTES:
            buf_char(&b, (char)(0x80 + r % 128));
            break;
        case MARKS:
            buf_char(&b, "-=_.#/"[r % 6]);
            break;
        case SHAPES:
            break;
        }
    }
    CHECK_OK(buf_ok(&b));
    return b;
}

static void the_front_has_the_ids_of_the_whole(void **state) {
    (void)state;
    static int32_t whole[2048], front[2048];
    const size_t caps[] = {2, 64, 512, 2048};
    size_t shorter = 0;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char path[512];
        Gguf *g = NULL;
        Tok *t = NULL;
        (void)snprintf(path, sizeof path, TESTS_DIR "/golden/%s.gguf", files[f]);
        CHECK_OK(gguf_open_path(&g, path));
        CHECK_OK(tok_open(&t, g));
        for (int shape = 0; shape < SHAPES; shape++) {
            Buf text = text_make((Shape)shape);
            size_t n = 0, n_front = 0;
            CHECK_OK(tok_encode(t, buf_str(&text), true, whole, 2048, &n));
            for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
                size_t most = n < caps[c] ? n : caps[c];
                CHECK_OK(tok_encode_front(t, buf_str(&text), true, front, caps[c], &n_front));
                CHECK(n_front == n || (n_front > caps[c] && n_front < n));
                shorter += n_front < n;
                for (size_t i = 0; i < most && i + 1 < n; i++)
                    if (front[i] != whole[i])
                        fail_msg("%s, shape %d, cap %zu: id %zu is %d, of the whole %d", files[f], shape, caps[c], i,
                                 front[i], whole[i]);
            }
            buf_free(&text);
        }
        tok_close(t);
        gguf_close(g);
    }
    CHECK(shorter > 100); /* of 280: the rest gives few ids or is one */
}

static void a_text_just_over_the_limit_is_looked_at_whole(void **state) {
    (void)state;
    Gguf *g = NULL;
    Tok *t = NULL;
    size_t n = 0, n_front = 0;
    int32_t ids[4];
    CHECK_OK(gguf_open_path(&g, TESTS_DIR "/golden/tok/small.gguf"));
    CHECK_OK(tok_open(&t, g));
    CHECK_OK(tok_encode(t, STR("a b c d e f"), true, ids, 4, &n));
    CHECK_OK(tok_encode_front(t, STR("a b c d e f"), true, ids, 4, &n_front));
    CHECK_INT(n, n_front);
    tok_close(t);
    gguf_close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_front_has_the_ids_of_the_whole),
        cmocka_unit_test(a_text_just_over_the_limit_is_looked_at_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
