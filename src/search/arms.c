/* arms.c - see arms.h. */
#include "search/arms.h"

const Filter *source_filter(const SearchSource *s, const SearchRequest *rq) {
    return s->filter ? s->filter : &rq->filter;
}

/* ---- words ---- */

/* What the filter lets pass, as the index wants it. */
static Err words_allowed(Arena *a, const SearchSource *s, const Filter *filter, LexSearch *how, size_t *count) {
    LexStats stats;
    ChunkRange *ranges = NULL;
    size_t n = 0;
    lex_stats(s->lex, &stats);
    TRY(store_ranges(s->store, a, s->collection->id, filter, &ranges, &n));
    uint64_t *bits = arena_array(a, uint64_t, stats.numbers / 64u + 1u);
    if (!bits) return arena_error();
    how->allowed = bits;
    how->n_allowed = stats.numbers;
    return lex_allow(s->lex, ranges, n, bits, stats.numbers, count);
}

static Err words_of_index(Arena *a, const SearchSource *s, const SearchRequest *rq, Str words, size_t k,
                          StoreLexHit **out, size_t *n, bool *deadline_hit) {
    LexQuery query;
    LexSearch how = {.k = k, .settings = rq->lex, .deadline = rq->deadline};
    const Filter *filter = source_filter(s, rq);
    size_t allowed = 1;
    *n = 0;
    TRY(lex_query_read(a, s->analyzer, words, true, &query));
    if (!filter_is_empty(filter)) TRY(words_allowed(a, s, filter, &how, &allowed));
    if (allowed == 0) return ERR_OK;
    LexHit *hits = arena_array(a, LexHit, k);
    *out = arena_array(a, StoreLexHit, k);
    if (!hits || !*out) return arena_error();
    const Err err = lex_search(s->lex, &query, &how, hits, n);
    *deadline_hit |= err == ERR_DEADLINE;
    if (err && err != ERR_DEADLINE) return err;
    for (size_t i = 0; i < *n; i++) (*out)[i] = (StoreLexHit){.chunk_id = hits[i].id, .score = hits[i].score};
    return ERR_OK;
}

Err lexical_arm(Arena *a, const SearchSource *sources, size_t n, const SearchRequest *rq, Str words, size_t k,
                Candidate **list, size_t *n_out, bool *deadline_hit) {
    StoreLexHit **hits = arena_array(a, StoreLexHit *, n + 1);
    size_t *counts = arena_array(a, size_t, n + 1), total = 0, at = 0;
    if (!hits || !counts) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const SearchSource *s = &sources[i];
        counts[i] = 0;
        if (s->lex)
            TRY(words_of_index(a, s, rq, words, k, &hits[i], &counts[i], deadline_hit));
        else if (store_caps(s->store)->lexical)
            TRY(store_lexical(s->store, a, s->collection->id, words, source_filter(s, rq), k, &hits[i], &counts[i]));
        total += counts[i];
    }
    Candidate *out = arena_array(a, Candidate, total + 1);
    if (!out) return arena_error();
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < counts[i]; h++)
            out[at++] = (Candidate){
                .source = (uint32_t)i, .chunk = hits[i][h].chunk_id, .bm25 = hits[i][h].score, .most = 1.0f};
    *list = out;
    *n_out = total;
    return ERR_OK;
}

/* ---- vectors: before ---- */

static Err check_model(const SearchSource *s, const VecStats *stats) {
    const ModelInfo *m = model_info(s->model);
    const StoreCollection *c = s->collection;
    if (memcmp(m->id.bytes, c->model_id.bytes, sizeof m->id.bytes) == 0 && m->dim == stats->dim) return ERR_OK;
    return err_fix(err_set(ERR_MODEL_MISMATCH,
                           "model '%.*s' (%zu dimensions) is not the one of collection '%.*s' (%zu)", STR_FMT(m->name),
                           m->dim, STR_FMT(c->name), stats->dim),
                   "pythia index --collection '%.*s' --model '%.*s' --force", STR_FMT(c->name), STR_FMT(m->path));
}

/* The query vector's place: that of an earlier source with the same model, or a new one. */
static Err query_place(Arena *a, VectorArm *arm, size_t i) {
    const SearchSource *s = arm->sources[i].source;
    const ModelInfo *m = model_info(s->model);
    for (size_t k = 0; k < i; k++) {
        const ArmSource *other = &arm->sources[k];
        if (!other->query || memcmp(model_info(other->source->model)->id.bytes, m->id.bytes, sizeof m->id.bytes) != 0)
            continue;
        arm->sources[i].query = other->query;
        arm->sources[i].embedded = other->embedded;
        return ERR_OK;
    }
    arm->sources[i].query = arena_array(a, float, m->dim);
    arm->sources[i].embedded = arena_new(a, bool);
    if (!arm->sources[i].query || !arm->sources[i].embedded) return arena_error();
    if (arm->vector) memcpy(arm->sources[i].query, arm->vector, m->dim * sizeof(float));
    *arm->sources[i].embedded = arm->vector != NULL;
    return ERR_OK;
}

static Err hits_place(Arena *a, ArmSource *s, size_t k) {
    s->k = k < s->n_allowed ? k : s->n_allowed;
    s->n_hits = 0;
    s->hits = arena_array(a, VecHit, s->k + 1);
    return s->hits ? ERR_OK : arena_error();
}

static Err source_prepare(Arena *a, VectorArm *arm, size_t i, size_t k) {
    ArmSource *s = &arm->sources[i];
    const SearchSource *from = s->source;
    VecStats stats;
    vec_stats(from->index, &stats);
    TRY(check_model(from, &stats));
    TRY(query_place(a, arm, i));
    s->rows = stats.rows;
    s->n_allowed = stats.rows;
    if (!filter_is_empty(s->filter) && s->rows) {
        s->allowed = arena_array(a, uint64_t, (s->rows + 63u) / 64u);
        if (!s->allowed) return arena_error();
        TRY(store_slots(from->store, from->collection->id, &from->collection->model_id, s->filter, s->allowed, s->rows,
                        &s->n_allowed));
    }
    return hits_place(a, s, k);
}

Err arm_prepare(Arena *a, VectorArm *arm, const SearchSource *sources, size_t n, const SearchRequest *rq, size_t k) {
    arm->n = n;
    arm->deadline = rq->deadline;
    arm->vector = rq->vector;
    arm->sources = arena_array(a, ArmSource, n + 1);
    if (!arm->sources) return arena_error();
    for (size_t i = 0; i < n; i++) {
        arm->sources[i] = (ArmSource){.source = &sources[i], .filter = source_filter(&sources[i], rq)};
        if (sources[i].index && sources[i].model) TRY(source_prepare(a, arm, i, k));
    }
    return ERR_OK;
}

/* ---- vectors: scanning; no store, no arena from here to arm_run's end ---- */

static Err embed_query(VectorArm *arm, ArmSource *s) {
    if (*s->embedded) return ERR_OK;
    int64_t start = clock_mono_ns();
    EmbedOpts opts = {.kind = EMBED_QUERY, .deadline = arm->deadline};
    Err err = model_embed_cached(s->source->model, s->source->cache, s->source->sched, s->source->pool, arm->text,
                                 &opts, s->query);
    if (!err) *s->embedded = true;
    arm->embed_ms += clock_ms_since(start);
    return err;
}

static Err source_scan(ArmSource *s, const Deadline *deadline) {
    VecReport report;
    VecQuery q = {.k = s->k,
                  .allowed = s->allowed,
                  .deadline = deadline,
                  .estimate = true,
                  .effort = s->source->effort,
                  .report = &report};
    Err err = vec_search(s->source->index, s->query, &q, s->hits, &s->n_hits);
    s->complete = err == ERR_OK;
    s->error = report.error;
    return err;
}

Err arm_run(void *ctx) {
    VectorArm *arm = ctx;
    for (size_t i = 0; i < arm->n; i++) {
        ArmSource *s = &arm->sources[i];
        if (!s->query) continue;
        if (s->k == 0) { /* the filter lets nothing of it pass */
            s->complete = true;
            continue;
        }
        Err err = embed_query(arm, s);
        int64_t start = clock_mono_ns();
        if (!err) err = source_scan(s, arm->deadline);
        arm->scan_ms += clock_ms_since(start);
        if (err == ERR_DEADLINE)
            arm->deadline_hit = true;
        else if (err)
            return err;
    }
    return ERR_OK;
}

/* ---- vectors: after ---- */

bool arm_exhausted(const ArmSource *s) {
    return !s->query || (s->complete && (s->n_hits < s->k || s->k >= s->n_allowed));
}

float arm_floor(const ArmSource *s) {
    float floor = s->complete && s->n_hits ? s->hits[s->n_hits - 1].score + s->error : 1.0f;
    return floor < 1.0f ? floor : 1.0f;
}

static Err slots_to_chunks(Arena *a, const ArmSource *s, int64_t **ids, size_t **slot_of, size_t *n) {
    const StoreCollection *c = s->source->collection;
    uint32_t *slots = arena_array(a, uint32_t, s->n_hits + 1);
    *n = 0;
    if (!slots) return arena_error();
    for (size_t i = 0; i < s->n_hits; i++) slots[i] = s->hits[i].slot;
    if (s->n_hits == 0) return ERR_OK;
    return store_slot_chunks(s->source->store, a, c->id, &c->model_id, s->filter, slots, s->n_hits, ids, slot_of, n);
}

static Err source_collect(Arena *a, VectorArm *arm, size_t i, size_t want, int64_t **ids, size_t **slot_of, size_t *n) {
    ArmSource *s = &arm->sources[i];
    TRY(slots_to_chunks(a, s, ids, slot_of, n));
    while (*n < want && s->complete && !arm_exhausted(s)) {
        TRY(hits_place(a, s, s->k * 4));
        int64_t start = clock_mono_ns();
        Err err = source_scan(s, arm->deadline);
        arm->scan_ms += clock_ms_since(start);
        if (err && err != ERR_DEADLINE) return err;
        arm->deadline_hit |= err == ERR_DEADLINE;
        TRY(slots_to_chunks(a, s, ids, slot_of, n));
    }
    return ERR_OK;
}

Err arm_collect(Arena *a, VectorArm *arm, size_t want, Candidate **list, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < arm->n; i++) {
        const ArmSource *s = &arm->sources[i];
        int64_t *ids = NULL;
        size_t *slot_of = NULL, found = 0;
        if (!s->query) continue;
        TRY(source_collect(a, arm, i, want, &ids, &slot_of, &found));
        Candidate *more = arena_array(a, Candidate, *n + found + 1);
        if (!more) return arena_error();
        if (*n) memcpy(more, *list, *n * sizeof *more);
        for (size_t k = 0; k < found; k++)
            more[*n + k] = (Candidate){.source = (uint32_t)i,
                                       .chunk = ids[k],
                                       .cosine = s->hits[slot_of[k]].score,
                                       .error = s->error,
                                       .slot = s->hits[slot_of[k]].slot,
                                       .has_cosine = true};
        *list = more;
        *n += found;
    }
    return ERR_OK;
}

/* Those of the wanted that have a vector, moved to the front of `with` [n], and their slots. A chunk that was embedded
 * after this index was opened counts as one without. */
static Err slots_of(const ArmSource *s, Candidate *const *wanted, size_t n, Candidate **with, uint32_t *slots,
                    size_t *n_with) {
    const StoreCollection *c = s->source->collection;
    *n_with = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t slot = UINT32_MAX;
        Err err = store_chunk_slot(s->source->store, c->id, &c->model_id, wanted[i]->chunk, &slot);
        if (err && err != ERR_NO_INDEX && err != ERR_NO_DOCUMENT) return err;
        if (err || slot >= s->rows) continue;
        slots[*n_with] = slot;
        with[(*n_with)++] = wanted[i];
    }
    return ERR_OK;
}

Err arm_complete(Arena *a, const ArmSource *s, Candidate *const *wanted, size_t n) {
    if (n == 0 || !s->query || !*s->embedded || s->rows == 0) return ERR_OK;
    Candidate **with = arena_array(a, Candidate *, n);
    uint32_t *slots = arena_array(a, uint32_t, n);
    float *scores = arena_array(a, float, n);
    bool *had = arena_array(a, bool, n);
    size_t n_with;
    if (!with || !slots || !scores || !had) return arena_error();
    TRY(slots_of(s, wanted, n, with, slots, &n_with));
    VecReport report;
    VecQuery q = {.estimate = true, .effort = s->source->effort, .report = &report};
    TRY(vec_score(s->source->index, s->query, slots, n_with, &q, scores, had));
    for (size_t i = 0; i < n_with; i++) {
        with[i]->cosine = scores[i];
        with[i]->error = report.error;
        with[i]->slot = slots[i];
        with[i]->has_cosine = true;
    }
    return ERR_OK;
}

Err arm_exact(Arena *a, const ArmSource *s, Candidate *const *wanted, size_t n, const Deadline *deadline) {
    uint32_t *slots = arena_array(a, uint32_t, n);
    float *scores = arena_array(a, float, n);
    bool *had = arena_array(a, bool, n);
    if (!slots || !scores || !had) return arena_error();
    for (size_t i = 0; i < n; i++) slots[i] = wanted[i]->slot;
    const VecQuery q = {.deadline = deadline, .fetch = s->source->fetch, .fetch_ctx = s->source->fetch_ctx};
    TRY(vec_score(s->source->index, s->query, slots, n, &q, scores, had));
    for (size_t i = 0; i < n; i++) {
        if (had[i]) wanted[i]->cosine = scores[i];
        wanted[i]->lost = !had[i];
        wanted[i]->error = 0;
    }
    return ERR_OK;
}
