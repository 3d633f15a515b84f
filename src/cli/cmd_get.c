/* cmd_get.c - `pythia get`: lines, a symbol or a whole document; several at once. */
#include <stdio.h>

#include "cli/hits.h"

/* Eyes get a header and numbered lines. Pipes get the bytes as they are; of several texts each has a header. */
static void text_show(Cli *cli, const PythiaText *t, bool several, bool first) {
    Buf *b = &cli->out;
    const Term *term = &cli->out_term;
    if (!term->tty) {
        if (several) {
            buf_add_z(b, first ? "==> " : "\n==> ");
            safe_path(b, path_shown(cli, t->path, t->uri));
            buf_printf(b, ":%d-%d <==\n", t->start_line, t->end_line);
        }
        buf_add(b, t->content);
        if (several && t->content.n && !str_ends(t->content, STR("\n"))) buf_char(b, '\n');
        return;
    }
    if (!first) buf_char(b, '\n');
    path_link(b, term, t->uri, path_shown(cli, t->path, t->uri));
    if (t->start_line > 0) buf_printf(b, ":%d-%d", t->start_line, t->end_line);
    if (t->symbol.n) {
        buf_add_z(b, "  ");
        safe_path(b, t->symbol);
    }
    if (t->freshness && !str_is(str_of(t->freshness), "fresh")) {
        buf_add_z(b, "  ");
        style_add(b, term, STYLE_WARN, t->freshness);
    }
    buf_char(b, '\n');
    numbered_lines(b, term, t->content, t->start_line > 0 ? t->start_line : 1, NULL);
}

/* One missing place does not hide the others: they are printed, the missing ones told, and the exit code is 9. */
Err cmd_get(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Str collection = args_has(&cli->args, "in") ? args_str(&cli->args, "in") : STR("");
    const Args *args = &cli->args;
    Pythia *p = NULL;
    TRY(cli_engine(cli, &p));
    Err first_err = ERR_OK;
    ErrInfo first_info = {0};
    size_t found = 0;
    JsonOut j = {0};
    if (cli->json) {
        j = cli_json_begin(cli);
        jout_key(&j, "results");
        jout_begin(&j, '[');
    }
    for (size_t i = 0; i < args->n_words; i++) {
        PythiaText text = {0};
        Err err = pythia_get(p, &cli->arena, collection, args->words[i], &text);
        if (err == ERR_INTERRUPT) return err;
        if (err) {
            if (!first_err) err_save(&first_info, first_err = err);
            if (args->n_words > 1) cli_warn(cli, "pythia: %s", err_text());
            continue;
        }
        if (cli->json) {
            reply_text(&j, &text);
        } else {
            text_show(cli, &text, args->n_words > 1, found == 0);
        }
        found++;
    }
    if (found == 0) return err_restore(&first_info);
    if (cli->json) {
        jout_end(&j, ']');
        cli_json_end(cli, &j);
    }
    if (!first_err) return ERR_OK;
    return err_set(ERR_PARTIAL, "%zu of %zu could not be had: %s", args->n_words - found, args->n_words,
                   first_info.text);
}
