/* refine.c - see refine.h. */
#include "search/refine.h"

#include <math.h>
#include <stdlib.h>

enum {
    BATCH = 8,        /* vectors computed at a time: enough for all cores, few enough to stop soon */
    FIRST_TO_MEET = 2 /* of a search with a deadline, before it is known what one takes */
};

/* A candidate and what it may be fused to. */
typedef struct {
    Candidate *of;
    float low, high, prior;
} Bounded;

typedef struct {
    const Refine *r;
    FuseRule rule; /* what the bounds are of */
    Bounded *list; /* [r->n] */
    float *lows;   /* scratch of bar_of */
    SearchRefined *out;
    float bar;       /* what a hit is fused to at least */
    double ms_a_row; /* of the batches so far; 0: none */
} Work;

static int falling(const void *pa, const void *pb) {
    float a = *(const float *)pa, b = *(const float *)pb;
    return a > b ? -1 : a < b;
}

static float lowered(float fused, float prior) { return fused - (1.0f - prior) * fabsf(fused); }

static void bounds_set(const Work *w, Bounded *b) {
    const Candidate *c = b->of;
    b->low = b->high = c->fused;
    if (c->has_cosine) {
        b->low = fuse_with(&w->rule, c, c->cosine - c->error);
        b->high = fuse_with(&w->rule, c, c->cosine + c->error);
    }
    b->low = lowered(b->low, b->prior);
    b->high = lowered(b->high, b->prior);
}

/* The least that the last hit is fused to: -INFINITY while there are fewer candidates than hits wanted. */
static float bar_of(const Work *w) {
    size_t n = w->r->n, place = w->r->rq->limit;
    if (n < place) return -INFINITY;
    for (size_t i = 0; i < n; i++) w->lows[i] = w->list[i].low;
    qsort(w->lows, n, sizeof *w->lows, falling);
    return w->lows[place - 1];
}

static int by_high(const void *pa, const void *pb) {
    const Bounded *a = pa, *b = pb;
    if (a->high != b->high) return a->high > b->high ? -1 : 1;
    if (a->of->source != b->of->source) return a->of->source < b->of->source ? -1 : 1;
    return a->of->chunk < b->of->chunk ? -1 : a->of->chunk > b->of->chunk;
}

static Err work_begin(Work *w) {
    const Refine *r = w->r;
    w->list = arena_array(r->a, Bounded, r->n + 1);
    w->lows = arena_array(r->a, float, r->n + 1);
    if (!w->list || !w->lows) return arena_error();
    for (size_t i = 0; i < r->n; i++) {
        float prior = 1.0f;
        TRY(store_chunk_prior(r->arm->sources[r->all[i].source].source->store, r->all[i].chunk, &prior));
        fuse_one(&w->rule, &r->all[i]);
        w->list[i] = (Bounded){.of = &r->all[i], .prior = prior};
    }
    return ERR_OK;
}

/* How many vectors may be computed next; 0: the bound is reached, or none would be ready before the deadline. */
static size_t batch_size(const Work *w, bool *deadline_hit) {
    const SearchRequest *rq = w->r->rq;
    size_t most = BATCH;
    if (rq->recompute) {
        size_t left = rq->recompute - w->out->asked;
        most = left < most ? left : most;
    }
    if (most == 0 || !rq->deadline || rq->deadline->at_ns == 0) return most;
    double left_ms = (double)(rq->deadline->at_ns - clock_mono_ns()) * 1e-6;
    if (w->ms_a_row <= 0 && left_ms > 0) return most < FIRST_TO_MEET ? most : FIRST_TO_MEET;
    double ready = w->ms_a_row > 0 ? left_ms / w->ms_a_row : 0;
    *deadline_hit |= ready < 1;
    return ready < (double)most ? (size_t)(ready > 0 ? ready : 0) : most;
}

/* The next to be computed: estimates of one source that could be among the hits, greatest bounds first, each slot
 * once. */
static size_t batch_choose(const Work *w, size_t most, Candidate **batch) {
    size_t n = 0;
    for (size_t i = 0; i < w->r->n && n < most && w->list[i].high >= w->bar; i++) {
        Candidate *c = w->list[i].of;
        bool same = false;
        if (c->error <= 0 || (n && c->source != batch[0]->source)) continue;
        for (size_t k = 0; k < n && !same; k++) same = batch[k]->slot == c->slot;
        if (!same) batch[n++] = c;
    }
    return n;
}

/* What was computed holds for the same text elsewhere. */
static void batch_share(const Work *w, Candidate **batch, size_t n) {
    for (size_t i = 0; i < w->r->n; i++) {
        Candidate *c = &w->r->all[i];
        for (size_t k = 0; k < n && c->error > 0; k++)
            if (batch[k]->source == c->source && batch[k]->slot == c->slot) {
                c->cosine = batch[k]->cosine;
                c->lost = batch[k]->lost;
                c->error = 0;
            }
    }
}

static Err batch_compute(Work *w, Candidate **batch, size_t n) {
    const Refine *r = w->r;
    int64_t start = clock_mono_ns();
    TRY(arm_exact(r->a, &r->arm->sources[batch[0]->source], batch, n, r->rq->deadline));
    batch_share(w, batch, n);
    w->out->asked += n;
    for (size_t i = 0; i < n; i++) w->out->lost += batch[i]->lost;
    double ms = clock_ms_since(start) / (double)n;
    w->ms_a_row = w->ms_a_row > 0 ? (w->ms_a_row + ms) / 2 : ms;
    return ERR_OK;
}

/* One round; *done when there is nothing more to compute, or no more time or leave to. */
static Err round_go(Work *w, Candidate **batch, bool *done, bool *deadline_hit) {
    for (size_t i = 0; i < w->r->n; i++) bounds_set(w, &w->list[i]);
    w->bar = bar_of(w);
    qsort(w->list, w->r->n, sizeof *w->list, by_high);
    size_t n = batch_choose(w, BATCH, batch);
    *done = true;
    w->out->proven = n == 0;
    if (n == 0) return ERR_OK;
    size_t most = batch_size(w, deadline_hit);
    if (most == 0) return ERR_OK;
    if (n > most) n = most;
    Err err = batch_compute(w, batch, n);
    *deadline_hit |= err == ERR_DEADLINE;
    *done = err != ERR_OK;
    return err == ERR_DEADLINE ? ERR_OK : err;
}

/* What neither arm gave: its cosine is under each scan's floor, and no word of the query led to it. */
static bool unseen_may_enter(const Work *w) {
    Candidate unseen = {.has_cosine = true};
    for (size_t i = 0; i < w->r->arm->n; i++) {
        const ArmSource *s = &w->r->arm->sources[i];
        if (s->query && !arm_exhausted(s) && fuse_with(&w->rule, &unseen, arm_floor(s)) > w->bar) return true;
    }
    return false;
}

static int by_falling_cosine(const void *pa, const void *pb) {
    const Candidate *a = *(Candidate *const *)pa, *b = *(Candidate *const *)pb;
    if (a->cosine != b->cosine) return a->cosine > b->cosine ? -1 : 1;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

/* The vector arm's ranks, by cosines as they are now. */
static Err ranks_renew(const Refine *r) {
    Candidate **ranked = arena_array(r->a, Candidate *, r->n + 1);
    size_t n = 0;
    if (!ranked) return arena_error();
    for (size_t i = 0; i < r->n; i++)
        if (r->all[i].vec_rank > 0) ranked[n++] = &r->all[i];
    if (n) qsort(ranked, n, sizeof(Candidate *), by_falling_cosine);
    for (size_t i = 0; i < n; i++) ranked[i]->vec_rank = (int32_t)(i + 1);
    return ERR_OK;
}

static bool has_estimates(const Refine *r) {
    for (size_t i = 0; i < r->n; i++)
        if (r->all[i].error > 0) return true;
    return false;
}

Err refine(const Refine *r, SearchRefined *out, bool *deadline_hit) {
    int64_t start = clock_mono_ns();
    *out = (SearchRefined){0};
    if (!has_estimates(r)) return ERR_OK;
    out->any = true;
    Work w = {.r = r, .rule = *r->rule, .out = out};
    if (w.rule.mode == MODE_HYBRID && w.rule.fusion == FUSION_RRF) w.rule.mode = MODE_SEMANTIC;
    Candidate *batch[BATCH];
    TRY(work_begin(&w));
    for (bool done = false; !done;) TRY(round_go(&w, batch, &done, deadline_hit));
    out->proven &= out->lost == 0 && !unseen_may_enter(&w);
    out->ms = clock_ms_since(start);
    return ranks_renew(r);
}
