/* ask.c - pythia_ask: a search, whether its hits answer (answer/answer.h), and who writes the answer.
 *
 *     hits ──answer_extract──▶ quotes and confidence ──below the threshold──▶ none, with what came nearest
 *                                                    ├──extractive──────────▶ the quotes
 *                                                    └──a writer──▶ context ──▶ prompt ──▶ sentences that stand in it
 */
#include "answer/compose.h"
#include "answer/context.h"
#include "engine/chats.h"

enum { SOURCES = 8, TEMPLATE_TOKENS = 32 }; /* what a chat template puts around */
static const int64_t CONTEXT_TOKENS_MAX = 1 << 20;

typedef struct {
    Pythia *p;
    Arena *a;
    const PythiaAsk *rq;
    PythiaAnswer *out;
    const WriterKind *kind;
    Writer *writer; /* opened when it is first needed */
    size_t context_tokens;
    Deadline stop;
} Ask;

/* False: nobody listens any more. */
static bool tell(const Ask *k, PythiaAskNews news) {
    news.answer = k->out;
    return !k->rq->tell || k->rq->tell(k->rq->tell_ctx, &news);
}

static void fill_evidence(Ask *k, const Answer *answer) {
    PythiaAnswer *out = k->out;
    out->abstained = answer->abstained;
    out->confidence = (double)answer->confidence;
    out->writer = k->kind->name;
    if (!k->kind->quotes) out->model = config_text(k->p->opts.config, CONF_ASK_MODEL);
    out->found.deadline_hit |= answer->deadline_hit;
    out->evidence.share = answer->evidence.share;
    out->evidence.cosine = answer->evidence.cosine;
    out->evidence.span_share = answer->evidence.span_share;
    out->evidence.span_cosine = answer->evidence.span_cosine;
    out->evidence.expected = answer->evidence.expected;
    out->evidence.margin = answer->evidence.margin;
    out->evidence.denied = answer->evidence.denied;
    out->evidence.opposed = answer->evidence.opposed;
    out->evidence.held = answer->evidence.held;
    out->evidence.lead = answer->evidence.lead;
    out->evidence.gap = answer->evidence.gap;
    out->evidence.numbers = answer->evidence.numbers;
    out->evidence.names = answer->evidence.names;
}

static PythiaCitation citation_of(const Citation *c) {
    return (PythiaCitation){c->source, c->start_line, c->end_line, c->quote, c->score};
}

static Err fill_citations(Ask *k, const Citation *list, size_t n) {
    PythiaAnswer *out = k->out;
    out->citations = arena_array(k->a, PythiaCitation, n);
    if (!out->citations) return arena_error();
    for (size_t i = 0; i < n; i++) out->citations[i] = citation_of(&list[i]);
    out->n_citations = n;
    return ERR_OK;
}

/* The quotes as the answer, or as what came nearest. */
static Err fill_quotes(Ask *k, const Answer *answer) {
    PythiaAnswer *out = k->out;
    out->sources = arena_array(k->a, PythiaHit, answer->n_cited);
    if (!out->sources) return arena_error();
    for (size_t i = 0; i < answer->n_cited; i++) out->sources[i] = out->found.hits[answer->cited[i]];
    out->n_sources = answer->n_cited;
    return fill_citations(k, answer->citations, answer->n);
}

static Err abstain(Ask *k, const Answer *quotes) {
    k->out->abstained = true;
    k->out->answer = STR("");
    TRY(fill_quotes(k, quotes));
    (void)tell(k, (PythiaAskNews){.what = ASK_ABSTAIN});
    return ERR_OK;
}

static Err answer_quotes(Ask *k, const Answer *quotes) {
    TRY(fill_quotes(k, quotes));
    bool heard = tell(k, (PythiaAskNews){.what = ASK_SOURCES});
    if (k->rq->sources_only) return ERR_OK;
    k->out->answer = quotes->text;
    heard = heard && tell(k, (PythiaAskNews){.what = ASK_DELTA, .delta = quotes->text});
    for (size_t i = 0; heard && i < k->out->n_citations; i++)
        heard = tell(k, (PythiaAskNews){.what = ASK_CITATION, .citation = &k->out->citations[i]});
    return ERR_OK;
}

/* ---- a writer ---- */

static Err writer_of(Ask *k) { return k->writer ? ERR_OK : engine_writer(k->p, k->kind, k->rq->whole, &k->writer); }

/* The sources as the writer reads them: with more or less around the hit than the hit has. */
static Err fill_context(Ask *k, const Context *context) {
    PythiaAnswer *out = k->out;
    out->sources = arena_array(k->a, PythiaHit, context->n);
    if (!out->sources) return arena_error();
    for (size_t i = 0; i < context->n; i++) {
        out->sources[i] = out->found.hits[context->of[i]];
        out->sources[i].content = context->hits[i].content;
        out->sources[i].start_line = context->hits[i].chunk.start_line;
        out->sources[i].end_line = context->hits[i].chunk.end_line;
    }
    out->n_sources = context->n;
    out->context_tokens = context->tokens;
    return ERR_OK;
}

static bool sentence_told(void *ctx, Str text, const Citation *citations, size_t n) {
    const Ask *k = ctx;
    bool heard = tell(k, (PythiaAskNews){.what = ASK_DELTA, .delta = text});
    for (size_t i = 0; heard && i < n; i++) {
        const PythiaCitation c = citation_of(&citations[i]);
        heard = tell(k, (PythiaAskNews){.what = ASK_CITATION, .citation = &c});
    }
    return heard;
}

static Err fill_refused(Ask *k, const Composed *composed) {
    k->out->refused = arena_array(k->a, PythiaRefused, composed->n_refused);
    if (!k->out->refused) return arena_error();
    for (size_t i = 0; i < composed->n_refused; i++)
        k->out->refused[i] = (PythiaRefused){composed->refused[i].sentence, composed->refused[i].why};
    k->out->n_refused = composed->n_refused;
    return ERR_OK;
}

static Err compose(Ask *k, const FindView *found, const Answer *quotes, const Context *context) {
    Prompt prompt;
    Composed composed;
    TRY(prompt_make(k->a, context->hits, context->n, found->query->meaning, &prompt));
    const ComposeRequest rq = {.searched = found->sources,
                               .n_searched = found->n,
                               .hits = context->hits,
                               .n = context->n,
                               .prompt = &prompt,
                               .writer = k->writer,
                               .deadline = &k->stop,
                               .tell = sentence_told,
                               .ctx = k};
    TRY(answer_compose(k->a, &rq, &composed));
    const Answer proof = {.citations = composed.citations, .n = composed.n};
    if (!answer_check(&proof, context->hits, context->n))
        return err_set(ERR_INTERNAL, "a citation does not stand in its source");
    k->out->found.deadline_hit |= composed.deadline_hit;
    TRY(fill_refused(k, &composed));
    if (!composed.text.n) return abstain(k, quotes);
    k->out->answer = composed.text;
    return fill_citations(k, composed.citations, composed.n);
}

/* Tokens of sources that the writer is to read: what is configured, or what its context leaves beside rules and
 * question. */
static Err budget_of(const Ask *k, const FindView *found, size_t *out) {
    const Writer *w = k->writer;
    const size_t room = w->kind->room(w);
    Prompt bare;
    *out = k->context_tokens;
    if (!room) return ERR_OK;
    TRY(prompt_make(k->a, NULL, 0, found->query->meaning, &bare));
    const size_t chat = w->kind->count(w, bare.system) + w->kind->count(w, bare.user),
                 plain = w->kind->count(w, bare.plain);
    const size_t taken = TEMPLATE_TOKENS + (chat > plain ? chat : plain);
    if (taken >= room) return err_set(ERR_LIMIT, "the question leaves no room for sources in what the writer can read");
    if (room - taken < *out) *out = room - taken;
    return ERR_OK;
}

static Err answer_written(Ask *k, const FindView *found, const Answer *quotes) {
    Context context;
    TRY(writer_of(k));
    ContextRequest rq = {.sources = found->sources,
                         .n_sources = found->n,
                         .hits = found->reply->hits,
                         .n_hits = found->reply->n,
                         .count = k->kind->count,
                         .count_ctx = k->writer};
    TRY(budget_of(k, found, &rq.budget));
    TRY(context_select(k->a, &rq, &context));
    if (!context.n)
        return err_fix(err_set(ERR_USAGE, "no source fits into %zu tokens", rq.budget),
                       "pythia ask --context-tokens 4096 …");
    TRY(fill_context(k, &context));
    if (!tell(k, (PythiaAskNews){.what = ASK_SOURCES}) || k->rq->sources_only) return ERR_OK;
    return compose(k, found, quotes, &context);
}

/* What was read, best first. Last of all: quotes and sources are told by the places that hits had. */
static Err fill_read(Ask *k, const Answer *quotes) {
    PythiaReply *found = &k->out->found;
    PythiaHit *hits = arena_array(k->a, PythiaHit, found->n + 1);
    if (!hits) return arena_error();
    for (size_t i = 0; i < found->n; i++) hits[i] = found->hits[quotes->order[i]];
    found->hits = hits;
    return ERR_OK;
}

static int64_t tokens_of(const Model *m, Str text) {
    return (int64_t)(m ? model_count_tokens(m, text) : engine_rough_tokens(NULL, text));
}

/* The quotes' writer has no tokens of its own: what was read for them and what is quoted are counted as the (first)
 * collection's model counts. A service's model may have no tokenizer here. */
static void quotes_count(Ask *k, const FindView *found) {
    const Model *m = NULL;
    bool told = false;
    for (size_t i = 0; i < found->n && !m; i++) {
        m = found->sources[i].model;
        told = m && !engine_is_remote(found->sources[i].collection->model_name);
    }
    k->out->tokens.read = tokens_of(m, found->query->meaning);
    for (size_t i = 0; i < found->reply->n; i++) k->out->tokens.read += tokens_of(m, found->reply->hits[i].content);
    k->out->tokens.written = tokens_of(m, k->out->answer);
    k->out->tokens.estimated = !told;
}

static Err answer(void *ctx, const FindView *found) {
    Ask *k = ctx;
    const int64_t start = clock_mono_ns();
    Answer quotes;
    const AnswerRequest rq = {.question = found->query->meaning,
                              .sources = found->sources,
                              .n_sources = found->n,
                              .hits = found->reply->hits,
                              .n_hits = found->reply->n,
                              .quotes = k->rq->quotes,
                              .threshold = (float)k->out->threshold,
                              .deadline = &k->stop};
    TRY(answer_extract(k->a, &rq, &quotes));
    if (!answer_check(&quotes, found->reply->hits, found->reply->n))
        return err_set(ERR_INTERNAL, "a citation does not stand in its source");
    fill_evidence(k, &quotes);
    Err err = ERR_OK;
    if (quotes.abstained)
        err = abstain(k, &quotes);
    else if (k->kind->quotes)
        err = answer_quotes(k, &quotes);
    else
        err = answer_written(k, found, &quotes);
    if (!err && k->kind->quotes && k->rq->count_tokens) quotes_count(k, found);
    if (!err) err = fill_read(k, &quotes);
    k->out->answer_ms = clock_ms_since(start);
    return err;
}

static Err context_tokens(Ask *k) {
    const int64_t n =
        k->rq->context_tokens ? (int64_t)k->rq->context_tokens : config_int(k->p->opts.config, CONF_ASK_CONTEXT_TOKENS);
    if (n < 1 || n > CONTEXT_TOKENS_MAX)
        return err_set(ERR_USAGE, "ask.context_tokens can be 1 to %lld, not %lld", (long long)CONTEXT_TOKENS_MAX,
                       (long long)n);
    k->context_tokens = (size_t)n;
    return ERR_OK;
}

/* The question so that it stands by itself. */
static Err understand(Ask *k, const ChatSession *session, PythiaSearch *search) {
    const Turn *turns = session->turns;
    size_t n = session->n_turns;
    if (!session->open && k->rq->n_turns) {
        Turn *given = arena_array(k->a, Turn, k->rq->n_turns);
        if (!given) return arena_error();
        for (n = 0; n < k->rq->n_turns; n++) given[n] = (Turn){k->rq->turns[n].question, k->rq->turns[n].answer};
        turns = given;
    }
    if (n && !k->kind->quotes) TRY(writer_of(k));
    return followup_question(k->a, turns, n, search->query, k->writer, &k->stop, &search->query);
}

static Err ask(Ask *k, PythiaSearch *search) {
    ChatSession session = {0};
    if (k->rq->session.n) {
        TRY(chat_session_open(k->p, k->a, k->rq, &session));
        search->collections = session.collections;
        search->n_collections = session.n_collections;
    }
    TRY(context_tokens(k));
    TRY(understand(k, &session, search));
    TRY(engine_find(k->p, k->a, search, answer, k, &k->out->found));
    return session.open ? chat_session_keep(k->p, k->a, &session, k->rq, k->out) : ERR_OK;
}

Err pythia_ask(Pythia *p, Arena *a, const PythiaAsk *rq, PythiaAnswer *out) {
    const int64_t start = clock_mono_ns();
    PythiaSearch search = rq->search;
    *out =
        (PythiaAnswer){.question = rq->search.query,
                       .threshold = rq->threshold < 0 ? config_float(p->opts.config, CONF_ASK_ABSTAIN) : rq->threshold};
    if (!(out->threshold >= 0 && out->threshold <= 1))
        return err_set(ERR_USAGE, "abstain %g: it must be 0 to 1", out->threshold);
    if (search.limit == 0) search.limit = SOURCES;
    const int64_t ms = search.deadline_ms < 0 ? config_int(p->opts.config, CONF_SEARCH_DEADLINE) : search.deadline_ms;
    Ask k = {.p = p, .a = a, .rq = rq, .out = out, .kind = &writer_extractive, .stop = engine_deadline(p, ms)};
    if (!rq->extractive) TRY(engine_writer_kind(p, &k.kind));
    const Err err = ask(&k, &search);
    if (k.writer) {
        out->tokens.read = k.writer->usage.read;
        out->tokens.written = k.writer->usage.written;
        out->tokens.estimated = k.writer->usage.estimated;
    }
    writer_close(k.writer);
    out->took_ms = clock_ms_since(start);
    return err;
}
