/* cmd_why.c - `pythia why PATH`: one file's way through ignore, read, chunk, embed, index. */
#include <stdio.h>

#include "base/file.h"
#include "cli/cli.h"

static void steps_json(Cli *cli, Str path, const PythiaWhy *why) {
    JsonOut j = cli_json_begin(cli);
    jout_kv_str(&j, "path", path);
    jout_kv_bool(&j, "indexed", why->indexed);
    jout_key(&j, "steps");
    jout_begin(&j, '[');
    for (size_t i = 0; i < why->n_steps; i++) {
        jout_begin(&j, '{');
        jout_kv_z(&j, "stage", why->steps[i].stage);
        jout_kv_bool(&j, "passed", why->steps[i].passed);
        jout_kv_text(&j, "detail", why->steps[i].detail);
        jout_end(&j, '}');
    }
    jout_end(&j, ']');
    cli_json_end(cli, &j);
}

static void steps_text(Cli *cli, Str path, const PythiaWhy *why) {
    Buf *b = &cli->out;
    const Term *t = &cli->out_term;
    safe_path(b, path);
    style_add(b, t, why->indexed ? STYLE_GOOD : STYLE_WARN, why->indexed ? "  is indexed\n" : "  is not indexed\n");
    for (size_t i = 0; i < why->n_steps; i++) {
        bool passed = why->steps[i].passed;
        buf_add_z(b, "  ");
        style_add(b, t, passed ? STYLE_GOOD : STYLE_BAD, passed ? "✓" : "✗");
        buf_printf(b, " %-7s ", why->steps[i].stage);
        safe_text(b, why->steps[i].detail);
        buf_char(b, '\n');
    }
}

Err cmd_why(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Str path = cli->args.words[0], collection = args_has(&cli->args, "in") ? args_str(&cli->args, "in") : STR("");
    Pythia *p = NULL;
    PythiaWhy why = {0};
    TRY(cli_engine(cli, &p));
    TRY(pythia_why(p, &cli->arena, collection, path, &why));
    if (cli->json) {
        steps_json(cli, path, &why);
    } else {
        steps_text(cli, path, &why);
    }
    return why.indexed ? ERR_OK : err_set(ERR_NOTHING, "'%.*s' is not indexed", STR_FMT(path));
}
