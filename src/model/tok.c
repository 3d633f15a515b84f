/* tok.c - the table of tokenizer kinds, and what all kinds do alike. */
#include "model/tok.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "model/tok_added.h"
#include "model/tok_vocab.h"

static const TokKind *const tok_kinds[] = {&tok_wordpiece, &tok_bpe, &tok_spm, &tok_unigram};
enum { TOK_KINDS = sizeof(tok_kinds) / sizeof(tok_kinds[0]) };

static Err kind_unknown(const Gguf *g, Str name) {
    char known[256] = "";
    size_t n = 0;
    for (size_t i = 0; i < TOK_KINDS && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s'%s'", i ? ", " : "", tok_kinds[i]->name);
    return err_set(ERR_UNSUPPORTED, "model '%s' has a tokenizer of kind '%.*s'; known: %s", gguf_name(g), STR_FMT(name),
                   known);
}

Err tok_open(Tok **out, const Gguf *g) {
    *out = NULL;
    Str name = {"", 0};
    TRY(gguf_need(g, "tokenizer.ggml.model"));
    TRY(gguf_get_str(g, "tokenizer.ggml.model", &name));
    const TokKind *kind = NULL;
    for (size_t i = 0; i < TOK_KINDS && !kind; i++)
        if (str_is(name, tok_kinds[i]->name)) kind = tok_kinds[i];
    if (!kind) return kind_unknown(g, name);

    Tok *t = calloc(1, sizeof *t);
    if (!t) return err_set(ERR_NOMEM, "out of memory for a tokenizer");
    t->kind = kind;
    t->special = (TokSpecial){-1, -1, -1, -1, -1, -1, -1};
    Err err = kind->open(t, g);
    if (err) {
        tok_close(t);
        return err;
    }
    *out = t;
    return ERR_OK;
}

void tok_close(Tok *t) {
    if (!t) return;
    if (t->kind->close) t->kind->close(t);
    arena_free(&t->arena);
    free(t);
}

Err tok_encode(const Tok *t, Str text, bool special, int32_t *ids, size_t cap, size_t *n) {
    TokSink sink = {.ids = ids, .cap = cap};
    if (special && t->special.cls >= 0) tok_sink_add(&sink, t->special.cls);
    TRY(t->kind->encode(t, text, &sink));
    if (special && t->special.sep >= 0) tok_sink_add(&sink, t->special.sep);
    *n = sink.n;
    return ERR_OK;
}

Err tok_encode_plain(const Tok *t, Str text, const size_t *plain, size_t n_plain, int32_t *ids, size_t cap, size_t *n) {
    TokSink sink = {.ids = ids, .cap = cap, .plain = plain, .n_plain = n_plain};
    TRY(t->kind->encode(t, text, &sink));
    *n = sink.n;
    return ERR_OK;
}

bool tok_find_control(const Tok *t, Str text, size_t from, size_t *at) {
    return t->added && tok_added_control(t->added, text, from, at);
}

enum {
    FRONT_BYTES = 64 << 10,
    FRONT_EACH = 16,    /* bytes of a token, mostly fewer */
    FRONT_MARGIN = 256, /* ids near the cut may not be the whole text's: a word went through it */
    BLANK_BACK = 4096,
};

/* At most n bytes, up to a blank where one is near; through a word otherwise. */
static Str front_of(Str text, size_t n, bool *blank) {
    n = utf8_floor(text, n);
    for (size_t back = 0; back < BLANK_BACK && back < n; back++)
        if ((*blank = text.p[n - back - 1] == ' ' || text.p[n - back - 1] == '\n')) return str_upto(text, n - back - 1);
    return str_upto(text, n);
}

Err tok_encode_front(const Tok *t, Str text, bool special, int32_t *ids, size_t cap, size_t *n) {
    size_t front = cap < FRONT_BYTES / FRONT_EACH ? FRONT_BYTES : cap * FRONT_EACH;
    for (; front < text.n / 2; front *= 4) {
        bool blank = false;
        Str head = front_of(text, front, &blank);
        /* Unigram weighs a word as a whole: in a run of one letter the length decides where the odd piece stands. It is
         * linear, so it may. */
        if (!blank && t->kind == &tok_unigram) break;
        TRY(tok_encode(t, head, special, ids, cap, n));
        if (*n >= cap + FRONT_MARGIN) return ERR_OK;
    }
    return tok_encode(t, text, special, ids, cap, n);
}

size_t tok_count(const Tok *t, Str text) {
    TokSink sink = {0};
    /* When memory is out, a guess: a token a byte is the most that any but odd texts have. */
    return t->kind->encode(t, text, &sink) ? text.n : sink.n;
}

size_t tok_vocab_size(const Tok *t) { return t->n; }
const TokSpecial *tok_special(const Tok *t) { return &t->special; }
const char *tok_kind(const Tok *t) { return t->kind->name; }

bool tok_decodes(const Tok *t) { return t->kind->decode != NULL; }

bool tok_is_control(const Tok *t, int32_t id) {
    if (!t->types || id < 0 || (size_t)id >= t->n) return false;
    return t->types[id] == TOK_TYPE_CONTROL || t->types[id] == TOK_TYPE_UNKNOWN;
}

void tok_decode(const Tok *t, int32_t id, bool control, Buf *out) {
    if (id < 0 || (size_t)id >= t->n || (tok_is_control(t, id) && !control)) return;
    t->kind->decode(t, id, out);
}

Str tok_text(const Tok *t, int32_t id) {
    if (id < 0 || (size_t)id >= t->n) return (Str){"", 0};
    return t->texts[id];
}
