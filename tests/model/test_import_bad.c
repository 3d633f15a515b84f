/* test_import_bad.c - golden folders with one thing changed in one file: what would give other vectors or other ids is
 * refused, with the file and the key; what means the same is not. */
#include "check.h"

#include "base/arena.h"
#include "base/file.h"
#include "model/gguf.h"
#include "model/model.h"

#define GOLDEN TESTS_DIR "/golden/import"

static const char *const files[] = {
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
    "3_Dense/config.json",
    "3_Dense/model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-00001-of-00003.safetensors",
    "model-00002-of-00003.safetensors",
    "model-00003-of-00003.safetensors",
};

typedef struct {
    const char *folder, *file, *from, *to; /* the first `from` becomes `to`; to NULL: the file is missing */
    Err code;
    const char *part; /* of the error's text */
} Case;

/* The golden folder, copied, with the change. */
static void folder_make(Arena *a, const char *dir, const Case *c) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FileInfo info;
        Str bytes;
        const char *source = arena_printf(a, GOLDEN "/%s/%s", c->folder, files[i]).p, *to = path_join(a, dir, files[i]);
        CHECK_OK(file_info(source, true, &info));
        bool changed = strcmp(files[i], c->file) == 0;
        if (info.type == FILE_NONE || (changed && !c->to)) continue;
        CHECK_OK(file_read(a, source, 1 << 20, &bytes));
        const char *folder = arena_cstr(a, path_dir(str_of(to)));
        CHECK_OK(file_make_dirs(folder, 0700));
        if (!changed) {
            CHECK_OK(file_write_atomic(to, bytes, 0600));
            continue;
        }
        ptrdiff_t at = str_find(bytes, str_of(c->from));
        if (at < 0) fail_msg("'%s' has no '%s'", source, c->from);
        Buf b = {0};
        buf_add(&b, str_upto(bytes, (size_t)at));
        buf_add_z(&b, c->to);
        buf_add(&b, str_from(bytes, (size_t)at + strlen(c->from)));
        CHECK_OK(file_write_atomic(to, buf_str(&b), 0600));
        buf_free(&b);
    }
}

static void check_cases(const Case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        Arena a = {0};
        FileInfo info;
        const Case *c = &cases[i];
        const char *dir = arena_cstr(&a, str_of(check_temp_dir())), *out = path_join(&a, dir, "out.gguf");
        folder_make(&a, dir, c);
        Err err = model_import(dir, out, "x");
        if (err != c->code || (err && !strstr(err_text(), c->part)))
            fail_msg("%s/%s, '%s': got %s \"%s\", want %s \"%s\"", c->folder, c->file, c->to ? c->to : "missing",
                     err_name(err), err ? err_text() : "", err_name(c->code), c->part);
        CHECK_OK(file_info(out, true, &info));
        CHECK_INT(info.type, err ? FILE_NONE : FILE_REGULAR);
        CHECK_OK(file_remove_tree(dir));
        arena_free(&a);
    }
}
#define CHECK_CASES(cases) check_cases(cases, sizeof(cases) / sizeof *(cases))

#define C "config.json"
#define T "tokenizer.json"

static void networks_that_would_compute_something_else_are_refused(void **state) {
    (void)state;
    static const Case cases[] = {
        {"roberta", C, "\"gelu\"", "\"relu\"", ERR_UNSUPPORTED, "config.json: hidden_act 'relu'; known: gelu"},
        {"roberta", C, "\"pad_token_id\": 1", "\"pad_token_id\": 49", ERR_INPUT, "'pad_token_id' is 49"},
        {"distilbert", C, "\"gelu\"", "\"silu\"", ERR_UNSUPPORTED, "activation 'silu'; known: gelu"},
        {"nomic", C, "{", "{\"prenorm\": true,", ERR_UNSUPPORTED, "'prenorm' is true; known: false"},
        {"nomic", C, "{", "{\"rotary_emb_fraction\": 0.5,", ERR_UNSUPPORTED, "rotary_emb_fraction 0.5; known: 1"},
        {"nomic", C, "\"default\"", "\"yarn\"", ERR_UNSUPPORTED, "rope_type 'yarn'; known: default, linear"},
        {"modern", C, "\"norm_bias\": false", "\"norm_bias\": true", ERR_UNSUPPORTED, "'norm_bias' is true"},
        {"modern", C, "\"sliding_attention\"", "\"full_attention\"", ERR_UNSUPPORTED, "config.json: layer "},
        {"modern_rank_cls", C, "\"classifier_pooling\": \"cls\"", "\"classifier_pooling\": \"max\"", ERR_UNSUPPORTED,
         "classifier_pooling 'max'; known: cls|mean"},
        {"qwen2", C, "\"use_sliding_window\": false", "\"use_sliding_window\": true", ERR_UNSUPPORTED,
         "'use_sliding_window' is true"},
        {"qwen2", C, "\"full_attention\"", "\"sliding_attention\"", ERR_UNSUPPORTED, "layer 0 is 'sliding_attention'"},
        {"qwen2", C, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 9", ERR_INPUT,
         "'num_key_value_heads' is 9; it must be from 1 to 4"},
        {"qwen3", C, "\"head_dim\": 8", "\"head_dim\": 16", ERR_INPUT, "config.json asks for [64, 24]"},
        {"qwen3", C, "Qwen3Model", "Qwen3ForSequenceClassification", ERR_UNSUPPORTED, "is a decoder with a classifier"},
        {"gemma_embedding", C, "\"attn_logit_softcapping\": null", "\"attn_logit_softcapping\": 50", ERR_UNSUPPORTED,
         "'attn_logit_softcapping' is 50; known: none"},
        {"gemma_embedding", C, "gelu_pytorch_tanh", "silu", ERR_UNSUPPORTED, "hidden_activation 'silu'"},
        {"gemma_embedding", C, "\"default\"", "\"dynamic\"", ERR_UNSUPPORTED, "rope_type 'dynamic'"},
        {"bert_rank", C, "\"LABEL_0\"", "\"no\", \"1\": \"yes\"", ERR_UNSUPPORTED, "classifies into 2 labels"},
        {"bert", C, "BertModel", "BertForSequenceClassification", ERR_UNSUPPORTED, "classifies into 2 labels"},
        {"xlmr_rank", C, "XLMRobertaForSequenceClassification", "XLMRobertaModel", ERR_UNSUPPORTED,
         "tensor 'classifier.dense.bias' is no part of a RoBERTa"},
    };
    CHECK_CASES(cases);
}

static void parts_of_weights_must_be_whole(void **state) {
    (void)state;
    static const char index[] = "model.safetensors.index.json";
    static const Case cases[] = {
        {"qwen2", index, "\"model-00002-of-00003.safetensors\"", "\"../x.safetensors\"", ERR_INPUT,
         "which is no file of weights"},
        {"qwen2", index, "\"model-00002-of-00003.safetensors\"", "7", ERR_INPUT, "which is no file of weights"},
        {"qwen2", index, "\"model-00002-of-00003.safetensors\"", "\"model-00009.safetensors\"", ERR_IO,
         "model-00009.safetensors"},
        {"qwen2", index, "\"embed_tokens.weight\"", "\"embed.weight\"", ERR_INPUT, "tensor 'embed.weight' is not in"},
        {"qwen2", index, "weight_map", "map", ERR_INPUT, "model.safetensors.index.json has no 'weight_map'"},
        {"qwen2", index, "", NULL, ERR_INPUT, "has neither model.safetensors nor model.safetensors.index.json"},
        {"qwen2", "model-00003-of-00003.safetensors", "", NULL, ERR_IO, "model-00003-of-00003.safetensors"},
        {"gemma_embedding", "2_Dense/model.safetensors", "", NULL, ERR_INPUT, "2_Dense' has neither"},
        {"gemma_embedding", "2_Dense/config.json", "Identity", "Tanh", ERR_UNSUPPORTED,
         "2_Dense/config.json: activation_function 'torch.nn.modules.linear.Tanh'"},
        {"gemma_embedding", "2_Dense/config.json", "\"in_features\": 16", "\"in_features\": 17", ERR_UNSUPPORTED,
         "2_Dense/config.json leads from 17 dimensions to 40; 16 come in"},
        {"gemma_embedding", "3_Dense/config.json", "\"out_features\": 16", "\"out_features\": 12", ERR_UNSUPPORTED,
         "the network's width must come out"},
    };
    CHECK_CASES(cases);
}

static void tokenizers_that_would_cut_otherwise_are_refused(void **state) {
    (void)state;
    static const Case cases[] = {
        {"roberta", T, "\"add_prefix_space\":false", "\"add_prefix_space\":true", ERR_UNSUPPORTED,
         "puts a space before each text"},
        {"roberta", T, "\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}", ERR_UNSUPPORTED,
         "the normalizer has a 'Lowercase'"},
        {"roberta", T, "{\"type\":\"ByteLevel\",\"add", "{\"type\":\"Whitespace\",\"add", ERR_UNSUPPORTED,
         "the pre_tokenizer has a 'Whitespace'"},
        {"roberta", T, "\"dropout\":null", "\"dropout\":0.1", ERR_UNSUPPORTED, "merges with dropout"},
        {"roberta", T, "\"ignore_merges\":false", "\"ignore_merges\":true", ERR_UNSUPPORTED, "no known family"},
        {"roberta", T, "\"rstrip\":false", "\"rstrip\":true", ERR_UNSUPPORTED, "with the blanks behind it"},
        {"roberta", T, "\"lstrip\":false", "\"lstrip\":true", ERR_UNSUPPORTED, "with the blanks before it"},
        {"roberta", T, "\"single_word\":false", "\"single_word\":true", ERR_UNSUPPORTED, "as a single word"},
        {"roberta", T, "RobertaProcessing", "ByteProcessing", ERR_UNSUPPORTED, "is of type 'ByteProcessing'"},
        {"roberta", T, "[\"</s>\",2]", "[\"</s>\",4000]", ERR_INPUT, "the post_processor has no token 'sep'"},
        {"roberta", T, "[\"h\",\"e\"]", "[\"h\"]", ERR_INPUT, "merge 1 is not two tokens"},
        {"roberta", T, "\"unk_token\":null", "\"unk_token\":\"<unk>\"", ERR_OK, ""},
        {"qwen3", T, "\\\\p{N}|", "\\\\p{N}+|", ERR_UNSUPPORTED, "no known family cuts words by"},
        {"qwen3", T, "\"Isolated\"", "\"Removed\"", ERR_UNSUPPORTED, "splits 'Removed'"},
        {"qwen3", T, "\"ids\":[0]", "\"ids\":[0,1]", ERR_UNSUPPORTED, "'<|endoftext|>' is not one token"},
        {"qwen3", T, "\"ids\":[0]", "\"ids\":[99999]", ERR_INPUT, "has id 99999, which is no token"},
        {"modern", T, "\"NFC\"", "\"NFKC\"", ERR_UNSUPPORTED, "the normalizer has a 'NFKC'"},
        {"modern", T, "\"|||EMAIL|||\"", "\"\u00e9\"", ERR_UNSUPPORTED, "is matched after normalising"},
        {"gemma_embedding", T, "[\"\\n\",\"\\n\"],", "", ERR_OK,
         ""}, /* of an added token: it is found before merging */
        {"gemma_embedding", T, "[\"\u2581\",\"t\"],", "", ERR_UNSUPPORTED,
         "token '\u2581t' has 0 merges of 1 that are possible"},
        {"gemma_embedding", T, "[\"\u2581\",\"t\"]", "[\"\u2581\",\"none\"]", ERR_INPUT,
         "is not of two tokens that make a third"},
        {"gemma_embedding", T, "\"content\":\"\u2581\"}", "\"content\":\"_\"}", ERR_UNSUPPORTED,
         "the normalizer has a"},
        {"xlmr", T, "\"Precompiled\"", "\"NFKC\"", ERR_UNSUPPORTED, "the normalizer has a 'NFKC'"},
        {"xlmr", T, "charsmap\":\"A", "charsmap\":\"*", ERR_INPUT, "is no base64"},
        {"xlmr", T, "\"prepend_scheme\":\"always\"", "\"prepend_scheme\":\"never\"", ERR_UNSUPPORTED,
         "the pre_tokenizer has a 'Metaspace'"},
        {"xlmr", T, "\"unk_id\":3", "\"unk_id\":3000", ERR_INPUT, "'unk_id' is 3000"},
        {"xlmr", T, "\"unk_id\":3", "\"unk\":3", ERR_INPUT, "tokenizer.json has no 'unk_id'"},
        {"xlmr", T, "\"Unigram\"", "\"Bigram\"", ERR_UNSUPPORTED, "the model is of type 'Bigram'"},
        {"xlmr", T, "", NULL, ERR_INPUT, "has neither tokenizer.json nor vocab.txt"},
        {"xlmr_rank", T, "\"pair\"", "\"two\"", ERR_UNSUPPORTED, "no marks around and between two texts"},
    };
    CHECK_CASES(cases);
}

static void what_sentence_transformers_keeps_is_checked(void **state) {
    (void)state;
    static const char prompts[] = "config_sentence_transformers.json", limits[] = "tokenizer_config.json";
    static const Case cases[] = {
        {"nomic", prompts, "\"search_query: \"", "7", ERR_INPUT, "'query' must be a string"},
        {"nomic", prompts, "", NULL, ERR_OK, ""},
        /* What transformers writes for "no limit" is more than an integer holds. */
        {"nomic", limits, "\"model_max_length\": 48", "\"model_max_length\": 1000000000000000019884624838656", ERR_OK,
         ""},
        {"nomic", limits, "\"model_max_length\": 48", "\"model_max_length\": -1e30", ERR_OK, ""},
        {"nomic", "modules.json", "pooling.Pooling", "pooling.Pool", ERR_UNSUPPORTED,
         "known: Transformer, Pooling, Dense"},
        {"qwen2", "1_Pooling/config.json", "lasttoken", "weightedmean", ERR_UNSUPPORTED, "pooling by 'weightedmean'"},
    };
    CHECK_CASES(cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_that_would_compute_something_else_are_refused),
        cmocka_unit_test(parts_of_weights_must_be_whole),
        cmocka_unit_test(tokenizers_that_would_cut_otherwise_are_refused),
        cmocka_unit_test(what_sentence_transformers_keeps_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
