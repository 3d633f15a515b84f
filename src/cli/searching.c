/* searching.c - see searching.h. */
#include "cli/searching.h"

static Err date_flag(const char *flag, Str text, bool until, int64_t *out) {
    int64_t now = clock_wall_ms();
    Err err = until ? clock_parse_until(text, now, out) : clock_parse(text, now, out);
    if (err == ERR_USAGE)
        return err_set(err,
                       "'--%s' cannot be '%.*s'; valid: 2026, 2026-11, 2026-11-21, 2026-11-21T04:45Z, 30m, 12h, 7d, 2w",
                       flag, STR_FMT(text));
    return err;
}

Err search_from_flags(Cli *cli, Str query, PythiaSearch *rq) {
    const Args *args = &cli->args;
    *rq = (PythiaSearch){.query = query, .min_score = -1};
    rq->collections = args_list(args, "in", &rq->n_collections);
    rq->langs = args_list(args, "lang", &rq->n_langs);
    rq->globs = args_list(args, "glob", &rq->n_globs);
    rq->kinds = args_list(args, "kind", &rq->n_kinds);
    if (args_has(args, "since")) TRY(date_flag("since", args_str(args, "since"), false, &rq->since_ms));
    if (args_has(args, "until")) TRY(date_flag("until", args_str(args, "until"), true, &rq->until_ms));
    rq->deadline_ms = config_int(cli->config, CONF_SEARCH_DEADLINE);
    rq->mode = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_MODE));
    rq->fusion = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_FUSION));
    return rq->mode && rq->fusion ? ERR_OK : arena_error();
}
