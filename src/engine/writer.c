/* writer.c - who writes answers, by [ask] of the configuration.
 *
 * A service's key is read from the environment variable that ask.key_env names and from nowhere else: it never stands
 * in a file of ours, nor in a message.
 */
#include "engine/engine.h"

Err engine_writer_kind(const Pythia *p, const WriterKind **out) {
    return writer_kind(config_text(p->opts.config, CONF_ASK_URL), out);
}

static Err local_opts(Pythia *p, WriterOpts *o) {
    Model *model = NULL;
    const Str name = config_text(p->opts.config, CONF_ASK_MODEL);
    if (!name.n)
        return err_fix(err_set(ERR_USAGE, "ask.model does not say which model writes"),
                       "pythia config set ask.model NAME");
    TRY(engine_generator(p, name, &model));
    o->model = model;
    return engine_pool_under(p, SCHED_INTERACTIVE, engine_pressure(p), &o->pool);
}

static Err service_opts(Pythia *p, Arena *a, WriterOpts *o) {
    const Config *c = p->opts.config;
    const Str variable = config_text(c, CONF_ASK_KEY_ENV);
    o->url = arena_cstr(a, config_text(c, CONF_ASK_URL));
    o->name = arena_cstr(a, config_text(c, CONF_ASK_MODEL));
    o->connect_ms = config_int(c, CONF_NETWORK_CONNECT);
    o->stall_ms = config_int(c, CONF_NETWORK_STALL);
    o->attempts = engine_attempts(p);
    o->seed = (uint64_t)clock_mono_ns();
    if (!o->url || !o->name) return arena_error();
    if (!variable.n) return ERR_OK;
    o->key_env = arena_cstr(a, variable);
    if (!o->key_env) return arena_error();
    o->key = engine_env(p, o->key_env);
    if (o->key) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "the environment variable '%s' (ask.key_env) is not set", o->key_env),
                   "export %s=…", o->key_env);
}

Err engine_writer(Pythia *p, const WriterKind *kind, bool whole, Writer **out) {
    Arena a = {0};
    WriterOpts opts = {.whole = whole};
    Err err = ERR_OK;
    *out = NULL;
    if (kind == &writer_local) err = local_opts(p, &opts);
    if (kind == &writer_endpoint) err = service_opts(p, &a, &opts);
    if (!err) err = writer_open(out, kind, &opts);
    arena_free(&a);
    return err;
}
