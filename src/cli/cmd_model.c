/* cmd_model.c - `pythia model list|import|pull|distill|verify`. */
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
    cli_say(cli, "written to '%.*s'; use it with: pythia config set model.embed %.*s", STR_FMT(m.path),
            STR_FMT(m.name));
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
    cli_say(cli, "%s '%.*s'; use it with: pythia config set model.embed %.*s",
            report.folder ? "imported to" : "linked from", STR_FMT(report.model.path), STR_FMT(report.model.name));
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
