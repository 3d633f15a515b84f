/* cmd_model.c - `pythia model list|import|pull|distill|use|rm|verify`. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/reports.h"
#include "cli/table.h"

static void model_json(JsonOut *j, const PythiaModel *m) {
    jout_begin(j, '{');
    jout_kv_str(j, "name", m->name);
    jout_kv_str(j, "path", m->path);
    jout_kv_text(j, "arch", m->arch);
    jout_kv_text(j, "tensor_types", m->tensor_types);
    jout_kv_text(j, "pooling", m->pooling);
    jout_kv_text(j, "parent", m->parent);
    jout_kv_i64(j, "bytes", m->bytes);
    jout_kv_positive(j, "dimension", m->dim);
    jout_kv_positive(j, "max_tokens", m->max_tokens);
    jout_kv_z(j, "sha256", m->id);
    jout_kv_bool(j, "in_use", m->in_use);
    jout_kv_text(j, "problem", m->problem);
    jout_end(j, '}');
}

static Err models_table(Cli *cli, const PythiaModel *models, size_t n) {
    static const TableColumn columns[] = {{"NAME", false},   {"ARCH", false},   {"DIM", true},
                                          {"TOKENS", true},  {"SIZE", true},    {"TYPES", false},
                                          {"PARENT", false}, {"IN USE", false}, {"PROBLEM", false}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    Arena *a = &cli->arena;
    const char **cells = arena_array(a, const char *, n *COLUMNS);
    if (!cells) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const PythiaModel *m = &models[i];
        const char **row = cells + i * COLUMNS;
        row[0] = cell_safe(a, m->name);
        row[1] = cell_safe(a, m->arch);
        row[2] = m->dim ? cell_number(a, m->dim) : "";
        row[3] = m->max_tokens ? cell_number(a, m->max_tokens) : "";
        row[4] = cell_bytes(a, m->bytes);
        row[5] = cell_safe(a, m->tensor_types);
        row[6] = cell_safe(a, m->parent);
        row[7] = m->in_use ? "yes" : "";
        row[8] = cell_safe(a, m->problem);
    }
    table_add(&cli->out, &cli->out_term, columns, COLUMNS, cells, n);
    return ERR_OK;
}

Err cmd_model_list(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    PythiaModel *models = NULL;
    size_t n = 0;
    TRY(cli_engine(cli, &p));
    TRY(pythia_models(p, &cli->arena, &models, &n));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_key(&j, "models");
        jout_begin(&j, '[');
        for (size_t i = 0; i < n; i++) model_json(&j, &models[i]);
        jout_end(&j, ']');
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    if (args_has(&cli->args, "quiet")) {
        for (size_t i = 0; i < n; i++) {
            safe_path(&cli->out, models[i].name);
            buf_char(&cli->out, '\n');
        }
        return ERR_OK;
    }
    if (n) return models_table(cli, models, n);
    cli_say(cli, "no models under '%s/models'; run: pythia model import DIR", cli->home);
    return ERR_OK;
}

Err cmd_model_import(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Str name = args_has(&cli->args, "name") ? args_str(&cli->args, "name") : STR("");
    Pythia *p = NULL;
    PythiaModel m = {0};
    TRY(cli_engine(cli, &p));
    TRY(pythia_model_import(p, &cli->arena, cli->args.words[0], name, &m));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_key(&j, "model");
        model_json(&j, &m);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    TRY(models_table(cli, &m, 1));
    cli_say(cli, "written to '%.*s'; use it with: pythia model use %.*s", STR_FMT(m.path), STR_FMT(m.name));
    return ERR_OK;
}

Err cmd_model_pull(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    PullReport report = {0};
    Progress progress;
    TRY(cli_engine(cli, &p));
    progress_open(&progress, cli);
    PullRequest rq = {.what = cli->args.words[0],
                      .name = args_has(&cli->args, "name") ? args_str(&cli->args, "name") : STR(""),
                      .progress = progress_show,
                      .progress_ctx = &progress};
    Err err = pythia_model_pull(p, &cli->arena, &rq, &report);
    progress_close(&progress);
    TRY(err);
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_key(&j, "model");
        model_json(&j, &report.model);
        jout_kv_str(&j, "commit", report.commit);
        jout_kv_str(&j, "source", report.source);
        jout_kv_i64(&j, "fetched_bytes", report.fetched);
        jout_kv_i64(&j, "resumed_bytes", report.resumed);
        jout_kv_bool(&j, "imported", report.folder);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    TRY(models_table(cli, &report.model, 1));
    cli_say(cli, "%s '%.*s'; use it with: pythia model use %.*s", report.folder ? "imported to" : "linked from",
            STR_FMT(report.model.path), STR_FMT(report.model.name));
    return ERR_OK;
}

Err cmd_model_distill(Cli *cli) {
    enum { DIMENSIONS_MAX = 1 << 20 };
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    PythiaDistilled report = {0};
    Progress progress;
    PythiaDistill rq = {.parent = cli->args.n_words ? cli->args.words[0] : STR(""),
                        .name = args_has(&cli->args, "name") ? args_str(&cli->args, "name") : STR(""),
                        .corpus = args_has(&cli->args, "corpus") ? args_str(&cli->args, "corpus") : STR(""),
                        .force = args_has(&cli->args, "force"),
                        .progress = progress_show,
                        .progress_ctx = &progress};
    TRY(args_i64(&cli->args, "dimensions", 1, DIMENSIONS_MAX, &rq.dimensions));
    TRY(args_f64(&cli->args, "sif", 1e-9, 1, &rq.sif));
    TRY(cli_engine(cli, &p));
    progress_open(&progress, cli);
    Err err = pythia_model_distill(p, &cli->arena, &rq, &report);
    progress_close(&progress);
    TRY(err);
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_key(&j, "model");
        model_json(&j, &report.model);
        jout_kv_i64(&j, "tokens", report.tokens);
        jout_kv_i64(&j, "passages", report.passages);
        jout_kv_f64(&j, "explained", report.explained);
        jout_kv_f64(&j, "seconds", report.seconds);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    TRY(models_table(cli, &report.model, 1));
    cli_say(cli, "written to '%.*s' in %.1f s; use it with: pythia index --model %.*s", STR_FMT(report.model.path),
            report.seconds, STR_FMT(report.model.name));
    return ERR_OK;
}

Err cmd_model_verify(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    Buf report = {0};
    TRY(cli_engine(cli, &p));
    Err err = pythia_model_verify(p, &cli->arena, cli->args.n_words ? cli->args.words[0] : STR(""), &report);
    report_show(cli, err, buf_str(&report));
    buf_free(&report);
    return err;
}

/* ---- which ---- */

static Err model_named(Cli *cli, Pythia *p, Str name, PythiaModel *out) {
    PythiaModel *all = NULL;
    size_t n = 0;
    TRY(pythia_models(p, &cli->arena, &all, &n));
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(all[i].name, name)) continue;
        *out = all[i];
        if (!out->problem.n) return ERR_OK;
        return err_fix(err_set(ERR_CORRUPT, "model '%.*s' cannot be read: %.*s", STR_FMT(name), STR_FMT(out->problem)),
                       "pythia model verify %.*s", STR_FMT(name));
    }
    return err_fix(err_set(ERR_NO_MODEL, "there is no model '%.*s' in '%s/models'", STR_FMT(name), cli->home),
                   "pythia model list");
}

/* What a model is for: its pooling tells. */
static ConfigKey key_for(const PythiaModel *m) {
    if (str_is(m->pooling, "rank")) return CONF_MODEL_RERANK;
    return str_is(m->pooling, "none") ? CONF_ASK_MODEL : CONF_MODEL_EMBED;
}

Err cmd_model_use(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    PythiaModel m = {0};
    TRY(cli_engine(cli, &p));
    TRY(model_named(cli, p, cli->args.words[0], &m));
    const ConfigKey key = key_for(&m);
    TRY(config_set_user(cli, key, m.name));
    if (key == CONF_ASK_MODEL) TRY(config_set_user(cli, CONF_ASK_URL, STR("local")));
    const Str name = arena_printf(&cli->arena, "%s.%s", config_defs[key].section, config_defs[key].key);
    if (!name.p) return arena_error();
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_str(&j, "key", name);
        jout_kv_str(&j, "value", m.name);
        jout_kv_z(&j, "file", cli->user_file);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    cli_say(cli, "%.*s is '%.*s' now, in '%s'", STR_FMT(name), STR_FMT(m.name), cli->user_file);
    if (key == CONF_MODEL_EMBED)
        cli_say(cli,
                "collections keep the model that they were made with; to give one this: pythia index --collection NAME "
                "--model %.*s --force",
                STR_FMT(m.name));
    return ERR_OK;
}

Err cmd_model_remove(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    const Str name = cli->args.words[0];
    Pythia *p = NULL;
    PythiaModelGone gone = {0};
    TRY(cli_engine(cli, &p));
    TRY(pythia_model_remove(p, &cli->arena, name, args_has(&cli->args, "force"), &gone));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_str(&j, "removed", name);
        jout_kv_i64(&j, "freed_bytes", gone.bytes);
        jout_kv_text(&j, "left", gone.left);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    cli_say(cli, "model '%.*s' is removed, %s freed", STR_FMT(name), cell_bytes(&cli->arena, gone.bytes));
    if (gone.left.n) cli_say(cli, "it was a link: '%.*s' stays, since other programs may use it", STR_FMT(gone.left));
    return ERR_OK;
}
