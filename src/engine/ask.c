/* ask.c - pythia_ask: a search, and the answer that its hits hold (answer/answer.h). */
#include "answer/answer.h"
#include "engine/engine.h"

enum { SOURCES = 8 };

typedef struct {
    Pythia *p;
    Arena *a;
    const PythiaAsk *rq;
    PythiaAnswer *out;
    Deadline stop;
} Ask;

static Err fill(Ask *k, const Answer *answer) {
    PythiaAnswer *out = k->out;
    out->abstained = answer->abstained;
    out->confidence = (double)answer->confidence;
    out->answer = answer->text;
    out->writer = "extractive";
    out->answer_ms = answer->ms;
    out->found.deadline_hit |= answer->deadline_hit;
    out->evidence.share = answer->evidence.share;
    out->evidence.cosine = answer->evidence.cosine;
    out->evidence.span_share = answer->evidence.span_share;
    out->evidence.span_cosine = answer->evidence.span_cosine;
    out->evidence.expected = answer->evidence.expected;
    out->evidence.margin = answer->evidence.margin;
    out->sources = arena_array(k->a, PythiaHit, answer->n_cited);
    out->citations = arena_array(k->a, PythiaCitation, answer->n);
    if (!out->sources || !out->citations) return arena_error();
    for (size_t i = 0; i < answer->n_cited; i++) out->sources[i] = out->found.hits[answer->cited[i]];
    out->n_sources = answer->n_cited;
    for (size_t i = 0; i < answer->n; i++) {
        const Citation *c = &answer->citations[i];
        out->citations[i] = (PythiaCitation){c->source, c->start_line, c->end_line, c->quote, c->score};
    }
    out->n_citations = answer->n;
    return ERR_OK;
}

static Err answer(void *ctx, const FindView *found) {
    Ask *k = ctx;
    Answer answer;
    const AnswerRequest rq = {.question = found->query->meaning,
                              .sources = found->sources,
                              .n_sources = found->n,
                              .hits = found->reply->hits,
                              .n_hits = found->reply->n,
                              .quotes = k->rq->quotes,
                              .threshold = (float)k->out->threshold,
                              .deadline = &k->stop};
    TRY(answer_extract(k->a, &rq, &answer));
    if (!answer_check(&answer, found->reply->hits, found->reply->n))
        return err_set(ERR_INTERNAL, "a citation does not stand in its source");
    return fill(k, &answer);
}

Err pythia_ask(Pythia *p, Arena *a, const PythiaAsk *rq, PythiaAnswer *out) {
    const int64_t start = clock_mono_ns();
    PythiaSearch search = rq->search;
    *out =
        (PythiaAnswer){.threshold = rq->threshold < 0 ? config_float(p->opts.config, CONF_ASK_ABSTAIN) : rq->threshold};
    if (!(out->threshold >= 0 && out->threshold <= 1))
        return err_set(ERR_USAGE, "abstain %g: it must be 0 to 1", out->threshold);
    if (search.limit == 0) search.limit = SOURCES;
    const int64_t ms = search.deadline_ms < 0 ? config_int(p->opts.config, CONF_SEARCH_DEADLINE) : search.deadline_ms;
    Ask k = {.p = p, .a = a, .rq = rq, .out = out, .stop = engine_deadline(p, ms)};
    TRY(engine_find(p, a, &search, answer, &k, &out->found));
    out->took_ms = clock_ms_since(start);
    return ERR_OK;
}
