/* kind.c - which kind of index a collection has: chosen by the user, or by its size; and from one kind to another.
 *
 * Kinds that keep rows take them over from each other: copied by slot into the next generation, built, and then one
 * transaction lets the collection and its embeddings point there, as compacting does (embed.c). A kill before it leaves
 * the old generation as it was. Out of compact, which keeps none, and into exact, which is to have every bit, the texts
 * are embedded anew.
 */
#include "base/file.h"
#include "engine/index_job.h"

enum { COPY_BATCH = 256, GROWN = 8 /* times what compact's codes were fitted to */ };

/* ---- choosing ---- */

static Err kind_mismatch(const IndexJob *j, Str wanted) {
    return err_fix(err_set(ERR_FORMAT, "collection '%.*s' has an index of kind '%.*s', not '%.*s'", STR_FMT(j->c.name),
                           STR_FMT(j->c.index_kind), STR_FMT(wanted)),
                   "pythia index --collection '%.*s' --index %.*s --force", STR_FMT(j->c.name), STR_FMT(wanted));
}

/* A new collection takes what is configured; one that is there keeps its kind until --index names another with
 * --force. */
Err index_kind_choose(IndexJob *j) {
    const Config *config = j->p->opts.config;
    Str wanted = config_text(config, CONF_INDEX_KIND);
    bool asked = strncmp(config_origin(config, CONF_INDEX_KIND), "flag", 4) == 0, by_size = str_is(wanted, "auto");
    if (j->created) {
        j->settings.auto_kind = by_size;
        j->c.index_kind = engine_index_kind(j->p, 0);
    }
    j->wanted_kind = j->c.index_kind;
    if (j->created || !asked) return ERR_OK;
    if (!by_size && !str_eq(wanted, j->c.index_kind) && !j->rq->force) return kind_mismatch(j, wanted);
    j->settings.auto_kind = by_size; /* what follows from it is seen to at the end of the run */
    if (!by_size) j->wanted_kind = wanted;
    return ERR_OK;
}

Str engine_index_kind(const Pythia *p, size_t rows) {
    const char *why;
    Str kind = config_text(p->opts.config, CONF_INDEX_KIND);
    return str_is(kind, "auto") ? str_of(vec_kind_auto(rows, NULL, &why)) : kind;
}

bool engine_codes_outgrown(const VecStats *stats) {
    return stats->learnt > 0 && (stats->rows - stats->removed) / GROWN >= stats->learnt;
}

static bool is_damage(Err err) {
    return err == ERR_CORRUPT || err == ERR_NO_INDEX || err == ERR_FORMAT || err == ERR_MODEL_MISMATCH;
}

/* A text has one vector of a model, so --force computes none again that is there and sound, in whichever kind of index.
 * A service's may be another one by now; codes that were fitted to a small part of what there is, and floats that are
 * asked for and not there, are made anew. */
Err index_vectors_stay(IndexJob *j, bool *stay) {
    VecIndex *ix = NULL;
    Buf report = {0};
    VecStats stats = {0};
    *stay = false;
    if (!j->same_model || engine_is_remote(j->c.model_name)) return ERR_OK;
    Err err = engine_open_index(j->p, &j->c, false, &ix);
    if (!err) {
        err = vec_check(ix, &report);
        vec_stats(ix, &stats);
    }
    buf_free(&report);
    vec_close(ix);
    /* What only could not be read now (memory, the disk) is no reason to throw it away. */
    if (err) return is_damage(err) ? ERR_OK : err;
    const bool floats_wanted = config_bool(j->p->opts.config, CONF_INDEX_KEEP_F32) && stats.bytes_alone;
    *stay = !floats_wanted && !engine_codes_outgrown(&stats);
    return ERR_OK;
}

/* ---- changing ---- */

typedef struct {
    IndexJob *j;
    Arena a;
    VecIndex *from, *to;
    uint64_t *live; /* [(rows + 63) / 64] slots that some chunk needs */
    uint32_t *map;  /* [rows] to the new slots */
    float *rows;    /* [COPY_BATCH, dim] */
    size_t n;       /* of rows */
    uint32_t slots[COPY_BATCH];
} Change;

static Err batch_add(Change *ch) {
    uint32_t first = 0;
    if (ch->n == 0) return ERR_OK;
    TRY(deadline_check(&ch->j->stop));
    TRY(vec_add(ch->to, ch->rows, ch->n, &first));
    for (size_t i = 0; i < ch->n; i++) ch->map[ch->slots[i]] = first + (uint32_t)i;
    ch->n = 0;
    return ERR_OK;
}

static Err rows_copy(Change *ch) {
    const StoreCollection *c = &ch->j->c;
    size_t count, dim = (size_t)c->dim;
    Filter all = {0};
    TRY(store_slots(ch->j->store, c->id, &c->model_id, &all, ch->live, c->rows, &count));
    for (uint32_t slot = 0; slot < c->rows; slot++) {
        ch->map[slot] = UINT32_MAX;
        if (!(ch->live[slot / 64] >> (slot % 64) & 1)) continue;
        TRY(vec_row(ch->from, slot, ch->rows + ch->n * dim));
        ch->slots[ch->n++] = slot;
        if (ch->n == COPY_BATCH) TRY(batch_add(ch));
    }
    return batch_add(ch);
}

static Err change_commit(Change *ch, StoreCollection *next) {
    Store *s = ch->j->store;
    TRY(store_begin(s));
    Err err = store_embedding_remap(s, next->id, ch->map, ch->j->c.rows);
    if (!err) err = store_collection_put(s, next);
    return engine_commit(s, err);
}

static Err change_make(Change *ch, StoreCollection *next) {
    IndexJob *j = ch->j;
    Pool *pool = NULL;
    ch->live = arena_array(&ch->a, uint64_t, j->c.rows / 64u + 1);
    ch->map = arena_array(&ch->a, uint32_t, j->c.rows + 1u);
    ch->rows = arena_array(&ch->a, float, COPY_BATCH *(size_t)j->c.dim);
    if (!ch->live || !ch->map || !ch->rows) return arena_error();
    TRY(engine_open_index(j->p, &j->c, false, &ch->from));
    TRY(engine_open_index(j->p, next, true, &ch->to));
    TRY(rows_copy(ch));
    TRY(vec_sync(ch->to, &next->rows));
    TRY(engine_pool(j->p, &pool));
    if (vec_build_due(ch->to)) TRY(vec_build(ch->to, pool, &j->stop));
    return change_commit(ch, next);
}

Err index_kind_change(IndexJob *j, Str kind) {
    StoreCollection next = j->c;
    next.index_kind = kind;
    next.generation++;
    next.rows = 0;
    if (str_is(kind, "exact") && j->c.rows) return err_set(ERR_UNSUPPORTED, "rows of bytes do not become exact ones");
    index_progress(j, "convert", 0, j->c.rows, false);
    Change ch = {.j = j};
    const char *dir = engine_index_dir(j->p, &ch.a, &j->c);
    Err err = dir ? ERR_OK : arena_error();
    if (!err && j->c.rows) err = change_make(&ch, &next);
    if (!err && !j->c.rows) err = change_commit(&ch, &next);
    vec_close(ch.to);
    vec_close(ch.from);
    uint64_t old = j->c.generation;
    if (!err) j->c = next;
    if (!err) err = store_sync(j->store);
    if (!err) err = vec_drop(dir, old);
    arena_free(&ch.a);
    return err;
}

Err index_kind_by_size(IndexJob *j) {
    if (!j->settings.auto_kind) return ERR_OK;
    const char *now = arena_cstr(&j->scratch, j->c.index_kind), *why;
    if (!now) return arena_error();
    Str kind = str_of(vec_kind_auto(j->c.rows, now, &why));
    if (str_eq(kind, j->c.index_kind)) return ERR_OK;
    Err err = index_kind_change(j, kind);
    return err == ERR_UNSUPPORTED ? ERR_OK
                                  : err; /* it was compact, by the user's own wish, and stays so until --force */
}
