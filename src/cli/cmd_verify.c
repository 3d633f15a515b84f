/* cmd_verify.c - `pythia verify` and `pythia doctor`: is everything as it should be, and what to do when not. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/reports.h"

void report_show(Cli *cli, Err err, Str report) {
    if (!cli->json) {
        safe_text(&cli->out, report);
        if (report.n && !str_ends(report, STR("\n"))) buf_char(&cli->out, '\n');
        return;
    }
    JsonOut j = cli_json_begin_after(cli, err);
    jout_key(&j, "report");
    jout_begin(&j, '[');
    Str line;
    while (str_line(&report, &line)) jout_str(&j, line);
    jout_end(&j, ']');
    cli_json_end(cli, &j);
}

Err cmd_verify(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    Buf report = {0};
    TRY(cli_engine(cli, &p));
    Err err = pythia_verify(p, &cli->arena, cli->args.n_words ? cli->args.words[0] : STR(""), &report);
    report_show(cli, err, buf_str(&report));
    buf_free(&report);
    return err;
}

static void doctor_json(Cli *cli, const DoctorLine *lines, size_t n) {
    static const char *const levels[] = {"fine", "could_be_better", "broken"};
    JsonOut j = cli_json_begin(cli);
    jout_key(&j, "findings");
    jout_begin(&j, '[');
    for (size_t i = 0; i < n; i++) {
        jout_begin(&j, '{');
        jout_kv_z(&j, "what", lines[i].what);
        jout_kv_z(&j, "level", levels[lines[i].level < 0 || lines[i].level > 2 ? 2 : lines[i].level]);
        jout_kv_text(&j, "detail", lines[i].detail);
        jout_kv_text(&j, "fix", lines[i].fix);
        jout_end(&j, '}');
    }
    jout_end(&j, ']');
    cli_json_end(cli, &j);
}

static void doctor_text(Cli *cli, const DoctorLine *lines, size_t n) {
    static const char *const marks[] = {"✓", "!", "✗"};
    static const Style styles[] = {STYLE_GOOD, STYLE_WARN, STYLE_BAD};
    Buf *b = &cli->out;
    const Term *t = &cli->out_term;
    size_t steps = 0;
    for (size_t i = 0; i < n; i++) {
        int level = lines[i].level < 0 || lines[i].level > 2 ? 2 : lines[i].level;
        style_add(b, t, styles[level], marks[level]);
        buf_printf(b, " %-12s ", lines[i].what);
        safe_text(b, lines[i].detail);
        buf_char(b, '\n');
        steps += lines[i].fix.n > 0;
    }
    buf_add_z(b, steps ? "\nnext steps\n" : "\nnext step\n  pythia search \"a question\"\n");
    for (size_t i = 0, number = 1; i < n; i++) {
        if (!lines[i].fix.n) continue;
        buf_printf(b, "  %zu. ", number++);
        safe_text(b, lines[i].fix);
        buf_char(b, '\n');
    }
}

/* Exit code 2 when something is broken, so that scripts can ask the doctor too. */
Err cmd_doctor(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    DoctorLine *lines = NULL;
    size_t n = 0, broken = 0;
    TRY(cli_engine(cli, &p));
    TRY(pythia_doctor(p, &cli->arena, &lines, &n));
    for (size_t i = 0; i < n; i++) broken += lines[i].level >= 2;
    if (cli->json) {
        doctor_json(cli, lines, n);
    } else {
        doctor_text(cli, lines, n);
    }
    if (!broken) return ERR_OK;
    TRY(cli_flush(cli));
    return err_set(ERR_INTERNAL, "%zu of %zu checks found something broken", broken, n);
}
