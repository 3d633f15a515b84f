/* searching.c - see searching.h. */
#include "cli/searching.h"

#include "base/meta.h"

static Err date_flag(const char *flag, Str text, bool until, int64_t *out) {
    int64_t now = clock_wall_ms();
    Err err = until ? clock_parse_until(text, now, out) : clock_parse(text, now, out);
    if (err == ERR_USAGE)
        return err_set(err,
                       "'--%s' cannot be '%.*s'; valid: 2026, 2026-11, 2026-11-21, 2026-11-21T04:45Z, 30m, 12h, 7d, 2w",
                       flag, STR_FMT(text));
    return err;
}

/* --author NAME and --meta NAME=VALUE, as one list. */
static Err metas_from_flags(Cli *cli, PythiaSearch *rq) {
    size_t n_authors = 0, n_metas = 0;
    Str name, words;
    const Str *authors = args_list(&cli->args, "author", &n_authors), *metas = args_list(&cli->args, "meta", &n_metas);
    Str *all = arena_array(&cli->arena, Str, n_authors + n_metas + 1);
    if (!all) return arena_error();
    for (size_t i = 0; i < n_metas; i++) {
        all[i] = metas[i];
        const bool no = metas[i].n && metas[i].p[0] == '!';
        if (!meta_wanted(str_from(metas[i], no), &name, &words))
            return err_set(ERR_USAGE, "'--meta' cannot be '%.*s'; valid: NAME=VALUE, such as keywords=tides",
                           STR_FMT(metas[i]));
    }
    for (size_t i = 0; i < n_authors; i++) {
        all[n_metas + i] = arena_printf(&cli->arena, "author=%.*s", STR_FMT(authors[i]));
        if (!all[n_metas + i].p) return arena_error();
    }
    rq->metas = all;
    rq->n_metas = n_authors + n_metas;
    return ERR_OK;
}

Err search_from_flags(Cli *cli, Str query, PythiaSearch *rq) {
    const Args *args = &cli->args;
    *rq = (PythiaSearch){.query = query, .min_score = -1};
    rq->collections = args_list(args, "in", &rq->n_collections);
    rq->langs = args_list(args, "lang", &rq->n_langs);
    rq->globs = args_list(args, "glob", &rq->n_globs);
    rq->kinds = args_list(args, "kind", &rq->n_kinds);
    TRY(metas_from_flags(cli, rq));
    if (args_has(args, "since")) TRY(date_flag("since", args_str(args, "since"), false, &rq->since_ms));
    if (args_has(args, "until")) TRY(date_flag("until", args_str(args, "until"), true, &rq->until_ms));
    rq->deadline_ms = config_int(cli->config, CONF_SEARCH_DEADLINE);
    rq->mode = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_MODE));
    rq->fusion = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_FUSION));
    return rq->mode && rq->fusion ? ERR_OK : arena_error();
}
