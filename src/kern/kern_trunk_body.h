/* kern_trunk_body.h - the second half of the body: what networks after BERT ask for. Norms without a mean, rotated
 * positions, gated activations, and attention that sees a part of the keys. Included by kern_body.h alone, whose
 * vectors and tiles it uses, so that it too is written once and compiled for each instruction set.
 */

static void rmsnorm(const float *x, const float *weight, float eps, size_t m, size_t n, float *out) {
    for (size_t r = 0; r < m; r++, x += n, out += n) {
        float scale = 1.0f / sqrtf(dot(x, x, n) / (float)n + eps);
        size_t i = 0;
        for (; i + LANES <= n; i += LANES) vec_store(out + i, vec_load(x + i) * scale * vec_load(weight + i));
        for (; i < n; i++) out[i] = x[i] * scale * weight[i];
    }
}

/* ---- positions ---- */

static void rope(float *x, size_t stride, size_t heads, size_t head_dim, const float *turns, size_t m) {
    size_t half = head_dim / 2;
    for (size_t r = 0; r < m; r++, x += stride, turns += head_dim)
        for (size_t h = 0; h < heads; h++) {
            float *a = x + h * head_dim, *b = a + half;
            size_t i = 0;
            for (; i + LANES <= half; i += LANES) {
                Vec p = vec_load(a + i), q = vec_load(b + i), c = vec_load(turns + i), s = vec_load(turns + half + i);
                vec_store(a + i, p * c - q * s);
                vec_store(b + i, q * c + p * s);
            }
            for (; i < half; i++) {
                float p = a[i], q = b[i], c = turns[i], s = turns[half + i];
                a[i] = p * c - q * s;
                b[i] = q * c + p * s;
            }
        }
}

/* ---- gates ---- */

/* x / (1 + e^-z). For z below -88 the quotient is a denormal or zero, as it should be. */
INLINE Vec vec_times_sigmoid(Vec x, Vec z) { return x / (vec_exp(vec_min(-z, vec_all(88.0f))) + 1.0f); }

/* gelu_tanh(x) = x (1 + tanh u) / 2 = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3): no cancellation for negative
 * x. */
INLINE Vec vec_gate(KernGate kind, Vec x) {
    if (kind == KERN_GATE_GELU) return vec_gelu(x);
    if (kind == KERN_GATE_SILU) return vec_times_sigmoid(x, x);
    return vec_times_sigmoid(x, x * (x * x * 0x1.2444f2p-4f + 0x1.988454p+0f));
}

INLINE void gate_row(KernGate kind, const float *x, size_t n, float *out) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vec_store(out + i, vec_gate(kind, vec_load(x + i)) * vec_load(x + n + i));
    if (i == n) return;
    float a[LANES] = {0}, b[LANES] = {0};
    memcpy(a, x + i, (n - i) * sizeof *a);
    memcpy(b, x + n + i, (n - i) * sizeof *b);
    vec_store(a, vec_gate(kind, vec_load(a)) * vec_load(b));
    memcpy(out + i, a, (n - i) * sizeof *a);
}

static void gate(KernGate kind, const float *x, size_t m, size_t n, float *out) {
    for (size_t r = 0; r < m; r++) gate_row(kind, x + r * 2 * n, n, out + r * n);
}

/* ---- attention of a span ---- */

/* In place over scores [wide], of which [from, to) are seen; the others become 0. Sums run over whole vectors that
 * start at a multiple of LANES: what is not seen adds nothing, so the result does not depend on where the scores
 * begin. */
INLINE void softmax_span(float *scores, size_t from, size_t to, size_t wide, float scale) {
    size_t first = from / LANES * LANES, end = (to + LANES - 1) / LANES * LANES;
    Vec high = vec_all(-INFINITY), sum = {0};
    for (size_t i = first; i < from; i++) scores[i] = -INFINITY;
    for (size_t i = to; i < end; i++) scores[i] = -INFINITY;
    for (size_t i = first; i < end; i += LANES) high = vec_max(high, vec_load(scores + i));
    float top = vec_highest(high);
    for (size_t i = first; i < end; i += LANES) {
        Vec s = vec_load(scores + i);
        Vec e = vec_pick((VecInt)(s != vec_all(-INFINITY)), vec_exp((s - top) * scale), (Vec){0});
        sum += e;
        vec_store(scores + i, e);
    }
    float inverse = 1.0f / vec_sum(sum);
    for (size_t i = first; i < end; i += LANES) vec_store(scores + i, vec_load(scores + i) * inverse);
    memset(scores, 0, first * sizeof *scores);
    memset(scores + end, 0, (wide - end) * sizeof *scores);
}

typedef struct {
    const KernSpan *span;
    const float *keys, *values; /* packed */
    size_t places;              /* from one panel of values to the next */
    float *scores;              /* [TILE_ROWS][wide] */
    size_t wide;                /* keys, rounded up to panels */
    size_t step;                /* places from one row of a tile to the next: 1, or 0 where rows are heads */
} SpanJob;

/* Queries [from, from + rows) of one head, against the panels of keys that one of them sees. */
INLINE void span_tile(const SpanJob *j, size_t head, size_t from, size_t rows) {
    static const float no_bias[PANEL];
    const KernSpan *a = j->span;
    size_t place = a->first + from * j->step, last = place + (rows - 1) * j->step;
    size_t lo = place > a->before ? (place - a->before) / PANEL * PANEL : 0;
    size_t hi = a->after < a->keys - 1 - last ? last + a->after + 1 : a->keys;
    size_t wide = (hi - lo + PANEL - 1) / PANEL * PANEL;
    Tile t = {.lda = a->q_stride, .k = a->head_dim, .bias = no_bias, .ldo = j->wide, .cols = PANEL};
    t.a = a->q + from * a->q_stride + head * a->head_dim;
    for (size_t k = 0; k < wide; k += PANEL) {
        t.b = j->keys + (lo + k) * a->head_dim;
        t.out = j->scores + k;
        tiles[rows](&t);
    }
    for (size_t r = 0; r < rows; r++) {
        size_t p = place + r * j->step, begin = p > a->before ? p - a->before : 0;
        size_t end = a->after < a->keys - 1 - p ? p + a->after + 1 : a->keys;
        softmax_span(j->scores + r * j->wide, begin - lo, end - lo, wide, a->scale);
    }
    t = (Tile){.a = j->scores, .lda = j->wide, .k = hi - lo, .bias = no_bias, .ldo = a->out_stride};
    for (size_t d = 0; d < a->head_dim; d += PANEL) {
        t.b = j->values + d * j->places + lo * PANEL;
        t.out = a->out + from * a->out_stride + head * a->head_dim + d;
        t.cols = a->head_dim - d < PANEL ? a->head_dim - d : PANEL;
        tiles[rows](&t);
    }
}

/* Key by key into their lanes: a step of a decoder keeps one, a prompt some hundred among which this is not seen. */
static void keep(const KernKept *kept, const float *k, const float *v, size_t stride, size_t head_dim, size_t first,
                 size_t n) {
    for (size_t place = first; place < first + n; place++, k += stride, v += stride) {
        float *key = kept->keys + place / PANEL * PANEL * head_dim + place % PANEL;
        for (size_t d = 0; d < head_dim; d++) key[d * PANEL] = k[d];
        for (size_t d = 0; d < head_dim; d += PANEL) {
            float *row = kept->values + d * kept->places + place * PANEL;
            size_t cols = head_dim - d < PANEL ? head_dim - d : PANEL;
            memcpy(row, v + d, cols * sizeof *row);
            memset(row + cols, 0, (PANEL - cols) * sizeof *row);
        }
    }
}

/* Keys and values are packed once for all heads that share them, or were before. */
static void attention_span(const KernSpan *a) {
    size_t wide = (a->keys + PANEL - 1) / PANEL * PANEL, dims = (a->head_dim + PANEL - 1) / PANEL * PANEL;
    /* One query: its heads are the rows of tiles, so that the keys are read once for all of them. */
    KernSpan heads = *a;
    if (a->queries == 1) {
        heads.queries = a->heads;
        heads.heads = 1;
        heads.q_stride = heads.out_stride = a->head_dim;
    }
    SpanJob job = {.span = &heads, .wide = wide, .step = a->queries > 1};
    if (a->kept) {
        job.keys = a->kept->keys;
        job.values = a->kept->values;
        job.places = a->kept->places;
        job.scores = a->scratch;
    } else {
        float *keys = a->scratch, *values = keys + wide * a->head_dim;
        const KernAttention shared = {
            .k = a->k, .v = a->v, .stride = a->stride, .tokens = a->keys, .head_dim = a->head_dim};
        attention_pack(&shared, keys, values);
        job.keys = keys;
        job.values = values;
        job.places = a->keys;
        job.scores = values + dims * a->keys;
    }
    size_t queries = heads.queries, n_tiles = (queries + TILE_ROWS - 1) / TILE_ROWS;
    for (size_t head = 0; head < heads.heads; head++)
        for (size_t i = 0; i < n_tiles; i++) {
            size_t from = queries * i / n_tiles;
            span_tile(&job, head, from, queries * (i + 1) / n_tiles - from);
        }
}
