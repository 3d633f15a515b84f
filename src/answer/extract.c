/* extract.c - the best spans of the hits, quoted.
 *
 * Spans of the best hits are judged by how they hold the question token by token (model_match), by the share of its
 * words that they hold, by whether they have what it asks for (expect.h), and by their hit's score, since what stands
 * around a span counts. Vectors are made for the SPANS_EMBEDDED best by words alone: one costs a few milliseconds, and
 * what holds none of the question's words and stands in a lesser source is seldom the answer. Spans that say the same
 * as one that was taken are left out.
 *
 * Tokens cost what a vector costs: the network makes one for each before it takes their mean. A service's model gives
 * the mean alone; then a span's cosine stands in.
 */
#include <math.h>
#include <stdlib.h>

#include "answer/answer.h"
#include "answer/expect.h"
#include "answer/spans.h"
#include "answer/twist.h"
#include "search/evidence.h"

enum { HITS_READ = 8, SPANS_A_HIT = 64, SPANS_EMBEDDED = 40, QUOTES = 3, MARGIN_OVER = 9 };
/* What a span's score is made of: where tokens cannot be compared, which is also what tells who goes into the network,
 * and where they can. Of 1,500 questions of SQuAD 2 (20 articles, all-MiniLM-L6-v2; an outline of the program), the
 * first quote holds an answer in 78.3 % by the cosine and in 80.9 % by tokens, the passage that was meant is the first
 * of those read in 86.2 and 88.9 %, among the first five in 97.2 and 97.1. Weights that were fitted to nine tenths of
 * the articles at a time give 80.7 % and 88.9 % on the rest; a held's weight of 0.33 to 0.60 and a sentence's of 2 to 4
 * differ by chance. A cosine beside the tokens gives nothing more; trees or tokens of other layers, of whole passages,
 * and the least instead of the mean give at most 0.5 % more. */
typedef struct {
    float cosine, held, share, hit, expected;
    float sentence; /* what the best of a hit, the hit's own share left out, adds to what ranked the hit */
} Weights;
static const Weights BY_WORDS = {.cosine = 0.36f, .share = 0.28f, .hit = 0.36f, .sentence = 0.8f};
static const Weights BY_TOKENS = {.held = 0.40f, .share = 0.09f, .hit = 0.47f, .expected = 0.04f, .sentence = 3};
static const float QUOTE_LEAST = 0.8f; /* of the best quote's score: below it a further one is left out */
static const float LEAD_MOST = 0.35f;
static const float SAME = 0.92f; /* cosine of two spans that say the same */

typedef struct {
    size_t hit;
    Span span;
    float share, expected, cosine, held, score;
    const float *vector; /* NULL: none was made */
} Piece;

typedef struct {
    Arena *a;
    const AnswerRequest *rq;
    Answer *out;
    Evidence evidence;
    const SearchSource *reader; /* whose model judges; NULL: none has one */
    size_t dim;
    float *question; /* [dim] */
    Expected expected;
    const Weights *by;
    Piece *pieces;
    size_t n;
} Extract;

static Str piece_text(const Extract *x, const Piece *p) {
    return str_make(x->rq->hits[p->hit].content.p + p->span.start, p->span.end - p->span.start);
}

static float above_zero(float x) { return x > 0 ? x : 0; }

/* What it has of itself. */
static float piece_own(const Extract *x, const Piece *p) {
    const Weights *by = x->by;
    return by->cosine * above_zero(p->cosine) + by->held * above_zero(p->held) + by->share * p->share +
           by->expected * p->expected;
}

static void piece_score(const Extract *x, Piece *p) {
    p->score = piece_own(x, p) + x->by->hit * x->rq->hits[p->hit].score;
}

static int by_score(const void *pa, const void *pb) {
    const Piece *a = pa, *b = pb;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->hit != b->hit) return a->hit < b->hit ? -1 : 1;
    return a->span.start < b->span.start ? -1 : a->span.start > b->span.start;
}

/* ---- which spans there are ---- */

static Err pieces_find(Extract *x) {
    const size_t hits = x->rq->n_hits < HITS_READ ? x->rq->n_hits : HITS_READ;
    x->pieces = arena_array(x->a, Piece, hits * SPANS_A_HIT + 1);
    if (!x->pieces) return arena_error();
    for (size_t i = 0; i < hits; i++) {
        const SearchHit *h = &x->rq->hits[i];
        Span *spans = NULL;
        size_t n = 0;
        TRY(spans_of(x->a, h->content, spans_is_prose(h->chunk.lang), &spans, &n));
        for (size_t k = 0; k < n && k < SPANS_A_HIT; k++) {
            if (spans[k].heading) continue;
            Piece *p = &x->pieces[x->n++];
            *p = (Piece){.hit = i, .span = spans[k]};
            p->share = evidence_share(&x->evidence, piece_text(x, p));
            p->expected = expect_met(x->expected, x->rq->question, piece_text(x, p));
            piece_score(x, p);
        }
    }
    qsort(x->pieces, x->n, sizeof *x->pieces, by_score);
    return ERR_OK;
}

/* ---- their vectors ---- */

static Err question_embed(Extract *x) {
    for (size_t i = 0; i < x->rq->n_sources && !x->reader; i++)
        if (x->rq->sources[i].model) x->reader = &x->rq->sources[i];
    if (!x->reader) return ERR_OK;
    x->dim = model_info(x->reader->model)->dim;
    x->question = arena_array(x->a, float, x->dim);
    if (!x->question) return arena_error();
    const EmbedOpts opts = {.kind = EMBED_QUERY, .deadline = x->rq->deadline};
    return model_embed_cached(x->reader->model, x->reader->cache, x->reader->sched, x->reader->pool, x->rq->question,
                              &opts, x->question);
}

typedef struct {
    const Extract *x;
    Str *texts;     /* [n] */
    float *vectors; /* [n, dim] */
    float *held;    /* [n] */
    size_t n;
} Judging;

static Err match(void *ctx, const Deadline *stop) {
    const Judging *j = ctx;
    const SearchSource *by = j->x->reader;
    const EmbedOpts opts = {.kind = EMBED_DOCUMENT, .deadline = stop};
    return model_match(by->model, by->pool, j->x->rq->question, j->texts, j->n, &opts, j->vectors, j->held);
}

static Err judge(Extract *x, Judging *j) {
    const SearchSource *by = x->reader;
    const EmbedOpts opts = {.kind = EMBED_DOCUMENT, .deadline = x->rq->deadline};
    if (!model_matches(by->model))
        return sched_embed(by->sched, SCHED_INTERACTIVE, by->model, by->pool, j->texts, j->n, &opts, j->vectors, NULL);
    TRY(by->sched ? sched_run(by->sched, SCHED_INTERACTIVE, x->rq->deadline, match, j) : match(j, x->rq->deadline));
    x->by = &BY_TOKENS;
    return ERR_OK;
}

static Err pieces_embed(Extract *x) {
    const size_t n = x->n < SPANS_EMBEDDED ? x->n : SPANS_EMBEDDED;
    Judging j = {.x = x,
                 .texts = arena_array(x->a, Str, n + 1),
                 .vectors = arena_array(x->a, float, (n + 1) * x->dim),
                 .held = arena_array(x->a, float, n + 1),
                 .n = n};
    if (!j.texts || !j.vectors || !j.held) return arena_error();
    for (size_t i = 0; i < n; i++) j.texts[i] = piece_text(x, &x->pieces[i]);
    TRY(judge(x, &j));
    for (size_t i = 0; i < n; i++) {
        x->pieces[i].vector = j.vectors + i * x->dim;
        x->pieces[i].held = j.held[i];
        x->pieces[i].cosine = vectors_dot(x->question, x->pieces[i].vector, x->dim);
        piece_score(x, &x->pieces[i]);
    }
    qsort(x->pieces, n, sizeof *x->pieces, by_score);
    x->n = n; /* the others were behind them by words and by source */
    return ERR_OK;
}

static Err pieces_judge(Extract *x) {
    Err err = x->n ? question_embed(x) : ERR_OK;
    if (!err && x->reader && x->n) err = pieces_embed(x);
    if (err != ERR_DEADLINE) return err;
    x->out->deadline_hit = true;
    return ERR_OK;
}

/* ---- the answer ---- */

static bool said_already(const Extract *x, const Piece *p, const Piece *const *taken, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (p->vector && taken[i]->vector && vectors_dot(p->vector, taken[i]->vector, x->dim) > SAME) return true;
        if (str_eq(piece_text(x, p), piece_text(x, taken[i]))) return true;
    }
    return false;
}

static int32_t lines_before(Str text, size_t at) {
    int32_t n = 0;
    for (size_t i = 0; i < at; i++) n += text.p[i] == '\n';
    return n;
}

static size_t source_number(Answer *answer, size_t hit) {
    for (size_t i = 0; i < answer->n_cited; i++)
        if (answer->cited[i] == hit) return i + 1;
    answer->cited[answer->n_cited++] = hit;
    return answer->n_cited;
}

static void cite(const Extract *x, const Piece *p, Citation *out) {
    const SearchHit *h = &x->rq->hits[p->hit];
    *out = (Citation){.hit = p->hit,
                      .source = source_number(x->out, p->hit),
                      .start = p->span.start,
                      .end = p->span.end,
                      .start_line = h->chunk.start_line + lines_before(h->content, p->span.start),
                      .end_line = h->chunk.start_line + lines_before(h->content, p->span.end),
                      .quote = piece_text(x, p),
                      .score = p->score};
}

static Err citations_take(Extract *x) {
    const Piece *taken[ANSWER_QUOTES_MAX];
    size_t most = x->rq->quotes ? x->rq->quotes : QUOTES;
    if (most > ANSWER_QUOTES_MAX) most = ANSWER_QUOTES_MAX;
    x->out->citations = arena_array(x->a, Citation, most);
    x->out->cited = arena_array(x->a, size_t, most);
    if (!x->out->citations || !x->out->cited) return arena_error();
    for (size_t i = 0; i < x->n && x->out->n < most; i++) {
        const Piece *p = &x->pieces[i];
        if (x->out->n && p->score < QUOTE_LEAST * x->pieces[0].score) break;
        if (said_already(x, p, taken, x->out->n)) continue;
        taken[x->out->n] = p;
        cite(x, p, &x->out->citations[x->out->n++]);
    }
    return ERR_OK;
}

static Err text_write(Extract *x) {
    Buf b = {0};
    for (size_t i = 0; i < x->out->n; i++) {
        const Citation *c = &x->out->citations[i];
        buf_printf(&b, "%s%.*s [%zu]", i ? "\n\n" : "", STR_FMT(c->quote), c->source);
    }
    const Err err = buf_ok(&b);
    x->out->text = arena_str(x->a, buf_str(&b));
    buf_free(&b);
    return err ? err : x->out->text.p ? ERR_OK : arena_error();
}

/* An answer stands out; where there is none, the best is one of many that are alike. */
static float margin_of(const Extract *x) {
    const size_t n = x->n < MARGIN_OVER + 1 ? x->n : MARGIN_OVER + 1;
    float sum = 0;
    for (size_t i = 1; i < n; i++) sum += x->pieces[i].score;
    return n > 1 ? x->pieces[0].score - sum / (float)(n - 1) : 0;
}

typedef struct {
    size_t hit;
    float value;
} Passage;

static int by_value(const void *pa, const void *pb) {
    const Passage *a = pa, *b = pb;
    if (a->value != b->value) return a->value > b->value ? -1 : 1;
    return (a->hit > b->hit) - (a->hit < b->hit);
}

/* Hits that were read, by themselves and by the best sentence in each; the others keep their places behind them. */
static Err passages_order(Extract *x) {
    const size_t n = x->rq->n_hits, read = n < HITS_READ ? n : HITS_READ;
    Passage passages[HITS_READ];
    x->out->order = arena_array(x->a, size_t, n + 1);
    if (!x->out->order) return arena_error();
    for (size_t i = 0; i < read; i++) {
        const SearchHit *h = &x->rq->hits[i];
        float best = 0;
        for (size_t k = 0; k < x->n; k++) {
            const Piece *p = &x->pieces[k];
            const float own = piece_own(x, p);
            if (p->hit == i && own > best) best = own;
        }
        passages[i] = (Passage){i, h->fused + x->by->sentence * best};
    }
    qsort(passages, read, sizeof *passages, by_value);
    for (size_t i = 0; i < n; i++) x->out->order[i] = i < read ? passages[i].hit : i;
    return ERR_OK;
}

/* LEAD_MOST: what is named exactly ranks far above its score. */
static void weigh_tokens(Extract *x, const Piece *best) {
    AnswerEvidence *e = &x->out->evidence;
    const SearchHit *h = &x->rq->hits[best->hit];
    e->compared = x->by == &BY_TOKENS;
    e->held = best->held;
    e->lead = fminf(fmaxf(h->fused - h->score, -LEAD_MOST), LEAD_MOST);
    e->gap = x->n > 1 ? best->score - x->pieces[1].score : 0;
    e->numbers = expect_lacks(NAMING_NUMBERS, x->rq->question, piece_text(x, best));
    e->names = expect_lacks(NAMING_ALL, x->rq->question, h->content);
}

static void weigh(Extract *x) {
    AnswerEvidence *e = &x->out->evidence;
    for (size_t i = 0; i < x->rq->n_hits && i < HITS_READ; i++) {
        const SearchHit *h = &x->rq->hits[i];
        const float share = evidence_share(&x->evidence, h->content);
        if (share > e->share) e->share = share;
        if (h->cosine > e->cosine) e->cosine = h->cosine;
    }
    if (x->n) {
        e->span_share = x->pieces[0].share;
        e->span_cosine = x->pieces[0].cosine;
        e->expected = x->pieces[0].expected;
        e->margin = margin_of(x);
        e->denied = twist_denies(x->rq->question, piece_text(x, &x->pieces[0]));
        e->opposed = twist_opposes(x->rq->question, piece_text(x, &x->pieces[0]));
        weigh_tokens(x, &x->pieces[0]);
    }
    x->out->confidence = x->rq->n_hits ? answer_confidence(e) : 0;
}

bool answer_check(const Answer *answer, const SearchHit *hits, size_t n_hits) {
    for (size_t i = 0; i < answer->n; i++) {
        const Citation *c = &answer->citations[i];
        if (c->hit >= n_hits || c->end > hits[c->hit].content.n || c->start >= c->end) return false;
        if (!str_eq(c->quote, str_make(hits[c->hit].content.p + c->start, c->end - c->start))) return false;
    }
    return true;
}

Err answer_extract(Arena *a, const AnswerRequest *rq, Answer *out) {
    const int64_t start = clock_mono_ns();
    *out = (Answer){.text = STR("")};
    Extract x = {.a = a, .rq = rq, .out = out, .expected = expect_of(rq->question), .by = &BY_WORDS};
    TRY(evidence_open(&x.evidence, a, rq->sources, rq->n_sources, rq->question));
    TRY(pieces_find(&x));
    TRY(pieces_judge(&x));
    weigh(&x);
    TRY(citations_take(&x));
    TRY(passages_order(&x));
    out->abstained = out->n == 0 || out->confidence < rq->threshold;
    if (!out->abstained) TRY(text_write(&x));
    out->ms = clock_ms_since(start);
    return ERR_OK;
}
