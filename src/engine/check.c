/* check.c - verify reads everything and says what is damaged; doctor looks at everything and says what to do next. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "chunk/chunk.h"
#include "engine/engine.h"

enum { VERIFY_TRIES = 8 };

/* ---- verify ---- */

/* A damaged part is a line of the report, not an end: the rest is checked too. */
static Err note(Err err, Buf *report, Err *worst) {
    if (err == ERR_OK) return ERR_OK;
    if (err != ERR_CORRUPT && err != ERR_NO_INDEX && err != ERR_FORMAT && err != ERR_NO_MODEL &&
        err != ERR_MODEL_MISMATCH)
        return err;
    if (!*worst || err == ERR_CORRUPT) *worst = err;
    buf_printf(report, "%s", err_text());
    if (*err_fix_text()) buf_printf(report, "; run: %s", err_fix_text());
    buf_char(report, '\n');
    return ERR_OK;
}

static int id_order(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Whether the index has each of the store's chunks once, and no other. */
static Err words_match(Arena *a, Store *s, const StoreCollection *c, const LexIndex *ix) {
    ChunkRange *ranges = NULL;
    size_t n_ranges = 0, at = 0;
    const size_t n = lex_ids(ix, NULL, 0);
    int64_t *ids = arena_array(a, int64_t, n + 1), chunks = 0, strange = 0;
    if (!ids) return arena_error();
    (void)lex_ids(ix, ids, n);
    qsort(ids, n, sizeof *ids, id_order);
    TRY(store_ranges(s, a, c->id, NULL, &ranges, &n_ranges));
    for (size_t r = 0; r < n_ranges; r++) chunks += ranges[r].end - ranges[r].first;
    for (size_t i = 0; i < n; i++) {
        while (at < n_ranges && ranges[at].end <= ids[i]) at++;
        strange += (i > 0 && ids[i] == ids[i - 1]) || at == n_ranges || ids[i] < ranges[at].first;
    }
    if (strange == 0 && (int64_t)n == chunks) return ERR_OK;
    return err_fix(
        err_set(ERR_CORRUPT,
                "the lexical index of collection '%.*s' has %zu chunks, %lld of them twice or unknown, its store "
                "has %lld",
                STR_FMT(c->name), n, (long long)strange, (long long)chunks),
        "pythia index --collection '%.*s' --force", STR_FMT(c->name));
}

static Err words_check(Pythia *p, Arena *a, Store *s, const StoreCollection *c, Buf *report, Err *worst) {
    LexIndex *ix = NULL;
    TRY(engine_open_words(p, c, false, &ix));
    const size_t before = report->n;
    Err err = lex_check(ix, report);
    if (err == ERR_CORRUPT && report->n > before)
        *worst = err, err = ERR_OK; /* told line by line already */
    else if (!err)
        err = words_match(a, s, c, ix);
    lex_close(ix);
    return err;
}

/* A finding counts only when nobody wrote meanwhile: the collection's row is the same before and after. */
static Err verify_words(Pythia *p, Arena *a, Store *s, const StoreCollection *c, Buf *report, Err *worst) {
    StoreCollection now = *c;
    for (int tries = VERIFY_TRIES;; tries--) {
        StoreCollection before = now;
        ErrInfo told;
        Err err = words_check(p, a, s, &before, report, worst);
        if (!err) return ERR_OK;
        err_save(&told, err);
        TRY(store_collection(s, a, c->name, &now));
        const bool quiet = now.lex_generation == before.lex_generation && now.lex_count == before.lex_count;
        if (quiet || tries == 0) return note(err_restore(&told), report, worst);
    }
}

static Err verify_collection(Pythia *p, Arena *a, Store *s, const StoreCollection *c, Buf *report, Err *worst) {
    VecIndex *ix = NULL;
    Model *m = NULL;
    TRY(verify_words(p, a, s, c, report, worst));
    if (c->dim == 0) return ERR_OK;
    TRY(note(engine_collection_model(p, c, &m), report, worst));
    Err err = engine_open_index(p, c, false, &ix);
    if (!err) {
        size_t before = report->n;
        err = vec_check(ix, report);
        if (err == ERR_CORRUPT && report->n > before) *worst = err, err = ERR_OK; /* told line by line already */
        vec_close(ix);
    }
    return note(err, report, worst);
}

Err pythia_verify(Pythia *p, Arena *a, Str collection, Buf *report) {
    Store *s = NULL;
    StoreCollection *all = NULL;
    size_t n = 0;
    Err worst = ERR_OK;
    ErrInfo in_store = {0}; /* its way out mends what stands above it as well, the other way round it need not */
    TRY(engine_store(p, false, &s));
    size_t before = report->n;
    Err err = store_check(s, report);
    if (err == ERR_CORRUPT && report->n > before)
        err_save(&in_store, worst = err);
    else
        TRY(note(err, report, &worst));
    TRY(store_collections(s, a, &all, &n));
    bool found = collection.n == 0;
    for (size_t i = 0; i < n; i++) {
        if (collection.n && !str_eq(all[i].name, collection)) continue;
        found = true;
        TRY(verify_collection(p, a, s, &all[i], report, &worst));
    }
    if (!found) {
        StoreCollection c;
        return store_collection(s, a, collection, &c); /* its error names those there are */
    }
    if (!worst) return ERR_OK;
    return err_fix(err_set(worst, "damage was found"), "%s",
                   in_store.code ? in_store.fix : "pythia index --collection NAME --force");
}

/* ---- doctor ---- */

typedef struct {
    Pythia *p;
    Arena *a;
    DoctorLine *lines;
    size_t n, cap;
} Doctor;

static Err say(Doctor *d, const char *what, int level, Str detail, Str fix) {
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 16;
        DoctorLine *more = arena_array(d->a, DoctorLine, cap);
        if (!more) return arena_error();
        if (d->n) memcpy(more, d->lines, d->n * sizeof *more);
        d->lines = more;
        d->cap = cap;
    }
    d->lines[d->n++] = (DoctorLine){what, level, detail, fix};
    return detail.p ? ERR_OK : arena_error();
}

static Err say_error(Doctor *d, const char *what) {
    return say(d, what, 2, arena_str(d->a, str_of(err_text())), arena_str(d->a, str_of(err_fix_text())));
}

static Err doctor_kernels(Doctor *d) {
    const char *name = NULL, *possible = NULL;
    if (model_kernels(&name, &possible)) return say_error(d, "kernels");
    return say(d, "kernels", 0, arena_printf(d->a, "%s (this CPU can run %s), %zu cores", name, possible, pool_cores()),
               STR(""));
}

static Err doctor_grammars(Doctor *d) {
    size_t n = 0;
    if (chunk_check(&n)) return say_error(d, "grammars");
    return say(d, "grammars", 0, arena_printf(d->a, "%zu languages are cut by their syntax tree", n), STR(""));
}

static Err doctor_home(Doctor *d) {
    FileInfo info;
    const char *home = d->p->opts.home;
    TRY(file_info(home, true, &info));
    if (info.type == FILE_NONE)
        return say(d, "data folder", 1, arena_printf(d->a, "'%s' does not exist yet", home), STR("pythia index"));
    bool writable = access(home, W_OK) == 0;
    return say(d, "data folder", writable ? 0 : 2,
               arena_printf(d->a, "'%s'%s", home, writable ? "" : " is not writable"),
               writable ? STR("") : arena_printf(d->a, "chmod u+w '%s'", home));
}

static Err doctor_model(Doctor *d) {
    Model *m = NULL;
    if (engine_model(d->p, STR(""), &m)) return say_error(d, "model");
    const ModelInfo *i = model_info(m);
    return say(d, "model", 0,
               arena_printf(d->a, "%.*s: %.*s, %zu dimensions, %zu tokens, %.*s", STR_FMT(i->name), STR_FMT(i->arch),
                            i->dim, i->max_tokens, STR_FMT(i->tensor_types)),
               STR(""));
}

static Err doctor_memory(Doctor *d) {
    PythiaMemory m;
    pythia_memory(d->p, &m);
    return say(d, "memory", m.level ? 1 : 0,
               arena_printf(d->a, "%lld MB of a budget of %lld MB%s", (long long)(m.anonymous >> 20),
                            (long long)(m.budget >> 20), m.level ? ": fewer workers are used" : ""),
               m.level ? STR("pythia config set model.memory 4G") : STR(""));
}

static Err doctor_collection(Doctor *d, const PythiaCollection *c) {
    Arena *a = d->a;
    Str run = c->root.n ? arena_printf(a, "pythia index '%.*s'", STR_FMT(c->root))
                        : arena_printf(a, "pythia index --collection '%.*s'", STR_FMT(c->name));
    Str head = arena_printf(a, "'%.*s': %lld documents, %lld chunks", STR_FMT(c->name), (long long)c->documents,
                            (long long)c->chunks);
    if (!run.p || !head.p) return arena_error();
    if (c->root_missing)
        return say(d, "collection", 2,
                   arena_printf(a, "%.*s; its folder '%.*s' is gone", STR_FMT(head), STR_FMT(c->root)),
                   arena_printf(a, "pythia collection rm '%.*s'", STR_FMT(c->name)));
    if (c->model_missing)
        return say(d, "collection", 2,
                   arena_printf(a, "%.*s; its model '%.*s' is missing", STR_FMT(head), STR_FMT(c->model)),
                   STR("pythia model list"));
    if (str_is(c->last_run_state, "failed"))
        return say(d, "collection", 2,
                   arena_printf(a, "%.*s; the last run failed: %.*s", STR_FMT(head), STR_FMT(c->last_run_error)), run);
    if (c->pending)
        return say(d, "collection", 1,
                   arena_printf(a, "%.*s; %lld chunks wait for vectors", STR_FMT(head), (long long)c->pending), run);
    if (c->failed)
        return say(d, "collection", 1,
                   arena_printf(a, "%.*s; %lld files could not be read", STR_FMT(head), (long long)c->failed),
                   arena_printf(a, "pythia status '%.*s'", STR_FMT(c->name)));
    return say(d, "collection", 0, head, STR(""));
}

Err pythia_doctor(Pythia *p, Arena *a, DoctorLine **out, size_t *n) {
    Doctor d = {.p = p, .a = a};
    PythiaCollection *all = NULL;
    Buf report = {0};
    size_t n_all = 0;
    TRY(doctor_kernels(&d));
    TRY(doctor_grammars(&d));
    TRY(doctor_home(&d));
    TRY(doctor_model(&d));
    TRY(doctor_memory(&d));
    Err err = pythia_collections(p, a, &all, &n_all);
    if (err)
        TRY(say_error(&d, "store"));
    else if (n_all == 0)
        TRY(say(&d, "collections", 1, STR("none yet"), STR("pythia index")));
    for (size_t i = 0; i < n_all; i++) TRY(doctor_collection(&d, &all[i]));
    if (!err && n_all) {
        Err damage = pythia_verify(p, a, STR(""), &report);
        Str text = arena_str(a, str_trim(buf_str(&report)));
        buf_free(&report);
        if (damage)
            TRY(say(&d, "integrity", 2, text.n ? text : arena_str(a, str_of(err_text())),
                    arena_str(a, str_of(err_fix_text()))));
        else
            TRY(say(&d, "integrity", 0, STR("store and indexes are whole"), STR("")));
    }
    *out = d.lines;
    *n = d.n;
    return ERR_OK;
}
