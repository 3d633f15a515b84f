/* find.c - engine_find, pythia_search: which collections, their parts opened, one search over all, the reply. */
#include "base/file.h"
#include "engine/engine.h"
#include "engine/shown.h"
#include "ingest/read.h"
#include "search/rerank.h"

enum { FIND_COLLECTIONS_MAX = 64, OPEN_TRIES = 8 };

typedef struct {
    Pythia *p;
    Arena *a;
    const PythiaSearch *rq;
    Store *store;
    SearchMode mode;
    StoreCollection *collections; /* [FIND_COLLECTIONS_MAX] */
    SearchSource *sources;        /* likewise */
    Query query;
    EngineLike like;      /* vector NULL: there is none */
    const Str *langs;     /* [rq->n_langs] as documents have them */
    Filter *filters;      /* likewise */
    Recompute *recompute; /* likewise */
    ShelfItem **taken;    /* [2 * FIND_COLLECTIONS_MAX] words and vectors of each, NULL: none */
    size_t n;
    PythiaReply *out;
} Find;

/* ---- which collections ---- */

static Err add_collection(Find *f, const StoreCollection *c, size_t *at) {
    for (*at = 0; *at < f->n; (*at)++)
        if (f->collections[*at].id == c->id) return ERR_OK;
    if (f->n == FIND_COLLECTIONS_MAX)
        return err_set(ERR_LIMIT, "more than %d collections in one search", FIND_COLLECTIONS_MAX);
    f->collections[f->n] = *c;
    f->filters[f->n] = (Filter){.globs = f->rq->globs,
                                .n_globs = f->rq->n_globs,
                                .langs = f->langs,
                                .n_langs = f->rq->n_langs,
                                .kinds = f->rq->kinds,
                                .n_kinds = f->rq->n_kinds,
                                .metas = f->rq->metas,
                                .n_metas = f->rq->n_metas,
                                .since_ms = f->rq->since_ms,
                                .until_ms = f->rq->until_ms,
                                .also = &f->query.narrow};
    f->n++;
    return ERR_OK;
}

static Err narrow(Find *f, size_t at, Str relative) {
    Filter *filter = &f->filters[at];
    if (relative.n == 0) return ERR_OK; /* the whole collection */
    Str *paths = arena_array(f->a, Str, filter->n_paths + 1);
    if (!paths) return arena_error();
    if (filter->n_paths) memcpy(paths, filter->paths, filter->n_paths * sizeof *paths);
    paths[filter->n_paths++] = relative;
    filter->paths = paths;
    return ERR_OK;
}

/* The collection that covers a place; narrowed to it when the caller named the place himself. */
static Err add_place(Find *f, Str given, bool narrowed) {
    const char *real = NULL, *z = arena_cstr(f->a, given);
    StoreCollection c;
    size_t at = 0;
    if (!z) return arena_error();
    const char *full = path_join(f->a, f->p->opts.cwd, z);
    if (!full) return arena_error();
    TRY(path_real(f->a, full, &real));
    TRY(engine_covering(f->store, f->a, str_of(real), &c));
    if (!c.id)
        return err_fix(err_set(ERR_NO_COLLECTION, "nothing indexed covers '%s'", real), "pythia index '%s'", real);
    TRY(add_collection(f, &c, &at));
    return narrowed ? narrow(f, at, engine_relative(str_of(real), c.root)) : ERR_OK;
}

static Err add_named(Find *f, const Str *names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        StoreCollection c;
        size_t at = 0;
        TRY(store_collection(f->store, f->a, names[i], &c));
        TRY(add_collection(f, &c, &at));
    }
    return ERR_OK;
}

/* The chunk that is meant; its own collection is searched unless others are named. */
static Err choose_like(Find *f) {
    size_t at = 0;
    const PythiaSearch *rq = f->rq;
    if (!rq->like.n) return ERR_OK;
    TRY(engine_like(f->p, f->a, f->store, rq->n_collections ? rq->collections[0] : STR(""), rq->like, &f->like));
    return rq->n_collections ? ERR_OK : add_collection(f, &f->like.c, &at);
}

static Err choose_collections(Find *f) {
    const PythiaSearch *rq = f->rq;
    TRY(choose_like(f));
    TRY(add_named(f, rq->collections, rq->n_collections));
    TRY(add_named(f, f->query.in, f->query.n_in));
    if (f->n && rq->n_paths) {
        /* With --in, paths are relative to those collections' roots. */
        for (size_t i = 0; i < f->n; i++)
            for (size_t k = 0; k < rq->n_paths; k++) {
                Str path = rq->paths[k];
                bool inside = path.n && path.p[0] == '/' && path_within(path, f->collections[i].root);
                TRY(narrow(f, i, inside ? engine_relative(path, f->collections[i].root) : path));
            }
        return ERR_OK;
    }
    for (size_t i = 0; i < rq->n_paths; i++) TRY(add_place(f, rq->paths[i], true));
    return f->n ? ERR_OK : add_place(f, STR("."), false);
}

/* Languages as users type them ("py", "C++") become the names that documents have; one that no file can have would find
 * nothing without a word, so it is an error that names the near ones. */
static Err langs_name(Arena *a, const Str *given, size_t n, const Str **out) {
    Str *langs = arena_array(a, Str, n);
    if (!langs) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const bool no = given[i].n && given[i].p[0] == '!';
        TRY(lang_canonical(no ? str_from(given[i], 1) : given[i], &langs[i]));
        if (no) langs[i] = arena_printf(a, "!%.*s", STR_FMT(langs[i]));
        if (!langs[i].p) return arena_error();
    }
    *out = langs;
    return ERR_OK;
}

/* The query's operators, beside what the caller narrows it to himself. */
static Err read_query(Find *f) {
    if (f->rq->like.n) {
        f->mode = MODE_SEMANTIC;
        f->out->mode = "similar";
        f->query = (Query){.words = STR(""), .meaning = STR("")};
    } else if (f->mode == MODE_REGEX)
        f->query = (Query){.words = f->rq->query, .meaning = f->rq->query}; /* the expression, as it is */
    else
        TRY(query_parse(f->a, f->rq->query, clock_wall_ms(), &f->query));
    TRY(langs_name(f->a, f->query.narrow.langs, f->query.narrow.n_langs, &f->query.narrow.langs));
    return langs_name(f->a, f->rq->langs, f->rq->n_langs, &f->langs);
}

/* ---- opening ---- */

/* A writer may number the words anew, and remove the old files, between the reading of the collection's row and the
 * opening. */
static Err open_words(Find *f, StoreCollection *c, ShelfItem **out) {
    for (int tries = OPEN_TRIES;; tries--) {
        ErrInfo told;
        StoreCollection now;
        const Err err = engine_take_words(f->p, c, out);
        if (err != ERR_NO_INDEX || tries == 0) return err;
        err_save(&told, err);
        TRY(store_collection(f->store, f->a, c->name, &now));
        if (now.lex_generation == c->lex_generation) return err_restore(&told);
        c->lex_generation = now.lex_generation;
        c->lex_count = now.lex_count;
    }
}

/* What the search of one source shares with all others of the process. */
static Err share(Find *f, SearchSource *s) {
    const MemoryLevel level = engine_pressure(f->p);
    s->sched = core_sched(f->p->core);
    TRY(engine_cache(f->p, level, &s->cache));
    return engine_pool_under(f->p, SCHED_INTERACTIVE, level, &s->pool);
}

/* For what has no vector yet. */
static Err open_table(Find *f, const StoreCollection *c, SearchSource *s) {
    Model *table = NULL;
    StoreCounts n = {.pending = c->pending};
    const int64_t start = clock_mono_ns();
    if (f->mode != MODE_HYBRID || c->dim == 0) return ERR_OK;
    if (!c->pending_known) TRY(store_counts(f->store, c->id, &c->model_id, &n));
    if (n.pending == 0) return ERR_OK;
    TRY(engine_table(f->p, c, &table));
    s->table = table;
    f->out->timing.model_ms += clock_ms_since(start);
    return ERR_OK;
}

static Err open_source(Find *f, size_t i) {
    StoreCollection *c = &f->collections[i];
    SearchSource *s = &f->sources[i];
    *s = (SearchSource){.store = f->store, .collection = c, .filter = &f->filters[i]};
    TRY(engine_analyzer(f->p, &s->analyzer));
    if (f->mode == MODE_HYBRID || f->mode == MODE_LEXICAL || (f->mode == MODE_SEMANTIC && f->query.strict)) {
        const int64_t start = clock_mono_ns();
        TRY(open_words(f, c, &f->taken[2 * i]));
        s->lex = shelf_thing(f->taken[2 * i]);
        f->out->timing.open_ms += clock_ms_since(start);
    }
    if (f->mode == MODE_LEXICAL || f->mode == MODE_SYMBOL || f->mode == MODE_REGEX) return ERR_OK;
    TRY(share(f, s));
    TRY(open_table(f, c, s));
    if (c->rows == 0) {
        if (f->mode == MODE_HYBRID) return ERR_OK; /* words only so far; coverage says so */
        return err_fix(err_set(ERR_NO_INDEX, "collection '%.*s' has no vectors yet", STR_FMT(c->name)),
                       "pythia index --collection '%.*s'", STR_FMT(c->name));
    }
    int64_t start = clock_mono_ns();
    Model *m = NULL;
    TRY(engine_collection_model(f->p, c, &m));
    int64_t opened = clock_mono_ns();
    TRY(engine_take_index(f->p, c, &f->taken[2 * i + 1]));
    s->index = shelf_thing(f->taken[2 * i + 1]);
    s->model = m;
    f->out->timing.model_ms += (double)(opened - start) * 1e-6;
    f->out->timing.open_ms += clock_ms_since(opened);
    f->recompute[i] = (Recompute){
        .store = f->store, .collection = c, .model = m, .cache = s->cache, .pool = s->pool, .sched = s->sched};
    s->fetch = recompute_rows;
    s->fetch_ctx = &f->recompute[i];
    return ERR_OK;
}

static void give_back(Find *f) {
    for (size_t i = 0; i < 2 * f->n; i++) shelf_give(core_shelf(f->p->core), f->taken[i]);
}

/* ---- the reply ---- */

static Err public_id(Arena *a, const StoreChunk *c, Str *out) {
    char id[24];
    chunk_id_write(c->chunk_id, id);
    *out = arena_str(a, str_of(id));
    return out->p ? ERR_OK : arena_error();
}

static Err fill_copies(Arena *a, const SearchHit *h, PythiaHit *out) {
    out->more_copies = (int64_t)h->more_copies;
    out->n_copies = h->n_copies;
    if (h->n_copies) out->copies = arena_array(a, PythiaCopy, h->n_copies);
    if (h->n_copies && !out->copies) return arena_error();
    for (size_t i = 0; i < h->n_copies; i++) {
        const StoreChunk *c = &h->copies[i].chunk;
        out->copies[i] = (PythiaCopy){.uri = c->uri,
                                      .path = c->path,
                                      .collection = h->copies[i].collection->name,
                                      .root = h->copies[i].collection->root,
                                      .start_line = c->start_line,
                                      .end_line = c->end_line,
                                      .likeness = h->copies[i].likeness};
        TRY(public_id(a, c, &out->copies[i].id));
    }
    return ERR_OK;
}

static Err fill_hit(Arena *a, const SearchHit *h, PythiaHit *out) {
    const StoreChunk *c = &h->chunk;
    *out = (PythiaHit){.uri = c->uri,
                       .path = c->path,
                       .collection = h->collection->name,
                       .root = h->collection->root,
                       .start_line = c->start_line,
                       .end_line = c->end_line,
                       .page = c->page,
                       .symbol = c->symbol,
                       .kind = c->kind,
                       .lang = c->lang,
                       .heading = c->heading,
                       .title = c->title,
                       .meta = c->meta,
                       .score = h->score,
                       .freshness = freshness_name(h->freshness),
                       .content = h->content,
                       .lex_rank = h->lex_rank,
                       .vec_rank = h->vec_rank,
                       .bm25 = h->bm25,
                       .cosine = h->cosine,
                       .named = h->named,
                       .prior = h->prior,
                       .fused = h->fused,
                       .estimated = h->estimated,
                       .first_rank = h->first_rank,
                       .first_score = h->first_score,
                       .relevance = h->first_rank ? (float)rerank_relevance(h->logit) : 0};
    TRY(public_id(a, c, &out->id));
    return fill_copies(a, h, out);
}

/* Documents of hits that wait for a vector are embedded next. A failure here is none of the search. */
static void note_shown(const Find *f, const SearchReply *r) {
    enum { NOTED_MAX = 32 };
    if (f->out->coverage.pending == 0) return;
    for (size_t k = 0; k < f->n; k++) {
        const StoreCollection *c = &f->collections[k];
        int64_t docs[NOTED_MAX];
        size_t n = 0;
        for (size_t i = 0; i < r->n && n < NOTED_MAX; i++) {
            const StoreChunk *chunk = &r->hits[i].chunk;
            uint32_t slot;
            if (r->hits[i].collection->id != c->id) continue;
            if (store_chunk_slot(f->store, c->id, &c->model_id, chunk->chunk_id, &slot) == ERR_NO_INDEX)
                docs[n++] = chunk->doc_id;
        }
        shown_note(f->p, c, docs, n);
    }
}

static Err fill_coverage(Find *f) {
    Coverage *cover = &f->out->coverage;
    int64_t chunks = 0, embedded = 0;
    for (size_t i = 0; i < f->n; i++) {
        StoreCounts n;
        TRY(store_counts(f->store, f->collections[i].id, &f->collections[i].model_id, &n));
        cover->indexed += n.documents;
        cover->pending += n.pending_files;
        cover->skipped += n.skipped + n.failed;
        cover->skimmed += n.skimmed;
        if (f->sources[i].table) cover->statics += n.pending;
        chunks += n.chunks;
        embedded += n.embedded;
    }
    for (size_t i = 0; i < f->out->n; i++) {
        const char *fresh = f->out->hits[i].freshness;
        cover->stale += strcmp(fresh, "fresh") != 0;
    }
    cover->ratio = chunks ? (double)embedded / (double)chunks : 1;
    return ERR_OK;
}

static void fill_recomputed(Find *f, const SearchRefined *r) {
    PythiaRecomputed *out = &f->out->recomputed;
    *out = (PythiaRecomputed){.any = r->any, .proven = r->proven, .ms = r->ms};
    for (size_t i = 0; i < f->n; i++) {
        out->computed += f->recompute[i].computed;
        out->cached += f->recompute[i].cached;
        out->lost += f->recompute[i].lost;
    }
}

static void fill_reranked(Find *f, const SearchReranked *r, const Model *by) {
    if (!r->any) return;
    f->out->reranked = (PythiaReranked){.any = true,
                                        .model = model_info(by)->name,
                                        .wanted = (int64_t)r->wanted,
                                        .scored = (int64_t)r->scored,
                                        .weight = config_float(f->p->opts.config, CONF_SEARCH_RERANK_WEIGHT),
                                        .ms = r->ms};
}

static Err fill_reply(Find *f, const SearchReply *r) {
    PythiaReply *out = f->out;
    out->n = r->n;
    out->total = (int64_t)r->total;
    out->has_more = r->total > r->n;
    out->deadline_hit = r->deadline_hit;
    out->timing.embed_ms = r->embed_ms;
    out->timing.lexical_ms = r->lexical_ms;
    out->timing.vector_ms = r->vector_ms;
    out->timing.fuse_ms = r->fuse_ms;
    out->timing.fresh_ms = r->fresh_ms;
    fill_recomputed(f, &r->refined);
    out->hits = arena_array(f->a, PythiaHit, r->n);
    if (!out->hits) return arena_error();
    for (size_t i = 0; i < r->n; i++) TRY(fill_hit(f->a, &r->hits[i], &out->hits[i]));
    TRY(fill_coverage(f));
    note_shown(f, r);
    return ERR_OK;
}

/* The place of given (NULL: what is configured) among the values of key; *name: the value, in the arena. The
 * configuration stays as it is: a server's next request must not find this one's wishes. */
static Err enum_value(Find *f, ConfigKey key, const char *given, int *place, const char **name) {
    Str value = given ? str_of(given) : config_text(f->p->opts.config, key);
    Str rest = str_of(config_defs[key].values), one;
    for (*place = 0; str_cut(&rest, '|', &one); ++*place) {
        if (!str_eq(one, value)) continue;
        *name = arena_cstr(f->a, value);
        return *name ? ERR_OK : arena_error();
    }
    return err_set(ERR_USAGE, "'%s' cannot be '%.*s'; valid: %s", config_defs[key].key, STR_FMT(value),
                   config_defs[key].values);
}

/* Vectors of two models have nothing to do with each other. */
static Err like_fits(const Find *f, size_t i) {
    const StoreCollection *c = &f->collections[i], *of = &f->like.c;
    if (!f->like.vector || memcmp(&c->model_id, &of->model_id, sizeof c->model_id) == 0) return ERR_OK;
    return err_set(ERR_MODEL_MISMATCH,
                   "collection '%.*s' was made with another model than '%.*s': they cannot be compared",
                   STR_FMT(c->name), STR_FMT(of->name));
}

/* Nothing is as like a chunk as itself. */
static void drop_itself(const Find *f, SearchReply *r, size_t limit) {
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->hits[i].chunk.chunk_id != f->like.chunk.chunk_id) r->hits[n++] = r->hits[i];
    r->total -= r->n - n;
    r->n = n < limit ? n : limit;
}

/* Names, expressions and places are no questions that a reranker could read. */
static Err rerank_wanted(Find *f, SearchRequest *sr) {
    const bool question = !f->rq->like.n && f->mode != MODE_SYMBOL && f->mode != MODE_REGEX;
    const int64_t start = clock_mono_ns();
    if (!question && f->rq->rerank > 0)
        return err_set(ERR_USAGE, "what '%s' finds cannot be reranked; valid: hybrid, semantic, lexical", f->out->mode);
    if (question) TRY(engine_search_rerank(f->p, f->rq->rerank, &sr->rerank));
    f->out->timing.model_ms += clock_ms_since(start);
    return ERR_OK;
}

static Err find_all(Find *f, SearchRequest *sr, FoundFn then, void *ctx) {
    SearchReply reply;
    Err err = ERR_OK;
    const size_t limit = sr->limit;
    for (size_t i = 0; !err && i < f->n; i++) err = like_fits(f, i);
    for (size_t i = 0; !err && i < f->n; i++) err = open_source(f, i);
    if (f->like.vector && limit < SEARCH_LIMIT_MAX) sr->limit++;
    sr->vector = f->like.vector;
    if (!err) err = search(f->a, f->sources, f->n, sr, &reply);
    if (!err && f->like.vector) drop_itself(f, &reply, limit);
    if (!err) err = fill_reply(f, &reply);
    if (!err) fill_reranked(f, &reply.reranked, sr->rerank.model);
    if (!err && then) err = then(ctx, &(FindView){f->sources, f->n, &f->query, &reply});
    give_back(f);
    return err;
}

Err engine_find(Pythia *p, Arena *a, const PythiaSearch *rq, FoundFn then, void *ctx, PythiaReply *out) {
    int64_t start = clock_mono_ns();
    const Config *c = p->opts.config;
    *out = (PythiaReply){.query = rq->like.n ? rq->like : rq->query};
    Find f = {.p = p,
              .a = a,
              .rq = rq,
              .out = out,
              .collections = arena_array(a, StoreCollection, FIND_COLLECTIONS_MAX),
              .sources = arena_array(a, SearchSource, FIND_COLLECTIONS_MAX),
              .filters = arena_array(a, Filter, FIND_COLLECTIONS_MAX),
              .recompute = arena_array(a, Recompute, FIND_COLLECTIONS_MAX),
              .taken = arena_array(a, ShelfItem *, 2 * FIND_COLLECTIONS_MAX)};
    if (!f.collections || !f.sources || !f.filters || !f.recompute || !f.taken) return arena_error();
    int mode = 0, fusion = 0;
    const char *fusion_name = NULL;
    TRY(enum_value(&f, CONF_SEARCH_MODE, rq->mode, &mode, &out->mode));
    TRY(enum_value(&f, CONF_SEARCH_FUSION, rq->fusion, &fusion, &fusion_name));
    f.mode = (SearchMode)mode;
    TRY(read_query(&f));
    const LexSettings lex = engine_lex_settings(p);
    Deadline stop = engine_deadline(p, rq->deadline_ms < 0 ? config_int(c, CONF_SEARCH_DEADLINE) : rq->deadline_ms);
    TRY(engine_store(p, false, &f.store));
    out->timing.open_ms = clock_ms_since(start);
    TRY(choose_collections(&f));
    SearchRequest sr = {
        .query = rq->query,
        .parsed = &f.query,
        .mode = f.mode,
        .fusion = (Fusion)fusion,
        .alpha = (float)config_float(c, CONF_SEARCH_ALPHA),
        .limit = rq->limit ? rq->limit : (size_t)config_int(c, CONF_SEARCH_LIMIT),
        .min_score = (float)(rq->min_score < 0 ? config_float(c, CONF_SEARCH_MIN_SCORE) : rq->min_score),
        .lex = &lex,
        .freshness = true,
        .full = rq->full,
        .collapse = !rq->like.n && rq->collapse >= 0 && (rq->collapse > 0 || config_bool(c, CONF_SEARCH_COLLAPSE)),
        .deadline = &stop};
    TRY(engine_recompute_most(p, &sr.recompute));
    TRY(rerank_wanted(&f, &sr));
    TRY(find_all(&f, &sr, then, ctx));
    out->took_ms = clock_ms_since(start);
    return ERR_OK;
}

Err pythia_search(Pythia *p, Arena *a, const PythiaSearch *rq, PythiaReply *out) {
    return engine_find(p, a, rq, NULL, NULL, out);
}
