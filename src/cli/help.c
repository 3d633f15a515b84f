/* help.c - help, the manual and the version, all made from the command table. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "base/utf8.h"
#include "cli/cli.h"

enum { FLAG_COLUMN = 30, HELP_WIDTH = 80 };

static void pad_to(Buf *b, size_t line_start, size_t column) {
    size_t shown = utf8_width(str_make(b->p + line_start, b->n - line_start));
    for (size_t i = shown; i < column; i++) buf_char(b, ' ');
}

void flag_title(Buf *b, const Flag *f) {
    if (f->letter) buf_printf(b, "-%c, ", f->letter);
    buf_printf(b, "--%s", f->name);
    if (f->arg) buf_printf(b, " %s", f->arg);
}

/* "how hits are found (hybrid, semantic, lexical; default hybrid)" */
static void flag_meaning(Buf *b, const Flag *f) {
    buf_add_z(b, flag_help(f));
    const char *values = flag_values(f);
    const ConfigDef *def = f->key && f->type != FLAG_SWITCH ? &config_defs[f->key - 1] : NULL;
    bool has_default = def && def->default_value[0];
    if (values || has_default) buf_add_z(b, " (");
    Str rest = str_of(values), one;
    for (bool first = true; values && str_cut(&rest, '|', &one); first = false) {
        if (!first) buf_add_z(b, ", ");
        buf_add(b, one);
    }
    if (values && has_default) buf_add_z(b, "; ");
    if (has_default) buf_printf(b, "default %s", def->default_value);
    if (values || has_default) buf_char(b, ')');
    if (f->alias) buf_printf(b, "; also --%s", f->alias);
}

/* text in words from column on, wrapped at HELP_WIDTH. */
static void wrap_add(Buf *b, Str text, size_t column) {
    size_t at = column;
    Str word;
    for (bool first = true; str_cut(&text, ' ', &word); first = false) {
        size_t width = utf8_width(word);
        if (!first && at + 1 + width > HELP_WIDTH) {
            buf_char(b, '\n');
            for (size_t i = 0; i < column; i++) buf_char(b, ' ');
            at = column;
        } else if (!first) {
            buf_char(b, ' ');
            at++;
        }
        buf_add(b, word);
        at += width;
    }
    buf_char(b, '\n');
}

static void flags_add(Buf *b, const Flag *flags) {
    for (const Flag *f = flags; f && f->name; f++) {
        size_t start = b->n;
        buf_add_z(b, f->letter ? "  " : "      ");
        flag_title(b, f);
        if (utf8_width(str_make(b->p + start, b->n - start)) + 2 > FLAG_COLUMN) {
            buf_char(b, '\n');
            start = b->n;
        }
        pad_to(b, start, FLAG_COLUMN);
        Buf meaning = {0};
        flag_meaning(&meaning, f);
        wrap_add(b, buf_str(&meaning), FLAG_COLUMN);
        buf_free(&meaning);
    }
}

static void indented_add(Buf *b, const char *lines, const char *indent) {
    Str rest = str_of(lines), line;
    while (str_line(&rest, &line)) {
        buf_add_z(b, indent);
        buf_add(b, line);
        buf_char(b, '\n');
    }
}

static void command_help_add(Buf *b, const Term *t, const Command *c) {
    buf_printf(b, "pythia %s - %s\n\n", c->name, c->summary);
    style_add(b, t, STYLE_BOLD, "usage");
    buf_printf(b, "\n  pythia %s%s%s [--flag…]\n", c->name, c->usage[0] ? " " : "", c->usage);
    if (c->text) {
        buf_char(b, '\n');
        buf_add_z(b, c->text);
        buf_char(b, '\n');
    }
    buf_char(b, '\n');
    style_add(b, t, STYLE_BOLD, strchr(c->examples, '\n') ? "examples" : "example");
    buf_char(b, '\n');
    indented_add(b, c->examples, "  ");
    if (c->flags) {
        buf_char(b, '\n');
        style_add(b, t, STYLE_BOLD, "flags");
        buf_char(b, '\n');
        flags_add(b, c->flags);
    }
    buf_char(b, '\n');
    style_add(b, t, STYLE_BOLD, "flags of every command");
    buf_char(b, '\n');
    flags_add(b, global_flags);
}

/* "runs list" is shown as "runs" in lists where it is the default. */
static size_t first_word_length(const char *name) {
    const char *space = strchr(name, ' ');
    return space ? (size_t)(space - name) : strlen(name);
}

static bool same_family(const Command *a, const Command *b) {
    size_t n = first_word_length(a->name);
    return n == first_word_length(b->name) && memcmp(a->name, b->name, n) == 0;
}

/* "collection list|show|rename|rm" or "search QUERY [PATH…]"; *c moves behind the family. */
static void family_title(Buf *b, const Command **c) {
    const Command *first = *c;
    size_t n = first_word_length(first->name);
    buf_add_bytes(b, first->name, n);
    if (!first->name[n]) {
        if (first->usage[0]) buf_printf(b, " %s", first->usage);
        ++*c;
        return;
    }
    buf_char(b, ' ');
    for (const char *bar = ""; (*c)->name && same_family(first, *c); ++*c, bar = "|")
        buf_printf(b, "%s%s", bar, (*c)->name + n + 1);
}

static const struct {
    const char *word, *summary;
} family_summaries[] = {
    {"runs", "ingestion runs"},
    {"token", "access tokens of the server"},
    {"collection", "collections"},
    {"model", "models: list, make from a folder, check"},
    {"eval", "retrieval quality on a BEIR folder"},
    {"bench", "speed on this machine, as JSON"},
    {"config", "settings, and where each comes from"},
};

static const char *family_summary(const Command *first) {
    size_t n = first_word_length(first->name);
    if (!first->name[n]) return first->summary;
    for (size_t i = 0; i < sizeof family_summaries / sizeof *family_summaries; i++)
        if (str_eq(str_make(first->name, n), str_of(family_summaries[i].word))) return family_summaries[i].summary;
    return first->summary;
}

/* One screen of 80 x 24: a line a family, its group's name before the first. */
void help_top(Cli *cli) {
    Buf *b = &cli->out;
    buf_printf(b, "pythia %s - find things in your own code and documents\n\n", PYTHIA_VERSION);
    const char *group = "";
    for (const Command *c = commands; c->name;) {
        size_t start = b->n;
        const Command *first = c;
        Buf title = {0};
        family_title(&title, &c);
        bool new_group = strcmp(group, first->group) != 0;
        group = first->group;
        buf_printf(b, " %-6s ", new_group ? group : "");
        /* Usages that would push the summary over the edge are cut to the name; `help COMMAND` has them in full. */
        Str shown = buf_str(&title);
        if (utf8_width(shown) > 36) shown = str_make(first->name, first_word_length(first->name));
        buf_add(b, shown);
        pad_to(b, start, 38);
        buf_printf(b, " %s\n", family_summary(first));
        buf_free(&title);
    }
    buf_add_z(b, "\nstart:  pythia index        then:  pythia search \"a question\"\n"
                 "pythia help COMMAND  shows its flags and examples\n");
}

static void family_help_add(Buf *b, const Term *t, const char *word, const CommandFamily *family) {
    buf_printf(b, "pythia %s - %s\n\n", word, family_summary(family->members[0]));
    for (size_t i = 0; i < family->n; i++) {
        const Command *c = family->members[i];
        size_t start = b->n;
        buf_printf(b, "  pythia %s %s", c->name, c->usage);
        pad_to(b, start, 36);
        buf_printf(b, " %s%s\n", c->summary, c->is_default ? " (the default)" : "");
    }
    buf_char(b, '\n');
    style_add(b, t, STYLE_BOLD, "examples");
    buf_char(b, '\n');
    for (size_t i = 0; i < family->n; i++) indented_add(b, family->members[i]->examples, "  ");
    buf_printf(b, "\npythia help %s SUBCOMMAND  shows its flags\n", word);
}

Err help_command(Cli *cli, const char *word, const char *second) {
    CommandFamily family;
    command_family(str_of(word), &family);
    if (family.n > 1 && !second) {
        family_help_add(&cli->out, &cli->out_term, word, &family);
        return ERR_OK;
    }
    char *words[] = {(char *)(uintptr_t)word, (char *)(uintptr_t)second}; /* only read */
    const Command *found = family.n ? family.members[0] : commands;
    size_t used = 0;
    if (family.n != 1 || second) TRY(command_find(words, second ? 2 : 1, &found, &used));
    command_help_add(&cli->out, &cli->out_term, found);
    return ERR_OK;
}

/* ---- the manual ---- */

static void markdown_flags(Buf *b, const Flag *flags) {
    buf_add_z(b, "| flag | |\n|---|---|\n");
    for (const Flag *f = flags; f && f->name; f++) {
        buf_add_z(b, "| `");
        flag_title(b, f);
        buf_add_z(b, "` | ");
        flag_meaning(b, f);
        buf_add_z(b, " |\n");
    }
    buf_char(b, '\n');
}

static void markdown_command(Buf *b, const Command *c) {
    buf_printf(b, "## pythia %s\n\n`pythia %s%s%s`: %s.\n\n", c->name, c->name, c->usage[0] ? " " : "", c->usage,
               c->summary);
    if (c->text) {
        buf_add_z(b, c->text);
        buf_add_z(b, "\n\n");
    }
    buf_add_z(b, "```sh\n");
    buf_add_z(b, c->examples);
    buf_add_z(b, "\n```\n\n");
    if (c->flags) markdown_flags(b, c->flags);
}

static void markdown_config(Buf *b) {
    buf_add_z(
        b,
        "## Configuration\n\n"
        "A flag wins over the environment, that over `.pythia.ini` of the project (the nearest at or above the\n"
        "working folder), that over your own `$XDG_CONFIG_HOME/pythia/config.ini`, that over the default. Each key is\n"
        "also `PYTHIA_<SECTION>_<KEY>`. Keys marked * a project's own file may set without `pythia config trust`.\n\n"
        "| key | default | |\n|---|---|---|\n");
    for (size_t i = 0; i < CONF_COUNT; i++) {
        const ConfigDef *d = &config_defs[i];
        buf_printf(b, "| `%s.%s`%s | `%s` | %s", d->section, d->key, d->flags & CONFIG_PROJECT ? " *" : "",
                   d->default_value, d->help);
        Str rest = str_of(d->values), one;
        for (bool first = true; d->values[0] && str_cut(&rest, '|', &one); first = false)
            buf_printf(b, "%s`%.*s`", first ? ": " : ", ", STR_FMT(one));
        buf_add_z(b, " |\n");
    }
}

static void markdown_exits(Buf *b) {
    static const struct {
        int code;
        const char *meaning;
    } exits[] = {
        {0, "found, or done"},
        {1, "nothing found"},
        {2, "usage, or a general error"},
        {3, "no such collection, document or index"},
        {4, "the index needs action (another model or format); the message gives the command"},
        {5, "data damaged"},
        {6, "busy or locked"},
        {7, "model missing"},
        {8, "remote provider or network"},
        {9, "partly done; the failures are listed"},
        {10, "evaluation gate failed"},
        {124, "deadline"},
        {130, "interrupted"},
    };
    buf_add_z(b, "## Exit codes\n\n| code | |\n|---|---|\n");
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
        buf_printf(b, "| %d | %s |\n", exits[i].code, exits[i].meaning);
    buf_char(b, '\n');
}

static void manual_add(Buf *b) {
    buf_add_z(
        b,
        "# pythia, the command line\n\n"
        "Made by `pythia help --markdown`: the same table serves `--help`, completion and this page.\n\n"
        "Flags may stand anywhere: `--flag value`, `--flag=value`, `-mN`, `-m N`; `--` ends them. Results go to the\n"
        "standard output, everything else to standard error.\n\n");
    for (const Command *c = commands; c->name; c++) markdown_command(b, c);
    buf_add_z(b, "## Flags of every command\n\n");
    markdown_flags(b, global_flags);
    markdown_exits(b);
    markdown_config(b);
}

Err cmd_help(Cli *cli) {
    const Str *words = cli->args.words;
    if (args_has(&cli->args, "markdown")) {
        manual_add(&cli->out);
        return ERR_OK;
    }
    if (cli->args.n_words == 0) {
        help_top(cli);
        return ERR_OK;
    }
    return help_command(cli, words[0].p,
                        cli->args.n_words > 1 ? words[1].p : NULL); /* words are argv's, with their NUL */
}

Err cmd_version(Cli *cli) {
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_z(&j, "version", PYTHIA_VERSION);
        cli_json_end(cli, &j);
    } else {
        buf_printf(&cli->out, "pythia %s\n", PYTHIA_VERSION);
    }
    return ERR_OK;
}
