/* match.c - how well texts hold a question, token by token (model.h, model_match).
 *
 * A text's vector is the mean of what the network makes of its tokens, and says what the text is about. Here the tokens
 * themselves are compared: each of the question's with its nearest in the text. The network was trained for the mean
 * alone; that its tokens can be compared none the less was measured on questions of SQuAD 2 (src/answer/extract.c), and
 * so was what is done to them:
 *
 *   all tokens share a large part, which is taken off: the mean over the call's texts;
 *   a token weighs 1 - (its mean over the texts of the greatest cosine), at least LEAST: idf of what the texts mean
 *   instead of how they spell it. Weights by idf of words, and equal ones, gave 1 % fewer right first quotes;
 *   the last layer and the one before differ by chance, an earlier one or the embedded words alone are worse.
 *
 * Memory: the tokens of all texts, until the call ends. Threads: the network's; comparing is one thread's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "model/model_impl.h"

#define LEAST 0.1f

/* The tokens of one text that count. */
typedef struct {
    float *rows; /* [n, dim] */
    size_t n;
} Tokens;

typedef struct {
    const Model *m;
    Tokens *texts; /* [n] */
    bool question; /* marks do not count */
} Taking;

bool model_matches(const Model *m) { return !m->remote && m->info.pooling != POOL_RANK; }

/* Vocabularies write the space before a word as a letter of its own: U+2581, or U+0120. */
static Str without_space(Str token) {
    if (str_starts(token, STR("\xE2\x96\x81"))) return str_from(token, 3);
    return str_starts(token, STR("\xC4\xA0")) ? str_from(token, 2) : token;
}

static bool has_letter(Str token) {
    token = without_space(token);
    for (size_t i = 0; i < token.n; i++) {
        const char c = token.p[i], low = (char)(c | 0x20);
        if ((low >= 'a' && low <= 'z') || is_digit(c) || (unsigned char)c >= 0x80) return true;
    }
    return false;
}

static bool counts(const Taking *t, int32_t id) {
    const TokSpecial *special = tok_special(t->m->tok);
    if (id == special->cls || id == special->sep || tok_is_control(t->m->tok, id)) return false;
    return !t->question || has_letter(tok_text(t->m->tok, id));
}

static Err take(void *ctx, size_t text, const int32_t *ids, const float *hidden, size_t n) {
    const Taking *t = ctx;
    const size_t dim = t->m->info.dim;
    Tokens *into = &t->texts[text];
    into->rows = malloc((n * dim + 1) * sizeof *into->rows);
    if (!into->rows) return err_set(ERR_NOMEM, "out of memory for the vectors of %zu tokens", n);
    for (size_t i = 0; i < n; i++)
        if (counts(t, ids[i])) memcpy(into->rows + into->n++ * dim, hidden + i * dim, dim * sizeof *hidden);
    return ERR_OK;
}

/* ---- comparing ---- */

static void mean_of(const Tokens *texts, size_t n, size_t dim, float *mean /* [dim] */) {
    size_t tokens = 0;
    memset(mean, 0, dim * sizeof *mean);
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < texts[i].n; t++, tokens++)
            for (size_t d = 0; d < dim; d++) mean[d] += texts[i].rows[t * dim + d];
    for (size_t d = 0; d < dim && tokens; d++) mean[d] /= (float)tokens;
}

static void centre(const Model *m, const Tokens *of, const float *mean) {
    const size_t dim = m->info.dim;
    for (size_t t = 0; t < of->n; t++) {
        float *row = of->rows + t * dim;
        for (size_t d = 0; d < dim; d++) row[d] -= mean[d];
        m->kern->normalize(row, dim);
    }
}

static float nearest(const Kern *kern, const float *token, const Tokens *text, size_t dim) {
    float best = -1;
    for (size_t t = 0; t < text->n; t++) {
        const float cosine = kern->dot(token, text->rows + t * dim, dim);
        if (cosine > best) best = cosine;
    }
    return best;
}

/* near: [n], scratch */
static void compare(const Model *m, const Tokens *question, const Tokens *texts, size_t n, float *near, float *held) {
    const size_t dim = m->info.dim;
    float weights = 0;
    memset(held, 0, n * sizeof *held);
    for (size_t q = 0; q < question->n; q++) {
        float sum = 0, with_tokens = 0;
        for (size_t i = 0; i < n; i++) {
            if (!texts[i].n) continue;
            near[i] = nearest(m->kern, question->rows + q * dim, &texts[i], dim);
            sum += near[i];
            with_tokens++;
        }
        float weight = with_tokens > 0 ? 1 - sum / with_tokens : LEAST;
        if (weight < LEAST) weight = LEAST;
        if (weight > 1) weight = 1;
        for (size_t i = 0; i < n; i++)
            if (texts[i].n) held[i] += weight * near[i];
        weights += weight;
    }
    for (size_t i = 0; i < n && weights > 0; i++) held[i] /= weights;
}

static Err embed_both(const Model *m, Pool *pool, Str question, const Str *texts, size_t n, const EmbedOpts *opts,
                      float *out, Tokens *tokens /* [n + 1], the question's last */) {
    static const EmbedOpts none;
    const size_t dim = m->info.dim;
    EmbedOpts ask = opts ? *opts : none;
    ask.kind = EMBED_QUERY;
    ask.truncate_error = false;
    ask.dimensions = 0;
    float *spare = malloc(dim * sizeof *spare);
    if (!spare) return err_set(ERR_NOMEM, "out of memory for a vector");
    Taking of_texts = {m, tokens, false}, of_question = {m, tokens + n, true};
    Err err = model_embed_tokens(m, pool, texts, n, opts, out, take, &of_texts);
    if (!err) err = model_embed_tokens(m, pool, &question, 1, &ask, spare, take, &of_question);
    free(spare);
    return err;
}

Err model_match(const Model *m, Pool *pool, Str question, const Str *texts, size_t n, const EmbedOpts *opts, float *out,
                float *held) {
    if (n == 0) return ERR_OK;
    Arena a = {0};
    const size_t dim = m->info.dim;
    Tokens *tokens = arena_array(&a, Tokens, n + 1);
    float *mean = arena_array(&a, float, dim), *near = arena_array(&a, float, n);
    Err err = tokens && mean && near ? ERR_OK : arena_error();
    if (!err) err = embed_both(m, pool, question, texts, n, opts, out, tokens);
    if (!err) {
        mean_of(tokens, n, dim, mean);
        for (size_t i = 0; i <= n; i++) centre(m, &tokens[i], mean);
        compare(m, &tokens[n], tokens, n, near, held);
    }
    for (size_t i = 0; tokens && i <= n; i++) free(tokens[i].rows);
    arena_free(&a);
    return err;
}
