/* test_prefix.c - what goes before queries and documents, by metadata and by family; vectors of fewer dimensions. */
#include "arch.h"

static void set_prefixes(GgufWriter *w) {
    gguf_set_str(w, "pythia.prefix.query", STR("search the "));
    gguf_set_str(w, "pythia.prefix.document", STR("read "));
}
static void set_query_only(GgufWriter *w) { gguf_set_str(w, "pythia.prefix.query", STR("q: ")); }
static void set_too_long(GgufWriter *w) {
    static char text[4097];
    memset(text, 'a', sizeof text);
    gguf_set_str(w, "pythia.prefix.query", str_make(text, sizeof text));
}
static void set_wrong_type(GgufWriter *w) { gguf_set_u32(w, "pythia.prefix.query", 3); }

static const char *family;
static void set_name(GgufWriter *w) { gguf_set_str(w, "general.name", str_of(family)); }

static Model *open_changed(const char *without, void (*add)(GgufWriter *), Buf *bytes) {
    Model *m = NULL;
    tiny_changed(TINY, without, add, bytes);
    CHECK_OK(model_open_bytes(&m, buf_str(bytes), "x.gguf", kern_table(), NULL));
    return m;
}

static void a_prefix_goes_before_each_text_of_its_kind(void **state) {
    (void)state;
    Buf bytes = {0}, plain_bytes = {0};
    Model *m = open_changed("", set_prefixes, &bytes), *plain = tiny_open(TINY, kern_table(), NULL, &plain_bytes);
    const Str texts[] = {STR("file"), STR("")}, queries[] = {STR("search the file"), STR("search the ")},
              documents[] = {STR("read file"), STR("read ")};
    const EmbedOpts query = {.kind = EMBED_QUERY}, document = {.kind = EMBED_DOCUMENT};
    float got[2 * 24], want[2 * 24];
    CHECK_OK(model_embed(m, NULL, texts, 2, &query, got, NULL));
    CHECK_OK(model_embed(plain, NULL, queries, 2, NULL, want, NULL));
    CHECK(memcmp(got, want, sizeof got) == 0);
    CHECK_OK(model_embed(m, NULL, texts, 2, &document, got, NULL));
    CHECK_OK(model_embed(plain, NULL, documents, 2, &query, want, NULL)); /* no prefix: the kind does not matter */
    CHECK(memcmp(got, want, sizeof got) == 0);
    model_close(m);
    model_close(plain);
    buf_free(&bytes);
    buf_free(&plain_bytes);
}

static void metadata_say_more_than_the_family(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = open_changed("", set_query_only, &bytes);
    CHECK_STR(model_info(m)->prefix[EMBED_QUERY], "q: ");
    CHECK_STR(model_info(m)->prefix[EMBED_DOCUMENT], "");
    model_close(m);
    buf_free(&bytes);
    CHECK_ERR(tiny_try_changed("", set_too_long), ERR_LIMIT, "'pythia.prefix.query' has 4097 bytes, 4096 are possible");
    CHECK_ERR(tiny_try_changed("", set_wrong_type), ERR_CORRUPT, "pythia.prefix.query");
}

static void families_are_known_by_name(void **state) {
    (void)state;
    static const struct {
        const char *name, *query, *document;
    } cases[] = {
        {"tiny", "", ""},
        {"all-MiniLM-L6-v2", "", ""},
        {"bge-m3", "", ""},
        {"nomic-embed-text-v1.5", "search_query: ", "search_document: "},
        {"Nomic Embed Text v1.5", "search_query: ", "search_document: "},
        {"Multilingual E5 Small", "query: ", "passage: "},
        {"e5-base-v2", "query: ", "passage: "},
        {"bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""},
        {"snowflake-arctic-embed-l-v2.0", "query: ", ""},
        {"snowflake-arctic-embed-m-v1.5", "Represent this sentence for searching relevant passages: ", ""},
        {"Qwen3 Embedding 0.6B",
         "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:", ""},
        {"embeddinggemma-300m", "task: search result | query: ", "title: none | text: "},
        {"nomic-embed-code", "Represent this query for searching relevant code: ", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buf bytes = {0};
        family = cases[i].name;
        Model *m = open_changed("general.name", set_name, &bytes);
        CHECK_STR(model_info(m)->prefix[EMBED_QUERY], cases[i].query);
        CHECK_STR(model_info(m)->prefix[EMBED_DOCUMENT], cases[i].document);
        model_close(m);
        buf_free(&bytes);
    }
}

static void fewer_dimensions_are_the_first_ones_normalised_again(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = tiny_open(TINY, kern_table(), NULL, &bytes);
    const Str texts[] = {STR("read the file"), STR("retry"), STR("")};
    float whole[3 * 24], part[3 * 10];
    const EmbedOpts ten = {.dimensions = 10}, all = {.dimensions = 24}, more = {.dimensions = 25};
    CHECK_OK(model_embed(m, NULL, texts, 3, NULL, whole, NULL));
    CHECK_OK(model_embed(m, NULL, texts, 3, &ten, part, NULL));
    for (size_t t = 0; t < 3; t++) {
        double length = 0;
        for (size_t d = 0; d < 10; d++) length += (double)whole[t * 24 + d] * (double)whole[t * 24 + d];
        for (size_t d = 0; d < 10; d++) CHECK_NEAR(part[t * 10 + d], (double)whole[t * 24 + d] / sqrt(length), 1e-6);
    }
    float same[3 * 24];
    CHECK_OK(model_embed(m, NULL, texts, 3, &all, same, NULL));
    CHECK(memcmp(same, whole, sizeof whole) == 0);
    CHECK_ERR(model_embed(m, NULL, texts, 3, &more, same, NULL), ERR_LIMIT, "25 dimensions are not possible: model");
    model_close(m);
    buf_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_goes_before_each_text_of_its_kind),
        cmocka_unit_test(metadata_say_more_than_the_family),
        cmocka_unit_test(families_are_known_by_name),
        cmocka_unit_test(fewer_dimensions_are_the_first_ones_normalised_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
