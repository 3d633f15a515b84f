/* distill_weights.c - see distill_weights.h.
 *
 * Vocabularies stand in the order of frequency: WordPiece's words as counted, merges as they were found, Unigram's by
 * score. By Zipf's law the r-th word is a share 1 / (r H) of a text, H the harmonic number of the last. Two things must
 * be set right first, or the weights of frequent words are all alike (ranked by position, MiniLM's "the" is the
 * 1,002nd):
 * - single characters stand first whatever their frequency. ASCII ones are as frequent as the first words; others
 * (scripts
 *   that the vocabulary knows letter by letter) count as the rarest.
 * - marks and unused places take no rank.
 *
 * With a corpus there is no guessing: the logarithm of passages over passages with the token (its idf) beats SIF of the
 * same counts (0.439 against 0.433 at its best coefficient; what is measured is told in distill.c).
 */
#include "model/distill_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/tok_vocab.h"

enum { ASCII_RANK = 10 }; /* of single ASCII characters; 1 to 10 give the same quality, 100 loses 0.03 */

static bool is_mark(const TokSpecial *s, int32_t id) {
    return id == s->cls || id == s->sep || id == s->unk || id == s->pad || id == s->mask || id == s->bos ||
           id == s->eos;
}

/* Places kept free for later training, "[unused17]" (BERT) or "<unused17>" (Gemma), which files mark as ordinary. */
static bool is_placeholder(Str text) {
    if (text.n < 3 || (text.p[0] != '[' && text.p[0] != '<')) return false;
    if (text.p[text.n - 1] != (text.p[0] == '[' ? ']' : '>')) return false;
    Str inner = str_make(text.p + 1, text.n - 2);
    if (!str_starts(inner, STR("unused"))) return false;
    for (size_t i = strlen("unused"); i < inner.n; i++)
        if (inner.p[i] < '0' || inner.p[i] > '9') return false;
    return true;
}

Err weights_tokens(const Gguf *g, const Tok *t, Arena *a, int32_t **ids, size_t *n) {
    size_t n_vocab = tok_vocab_size(t), n_types = 0;
    int32_t *types = NULL;
    *n = 0;
    *ids = arena_array(a, int32_t, n_vocab);
    if (!*ids) return arena_error();
    TRY(gguf_get_i32s(g, a, "tokenizer.ggml.token_type", &types, &n_types));
    for (size_t i = 0; i < n_vocab; i++) {
        int32_t type = i < n_types ? types[i] : TOK_TYPE_NORMAL;
        bool means = type != TOK_TYPE_UNKNOWN && type != TOK_TYPE_CONTROL && type != TOK_TYPE_UNUSED;
        means = means && !is_mark(tok_special(t), (int32_t)i) && !is_placeholder(tok_text(t, (int32_t)i));
        if (means) (*ids)[(*n)++] = (int32_t)i;
    }
    return *n ? ERR_OK : err_set(ERR_INPUT, "the vocabulary of model '%s' has no token that is text", gguf_name(g));
}

/* The text without what tells where in a word it stands: "##ing", "▁the", and GPT-2's "Ġthe". */
static Str bare(Str text) {
    static const char *const marks[] = {"##", "\xE2\x96\x81", "\xC4\xA0"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        Str mark = str_of(marks[i]);
        if (text.n > mark.n && str_starts(text, mark)) return str_from(text, mark.n);
    }
    return text;
}

static bool is_single(Str text) {
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < 2; i++) n += ((uint8_t)text.p[i] & 0xC0) != 0x80;
    return n < 2;
}

Err weights_by_rank(const Tok *t, Arena *a, const int32_t *ids, size_t n, double sif, double **weights) {
    double *w = *weights = arena_array(a, double, n), harmonic = 0;
    size_t words = 0, last;
    if (!w) return arena_error();
    for (size_t i = 0; i < n; i++) /* ranks first; singles have none yet */
        w[i] = is_single(bare(tok_text(t, ids[i]))) ? 0 : (double)++words;
    last = words ? words : 1;
    for (size_t r = 1; r <= last; r++) harmonic += 1 / (double)r;
    for (size_t i = 0; i < n; i++) {
        Str text = bare(tok_text(t, ids[i]));
        if (w[i] == 0) w[i] = text.n == 1 ? ASCII_RANK : (double)last;
        w[i] = sif / (sif + 1 / (w[i] * harmonic));
    }
    return ERR_OK;
}

/* ---- a corpus ---- */

Err distill_corpus_open(DistillCorpus **out, const Model *m) {
    const ModelInfo *info = model_info(m);
    size_t n = 0;
    *out = NULL;
    TRY(model_tokenize(m, STR(""), true, NULL, 0, &n)); /* n: the marks */
    if (n >= info->max_tokens)
        return err_set(ERR_LIMIT, "model '%.*s' takes %zu tokens and adds %zu", STR_FMT(info->name), info->max_tokens,
                       n);
    DistillCorpus *c = calloc(1, sizeof *c);
    if (!c) return err_set(ERR_NOMEM, "out of memory for a corpus's counts");
    c->model = m;
    c->n_vocab = info->n_vocab;
    c->passage = info->max_tokens - n;
    c->with = arena_array(&c->arena, uint64_t, c->n_vocab);
    c->last = arena_array(&c->arena, uint64_t, c->n_vocab);
    if (!c->with || !c->last) {
        distill_corpus_close(c);
        return err_set(ERR_NOMEM, "out of memory for a corpus's counts");
    }
    *out = c;
    return ERR_OK;
}

void distill_corpus_close(DistillCorpus *c) {
    if (!c) return;
    free(c->ids);
    arena_free(&c->arena);
    free(c);
}

static Err corpus_room(DistillCorpus *c, size_t n) {
    if (n <= c->cap) return ERR_OK;
    size_t cap = n > SIZE_MAX / 2 / sizeof *c->ids ? n : 2 * n;
    int32_t *more = realloc(c->ids, cap * sizeof *more);
    if (!more) return err_set(ERR_NOMEM, "out of memory for %zu tokens of a document", n);
    c->ids = more;
    c->cap = cap;
    return ERR_OK;
}

Err distill_corpus_add(DistillCorpus *c, Str text) {
    size_t n = 0;
    struct {
        Sha256 before, text;
    } link = {c->hash, sha256_of(text)};
    c->hash = sha256_of(str_make((const char *)&link, sizeof link));
    TRY(model_tokenize(c->model, text, false, c->ids, c->cap, &n));
    if (n > c->cap) {
        TRY(corpus_room(c, n));
        TRY(model_tokenize(c->model, text, false, c->ids, c->cap, &n));
    }
    for (size_t i = 0; i < n; i++) {
        if (i % c->passage == 0) c->passages++;
        size_t id = (size_t)c->ids[i];
        if (id >= c->n_vocab || c->last[id] == c->passages) continue;
        c->last[id] = c->passages;
        c->with[id]++;
    }
    return ERR_OK;
}

int64_t distill_corpus_passages(const DistillCorpus *c) { return (int64_t)c->passages; }

Err weights_by_corpus(const DistillCorpus *c, Arena *a, const int32_t *ids, size_t n, double **weights) {
    double *w = *weights = arena_array(a, double, n), all = (double)c->passages;
    if (!w) return arena_error();
    if (c->passages < DISTILL_PASSAGES_LEAST)
        return err_set(ERR_INPUT, "the corpus has %llu passages; %d are needed to tell rare tokens from frequent ones",
                       (unsigned long long)c->passages, DISTILL_PASSAGES_LEAST);
    for (size_t i = 0; i < n; i++) w[i] = log((all + 1) / ((double)c->with[ids[i]] + 0.5));
    return ERR_OK;
}
