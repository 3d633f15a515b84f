/* prefix.c - prefixes of queries and documents by model family.
 *
 * Models trained with an instruction before each text lose several points of nDCG without it, and their files seldom
 * say so: llama.cpp's converter drops the prompts of config_sentence_transformers.json. Import keeps them under
 * pythia.prefix.*; for files of others this table knows the families by their names (letters and digits only, so that
 * "nomic-embed-text-v1.5", "Nomic Embed Text V1.5" and "nomic-embed-text-v1.5.Q8_0.gguf" are one). Source: the model
 * cards.
 */
#include "model/prefix.h"

#include <string.h>

enum { PREFIX_MAX = 4096, NAME_MAX_KEPT = 128 };

#define PASSAGES "Represent this sentence for searching relevant passages: "

typedef struct {
    const char *family; /* part of the name */
    const char *document, *query;
} Family;

/* The first that fits counts: what is more special stands before. */
static const Family families[] = {
    {"nomicembedtext", "search_document: ", "search_query: "},
    {"nomicembedcode", "", "Represent this query for searching relevant code: "},
    {"coderankembed", "", "Represent this query for searching relevant code: "},
    {"modernbertembed", "search_document: ", "search_query: "},
    {"e5largeinstruct", "",
     "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "},
    {"e5mistral", "", "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "},
    {"multilinguale5", "passage: ", "query: "},
    {"e5small", "passage: ", "query: "},
    {"e5base", "passage: ", "query: "},
    {"e5large", "passage: ", "query: "},
    {"bgesmallen", "", PASSAGES},
    {"bgebaseen", "", PASSAGES},
    {"bgelargeen", "", PASSAGES},
    {"bgesmallzh", "", "为这个句子生成表示以用于检索相关文章："},
    {"bgebasezh", "", "为这个句子生成表示以用于检索相关文章："},
    {"bgelargezh", "", "为这个句子生成表示以用于检索相关文章："},
    {"mxbaiembed", "", PASSAGES},
    {"arcticembedmv2", "", "query: "},
    {"arcticembedlv2", "", "query: "},
    {"arcticembed", "", PASSAGES},
    {"qwen3embedding", "",
     "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"},
    {"embeddinggemma", "title: none | text: ", "task: search result | query: "},
};

/* Letters and digits of s, small. */
static void plain_name(Str s, char out[NAME_MAX_KEPT]) {
    size_t n = 0;
    for (size_t i = 0; i < s.n && n + 1 < NAME_MAX_KEPT; i++) {
        char c = s.p[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out[n++] = c;
    }
    out[n] = 0;
}

static Err read_key(const Gguf *g, const char *key, Str *out) {
    TRY(gguf_get_str(g, key, out));
    if (out->n <= PREFIX_MAX) return ERR_OK;
    return err_set(ERR_LIMIT, "model '%s': '%s' has %zu bytes, %d are possible", gguf_name(g), key, out->n, PREFIX_MAX);
}

Err prefix_read(const Gguf *g, Arena *a, ModelInfo *info) {
    Str document = {"", 0}, query = {"", 0};
    if (gguf_key(g, "pythia.prefix.query") || gguf_key(g, "pythia.prefix.document")) {
        TRY(read_key(g, "pythia.prefix.document", &document));
        TRY(read_key(g, "pythia.prefix.query", &query));
    } else {
        char name[NAME_MAX_KEPT];
        plain_name(info->name, name);
        const Family *end = families + sizeof families / sizeof *families, *f = families;
        while (f < end && !strstr(name, f->family)) f++;
        if (f < end) document = str_of(f->document);
        if (f < end) query = str_of(f->query);
    }
    info->prefix[EMBED_DOCUMENT] = arena_str(a, document);
    info->prefix[EMBED_QUERY] = arena_str(a, query);
    return info->prefix[EMBED_DOCUMENT].p && info->prefix[EMBED_QUERY].p ? ERR_OK : arena_error();
}
