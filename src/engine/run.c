/* run.c - the life of an indexing run: which collection, which model, the run's row, its end. The work is in index.c
 * and embed.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/sys.h"
#include "chunk/chunk.h"
#include "engine/index_job.h"

enum { SPECIAL_TOKENS = 2, NOISE_IS_KEPT = 1 /* place in index.noise */ };

void index_progress(IndexJob *j, const char *stage, int64_t done, int64_t total, bool finished) {
    int64_t now = clock_mono_ns();
    bool new_stage = j->last_stage != stage; /* always told, however short the one before was */
    if (!j->rq->progress || (!finished && !new_stage && now - j->last_progress_ns < 100000000)) return;
    j->last_progress_ns = now;
    j->last_stage = stage;
    const IndexReport *r = j->report;
    IndexProgress p = {.stage = stage,
                       .collection = r->collection.p,
                       .done = done,
                       .total = total,
                       .files = r->added + r->changed + r->renamed + r->unchanged,
                       .chunks = r->chunks,
                       .tokens = r->tokens,
                       .bytes = r->text_bytes,
                       .seconds = (double)(now - j->start_ns) * 1e-9,
                       .finished = finished};
    j->rq->progress(j->rq->progress_ctx, &p);
}

/* ---- which collection ---- */

/* "docs" for /srv/docs; "docs-2" when another root has that name. */
static Err free_name(IndexJob *j, Str root, Str *out) {
    StoreCollection *all = NULL;
    size_t n = 0;
    Str base = path_base(root);
    if (base.n == 0) base = STR("root");
    TRY(store_collections(j->store, &j->scratch, &all, &n));
    for (int number = 1; number < 10000; number++) {
        Str name = number == 1 ? base : arena_printf(&j->scratch, "%.*s-%d", STR_FMT(base), number);
        bool taken = false;
        for (size_t i = 0; i < n; i++) taken |= str_eq(all[i].name, name);
        if (!taken) return *out = name, ERR_OK;
    }
    return err_set(ERR_LIMIT, "no free name for a collection of '%.*s'", STR_FMT(root));
}

static Err new_collection(IndexJob *j, Str name, Str root) {
    if (!name.n) TRY(free_name(j, root, &name));
    j->c = (StoreCollection){.name = name,
                             .root = root,
                             .index_kind = engine_index_kind(j->p, 0),
                             .generation = 1,
                             .lex_generation = 1,
                             .created_ms = j->now_ms};
    j->created = true;
    return ERR_OK;
}

/* One whose documents were put (`add`, a call of the server): it has no folder, so no path is of it. */
static Err choose_managed(IndexJob *j) {
    if (!j->rq->collection.n) return ERR_OK;
    const Err err = store_collection(j->store, &j->scratch, j->rq->collection, &j->c);
    j->managed = !err && j->c.root.n == 0;
    if (j->managed && j->rq->n_paths)
        return err_fix(
            err_set(ERR_INPUT, "collection '%.*s' is of no folder: files are put into it", STR_FMT(j->c.name)),
            "pythia add --collection '%.*s' FILE", STR_FMT(j->c.name));
    if (!j->managed) j->c = (StoreCollection){0};
    return err == ERR_NO_COLLECTION ? ERR_OK : err;
}

/* The collection that the path belongs to, and the part of it that is meant. */
static Err choose_collection(IndexJob *j, Str given) {
    const char *real = NULL;
    FileInfo info;
    Arena *a = &j->scratch;
    const char *z = arena_cstr(a, given);
    if (!z) return arena_error();
    TRY(choose_managed(j));
    if (j->managed) return ERR_OK;
    const char *absolute = path_join(a, j->p->opts.cwd, z);
    if (!absolute) return arena_error();
    TRY(path_real(a, absolute, &real));
    TRY(file_info(real, true, &info));
    if (info.type == FILE_NONE) return err_set(ERR_IO, "cannot index '%.*s': no such file or folder", STR_FMT(given));
    if (info.type == FILE_OTHER)
        return err_set(ERR_IO, "cannot index '%.*s': neither a file nor a folder", STR_FMT(given));
    Str path = str_of(real), name = j->rq->collection;
    if (name.n) {
        Err err = store_collection(j->store, a, name, &j->c);
        if (err && err != ERR_NO_COLLECTION) return err;
        if (!err && !path_within(path, j->c.root))
            return err_fix(err_set(ERR_INPUT, "collection '%.*s' is of '%.*s', not of '%s'", STR_FMT(name),
                                   STR_FMT(j->c.root), real),
                           "pythia index '%s' --collection OTHER_NAME", real);
        if (err) j->c = (StoreCollection){0};
    } else
        TRY(engine_covering(j->store, a, path, &j->c));
    if (j->c.id) {
        j->scope = engine_relative(path, j->c.root);
        return ERR_OK;
    }
    if (info.type != FILE_DIR)
        return err_fix(err_set(ERR_INPUT, "'%s' is a file, and no collection covers it", real), "pythia index '%.*s'",
                       STR_FMT(path_dir(path)));
    return new_collection(j, name, path);
}

/* ---- settings and model ---- */

/* False: files that are unchanged may be cut, skipped or ranked otherwise now. */
static bool settings_take_alike(const IndexSettings *a, const IndexSettings *b) {
    return a->max_tokens == b->max_tokens && a->chunker == b->chunker && a->secrets == b->secrets &&
           a->keep_noise == b->keep_noise;
}

/* Their first word is the version: another one may read the same document otherwise. What else is in it decides only
 * what can be read at all. */
static bool readers_alike(Str a, Str b) {
    Str version_a, version_b;
    return str_cut(&a, ' ', &version_a) == str_cut(&b, ' ', &version_b) && str_eq(version_a, version_b);
}

static bool is_configured(const Config *c, ConfigKey key) { return strcmp(config_origin(c, key), "default") != 0; }

size_t engine_rough_tokens(const void *ctx, Str text) {
    (void)ctx;
    return (text.n + 3) / 4;
}

static Err choose_settings(IndexJob *j) {
    IndexSettings old;
    TRY(settings_read(&j->scratch, j->c.settings, &old));
    j->settings = old;
    if (j->created)
        j->settings = (IndexSettings){.max_file_size = config_int(j->p->opts.config, CONF_INDEX_MAX_FILE_SIZE),
                                      .hidden = config_bool(j->p->opts.config, CONF_INDEX_HIDDEN)};
    else if (is_configured(j->p->opts.config, CONF_INDEX_MAX_FILE_SIZE))
        j->settings.max_file_size = config_int(j->p->opts.config, CONF_INDEX_MAX_FILE_SIZE);
    if (j->created || is_configured(j->p->opts.config, CONF_INDEX_NOISE))
        j->settings.keep_noise = config_int(j->p->opts.config, CONF_INDEX_NOISE) == NOISE_IS_KEPT;
    if (j->created || is_configured(j->p->opts.config, CONF_INDEX_SECRETS))
        j->settings.secrets = config_bool(j->p->opts.config, CONF_INDEX_SECRETS);
    j->settings.hidden |= j->rq->hidden;
    j->settings.no_ignore |= j->rq->no_ignore;
    if (j->rq->n_globs) j->settings.globs = j->rq->globs, j->settings.n_globs = j->rq->n_globs;
    j->count_tokens = engine_rough_tokens;
    j->settings.max_tokens = 256 - SPECIAL_TOKENS;
    if (j->model) {
        j->settings.max_tokens = (int64_t)model_info(j->model)->max_tokens - SPECIAL_TOKENS;
        j->count_tokens = model_count_tokens;
        j->count_ctx = j->model;
    } else if (!j->created)
        j->settings.max_tokens = old.max_tokens;
    if (j->managed)
        j->settings.max_tokens = old.max_tokens; /* as they were cut: their files are not here to be read again */
    j->settings.chunker = j->managed ? old.chunker : CHUNKER_VERSION;
    j->report->recut = !j->created && old.chunker != j->settings.chunker;
    TRY(engine_readers(j->p, &j->scratch, &j->settings.readers));
    j->redo_skipped =
        !j->created && (old.max_file_size != j->settings.max_file_size || !str_eq(old.readers, j->settings.readers));
    j->reread = !j->created && !j->managed && !readers_alike(old.readers, j->settings.readers);
    j->settings_changed = !j->created && !settings_take_alike(&old, &j->settings);
    j->redo = j->rq->force || j->settings_changed;
    return ERR_OK;
}

static Err mismatch(IndexJob *j, const ModelInfo *info) {
    return err_fix(err_set(ERR_MODEL_MISMATCH,
                           "model '%.*s' has %zu dimensions%s, collection '%.*s' has %lld, made with '%.*s'",
                           STR_FMT(info->name), info->dim, info->dim == (size_t)j->c.dim ? " but other weights" : "",
                           STR_FMT(j->c.name), (long long)j->c.dim, STR_FMT(j->c.model_name)),
                   "pythia index --collection '%.*s' --model '%.*s' --force", STR_FMT(j->c.name),
                   STR_FMT(j->rq->model.n ? j->rq->model : info->name));
}

/* Opens the model that the run is to use, and refuses another one than the collection's without --force. */
static Err choose_model(IndexJob *j) {
    bool made = j->c.dim > 0;
    Str wanted = j->rq->model.n ? j->rq->model : made && !j->rq->force ? j->c.model_name : (Str){"", 0};
    if (j->rq->lex_only && !made && !j->rq->model.n) return ERR_OK;
    /* a collection keeps its precision until --force asks for another by name */
    bool keeps = made && (!j->rq->force || engine_precision_is_auto(j->p));
    TRY(engine_model_to_index(j->p, wanted, keeps ? &j->c.model_id : NULL, &j->model));
    const ModelInfo *info = model_info(j->model);
    bool same = made && memcmp(&info->id, &j->c.model_id, sizeof info->id) == 0;
    if (made && !same && !j->rq->force) return mismatch(j, info);
    j->same_model = same && info->dim == (size_t)j->c.dim;
    if (j->same_model) return ERR_OK;
    j->c.model_name = j->rq->model.n ? j->rq->model : config_text(j->p->opts.config, CONF_MODEL_EMBED);
    j->c.model_id = info->id;
    j->c.dim = (int64_t)info->dim;
    return ERR_OK;
}

/* Embeddings that stand in no row of the index, which only damage does: without them their chunks are embedded
 * again. */
static Err forget_beyond(IndexJob *j) {
    uint32_t *same = arena_array(&j->scratch, uint32_t, j->c.rows + 1u);
    if (!same) return arena_error();
    for (uint32_t slot = 0; slot < j->c.rows; slot++) same[slot] = slot;
    return store_embedding_remap(j->store, j->c.id, same, j->c.rows);
}

/* The collection's row, before any work; with --force vectors of another model, or damaged ones, begin anew as the next
 * generation. */
static Err save_collection(IndexJob *j) {
    uint64_t old = j->c.generation;
    bool stay = true;
    if (!j->created && j->rq->force) TRY(index_vectors_stay(j, &stay));
    bool anew = !stay;
    TRY(settings_write(&j->scratch, &j->settings, &j->c.settings));
    j->c.updated_ms = j->now_ms;
    j->counted = !j->created && j->c.pending_known && !j->redo && str_eq(j->wanted_kind, j->c.index_kind) &&
                 (j->same_model || !j->model);
    j->c.pending_known = false; /* until the run ends; a killed one leaves it so */
    if (!anew && !str_eq(j->wanted_kind, j->c.index_kind)) {
        Err err = index_kind_change(j, j->wanted_kind);
        if (err != ERR_UNSUPPORTED) return err;
        anew = true;
    }
    if (anew) j->c.generation++, j->c.rows = 0, j->c.index_kind = j->wanted_kind;
    TRY(store_begin(j->store));
    Err err = anew ? store_embedding_clear(j->store, j->c.id) : !j->created && j->rq->force ? forget_beyond(j) : ERR_OK;
    if (!err) err = store_collection_put(j->store, &j->c);
    /* With the settings, so that a run which is killed before it has cut all anew leaves the rest to the next one. */
    if (!err && j->settings_changed) err = store_recut(j->store, j->c.id);
    if (!err && j->reread) err = store_reread(j->store, j->c.id);
    TRY(engine_commit(j->store, err));
    const char *dir = engine_index_dir(j->p, &j->scratch, &j->c);
    if (!dir) return arena_error();
    if (!anew) return ERR_OK;
    TRY(store_sync(j->store));
    return vec_drop(dir, old);
}

/* The row was read before the lock was had, and choosing a model takes its time: what a run that ended in between has
 * changed of it is taken over, or this run would write back the old counts. */
static Err lock_collection(IndexJob *j) {
    StoreCollection now;
    TRY(engine_lock_collection(j->p, &j->c, &j->lock_fd));
    TRY(store_collection(j->store, &j->scratch, j->c.name, &now));
    j->c.generation = now.generation;
    j->c.rows = now.rows;
    j->c.lex_generation = now.lex_generation;
    j->c.lex_count = now.lex_count;
    j->c.chunks = now.chunks;
    j->c.pending_known = now.pending_known;
    j->c.pending = now.pending;
    j->c.pending_files = now.pending_files;
    return ERR_OK;
}

/* ---- the run ---- */

static Err embed_beat(void *ctx, int64_t done, int64_t total, int64_t tokens) {
    IndexJob *j = ctx;
    j->report->tokens = tokens;
    index_progress(j, "embed", done, total, false);
    return store_run_beat(j->store, j->report->run, STR("embed"), done, total, clock_wall_ms());
}

static Err kind_tell(IndexJob *j) {
    const char *why = "", *kind = arena_cstr(j->out, j->c.index_kind);
    if (!kind) return arena_error();
    if (j->settings.auto_kind) (void)vec_kind_auto(j->c.rows, kind, &why);
    j->report->index_kind = str_of(kind);
    j->report->index_why = str_of(why);
    return ERR_OK;
}

static Err table_beat(void *ctx, size_t done, size_t total) {
    IndexJob *j = ctx;
    index_progress(j, "distill", (int64_t)done, (int64_t)total, false);
    return store_run_beat(j->store, j->report->run, STR("distill"), (int64_t)done, (int64_t)total, clock_wall_ms());
}

Err index_table(IndexJob *j) {
    return j->model && !j->rq->lex_only ? engine_table_make(j->p, &j->c, table_beat, j) : ERR_OK;
}

/* Documents, chunks and words, as the files are now. */
static Err take_in(IndexJob *j) {
    TRY(words_open(&j->words, j->p, j->store, &j->c, j->rq->force));
    if (!j->looked) TRY(index_look(j));
    TRY(index_take(j));
    TRY(index_remove_vanished(j));
    TRY(words_tidy(j->words, true));
    words_close(j->words); /* its memory is the model's from here on */
    j->words = NULL;
    sys_memory_trim();
    return ERR_OK;
}

/* Nothing came or went, and what the last run counted still holds: neither counting nor sweeping, which look at every
 * chunk and vector, would tell anything else. (214,000 chunks: 2.3 s of CPU less.) */
static bool is_as_before(const IndexJob *j) {
    const bool embeds = j->model && !j->rq->lex_only;
    return j->counted && j->n_todo == 0 && !j->has_removed && !(embeds && j->c.pending);
}

/* A missing or damaged index of vectors is told by a run that has nothing to do with it, too. */
static Err vectors_look(IndexJob *j) {
    VecIndex *ix = NULL;
    if (j->c.dim == 0 || j->c.rows == 0 || j->rq->lex_only) return ERR_OK;
    TRY(engine_open_index(j->p, &j->c, true, &ix));
    vec_close(ix);
    return ERR_OK;
}

static Err do_work(IndexJob *j) {
    TRY(take_in(j));
    if (is_as_before(j)) {
        TRY(vectors_look(j));
        TRY(index_kind_by_size(j));
        return kind_tell(j);
    }
    if (j->model && !j->rq->lex_only) {
        EmbedReport e;
        const EmbedHow how = {.beat = embed_beat, .ctx = j, .pause = j->rq->pause, .pause_ctx = j->rq->pause_ctx};
        Err err = engine_embed_pending(j->p, j->store, &j->c, j->model, &how, &e);
        j->report->embedded = e.embedded;
        j->report->reused = e.reused;
        j->report->tokens = e.tokens;
        j->report->embed_seconds = e.seconds;
        TRY(err);
    }
    TRY(engine_sweep(j->p, j->store, &j->c));
    TRY(index_kind_by_size(j));
    return kind_tell(j);
}

/* So that the next run, when it finds nothing new, has nothing to count either. */
static Err note_pending(IndexJob *j) {
    StoreCounts n = {.pending = j->c.pending, .pending_files = j->c.pending_files};
    if (!is_as_before(j)) TRY(store_counts(j->store, j->c.id, &j->c.model_id, &n));
    j->c.pending_known = true;
    j->c.pending = n.pending;
    j->c.pending_files = n.pending_files;
    j->report->pending = j->model ? n.pending : 0;
    TRY(store_begin(j->store));
    return engine_commit(j->store, store_collection_put(j->store, &j->c));
}

static Err run_and_record(IndexJob *j) {
    int64_t reaped = 0;
    TRY(store_run_reap(j->store, j->now_ms, &reaped));
    TRY(store_run_begin(j->store, j->c.id, j->now_ms, &j->report->run));
    if (j->rq->begun) j->rq->begun(j->rq->progress_ctx, j->report->run, j->report->collection, j->report->root);
    Err err = do_work(j);
    ErrInfo told = {0};
    if (err) err_save(&told, err);
    RunState state = !err ? RUN_SUCCEEDED : err == ERR_INTERRUPT ? RUN_CANCELLED : RUN_FAILED;
    Err end = store_run_end(j->store, j->report->run, state, str_of(told.text), j->report->failed, clock_wall_ms());
    if (!end) end = note_pending(j);
    return err ? err_restore(&told) : end;
}

/* Whether a run would find anything to do. */
static Err is_needed(IndexJob *j, bool *needed) {
    StoreCounts n = {.pending = j->c.pending};
    const bool embeds = j->model && !j->rq->lex_only;
    TRY(index_look(j));
    j->looked = true;
    if (embeds && !j->c.pending_known) TRY(store_counts(j->store, j->c.id, &j->c.model_id, &n));
    j->report->pending = embeds ? n.pending : 0;
    const bool embeds_now = n.pending && embeds && !(j->rq->pause && j->rq->pause(j->rq->pause_ctx));
    *needed = j->n_todo || j->n_vanished || embeds_now;
    return ERR_OK;
}

static Err index_path(IndexJob *j, Str path) {
    size_t grammars = 0;
    TRY(chunk_check(&grammars)); /* now, not at the first file of that language */
    TRY(choose_collection(j, path));
    TRY(choose_model(j));
    TRY(choose_settings(j));
    TRY(index_kind_choose(j));
    j->root = arena_cstr(&j->scratch, j->c.root);
    j->report->collection = arena_str(j->out, j->c.name);
    j->report->root = arena_str(j->out, j->c.root);
    j->report->model = arena_str(j->out, j->model ? j->c.model_name : STR(""));
    if (!j->root || !j->report->collection.p || !j->report->root.p || !j->report->model.p) return arena_error();
    if (j->rq->dry_run) {
        TRY(index_look(j));
        return index_plan(j);
    }
    if (j->c.id) TRY(lock_collection(j));
    if (j->rq->if_needed && !j->created && !j->redo) {
        bool needed = true;
        TRY(is_needed(j, &needed));
        if (!needed) return ERR_OK;
    }
    TRY(save_collection(j));
    if (j->lock_fd < 0) TRY(lock_collection(j));
    return run_and_record(j);
}

static Err index_one(Pythia *p, Arena *a, const IndexRequest *rq, Str path, IndexReport *report) {
    IndexJob j = {.p = p,
                  .rq = rq,
                  .out = a,
                  .report = report,
                  .start_ns = clock_mono_ns(),
                  .now_ms = clock_wall_ms(),
                  .stop = engine_deadline(p, 0),
                  .lock_fd = -1};
    Err err = engine_store(p, true, &j.store);
    if (!err) err = index_path(&j, path);
    report->seconds = (double)(clock_mono_ns() - j.start_ns) * 1e-9;
    ErrInfo told = {0};
    if (err) err_save(&told, err);
    index_progress(&j, "done", 1, 1, true);
    words_close(j.words);
    file_unlock(&j.lock_fd);
    map_free(&j.known);
    map_free(&j.vanished);
    arena_free(&j.scratch);
    return err ? err_restore(&told) : ERR_OK;
}

/* Without a path: the root of the collection named, else the working folder. */
static Err default_path(Pythia *p, Arena *a, Str collection, Str *out) {
    Store *s = NULL;
    StoreCollection c;
    *out = STR(".");
    if (collection.n == 0) return ERR_OK;
    TRY(engine_store(p, true, &s));
    Err err = store_collection(s, a, collection, &c);
    if (err == ERR_NO_COLLECTION) return ERR_OK;
    if (!err && c.root.n) *out = c.root;
    return err;
}

Err pythia_index(Pythia *p, Arena *a, const IndexRequest *rq, IndexReport **out, size_t *n) {
    Str only;
    const Str *paths = rq->n_paths ? rq->paths : &only;
    size_t count = rq->n_paths ? rq->n_paths : 1;
    int64_t failed = 0;
    *n = 0;
    *out = arena_array(a, IndexReport, count);
    if (!*out) return arena_error();
    if (!rq->n_paths) TRY(default_path(p, a, rq->collection, &only));
    for (size_t i = 0; i < count; i++) {
        Err err = index_one(p, a, rq, paths[i], &(*out)[i]);
        (*n)++;
        if (err) return err;
        failed += (*out)[i].failed;
    }
    if (failed == 0) return ERR_OK;
    return err_fix(err_set(ERR_PARTIAL, "%lld file%s could not be read", (long long)failed, failed == 1 ? "" : "s"),
                   "pythia status");
}
