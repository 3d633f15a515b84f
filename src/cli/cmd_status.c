/* cmd_status.c - `pythia status`: what is indexed, pending, skipped and stale. */
#include <stdio.h>

#include "cli/collections.h"

enum { PATHS_SHOWN = 20 };

static void status_json(JsonOut *j, const PythiaCollection *c, const PythiaStatus *s) {
    jout_begin(j, '{');
    reply_collection_members(j, c);
    reply_status_members(j, s);
    jout_end(j, '}');
}

static void reasons_text(Buf *b, const char *title, const PathReason *list, size_t n) {
    if (!n) return;
    buf_printf(b, "  %s\n", title);
    for (size_t i = 0; i < n && i < PATHS_SHOWN; i++) {
        buf_add_z(b, "    ");
        safe_path(b, list[i].path);
        buf_add_z(b, ": ");
        safe_path(b, list[i].reason);
        buf_char(b, '\n');
    }
    if (n > PATHS_SHOWN) buf_printf(b, "    and %zu more (--json lists them)\n", n - PATHS_SHOWN);
}

static void skips_text(Buf *b, const PythiaStatus *s) {
    for (size_t i = 0; i < s->n_skip_counts; i++) {
        buf_add_z(b, i ? ", " : "  skipped    ");
        number_add(b, s->skip_counts[i].files);
        buf_char(b, ' ');
        safe_path(b, s->skip_counts[i].reason);
    }
    if (s->n_skip_counts) buf_char(b, '\n');
}

static void status_text(Cli *cli, const PythiaCollection *c, const PythiaStatus *s, bool checked) {
    Buf *b = &cli->out;
    collection_text(b, &cli->out_term, c);
    skips_text(b, s);
    reasons_text(b, "failed", s->failed, s->n_failed);
    reasons_text(b, "out of date", s->stale, s->n_stale);
    if (!checked) return;
    if (s->n_stale || c->pending || c->skimmed) {
        buf_add_z(b, "  next       pythia index");
        if (c->root.n) {
            buf_char(b, ' ');
            safe_path(b, c->root);
        }
        buf_char(b, '\n');
    } else if (!c->root_missing) {
        buf_add_z(b, "  up to date\n");
    }
}

/* The collections asked for: by name, all, or the one that covers this folder, else all. */
static Err collections_choose(Cli *cli, Pythia *p, PythiaCollection **out, size_t *n) {
    bool named = cli->args.n_words > 0;
    if (named || !args_has(&cli->args, "all")) {
        *out = arena_new(&cli->arena, PythiaCollection);
        if (!*out) return arena_error();
        *n = 1;
        Err err = pythia_collection(p, &cli->arena, named ? cli->args.words[0] : STR(""), *out);
        if (named || err != ERR_NO_COLLECTION) return err;
        cli_say(cli, "no collection covers '%s'; run: pythia index", cli->cwd);
    }
    return pythia_collections(p, &cli->arena, out, n);
}

Err cmd_status(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    bool check = !args_has(&cli->args, "no-check");
    Pythia *p = NULL;
    PythiaCollection *list = NULL;
    size_t n = 0;
    TRY(cli_engine(cli, &p));
    TRY(collections_choose(cli, p, &list, &n));
    JsonOut j = {0};
    if (cli->json) {
        j = cli_json_begin(cli);
        jout_key(&j, "collections");
        jout_begin(&j, '[');
    }
    for (size_t i = 0; i < n; i++) {
        PythiaStatus s = {0};
        bool here = check && !list[i].root_missing;
        TRY(pythia_status(p, &cli->arena, list[i].name, here, &s));
        if (cli->json) {
            status_json(&j, &list[i], &s);
        } else {
            if (i) buf_char(&cli->out, '\n');
            status_text(cli, &list[i], &s, here);
        }
    }
    if (cli->json) {
        jout_end(&j, ']');
        cli_json_end(cli, &j);
    }
    if (!cli->json && n == 0) buf_add_z(&cli->out, "nothing is indexed yet\n");
    return ERR_OK;
}
