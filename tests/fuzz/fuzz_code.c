/* Any bytes as code of any language that has a grammar: chunk.h's promises hold, and what is said of definitions and
 * names is true of the text. The first byte chooses the language, the second the budget. */
#include "fuzz/chunk_promises.h"

#include "chunk/docstring.h"
#include "chunk/outline.h"
#include "chunk/usage.h"

static void check_symbols(Str text, const DocChunks *d) {
    for (size_t i = 0; i < d->n_symbols; i++) {
        const Symbol *s = &d->symbols[i];
        if (s->start < 0 || s->end <= s->start || (uint64_t)s->end > text.n) abort();
        if (s->name.n == 0 || !str_ends(s->path, s->name) || s->kind.n == 0) abort();
        if (s->start_line < 1 || s->line < s->start_line || s->line > s->end_line) abort();
        if (s->signature.n > OUTLINE_SIGNATURE_MAX || str_find_char(s->signature, '\n') >= 0) abort();
    }
    for (size_t i = 0; i < d->n_references; i++) {
        const Reference *r = &d->references[i];
        if (r->line < 1 || r->name.p < text.p || r->name.p + r->name.n > text.p + text.n) abort();
        if (i == 0) continue;
        const int names = str_cmp(r[-1].name, r->name);
        if (names > 0 || (names == 0 && r[-1].line >= r->line)) abort();
    }
}

/* What comments say is of the definition; shapes are short. */
static void check_meaning(Arena *a, const Doc *doc, const DocChunks *d) {
    for (size_t i = 0; i < d->n_symbols && i < 100; i++) {
        Docstring said;
        bool found = false;
        if (docstring_of(a, doc->text, doc->lang, &d->symbols[i], &found, &said)) abort();
        if (found && (said.start < d->symbols[i].start || said.end <= said.start || said.end > d->symbols[i].end))
            abort();
        Str name;
        int args = 0;
        usage_wanted(d->symbols[i].signature, &name, &args);
        if (args < USAGE_ARGS_NONE) abort();
    }
    for (size_t i = 0; i < d->n_references && i < 100; i++) {
        Usage use;
        const Str name = d->references[i].name;
        if (usage_of(a, doc->text, (size_t)(name.p - doc->text.p), name.n, &use)) abort();
        if (use.shape.n > USAGE_SHAPE_MAX || use.args < USAGE_ARGS_NONE) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *const *langs;
    if (size < 2 || size > 30000) return 0;
    const size_t n = grammar_langs(&langs);
    Arena a = {0};
    DocChunks out;
    const Doc doc = {
        .text = str_make((const char *)data + 2, size - 2), .lang = str_of(langs[data[0] % n]), .path = STR("x")};
    const ChunkOpts opts = {.max_tokens = 8u + data[1], .count_tokens = data[0] & 128 ? count_words : count_bytes};
    if (chunk_doc(&a, &doc, &opts, &out)) abort();
    check_chunks(doc.text, &opts, out.chunks, out.n);
    check_symbols(doc.text, &out);
    check_meaning(&a, &doc, &out);
    arena_free(&a);
    return 0;
}
