/* sharing.c - see sharing.h. Who answered is told at level debug, and below the hits with --explain. */
#include "cli/sharing.h"

#include <unistd.h>

#include "base/log.h"

static void note(Cli *cli, const char *who, const char *why) {
    cli->answered_by = why ? arena_printf(&cli->arena, "%s: %s", who, why) : arena_printf(&cli->arena, "%s", who);
    LOG(LOG_DEBUG, "cli", "answered by %.*s", STR_FMT(cli->answered_by));
}

/* Looks for a server at the first call. *out NULL: there is none for us. */
static Err server_seek(Cli *cli, Shared **out) {
    const SharedOpts opts = {
        .config = cli->config, .home = cli->home, .cwd = cli->cwd, .environ = environ, .cancel = cli->cancel};
    Err err = ERR_OK;
    if (!cli->shared_sought && config_bool(cli->config, CONF_SERVE_SHARED)) err = shared_open(&cli->shared, &opts);
    if (err == ERR_NETWORK) note(cli, "this process", err_text());
    cli->shared_sought = true;
    *out = cli->shared;
    return err == ERR_NETWORK ? ERR_OK : err;
}

/* False: nothing was answered, and the server is not asked again. */
static bool server_answered(Cli *cli, Err err) {
    if (err == ERR_NETWORK) {
        note(cli, "this process", err_text());
        shared_close(cli->shared);
        cli->shared = NULL;
        return false;
    }
    if (!err) note(cli, shared_who(cli->shared), NULL);
    return true;
}

Err cli_search(Cli *cli, const PythiaSearch *rq, PythiaReply *out) {
    Shared *server = NULL;
    Pythia *p = NULL;
    TRY(server_seek(cli, &server));
    if (server) {
        const Err err = shared_search(server, &cli->arena, rq, out);
        if (server_answered(cli, err)) return err;
    }
    TRY(cli_engine(cli, &p));
    return pythia_search(p, &cli->arena, rq, out);
}

/* Quotes come at once: there is nothing to be shown meanwhile. */
static bool ask_is_whole(const Cli *cli, const PythiaAsk *rq) {
    const Str writer = config_text(cli->config, CONF_ASK_URL);
    return rq->whole || rq->extractive || rq->sources_only || !writer.n || str_is(writer, "none");
}

Err cli_ask(Cli *cli, Arena *a, const PythiaAsk *rq, PythiaAnswer *out) {
    Shared *server = NULL;
    Pythia *p = NULL;
    if (ask_is_whole(cli, rq) && !rq->session.n && !rq->n_turns) TRY(server_seek(cli, &server));
    if (server) {
        const Err err = shared_ask(server, a, rq, out);
        if (server_answered(cli, err)) return err;
    }
    TRY(cli_engine(cli, &p));
    return pythia_ask(p, a, rq, out);
}

/* A file's name relative to the working folder means another file to a server. */
static bool model_is_relative(const Cli *cli, Str name) {
    if (!name.n) name = config_text(cli->config, CONF_MODEL_EMBED);
    if (!name.n || name.p[0] == '/') return false;
    return str_find_char(name, '/') >= 0 || str_ends(name, STR(".gguf"));
}

Err cli_embed(Cli *cli, Arena *a, const PythiaEmbed *rq, const Str *texts, size_t n, float **out, size_t *dim,
              int32_t **tokens, bool **truncated) {
    Shared *server = NULL;
    Pythia *p = NULL;
    if (!model_is_relative(cli, rq->model)) TRY(server_seek(cli, &server));
    if (server) {
        const Err err = shared_embed(server, a, rq, texts, n, out, dim, tokens, truncated);
        if (server_answered(cli, err)) return err;
    }
    TRY(cli_engine(cli, &p));
    return pythia_embed(p, a, rq, texts, n, out, dim, tokens, truncated);
}
