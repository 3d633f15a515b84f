/* desk_model.c - the desk's model is opened behind its start: how far that is, and whether collections fit it. */
#include "base/log.h"
#include "serve/desk_impl.h"

/* Collections that were made with a model of this name that was another: told at the start, not at the first search. */
static void dimensions_check(const Desk *d, Pythia *p, Arena *a, size_t dim) {
    PythiaCollection *list = NULL;
    size_t n = 0;
    if (pythia_collections(p, a, &list, &n))
        return; /* there is no store yet, or each search says what is wrong with it */
    for (size_t i = 0; i < n; i++)
        if (list[i].dim && list[i].dim != (int64_t)dim && str_is(list[i].model, d->model_name))
            LOG(LOG_WARN, "serve",
                "collection '%.*s' has vectors of %lld dimensions, the model '%s' gives %zu; run: pythia index "
                "--collection %.*s --force",
                STR_FMT(list[i].name), (long long)list[i].dim, d->model_name, dim, STR_FMT(list[i].name));
}

static Err warm_default(void *ctx, Pythia *p) {
    Desk *d = ctx;
    Arena a = {0};
    Str text = STR("ready");
    float *out = NULL;
    size_t dim = 0;
    int32_t *tokens = NULL;
    bool *cut = NULL;
    Err err = pythia_embed(p, &a, &(PythiaEmbed){.query = true}, &text, 1, &out, &dim, &tokens, &cut);
    if (!err) dimensions_check(d, p, &a, dim);
    arena_free(&a);
    (void)pthread_mutex_lock(&d->lock);
    d->model_dim = (int64_t)dim;
    (void)pthread_mutex_unlock(&d->lock);
    return err;
}

Err desk_warm(void *ctx) {
    Desk *d = ctx;
    Pythia *p = NULL;
    DeskOpts *o = &d->opts;
    PythiaOpts opts = {.config = o->config,
                       .home = o->home,
                       .cwd = o->cwd,
                       .environ = o->environ,
                       .cancel = &d->warm_cancel,
                       .beside = d->first};
    Err err = pythia_open(&p, &opts);
    if (!err) err = o->warm ? o->warm(o->warm_ctx, p) : warm_default(d, p);
    pythia_close(p);
    if (err && err != ERR_INTERRUPT) LOG(LOG_WARN, "serve", "the embedding model is not there: %s", err_text());
    (void)pthread_mutex_lock(&d->lock);
    if (err) err_save(&d->model_why, err);
    d->model = err ? MODEL_FAILED : MODEL_READY;
    (void)pthread_mutex_unlock(&d->lock);
    return ERR_OK;
}

ModelState desk_model(Desk *d, ErrInfo *why, char name[128], int64_t *dim) {
    (void)pthread_mutex_lock(&d->lock);
    ModelState state = d->model;
    if (why) *why = d->model_why;
    if (name) memcpy(name, d->model_name, sizeof d->model_name);
    if (dim) *dim = d->model_dim;
    (void)pthread_mutex_unlock(&d->lock);
    return state;
}
