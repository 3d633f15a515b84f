/* generate.c - see generate.h. A run: the prompt's tokens, as many of them as are not there yet through the network,
 * then score, choose, show, and read the chosen token in turn.
 *
 * What a model ends with is told in three ways, all of which count, as in llama.cpp: the ids in the metadata (end of
 * text, of turn, of message), and by its spelling any token that other models are known to end a turn with.
 */
#include "model/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/decode.h"
#include "model/generate_chat.h"
#include "model/model_impl.h"

enum { CONTEXT_DEFAULT = 8192, ENDS_MAX = 24 };

struct Generator {
    const Model *m;
    Decoder *decoder;
    Template *template; /* NULL: the model has none */
    size_t context;
    int32_t ends[ENDS_MAX];
    size_t n_ends;
    int32_t *ids;  /* [context] what the decoder has read, then what it will */
    float *logits; /* [vocab] */
};

/* ---- opening ---- */

static void end_add(Generator *g, int64_t id) {
    if (id < 0 || id >= (int64_t)tok_vocab_size(g->m->tok) || g->n_ends == ENDS_MAX) return;
    for (size_t i = 0; i < g->n_ends; i++)
        if (g->ends[i] == id) return;
    g->ends[g->n_ends++] = (int32_t)id;
}

static Err find_ends(Generator *g) {
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    static const char *const texts[] = {"<|eot_id|>",
                                        "<|im_end|>",
                                        "<|end|>",
                                        "<end_of_turn>",
                                        "<|endoftext|>",
                                        "<|eom_id|>",
                                        "<|return|>",
                                        "<|end_of_text|>",
                                        "<|end_of_turn|>",
                                        "<end_of_utterance>",
                                        "<|END_OF_TURN_TOKEN|>",
                                        "<|role_end|>",
                                        "<turn|>"};
    end_add(g, tok_special(g->m->tok)->eos);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint32_t id = UINT32_MAX; /* which some converters write for "none" */
        TRY(gguf_get_u32(g->m->gguf, keys[i], &id));
        if (id != UINT32_MAX) end_add(g, id);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int32_t id = -1;
        size_t n = 0;
        TRY(tok_encode(g->m->tok, str_of(texts[i]), false, &id, 1, &n));
        if (n == 1 && tok_is_control(g->m->tok, id)) end_add(g, id);
    }
    return ERR_OK;
}

static bool is_end(const Generator *g, int32_t id) {
    for (size_t i = 0; i < g->n_ends; i++)
        if (g->ends[i] == id) return true;
    return false;
}

static Err check_model(const Model *m) {
    if (m->remote || !m->arch->decodes)
        return err_set(ERR_UNSUPPORTED, "model '%.*s' does not generate texts", STR_FMT(m->info.name));
    if (!tok_decodes(m->tok))
        return err_set(ERR_UNSUPPORTED, "model '%s': tokens of a '%s' tokenizer cannot be turned back into text",
                       gguf_name(m->gguf), tok_kind(m->tok));
    return ERR_OK;
}

static Err choose_context(Generator *g, const GeneratorOpts *opts) {
    size_t most = g->m->info.max_tokens, wish = opts ? opts->context : 0;
    if (wish > most || wish == 1)
        return err_set(ERR_LIMIT, "a context of %zu tokens is not possible: model '%s' has 2 to %zu", wish,
                       gguf_name(g->m->gguf), most);
    g->context = wish ? wish : most < CONTEXT_DEFAULT ? most : CONTEXT_DEFAULT;
    return ERR_OK;
}

static Err open_parts(Generator *g, const GeneratorOpts *opts) {
    Str source = {NULL, 0};
    TRY(choose_context(g, opts));
    TRY(find_ends(g));
    TRY(gguf_get_str(g->m->gguf, "tokenizer.chat_template", &source));
    if (source.n) TRY(template_open(&g->template, source, gguf_name(g->m->gguf)));
    TRY(decoder_open(&g->decoder, g->m->net, g->context));
    g->ids = calloc(g->context, sizeof *g->ids);
    g->logits = calloc(decoder_vocab(g->decoder), sizeof *g->logits);
    if (g->ids && g->logits) return ERR_OK;
    return err_set(ERR_NOMEM, "out of memory for a context of %zu tokens", g->context);
}

Err generator_open(Generator **out, const Model *m, const GeneratorOpts *opts) {
    *out = NULL;
    TRY(check_model(m));
    Generator *g = calloc(1, sizeof *g);
    if (!g) return err_set(ERR_NOMEM, "out of memory for a generator");
    g->m = m;
    Err err = open_parts(g, opts);
    if (err)
        generator_close(g);
    else
        *out = g;
    return err;
}

void generator_close(Generator *g) {
    if (!g) return;
    template_close(g->template);
    decoder_close(g->decoder);
    free(g->ids);
    free(g->logits);
    free(g);
}

size_t generator_context(const Generator *g) { return g->context; }
bool generator_can_chat(const Generator *g) { return g->template != NULL; }

/* ---- the prompt ---- */

typedef struct {
    Generator *g;
    Pool *pool;
    const GenerateOpts *opts;
    GenerateFn sink;
    void *ctx;
    GenerateReport *report;
    Sampler *sampler;
    GenerateText text;
    size_t n;            /* tokens in g->ids */
    const float *hidden; /* of the last token read */
} Run;

/* At most context - 1 tokens, so that one can come: *ids is the caller's to free. */
static Err prompt_fit(Run *r, int32_t **ids, size_t *n) {
    size_t most = r->g->context - 1;
    if (*n <= most) return ERR_OK;
    if (!r->opts->cut_prompt)
        return err_set(ERR_LIMIT, "the prompt has %zu tokens and leaves no room in a context of %zu", *n,
                       r->g->context);
    int32_t bos = tok_special(r->g->m->tok)->bos;
    size_t front = (*ids)[0] == bos && bos >= 0; /* what goes before each text stays */
    size_t room = most / 2 + 1;                  /* half is for the answer, lest each token cost a cut */
    r->report->cut_tokens = *n - room;
    memmove(*ids + front, *ids + *n - (room - front), (room - front) * sizeof **ids);
    *n = room;
    return ERR_OK;
}

typedef struct {
    Str text;
    bool special;        /* with what goes before a text; else that only where the text does not spell it itself */
    const size_t *plain; /* [n_plain] bytes where a control token is only text */
    size_t n_plain;
} Prompt;

static Err prompt_encode(const Run *r, const Prompt *p, int32_t **ids, size_t *n) {
    const Tok *t = r->g->m->tok;
    int32_t bos = tok_special(t)->cls; /* -1: none goes before a text */
    TRY(tok_encode_plain(t, p->text, p->plain, p->n_plain, NULL, 0, n));
    *ids = malloc((*n + 1) * sizeof **ids);
    if (!*ids) return err_set(ERR_NOMEM, "out of memory for a prompt of %zu tokens", *n);
    TRY(tok_encode_plain(t, p->text, p->plain, p->n_plain, *ids + 1, *n, n));
    bool front = bos >= 0 && (p->special || *n == 0 || (*ids)[1] != bos);
    if (front) (*ids)[0] = bos;
    if (!front) memmove(*ids, *ids + 1, *n * sizeof **ids);
    *n += front;
    if (*n == 0)
        return err_set(ERR_INPUT, "the prompt has no tokens and model '%s' adds none", gguf_name(r->g->m->gguf));
    return ERR_OK;
}

/* Reads ids[from, r->n) into the network. */
static Err read_tokens(Run *r, size_t from) {
    Generator *g = r->g;
    for (size_t at = from, n; at < r->n; at += n) {
        const float *hidden = NULL;
        n = r->n - at < DECODER_STEP_MAX ? r->n - at : DECODER_STEP_MAX;
        TRY(deadline_check(r->opts->deadline));
        TRY(decoder_step(g->decoder, r->pool, r->opts->deadline, g->ids + at, n, &hidden));
        r->hidden = hidden + (n - 1) * g->m->info.dim;
    }
    return ERR_OK;
}

/* What the decoder has read already and begins alike stays; the last token is always read, for its scores. */
static Err read_prompt(Run *r, const int32_t *ids, size_t n) {
    Generator *g = r->g;
    size_t same = 0, read = decoder_tokens(g->decoder);
    while (same < read && same + 1 < n && g->ids[same] == ids[same]) same++;
    same = decoder_cut(g->decoder, same);
    memcpy(g->ids + same, ids + same, (n - same) * sizeof *ids);
    r->n = n;
    r->report->kept_tokens = same;
    for (size_t i = 0; i < n; i++) sampler_see(r->sampler, ids[i]);
    return read_tokens(r, same);
}

/* ---- the answer ---- */

/* Gives out what is ready. False: the listener has enough. */
static bool show(Run *r) {
    Str ready = buf_str(&r->text.ready);
    bool goes_on = ready.n == 0 || !r->sink || r->sink(r->ctx, ready);
    buf_clear(&r->text.ready);
    return goes_on;
}

/* How far the best of n scores stands above the next. */
static float score_gap(const float *logits, size_t n) {
    float best = -INFINITY, second = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (logits[i] > second) second = logits[i];
        if (second <= best) continue;
        float swap = best;
        best = second;
        second = swap;
    }
    return best - second;
}

/* Scores, chooses and shows one token; *done: it was the last. */
static Err next_token(Run *r, bool *done) {
    Generator *g = r->g;
    int32_t id = -1;
    Buf bytes = {0};
    *done = true;
    TRY(deadline_check(r->opts->deadline));
    TRY(decoder_logits(g->decoder, r->pool, r->hidden, 1, g->logits));
    if (r->opts->gaps) r->opts->gaps[r->report->tokens] = score_gap(g->logits, decoder_vocab(g->decoder));
    TRY(sampler_next(r->sampler, g->logits, &id));
    if (r->opts->ids) r->opts->ids[r->report->tokens] = id;
    r->report->tokens++;
    r->report->finish = GENERATE_END;
    if (is_end(g, id) && !r->opts->ignore_end) return ERR_OK;
    tok_decode(g->m->tok, id, false, &bytes);
    Err err = buf_ok(&bytes);
    if (!err) err = generate_text_add(&r->text, buf_str(&bytes));
    buf_free(&bytes);
    if (err) return err;
    r->report->finish = GENERATE_CANCELLED;
    if (!show(r)) return ERR_OK;
    r->report->finish = GENERATE_STOP;
    r->report->stop = (size_t)r->text.stop;
    if (r->text.stop >= 0) return ERR_OK;
    r->report->stop = 0;
    r->report->finish = GENERATE_LENGTH;
    if (r->report->tokens == r->opts->max_tokens) return ERR_OK;
    r->report->finish = GENERATE_CONTEXT;
    if (r->n == g->context) return ERR_OK;
    *done = false;
    g->ids[r->n++] = id;
    return read_tokens(r, r->n - 1);
}

static Err answer(Run *r) {
    Err err = ERR_OK;
    int64_t start = clock_mono_ns();
    for (bool done = false; !done && !err;) err = next_token(r, &done);
    /* What was held back, whole or not, was said. */
    if (r->text.stop < 0 && r->report->finish != GENERATE_CANCELLED && !generate_text_end(&r->text)) {
        bool goes_on = show(r);
        if (!goes_on && !err) r->report->finish = GENERATE_CANCELLED;
    }
    r->report->generate_ms = clock_ms_since(start);
    return err;
}

static Err run_prompt(Run *r, const Prompt *prompt) {
    int32_t *ids = NULL;
    size_t n = 0;
    int64_t start = clock_mono_ns();
    Err err = ERR_OK;
    if ((err = prompt_encode(r, prompt, &ids, &n))) goto done;
    r->report->prompt_tokens = n;
    if ((err = prompt_fit(r, &ids, &n))) goto done;
    if ((err = read_prompt(r, ids, n))) goto done;
    r->report->prompt_ms = clock_ms_since(start);
    err = answer(r);
done:
    free(ids);
    return err;
}

static const GenerateOpts no_opts;

static Err run_text(Generator *g, Pool *pool, const Prompt *prompt, const GenerateOpts *opts, GenerateFn sink,
                    void *ctx, GenerateReport *report) {
    GenerateReport spare;
    Run r = {g, pool, opts ? opts : &no_opts, sink, ctx, report ? report : &spare, NULL, {0}, 0, NULL};
    *r.report = (GenerateReport){.finish = GENERATE_CANCELLED};
    if ((r.opts->ids || r.opts->gaps) && r.opts->max_tokens == 0)
        return err_set(ERR_USAGE, "tokens are wanted, but not how many ('max_tokens')");
    TRY(generate_text_open(&r.text, r.opts->stops, r.opts->n_stops));
    Err err = sampler_open(&r.sampler, &r.opts->sampler, decoder_vocab(g->decoder));
    if (!err) err = run_prompt(&r, prompt);
    sampler_close(r.sampler);
    generate_text_free(&r.text);
    return err;
}

Err generator_run(Generator *g, Pool *pool, Str prompt, const GenerateOpts *opts, GenerateFn sink, void *ctx,
                  GenerateReport *report) {
    return run_text(g, pool, &(Prompt){.text = prompt, .special = true}, opts, sink, ctx, report);
}

/* ---- chats ---- */

static Err chat_prompt(const Generator *g, const GenerateChat *chat, ChatPrompt *out) {
    if (!g->template)
        return err_set(ERR_UNSUPPORTED, "model '%s' has no chat template: it completes texts, it was not made to chat",
                       gguf_name(g->m->gguf));
    return chat_render(g->template, g->m, chat, out);
}

Err generator_prompt(const Generator *g, const GenerateChat *chat, Buf *out) {
    ChatPrompt prompt = {0};
    Err err = chat_prompt(g, chat, &prompt);
    if (!err) buf_add(out, buf_str(&prompt.text));
    chat_prompt_free(&prompt);
    return err ? err : buf_ok(out);
}

Err generator_chat(Generator *g, Pool *pool, const GenerateChat *chat, const GenerateOpts *opts, GenerateFn sink,
                   void *ctx, GenerateReport *report) {
    ChatPrompt chat_text = {0};
    if (report) *report = (GenerateReport){.finish = GENERATE_CANCELLED};
    Err err = chat_prompt(g, chat, &chat_text);
    const Prompt prompt = {buf_str(&chat_text.text), false, chat_text.plain, chat_text.n_plain};
    if (!err) err = run_text(g, pool, &prompt, opts, sink, ctx, report);
    chat_prompt_free(&chat_text);
    return err;
}
