/* Hugging Face folders, made here with one small layer, to GGUF. */
#include "check.h"

#include <errno.h>

#include "base/arena.h"
#include "base/file.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/tok.h"

enum { HIDDEN = 4, FF = 8, VOCAB = 9, POSITIONS = 16, TYPES = 2 };

static const char config_json[] = "{\"model_type\":\"bert\",\"num_hidden_layers\":1,\"num_attention_heads\":2,\"hidden_"
                                  "size\":4,\"intermediate_size\":8,"
                                  "\"vocab_size\":9,\"max_position_embeddings\":16,\"type_vocab_size\":2,\"hidden_"
                                  "act\":\"gelu\",\"layer_norm_eps\":1e-12}";
static const char vocab_txt[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nun\n##able\n";
static const char tokenizer_json[] =
    "{\"truncation\":{\"max_length\":3},\"added_tokens\":["
    "{\"id\":0,\"content\":\"[PAD]\",\"special\":true,\"normalized\":false},{\"id\":1,\"content\":\"[UNK]\","
    "\"special\":true},"
    "{\"id\":2,\"content\":\"[CLS]\",\"special\":true},{\"id\":3,\"content\":\"[SEP]\",\"special\":true},"
    "{\"id\":4,\"content\":\"[MASK]\",\"special\":true,\"lstrip\":true},{\"id\":8,\"content\":\"<q>\",\"special\":"
    "false}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"strip_accents\":"
    "null,"
    "\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{}},{\"Sequence\":{}},{"
    "\"SpecialToken\":{}}]},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_"
    "per_word\":100,"
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"the\":5,\"un\":6,\"##able\":7}}}";
static const char modules_json[] =
    "[{\"idx\":0,\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"},"
    "{\"idx\":1,\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"},"
    "{\"idx\":2,\"path\":\"2_Normalize\",\"type\":\"sentence_transformers.models.Normalize\"}]";

/* ---- a folder ---- */

typedef struct {
    Arena arena;
    const char *dir, *out;
    Gguf *g;
} Job;

static void put_bytes(Job *j, const char *name, Str content) {
    CHECK_OK(file_write_atomic(path_join(&j->arena, j->dir, name), content, 0600));
}
static void put(Job *j, const char *name, const char *content) { put_bytes(j, name, str_of(content)); }
static void drop(Job *j, const char *name) { CHECK_OK(file_remove(path_join(&j->arena, j->dir, name))); }

typedef struct {
    const char *name; /* without .weight or .bias */
    int rows, cols;   /* cols 0: a vector */
    bool bias;
} Part;
static const Part parts[] = {
    {"embeddings.word_embeddings", VOCAB, HIDDEN, false},
    {"embeddings.position_embeddings", POSITIONS, HIDDEN, false},
    {"embeddings.token_type_embeddings", TYPES, HIDDEN, false},
    {"embeddings.LayerNorm", HIDDEN, 0, true},
    {"encoder.layer.0.attention.self.query", HIDDEN, HIDDEN, true},
    {"encoder.layer.0.attention.self.key", HIDDEN, HIDDEN, true},
    {"encoder.layer.0.attention.self.value", HIDDEN, HIDDEN, true},
    {"encoder.layer.0.attention.output.dense", HIDDEN, HIDDEN, true},
    {"encoder.layer.0.attention.output.LayerNorm", HIDDEN, 0, true},
    {"encoder.layer.0.intermediate.dense", FF, HIDDEN, true},
    {"encoder.layer.0.output.dense", HIDDEN, FF, true},
    {"encoder.layer.0.output.LayerNorm", HIDDEN, 0, true},
};

typedef struct {
    const char *dtype;         /* "F32", "F16", "BF16" */
    const char *prefix;        /* "", "bert." */
    const char *weight, *bias; /* of norms: "weight"/"bias", "gamma"/"beta" */
    const char *skip;          /* a part to leave out */
    const char *extra;         /* one tensor more, [1] */
    bool int64_words;
} Weights;
static const Weights plain_weights = {.dtype = "F32", .prefix = "", .weight = "weight", .bias = "bias"};

/* Numbers that every type holds exactly: k/8, from -2 up. */
static void add_number(Buf *b, const char *dtype, int k) {
    float v = (float)(k % 32) / 8 - 2;
    uint32_t bits;
    memcpy(&bits, &v, 4);
    if (strcmp(dtype, "F32") == 0)
        buf_add_bytes(b, &bits, 4);
    else if (strcmp(dtype, "BF16") == 0)
        buf_add_bytes(b, (char *)&bits + 2, 2);
    else {
        int exponent = v == 0 ? -15 : (int)(bits >> 23 & 255) - 127;
        uint16_t half = (uint16_t)((bits >> 31) << 15 | (uint32_t)(exponent + 15) << 10 | (bits >> 13 & 1023));
        buf_add_bytes(b, &half, 2);
    }
}

static void add_tensor(Buf *header, Buf *data, const Weights *w, const char *name, const char *part, int rows,
                       int cols) {
    const char *dtype = w->int64_words && rows == VOCAB ? "I64" : w->dtype;
    size_t begin = data->n;
    for (int i = 0; i < rows * (cols ? cols : 1); i++) {
        if (strcmp(dtype, "I64") == 0)
            buf_add_bytes(data, "\0\0\0\0\0\0\0\0", 8);
        else
            add_number(data, dtype, i);
    }
    buf_printf(header, "%s\"%s%s.%s\":{\"dtype\":\"%s\",\"shape\":[%d", header->n > 1 ? "," : "", w->prefix, name, part,
               dtype, rows);
    if (cols) buf_printf(header, ",%d", cols);
    buf_printf(header, "],\"data_offsets\":[%zu,%zu]}", begin, data->n);
}

static void put_weights(Job *j, Weights w) {
    Buf header = {0}, data = {0}, file = {0};
    buf_char(&header, '{');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const Part *p = &parts[i];
        bool norm = strstr(p->name, "LayerNorm") != NULL;
        if (w.skip && strcmp(p->name, w.skip) == 0) continue;
        add_tensor(&header, &data, &w, p->name, norm ? w.weight : "weight", p->rows, p->cols);
        if (p->bias) add_tensor(&header, &data, &w, p->name, norm ? w.bias : "bias", p->rows, 0);
    }
    if (w.extra) add_tensor(&header, &data, &w, w.extra, "weight", 1, 0);
    buf_char(&header, '}');
    uint64_t length = header.n;
    buf_add_bytes(&file, &length, 8);
    buf_add(&file, buf_str(&header));
    buf_add(&file, buf_str(&data));
    CHECK_OK(buf_ok(&file));
    put_bytes(j, "model.safetensors", buf_str(&file));
    buf_free(&header);
    buf_free(&data);
    buf_free(&file);
}

static Job job_open(void) {
    Job j = {0};
    j.dir = arena_cstr(&j.arena, str_of(check_temp_dir()));
    j.out = path_join(&j.arena, j.dir, "out.gguf");
    put(&j, "config.json", config_json);
    put(&j, "vocab.txt", vocab_txt);
    put_weights(&j, plain_weights);
    return j;
}

static void job_close(Job *j) {
    gguf_close(j->g);
    CHECK_OK(file_remove_tree(j->dir));
    arena_free(&j->arena);
}

static void import(Job *j) {
    gguf_close(j->g);
    j->g = NULL;
    CHECK_OK(model_import(j->dir, j->out, "tiny"));
    CHECK_OK(gguf_open_path(&j->g, j->out));
}

static void check_refused(Job *j, Err code, const char *part) {
    FileInfo info;
    CHECK_ERR(model_import(j->dir, j->out, "tiny"), code, part);
    CHECK_OK(file_info(j->out, false, &info));
    CHECK_INT(info.type, FILE_NONE);
}

#define CHECK_U32(j, key, want)                                                                                        \
    do {                                                                                                               \
        uint32_t v_ = UINT32_MAX;                                                                                      \
        CHECK_OK(gguf_get_u32((j)->g, (key), &v_));                                                                    \
        CHECK_INT(v_, (want));                                                                                         \
    } while (0)
#define CHECK_KEY_STR(j, key, want)                                                                                    \
    do {                                                                                                               \
        Str v_ = {"", 0};                                                                                              \
        CHECK_OK(gguf_get_str((j)->g, (key), &v_));                                                                    \
        CHECK_STR(v_, (want));                                                                                         \
    } while (0)
/* -1: the key is not there */
static int bool_key(const Job *j, const char *key) {
    bool v = false;
    CHECK_OK(gguf_get_bool(j->g, key, &v));
    return gguf_key(j->g, key) ? v : -1;
}

/* ---- keys and tensors ---- */

static void keys_are_those_of_llama_cpp(void **state) {
    (void)state;
    Job j = job_open();
    import(&j);
    CHECK_KEY_STR(&j, "general.architecture", "bert");
    CHECK_KEY_STR(&j, "general.name", "tiny");
    CHECK_U32(&j, "general.file_type", 0);
    CHECK_U32(&j, "bert.block_count", 1);
    CHECK_U32(&j, "bert.context_length", POSITIONS);
    CHECK_U32(&j, "bert.embedding_length", HIDDEN);
    CHECK_U32(&j, "bert.feed_forward_length", FF);
    CHECK_U32(&j, "bert.attention.head_count", 2);
    CHECK_U32(&j, "bert.pooling_type", POOL_MEAN);
    CHECK_U32(&j, "tokenizer.ggml.token_type_count", TYPES);
    CHECK_KEY_STR(&j, "tokenizer.ggml.model", "bert");
    CHECK_U32(&j, "tokenizer.ggml.bos_token_id", 2);
    CHECK_U32(&j, "tokenizer.ggml.seperator_token_id", 3);
    CHECK_U32(&j, "tokenizer.ggml.unknown_token_id", 1);
    CHECK_U32(&j, "tokenizer.ggml.padding_token_id", 0);
    CHECK_U32(&j, "tokenizer.ggml.mask_token_id", 4);
    CHECK_INT(bool_key(&j, "bert.attention.causal"), 0);
    float eps = 0;
    CHECK_OK(gguf_get_f32(j.g, "bert.attention.layer_norm_epsilon", &eps));
    CHECK(eps == 1e-12f);
    Str *tokens = NULL;
    size_t n = 0;
    CHECK_OK(gguf_get_strs(j.g, &j.arena, "tokenizer.ggml.tokens", &tokens, &n));
    CHECK_INT(n, VOCAB);
    CHECK_STR(tokens[2], "[CLS]");
    CHECK_STR(tokens[5], "\xE2\x96\x81the");
    CHECK_STR(tokens[7], "able");
    CHECK_STR(tokens[8], "[PAD8]"); /* a row without a token */
    for (size_t i = 0; i < gguf_keys(j.g); i++) CHECK(!str_starts(gguf_key_at(j.g, i)->key, STR("pythia.")));
    job_close(&j);
}

static void check_tensor(const Job *j, const char *name, BlockType type, uint64_t cols, uint64_t rows) {
    const GgufTensor *t = gguf_tensor(j->g, name);
    if (!t) fail_msg("no tensor '%s'", name);
    CHECK_INT(t->format->type, type);
    CHECK_INT(t->shape[0], cols);
    CHECK_INT(t->shape[1], rows);
    float *numbers = malloc(t->items * sizeof *numbers);
    t->format->decode(t->data.p, (size_t)t->items, numbers);
    for (uint64_t i = 0; i < t->items; i++) CHECK_NEAR(numbers[i], (double)(i % 32) / 8 - 2, 0);
    free(numbers);
}

static void check_tensors(const Job *j, BlockType matrices) {
    CHECK_INT(gguf_tensors(j->g), 21);
    check_tensor(j, "token_embd.weight", matrices, HIDDEN, VOCAB);
    check_tensor(j, "position_embd.weight", BLOCK_F32, HIDDEN, POSITIONS);
    check_tensor(j, "token_types.weight", BLOCK_F32, HIDDEN, TYPES);
    check_tensor(j, "token_embd_norm.weight", BLOCK_F32, HIDDEN, 1);
    check_tensor(j, "token_embd_norm.bias", BLOCK_F32, HIDDEN, 1);
    const char *const square[] = {"attn_q", "attn_k", "attn_v", "attn_output"};
    for (int i = 0; i < 4; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "blk.0.%s.weight", square[i]);
        check_tensor(j, name, matrices, HIDDEN, HIDDEN);
        (void)snprintf(name, sizeof name, "blk.0.%s.bias", square[i]);
        check_tensor(j, name, BLOCK_F32, HIDDEN, 1);
    }
    check_tensor(j, "blk.0.ffn_up.weight", matrices, HIDDEN, FF);
    check_tensor(j, "blk.0.ffn_down.weight", matrices, FF, HIDDEN);
    check_tensor(j, "blk.0.attn_output_norm.weight", BLOCK_F32, HIDDEN, 1);
    check_tensor(j, "blk.0.layer_output_norm.bias", BLOCK_F32, HIDDEN, 1);
}

static void tensors_keep_their_type_and_vectors_become_f32(void **state) {
    (void)state;
    const struct {
        const char *dtype;
        BlockType type;
        uint32_t file_type;
    } cases[] = {{"F32", BLOCK_F32, 0}, {"F16", BLOCK_F16, 1}, {"BF16", BLOCK_BF16, 32}};
    for (size_t i = 0; i < 3; i++) {
        Job j = job_open();
        Weights w = plain_weights;
        w.dtype = cases[i].dtype;
        put_weights(&j, w);
        import(&j);
        check_tensors(&j, cases[i].type);
        CHECK_U32(&j, "general.file_type", cases[i].file_type);
        job_close(&j);
    }
}

static void older_names_and_heads_are_understood(void **state) {
    (void)state;
    Job j = job_open();
    put_weights(
        &j, (Weights){.dtype = "F32", .prefix = "bert.", .weight = "gamma", .bias = "beta", .extra = "pooler.dense"});
    import(&j);
    check_tensors(&j, BLOCK_F32);
    job_close(&j);
}

static void what_is_imported_opens_and_is_sound(void **state) {
    (void)state;
    Job j = job_open();
    Model *m = NULL;
    Buf report = {0};
    put(&j, "sentence_bert_config.json", "{\"max_seq_length\":12,\"do_lower_case\":false}");
    import(&j);
    CHECK_OK(model_open(&m, j.out, NULL));
    CHECK_INT(model_info(m)->dim, HIDDEN);
    CHECK_INT(model_info(m)->max_tokens, 12);
    CHECK_INT(model_count_tokens(m, STR("The unable")), 3);
    model_close(m);
    CHECK_OK(model_verify(j.out, &report));
    CHECK_STR(buf_str(&report), "");
    buf_free(&report);
    job_close(&j);
}

/* ---- what sentence-transformers adds ---- */

static void sentence_settings_are_taken_over(void **state) {
    (void)state;
    Job j = job_open();
    put(&j, "modules.json", modules_json);
    CHECK_OK(file_make_dirs(path_join(&j.arena, j.dir, "1_Pooling"), 0700));
    put(&j, "1_Pooling/config.json", "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}");
    put(&j, "sentence_bert_config.json", "{\"max_seq_length\":12,\"do_lower_case\":false}");
    import(&j);
    CHECK_U32(&j, "bert.pooling_type", POOL_CLS);
    CHECK_U32(&j, "pythia.max_tokens", 12);
    CHECK_INT(bool_key(&j, "pythia.normalize"), -1);

    put(&j, "1_Pooling/config.json", "{\"pooling_mode\":\"mean\"}"); /* as newer versions write it */
    put(&j, "sentence_bert_config.json", "{\"max_seq_length\":16}");
    put(&j, "modules.json", "[{\"path\":\"1_Pooling\",\"type\":\"x.y.Pooling\"}]");
    import(&j);
    CHECK_U32(&j, "bert.pooling_type", POOL_MEAN);
    CHECK(gguf_key(j.g, "pythia.max_tokens") == NULL);
    CHECK_INT(bool_key(&j, "pythia.normalize"), 0);
    job_close(&j);
}

static void poolings_and_steps_that_are_unknown_are_refused(void **state) {
    (void)state;
    Job j = job_open();
    CHECK_OK(file_make_dirs(path_join(&j.arena, j.dir, "1_Pooling"), 0700));
    put(&j, "modules.json", modules_json);
    check_refused(&j, ERR_INPUT, "has no 1_Pooling/config.json");
    put(&j, "1_Pooling/config.json", "{\"pooling_mode\":\"max\"}");
    check_refused(&j, ERR_UNSUPPORTED, "pooling by 'max'; known: mean, cls, lasttoken");
    put(&j, "1_Pooling/config.json", "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}");
    check_refused(&j, ERR_UNSUPPORTED, "pooling by 'mean' and 'cls' together");
    put(&j, "1_Pooling/config.json", "{}");
    check_refused(&j, ERR_INPUT, "names no pooling");
    put(&j, "1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":1}");
    check_refused(&j, ERR_INPUT, "'pooling_mode_mean_tokens' must be true or false");
    put(&j, "modules.json", "[{\"path\":\"2_LSTM\",\"type\":\"sentence_transformers.models.LSTM\"}]");
    check_refused(&j, ERR_UNSUPPORTED,
                  "step 'sentence_transformers.models.LSTM'; known: Transformer, Pooling, Dense, Normalize");
    put(&j, "modules.json",
        "[{\"path\":\"\",\"type\":\"a.Normalize\"},{\"path\":\"1_Pooling\",\"type\":\"a.Pooling\"}]");
    check_refused(&j, ERR_UNSUPPORTED, "step 'Pooling' stands behind 'Normalize'");
    put(&j, "1_Pooling/config.json", "{\"pooling_mode\":\"mean\",\"include_prompt\":false}");
    put(&j, "modules.json", "[{\"path\":\"1_Pooling\",\"type\":\"a.Pooling\"}]");
    check_refused(&j, ERR_UNSUPPORTED, "1_Pooling/config.json: 'include_prompt' is false; known: true");
    put(&j, "modules.json", "[{\"path\":\"../1_Pooling\",\"type\":\"a.Pooling\"}]");
    check_refused(&j, ERR_INPUT, "path '../1_Pooling' leaves the folder");
    put(&j, "modules.json", "[{\"path\":\"0_Transformer\",\"type\":\"a.Transformer\"}]");
    check_refused(&j, ERR_UNSUPPORTED, "the network stands in '0_Transformer'");
    put(&j, "modules.json", "[]");
    put(&j, "sentence_bert_config.json", "{\"max_seq_length\":0}");
    check_refused(&j, ERR_INPUT, "'max_seq_length' is 0; it must be from 1");
    job_close(&j);
}

/* ---- tokenizers ---- */

static void both_vocabularies_give_the_same_tokens(void **state) {
    (void)state;
    Job j = job_open();
    Tok *lines = NULL, *json = NULL;
    Gguf *g = NULL;
    import(&j);
    CHECK_OK(tok_open(&lines, j.g));
    put(&j, "tokenizer.json", tokenizer_json);
    drop(&j, "vocab.txt");
    CHECK_OK(model_import(j.dir, path_join(&j.arena, j.dir, "json.gguf"), "tiny"));
    CHECK_OK(gguf_open_path(&g, path_join(&j.arena, j.dir, "json.gguf")));
    CHECK_OK(tok_open(&json, g));
    for (int32_t i = 0; i < 8; i++) CHECK(str_eq(tok_text(lines, i), tok_text(json, i)));
    CHECK_STR(tok_text(json, 7), "##able");
    int32_t ids[8];
    size_t n = 0;
    CHECK_OK(tok_encode(json, STR("unable<q>The"), true, ids, 8, &n)); /* an added token that is not special */
    const int32_t want[] = {2, 6, 7, 8, 5, 3};
    CHECK_INT(n, 6);
    for (size_t i = 0; i < n; i++) CHECK_INT(ids[i], want[i]);
    tok_close(lines);
    tok_close(json);
    gguf_close(g);
    job_close(&j);
}

static void case_and_accents_are_kept_when_the_model_wants_them(void **state) {
    (void)state;
    Job j = job_open();
    put(&j, "tokenizer.json", tokenizer_json);
    put(&j, "tokenizer_config.json", "{\"do_lower_case\":false,\"strip_accents\":null}");
    import(&j);
    CHECK_INT(bool_key(&j, "pythia.tokenizer.lowercase"), 0);
    CHECK_INT(bool_key(&j, "pythia.tokenizer.strip_accents"), -1); /* follows the case */
    Tok *t = NULL;
    CHECK_OK(tok_open(&t, j.g));
    int32_t ids[4];
    size_t n = 0;
    CHECK_OK(tok_encode(t, STR("The the"), false, ids, 4, &n));
    CHECK(n == 2 && ids[0] == 1 && ids[1] == 5);
    tok_close(t);

    put(&j, "tokenizer_config.json", "{\"strip_accents\":false,\"tokenize_chinese_chars\":false}");
    import(&j);
    CHECK_INT(bool_key(&j, "pythia.tokenizer.lowercase"), -1);
    CHECK_INT(bool_key(&j, "pythia.tokenizer.strip_accents"), 0);
    CHECK_INT(bool_key(&j, "pythia.tokenizer.chinese_chars"), 0);

    /* The sentence model lowers texts before a tokenizer that would not. */
    put(&j, "tokenizer_config.json", "{\"do_lower_case\":false}");
    put(&j, "sentence_bert_config.json", "{\"do_lower_case\":true}");
    import(&j);
    CHECK_INT(bool_key(&j, "pythia.tokenizer.lowercase"), -1);
    CHECK_INT(bool_key(&j, "pythia.tokenizer.strip_accents"), 0);
    job_close(&j);
}

static void tokens_that_look_like_others_keep_their_way(void **state) {
    (void)state;
    static const char *const want[] = {"[PAD]", "[UNK]",          "[CLS]",        "[SEP]", "[MASK]",
                                       "a",     "##\xE2\x96\x81", "\xE2\x96\x81", "##[x]"};
    Job j = job_open();
    Tok *t = NULL;
    put(&j, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\r\na\n##\xE2\x96\x81\n\xE2\x96\x81\n##[x]\n");
    import(&j);
    CHECK_OK(tok_open(&t, j.g));
    for (int32_t i = 0; i < 9; i++) CHECK_STR(tok_text(t, i), want[i]);
    int32_t ids[4];
    size_t n = 0;
    CHECK_OK(tok_encode(t, STR("a\xE2\x96\x81 \xE2\x96\x81"), false, ids, 4, &n));
    CHECK(n == 3 && ids[0] == 5 && ids[1] == 6 && ids[2] == 7);
    tok_close(t);
    job_close(&j);
}

static void replace_in(Job *j, const char *name, const char *text, const char *from, const char *to) {
    Buf b = {0};
    ptrdiff_t at = str_find(str_of(text), str_of(from));
    CHECK(at >= 0);
    buf_add_bytes(&b, text, (size_t)at);
    buf_add_z(&b, to);
    buf_add_z(&b, text + at + strlen(from));
    put_bytes(j, name, buf_str(&b));
    buf_free(&b);
}

static void tokenizers_that_are_unknown_are_refused(void **state) {
    (void)state;
    const struct {
        const char *from, *to;
        Err code;
        const char *part;
    } cases[] = {
        {"\"WordPiece\"", "\"WordLevel\"", ERR_UNSUPPORTED,
         "the model is of type 'WordLevel'; known: WordPiece, BPE, Unigram"},
        {"\"WordPiece\"", "\"BPE\"", ERR_UNSUPPORTED, "'continuing_subword_prefix' is '##'; known: none"},
        {"\"BertNormalizer\"", "\"NFKC\"", ERR_UNSUPPORTED, "the normalizer is of type 'NFKC'"},
        {"\"BertPreTokenizer\"", "\"Whitespace\"", ERR_UNSUPPORTED, "the pre_tokenizer is of type 'Whitespace'"},
        {"\"normalized\":false", "\"normalized\":true", ERR_UNSUPPORTED, "'[PAD]' is matched after normalising"},
        {"\"lstrip\":true", "\"single_word\":true", ERR_UNSUPPORTED, "'[MASK]' is matched as a single word"},
        {"\"TemplateProcessing\"", "\"RobertaProcessing\"", ERR_UNSUPPORTED, "'RobertaProcessing' is not [CLS]"},
        {"per_word\":100", "per_word\":200", ERR_UNSUPPORTED, "words end at 200 characters"},
        {"\"##able\":7", "\"##able\":9", ERR_INPUT, "token '##able' has id 9; the model has 9 rows"},
        {"\"##able\":7", "\"##able\":6", ERR_INPUT, "tokens 'un' and '##able' both have id 6"},
        {"\"##able\":7", "\"##able\":-1", ERR_INPUT, "has id -1"},
        {"\"##able\":7", "\"##able\":\"x\"", ERR_INPUT, "token '##able' has no id"},
        {"\"[CLS]\":2", "\"[cls]\":2", ERR_INPUT, "both have id 2"},
        {"\"vocab\"", "\"words\"", ERR_INPUT, "tokenizer.json has no vocabulary"},
        {"{\"truncation\"", "{truncation", ERR_INPUT, "tokenizer.json' is not JSON"},
    };
    Job j = job_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        replace_in(&j, "tokenizer.json", tokenizer_json, cases[i].from, cases[i].to);
        check_refused(&j, cases[i].code, cases[i].part);
    }
    drop(&j, "tokenizer.json");
    put(&j, "vocab.txt", "a\nb\n");
    check_refused(&j, ERR_INPUT, "the vocabulary has no '[CLS]' (cls_token)");
    put(&j, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\n");
    check_refused(&j, ERR_INPUT, "vocab.txt: token 'e' has id 9; the model has 9 rows");
    put(&j, "vocab.txt", vocab_txt);
    put(&j, "added_tokens.json", "{\"<q>\":8}");
    check_refused(&j, ERR_UNSUPPORTED, "adds tokens to its vocab.txt; they need a tokenizer.json");
    put(&j, "added_tokens.json", "{}");
    put(&j, "special_tokens_map.json", "{\"additional_special_tokens\":[\"un\"]}");
    check_refused(&j, ERR_UNSUPPORTED, "adds tokens to its vocab.txt");
    drop(&j, "vocab.txt");
    check_refused(&j, ERR_INPUT, "has neither tokenizer.json nor vocab.txt");
    job_close(&j);
}

/* ---- folders that lie ---- */

static void configs_that_lie_are_refused(void **state) {
    (void)state;
    const struct {
        const char *from, *to;
        Err code;
        const char *part;
    } cases[] = {
        {"\"bert\"", "\"gpt2\"", ERR_UNSUPPORTED, "has model_type 'gpt2'; known: 'bert'"},
        {"\"bert\"", "7", ERR_INPUT, "'model_type' must be a string"},
        {"\"gelu\"", "\"relu\"", ERR_UNSUPPORTED, "hidden_act 'relu'; known: gelu"},
        {"\"hidden_size\":4", "\"hidden_size\":5", ERR_INPUT, "hidden_size 5 is no multiple of num_attention_heads 2"},
        {"\"hidden_size\":4", "\"hidden_size\":1000000000000", ERR_INPUT,
         "'hidden_size' is 1000000000000; it must be from 1 to"},
        {"\"hidden_size\":4,", "", ERR_INPUT, "config.json has no 'hidden_size'"},
        {"\"hidden_size\":4", "\"hidden_size\":\"4\"", ERR_INPUT, "'hidden_size' must be an integer"},
        {"1e-12", "0", ERR_INPUT, "'layer_norm_eps' is 0; it must be from"},
        {"\"hidden_size\":4", "\"hidden_size\":8", ERR_INPUT,
         "tensor 'embeddings.word_embeddings.weight' is [9, 4]; config.json asks for [9, 8]"},
        {"\"num_hidden_layers\":1", "\"num_hidden_layers\":2", ERR_INPUT,
         "has no tensor 'encoder.layer.1.attention.self.query.weight'"},
        {"\"layer_norm_eps\"", "\"position_embedding_type\":\"relative_key\",\"layer_norm_eps\"", ERR_UNSUPPORTED,
         "position_embedding_type 'relative_key'"},
    };
    Job j = job_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        replace_in(&j, "config.json", config_json, cases[i].from, cases[i].to);
        check_refused(&j, cases[i].code, cases[i].part);
    }
    put(&j, "config.json", "7");
    check_refused(&j, ERR_INPUT, "holds neither an object nor an array");
    drop(&j, "config.json");
    check_refused(&j, ERR_INPUT, "has no config.json: not a Hugging Face model folder");
    job_close(&j);
}

static void weights_that_lie_are_refused(void **state) {
    (void)state;
    Job j = job_open();
    Weights w = plain_weights;
    w.skip = "encoder.layer.0.output.dense";
    put_weights(&j, w);
    check_refused(&j, ERR_INPUT, "has no tensor 'encoder.layer.0.output.dense.weight'");
    w = plain_weights;
    w.extra = "encoder.layer.0.adapter";
    put_weights(&j, w);
    check_refused(&j, ERR_UNSUPPORTED, "tensor 'encoder.layer.0.adapter.weight' is no part of a BERT that is known");
    w = plain_weights;
    w.int64_words = true;
    put_weights(&j, w);
    check_refused(&j, ERR_UNSUPPORTED, "tensor 'embeddings.word_embeddings.weight' is I64; known: F32, F16, BF16");
    put(&j, "model.safetensors", "short");
    check_refused(&j, ERR_CORRUPT, "no safetensors file");
    drop(&j, "model.safetensors");
    check_refused(&j, ERR_INPUT, "has neither model.safetensors nor model.safetensors.index.json");
    job_close(&j);
}

static void a_failed_import_leaves_the_old_file(void **state) {
    (void)state;
    Job j = job_open();
    Sha256 before, after;
    import(&j);
    CHECK_OK(sha256_file(j.out, &before));
    put(&j, "vocab.txt", "a\n");
    CHECK_INT(model_import(j.dir, j.out, "tiny"), ERR_INPUT);
    CHECK_OK(sha256_file(j.out, &after));
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    job_close(&j);
}

static void whichever_call_fails_the_old_file_stays(void **state) {
    (void)state;
    Job j = job_open();
    Sha256 before, after;
    import(&j);
    CHECK_OK(sha256_file(j.out, &before));
    put(&j, "sentence_bert_config.json", "{\"max_seq_length\":12}"); /* so that the new file differs */
    long failed = 0;
    for (long nth = 1; nth < 200; nth++) {
        fault_arm(nth, EIO);
        Err err = model_import(j.dir, j.out, "tiny");
        bool over = fault_count() < nth;
        fault_arm(0, 0);
        if (over) break;
        CHECK_OK(sha256_file(j.out, &after));
        /* Whole either way: the last calls are those that keep the checksum, which may fail in silence. */
        bool same = memcmp(&before, &after, sizeof before) == 0;
        if (err) CHECK(strstr(err_text(), strerror(EIO)));
        if (same) {
            failed++;
            CHECK(err != ERR_OK);
        }
        Gguf *g = NULL;
        CHECK_OK(gguf_open_path(&g, j.out));
        gguf_close(g);
        if (!same) break;
    }
    CHECK(failed > 5);
    job_close(&j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_call_fails_the_old_file_stays),
        cmocka_unit_test(keys_are_those_of_llama_cpp),
        cmocka_unit_test(tensors_keep_their_type_and_vectors_become_f32),
        cmocka_unit_test(older_names_and_heads_are_understood),
        cmocka_unit_test(what_is_imported_opens_and_is_sound),
        cmocka_unit_test(sentence_settings_are_taken_over),
        cmocka_unit_test(poolings_and_steps_that_are_unknown_are_refused),
        cmocka_unit_test(both_vocabularies_give_the_same_tokens),
        cmocka_unit_test(case_and_accents_are_kept_when_the_model_wants_them),
        cmocka_unit_test(tokens_that_look_like_others_keep_their_way),
        cmocka_unit_test(tokenizers_that_are_unknown_are_refused),
        cmocka_unit_test(configs_that_lie_are_refused),
        cmocka_unit_test(weights_that_lie_are_refused),
        cmocka_unit_test(a_failed_import_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
