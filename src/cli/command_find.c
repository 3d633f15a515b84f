/* command_find.c - from the words of a call to its row of the command table, or the error that names what there is. */
#include "cli/args.h"
#include "cli/cli.h"

/* "collection list": its first word. */
static Str command_group_word(const Command *c) {
    Str name = str_of(c->name);
    ptrdiff_t space = str_find_char(name, ' ');
    return space < 0 ? name : str_upto(name, (size_t)space);
}

/* "collection list": its second word; empty when there is none. */
static Str command_own_word(const Command *c) { return str_from(str_of(c->name), command_group_word(c).n + 1); }

void command_family(Str word, CommandFamily *out) {
    out->n = 0;
    for (const Command *c = commands; c->name; c++)
        if (str_eq(command_group_word(c), word)) out->members[out->n++] = c;
}

static void names_add(Buf *b, const Str *names, size_t n) {
    for (size_t i = 0; i < n; i++) buf_printf(b, "%s%.*s", i ? ", " : "", STR_FMT(names[i]));
}

static Err command_unknown(const char *word) {
    Str names[COMMANDS_MAX];
    size_t n = 0;
    for (const Command *c = commands; c->name; c++) { /* families stand together in the table */
        Str name = command_group_word(c);
        if (n == 0 || !str_eq(names[n - 1], name)) names[n++] = name;
    }
    Buf text = {0};
    nearest_add(&text, str_of(word), "", names, n);
    buf_add_z(&text, "; valid: ");
    names_add(&text, names, n);
    Err err = err_set(ERR_USAGE, "unknown command '%.200s'%s", word, text.p ? text.p : "");
    buf_free(&text);
    return err_fix(err, "pythia help");
}

/* word NULL: none was given. */
static Err subcommand_unknown(const char *group, const char *word, const CommandFamily *family) {
    Str names[COMMANDS_MAX];
    for (size_t i = 0; i < family->n; i++) names[i] = command_own_word(family->members[i]);
    Buf text = {0};
    if (word) nearest_add(&text, str_of(word), "", names, family->n);
    buf_add_z(&text, "; valid: ");
    names_add(&text, names, family->n);
    const char *rest = text.p ? text.p : "";
    Err err = word ? err_set(ERR_USAGE, "unknown subcommand '%.200s' of 'pythia %s'%s", word, group, rest)
                   : err_set(ERR_USAGE, "'pythia %s' needs a subcommand%s", group, rest);
    buf_free(&text);
    return err_fix(err, "pythia help %s", group);
}

Err command_find(char **words, size_t n, const Command **out, size_t *used) {
    CommandFamily family;
    command_family(str_of(words[0]), &family);
    if (family.n == 0) return command_unknown(words[0]);
    *used = 1;
    *out = family.members[0];
    if (str_is(str_of(words[0]), family.members[0]->name)) return ERR_OK;
    const Command *fallback = NULL;
    for (size_t i = 0; i < family.n; i++) {
        if (family.members[i]->is_default) fallback = family.members[i];
        if (n > 1 && str_eq(str_of(words[1]), command_own_word(family.members[i]))) {
            *out = family.members[i];
            *used = 2;
            return ERR_OK;
        }
    }
    bool bare = n == 1 || words[1][0] == '-';
    bool help = bare && n > 1 && (str_is(str_of(words[1]), "--help") || str_is(str_of(words[1]), "-h"));
    if (fallback) *out = fallback;
    return (bare && fallback) || help ? ERR_OK : subcommand_unknown(words[0], bare ? NULL : words[1], &family);
}
