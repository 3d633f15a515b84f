/* sampler.c - see sampler.h.
 *
 * Vocabularies have 2^18 tokens, of which a handful are ever likely: nothing here sorts them all. Tokens e^-50 times
 * less likely than the best are left out at once (all together they have less probability than a number of the
 * generator has room for); what order top_k and top_p need comes out of a heap, best first, for as long as they ask.
 */
#include "model/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REPEAT_LAST = 64, REPEAT_LAST_MAX = 1 << 16, LANES = 16 };
static const double UNLIKELY = 50; /* in logits, at temperature 1 */

typedef struct {
    float logit;
    int32_t id;
} Candidate;

struct Sampler {
    SamplerOpts opts;
    size_t n_vocab;
    uint64_t state[4];
    Candidate *candidates; /* [n_vocab] */
    uint32_t *counts;      /* [n_vocab] of the last repeat_last */
    int32_t *last;         /* [repeat_last] a ring */
    size_t n_last, at_last;
};

/* ---- the generator ---- */

static uint64_t splitmix_next(uint64_t *x) {
    uint64_t z = *x += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int n) { return x << n | x >> (64 - n); }

static uint64_t random_next(uint64_t s[4]) {
    uint64_t result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* [0, 1) with 53 bits */
static double random_unit(uint64_t s[4]) { return (double)(random_next(s) >> 11) * 0x1p-53; }

/* ---- opening ---- */

static Err check_range(const char *name, double v, double low, double high) {
    if (v >= low && v <= high) return ERR_OK; /* NaN is not */
    return err_set(ERR_USAGE, "'%s' cannot be %g; %g to %g is possible", name, v, low, high);
}

static Err check_opts(const SamplerOpts *o) {
    TRY(check_range("temperature", (double)o->temperature, 0, 100));
    TRY(check_range("top_p", (double)o->top_p, 0, 1));
    TRY(check_range("min_p", (double)o->min_p, 0, 1));
    TRY(check_range("repeat_penalty", (double)o->repeat_penalty, 0, 100));
    TRY(check_range("presence_penalty", (double)o->presence_penalty, -100, 100));
    TRY(check_range("frequency_penalty", (double)o->frequency_penalty, -100, 100));
    return check_range("repeat_last", (double)o->repeat_last, 0, REPEAT_LAST_MAX);
}

Err sampler_open(Sampler **out, const SamplerOpts *opts, size_t n_vocab) {
    *out = NULL;
    TRY(check_opts(opts));
    Sampler *s = calloc(1, sizeof *s);
    if (!s) return err_set(ERR_NOMEM, "out of memory for a sampler");
    s->opts = *opts;
    s->n_vocab = n_vocab;
    if (s->opts.repeat_last == 0) s->opts.repeat_last = REPEAT_LAST;
    if (s->opts.repeat_penalty == 0) s->opts.repeat_penalty = 1;
    uint64_t seed = opts->seed;
    for (size_t i = 0; i < 4; i++) s->state[i] = splitmix_next(&seed);
    s->candidates = calloc(n_vocab, sizeof *s->candidates);
    s->counts = calloc(n_vocab, sizeof *s->counts);
    s->last = calloc(s->opts.repeat_last, sizeof *s->last);
    if (!s->candidates || !s->counts || !s->last) {
        sampler_close(s);
        return err_set(ERR_NOMEM, "out of memory for a sampler of %zu tokens", n_vocab);
    }
    *out = s;
    return ERR_OK;
}

void sampler_close(Sampler *s) {
    if (!s) return;
    free(s->candidates);
    free(s->counts);
    free(s->last);
    free(s);
}

/* ---- penalties ---- */

void sampler_see(Sampler *s, int32_t id) {
    if (id < 0 || (size_t)id >= s->n_vocab) return;
    if (s->n_last == s->opts.repeat_last)
        s->counts[s->last[s->at_last]]--;
    else
        s->n_last++;
    s->last[s->at_last] = id;
    s->counts[id]++;
    s->at_last = (s->at_last + 1) % s->opts.repeat_last;
}

/* A token that was there twice is met twice and must be changed once: the first time marks it. */
static void penalise(Sampler *s, float *logits) {
    const SamplerOpts *o = &s->opts;
    if (o->repeat_penalty == 1 && o->presence_penalty == 0 && o->frequency_penalty == 0) return;
    const uint32_t done = 1u << 31;
    for (size_t i = 0; i < s->n_last; i++) {
        uint32_t *count = &s->counts[s->last[i]];
        float *logit = &logits[s->last[i]];
        if (*count & done) continue;
        *logit = *logit > 0 ? *logit / o->repeat_penalty : *logit * o->repeat_penalty;
        *logit -= o->presence_penalty + (float)*count * o->frequency_penalty;
        *count |= done;
    }
    for (size_t i = 0; i < s->n_last; i++) s->counts[s->last[i]] &= ~done;
}

/* ---- choosing ---- */

/* The largest of n, as LANES maxima side by side that the compiler keeps in vectors; NaN where any is NaN. */
static float find_max(const float *x, size_t n) {
    float lanes[LANES], best = -INFINITY, check = 0;
    for (size_t l = 0; l < LANES; l++) lanes[l] = -INFINITY;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
        }
    for (; i < n; i++) best = x[i] > best ? x[i] : best;
    for (size_t l = 0; l < LANES; l++) best = lanes[l] > best ? lanes[l] : best;
    for (i = 0; i < n; i++) check += x[i] != x[i] ? 1.0f : 0.0f;
    return check > 0 ? NAN : best;
}

static bool is_better(Candidate a, Candidate b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }

static void sift_down(Candidate *heap, size_t n, size_t at) {
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_better(heap[child + 1], heap[child])) child++;
        if (!is_better(heap[child], heap[at])) return;
        Candidate swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

/* The best `most` of c [n], or so many of the best that their weights reach `enough`, to its end, worst of them first:
 * each best leaves the heap for the place that becomes free. Returns how many. */
static size_t take_best(Candidate *c, size_t n, size_t most, double best, double enough) {
    size_t taken = 0;
    double sum = 0;
    for (size_t i = n / 2; i-- > 0;) sift_down(c, n, i);
    while (taken < n && taken < most && sum < enough) {
        size_t left = n - ++taken;
        Candidate first = c[0];
        c[0] = c[left];
        c[left] = first;
        sift_down(c, left, 0);
        sum += exp((double)first.logit - best);
    }
    return taken;
}

static double weigh(const Candidate *c, size_t n, double best, double temperature) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += exp(((double)c[i].logit - best) / temperature);
    return sum;
}

static int32_t draw(Sampler *s, const Candidate *c, size_t n, double best) {
    double t = (double)s->opts.temperature, left = random_unit(s->state) * weigh(c, n, best, t);
    for (size_t i = 0; i + 1 < n; i++) {
        left -= exp(((double)c[i].logit - best) / t);
        if (left < 0) return c[i].id;
    }
    return c[n - 1].id;
}

static int32_t choose(Sampler *s, const float *logits, double best) {
    const SamplerOpts *o = &s->opts;
    double t = (double)o->temperature, reach = best - UNLIKELY * (t > 1 ? t : 1);
    Candidate *c = s->candidates;
    size_t n = 0;
    for (size_t i = 0; i < s->n_vocab; i++)
        if ((double)logits[i] >= reach) c[n++] = (Candidate){logits[i], (int32_t)i};
    if (o->top_k > 0 && o->top_k < n) {
        size_t taken = take_best(c, n, o->top_k, best, INFINITY);
        c += n - taken;
        n = taken;
    }
    if (o->top_p > 0 && o->top_p < 1) {
        size_t taken = take_best(c, n, n, best, (double)o->top_p * weigh(c, n, best, 1));
        c += n - taken;
        n = taken;
    }
    double least = o->min_p > 0 ? best + log((double)o->min_p) : -INFINITY;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if ((double)c[i].logit >= least) c[kept++] = c[i];
    return draw(s, c, kept, best);
}

Err sampler_next(Sampler *s, float *logits, int32_t *id) {
    penalise(s, logits);
    float best = find_max(logits, s->n_vocab);
    if (!isfinite(best)) return err_set(ERR_CORRUPT, "the model's scores are not finite numbers");
    if (s->opts.temperature > 0) {
        *id = choose(s, logits, (double)best);
    } else {
        size_t i = 0;
        while (logits[i] != best) i++;
        *id = (int32_t)i;
    }
    sampler_see(s, *id);
    return ERR_OK;
}
