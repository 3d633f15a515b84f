/* ops_shared.c - the engine's own calls for other processes of this build (shared.h): the server's side. */
#include "base/file.h"
#include "serve/desk.h"
#include "serve/shared.h"

/* The worker's engine stands where the caller does, until standing_end. */
static Err standing_begin(Call *c, const ParcelShape *shape, void *rq) {
    const DeskOpts *o = desk_opts(c->desk);
    char ours[SHARED_IDENTITY];
    SharedCaller caller;
    TRY(parcel_read(c->arena, &shared_caller, json_object_get(c->params, "caller"), &caller));
    TRY(shared_identity(o->config, o->home, ours));
    if (!str_is(caller.identity, ours))
        return err_set(ERR_UNSUPPORTED, "the caller is of another build, data folder or configuration");
    if (!caller.cwd.n || caller.cwd.p[0] != '/' || memchr(caller.cwd.p, 0, caller.cwd.n))
        return err_set(ERR_INPUT, "'cwd' must be an absolute path");
    TRY(parcel_read(c->arena, shape, json_object_get(c->params, "request"), rq));
    const char *cwd = arena_cstr(c->arena, caller.cwd);
    if (!cwd) return arena_error();
    pythia_stand(c->engine, cwd);
    return ERR_OK;
}

static void standing_end(Call *c) { pythia_stand(c->engine, desk_opts(c->desk)->cwd); }

Err op_shared_search(Call *c, JsonOut *j) {
    PythiaSearch rq;
    PythiaReply reply;
    TRY(standing_begin(c, &parcel_search, &rq));
    const Err err = pythia_search(c->engine, c->arena, &rq, &reply);
    standing_end(c);
    TRY(err);
    metrics_search(desk_metrics(c->desk), &reply);
    jout_key(j, "reply");
    parcel_write(j, &parcel_reply, &reply);
    return ERR_OK;
}

Err op_shared_ask(Call *c, JsonOut *j) {
    PythiaAsk rq;
    PythiaAnswer reply;
    TRY(standing_begin(c, &parcel_ask, &rq));
    const Err err = pythia_ask(c->engine, c->arena, &rq, &reply);
    standing_end(c);
    TRY(err);
    if (reply.abstained) metrics_abstained(desk_metrics(c->desk));
    jout_key(j, "reply");
    parcel_write(j, &parcel_answer, &reply);
    return ERR_OK;
}

Err op_shared_embed(Call *c, JsonOut *j) {
    SharedTexts rq;
    float *vectors = NULL;
    size_t dim = 0;
    int32_t *tokens = NULL;
    bool *truncated = NULL;
    int64_t all = 0;
    TRY(standing_begin(c, &shared_texts, &rq));
    const int64_t start = clock_mono_ns();
    const PythiaEmbed how = {.model = rq.model, .query = rq.query};
    const Err err = pythia_embed(c->engine, c->arena, &how, rq.texts, rq.n, &vectors, &dim, &tokens, &truncated);
    standing_end(c);
    TRY(err);
    for (size_t i = 0; i < rq.n; i++) all += tokens[i];
    metrics_embed(desk_metrics(c->desk), clock_ms_since(start) / 1000, all);
    const SharedVectors reply = {.dim = dim,
                                 .vectors = str_make((const char *)vectors, rq.n * dim * sizeof *vectors),
                                 .tokens = str_make((const char *)tokens, rq.n * sizeof *tokens),
                                 .truncated = str_make((const char *)truncated, rq.n * sizeof *truncated)};
    jout_key(j, "reply");
    parcel_write(j, &shared_vectors, &reply);
    return ERR_OK;
}
