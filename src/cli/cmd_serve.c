/* cmd_serve.c - `pythia serve`, `pythia health` and `pythia token create|list|revoke`. */
#include <unistd.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "serve/server.h"
#include "serve/tokens.h"

/* ---- serve ---- */

static void serve_ready(void *ctx, Str line) {
    Cli *cli = ctx;
    buf_add(&cli->out, line);
    if (cli_flush(cli)) cli_warn(cli, "pythia: %s", err_text()); /* nobody reads our output: serve all the same */
}

/* What every server of this process has; no door is open yet. */
static ServerOpts server_opts(Cli *cli) {
    return (ServerOpts){.config = cli->config,
                        .home = cli->home,
                        .cwd = cli->cwd,
                        .environ = environ,
                        .reader = "/proc/self/exe",
                        .cancel = cli->cancel,
                        .ready = serve_ready,
                        .ctx = cli};
}

Err cmd_serve(Cli *cli) {
    const Config *c = cli->config;
    bool stdio = args_has(&cli->args, "stdio");
    Str socket = config_text(c, CONF_SERVE_SOCKET);
    /* With another door, HTTP opens only when it is asked for. */
    bool http = args_has(&cli->args, "http") || (!stdio && !args_has(&cli->args, "socket"));
    const char *path = socket.n ? arena_cstr(&cli->arena, socket) : NULL;
    if (socket.n && !path) return arena_error();
    ServerOpts opts = server_opts(cli);
    opts.http = http;
    opts.socket = path;
    opts.stdio = stdio;
    opts.shared = true;
    return server_run(&opts);
}

/* ---- mcp ---- */

Err cmd_mcp(Cli *cli) {
    ServerOpts opts = server_opts(cli);
    opts.mcp = true;
    return server_run(&opts);
}

/* ---- lsp ---- */

Err cmd_lsp(Cli *cli) {
    ServerOpts opts = server_opts(cli);
    opts.lsp = true;
    return server_run(&opts);
}

/* ---- health ---- */

/* Exit 1 and why not, when it is not healthy: what a container's HEALTHCHECK wants. */
Err cmd_health(Cli *cli) {
    const char *address = NULL, *url = NULL;
    cli->json = args_has(&cli->args, "json");
    TRY(server_address(&cli->arena, cli->config, environ, &address));
    const Err err = server_health(&cli->arena, cli->config, address, &url);
    if (err == ERR_INTERRUPT || err == ERR_NOMEM) return err;
    if (err) {
        if (cli->json) cli_json_error(cli, err);
        cli_warn(cli, "not healthy: %s", err_text());
        return ERR_NOTHING;
    }
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_z(&j, "url", url);
        cli_json_end(cli, &j);
    } else {
        buf_add_z(&cli->out, "healthy\n");
    }
    return ERR_OK;
}

/* ---- token ---- */

Err cmd_token_create(Cli *cli) {
    const char *file = NULL;
    char text[TOKEN_TEXT], id[TOKEN_ID];
    Role role = ROLE_READ;
    Str wanted = args_has(&cli->args, "role") ? args_str(&cli->args, "role") : STR("read");
    cli->json = args_has(&cli->args, "json");
    if (!role_parse(wanted, &role)) return err_set(ERR_INTERNAL, "no role '%.*s'", STR_FMT(wanted));
    TRY(server_token_file(&cli->arena, cli->config, cli->home, &file));
    TRY(tokens_create(file, cli->args.words[0], role, text, id));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_z(&j, "id", id);
        jout_kv_str(&j, "name", cli->args.words[0]);
        jout_kv_z(&j, "role", role_name(role));
        jout_kv_z(&j, "token", text);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    buf_printf(&cli->out, "%s\n", text);
    cli_say(cli, "token %s, role %s; this is the only time that it is shown", id, role_name(role));
    return ERR_OK;
}

static void tokens_json(Cli *cli, const Token *list, size_t n) {
    JsonOut j = cli_json_begin(cli);
    jout_key(&j, "tokens");
    jout_begin(&j, '[');
    for (size_t i = 0; i < n; i++) {
        jout_begin(&j, '{');
        jout_kv_z(&j, "id", list[i].id);
        jout_kv_str(&j, "name", list[i].name);
        jout_kv_z(&j, "role", role_name(list[i].role));
        jout_kv_str(&j, "created", list[i].created);
        jout_end(&j, '}');
    }
    jout_end(&j, ']');
    cli_json_end(cli, &j);
}

Err cmd_token_list(Cli *cli) {
    static const TableColumn columns[] = {{"ID", false}, {"NAME", false}, {"ROLE", false}, {"CREATED", false}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    const char *file = NULL;
    Token *list = NULL;
    size_t n = 0;
    cli->json = args_has(&cli->args, "json");
    TRY(server_token_file(&cli->arena, cli->config, cli->home, &file));
    TRY(tokens_list(&cli->arena, file, &list, &n));
    if (cli->json) return tokens_json(cli, list, n), ERR_OK;
    if (n == 0) {
        cli_say(cli, "no tokens: on this machine alone, everybody may call a server; run: pythia token create NAME");
        return ERR_OK;
    }
    const char **cells = arena_array(&cli->arena, const char *, n *COLUMNS);
    if (!cells) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const char **row = cells + i * COLUMNS;
        row[0] = list[i].id;
        row[1] = cell_safe(&cli->arena, list[i].name);
        row[2] = role_name(list[i].role);
        row[3] = cell_safe(&cli->arena, list[i].created);
    }
    table_add(&cli->out, &cli->out_term, columns, COLUMNS, cells, n);
    return ERR_OK;
}

Err cmd_token_revoke(Cli *cli) {
    const char *file = NULL;
    cli->json = args_has(&cli->args, "json");
    TRY(server_token_file(&cli->arena, cli->config, cli->home, &file));
    TRY(tokens_revoke(file, cli->args.words[0]));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_str(&j, "revoked", cli->args.words[0]);
        cli_json_end(cli, &j);
    } else {
        cli_say(cli, "token '%.*s' is revoked; servers that run refuse it from now on", STR_FMT(cli->args.words[0]));
    }
    return ERR_OK;
}
