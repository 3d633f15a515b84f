/* completion.c - completion scripts for bash, zsh and fish, made from the command table.
 *
 * The scripts are plain data about commands and flags; names of collections and models are asked from the binary when
 * Tab is pressed (`pythia collection list --quiet`), so that they are always true.
 */
#include <stdio.h>

#include "cli/cli.h"

/* What Tab offers for a flag's value. */
typedef enum { VALUE_NONE, VALUE_CHOICES, VALUE_COLLECTION, VALUE_MODEL, VALUE_FILE } ValueKind;

static ValueKind value_kind(const Flag *f) {
    if (f->type == FLAG_SWITCH) return VALUE_NONE;
    if (flag_values(f)) return VALUE_CHOICES;
    if (str_is(str_of(f->arg), "COLLECTION")) return VALUE_COLLECTION;
    if (str_is(str_of(f->arg), "MODEL")) return VALUE_MODEL;
    if (str_is(str_of(f->arg), "FILE")) return VALUE_FILE;
    return VALUE_NONE;
}

static void choices_add(Buf *b, const char *choices) {
    for (const char *p = choices; *p; p++) buf_char(b, *p == '|' ? ' ' : *p);
}

/* The first words, once each. */
static void command_words_add(Buf *b, const char *separator) {
    Str last = {NULL, 0};
    for (const Command *c = commands; c->name; c++) {
        Str word = str_of(c->name);
        ptrdiff_t space = str_find_char(word, ' ');
        if (space >= 0) word = str_upto(word, (size_t)space);
        if (str_eq(word, last)) continue;
        if (last.n) buf_add_z(b, separator);
        buf_add(b, word);
        last = word;
    }
}

static void bash_flag_words(Buf *b, const Flag *flags) {
    for (const Flag *f = flags; f && f->name; f++) buf_printf(b, " --%s", f->name);
}

static void bash_flag_values(Buf *b, const char *command, const Flag *flags) {
    for (const Flag *f = flags; f && f->name; f++) {
        ValueKind kind = value_kind(f);
        if (kind == VALUE_NONE) continue;
        buf_printf(b, "    '%s --%s'", command, f->name);
        if (f->letter) buf_printf(b, "|'%s -%c'", command, f->letter);
        buf_add_z(b, ") ");
        if (kind == VALUE_CHOICES) {
            buf_add_z(b, "values='");
            choices_add(b, flag_values(f));
            buf_add_z(b, "'");
        } else if (kind == VALUE_COLLECTION) {
            buf_add_z(b, "values=$(pythia collection list --quiet 2>/dev/null)");
        } else if (kind == VALUE_MODEL) {
            buf_add_z(b, "values=$(pythia model list --quiet 2>/dev/null)");
        } else {
            buf_add_z(b, "COMPREPLY=($(compgen -f -- \"$cur\")); return");
        }
        buf_add_z(b, " ;;\n");
    }
}

static void bash_add(Buf *b) {
    buf_add_z(b, "# bash completion for pythia; made by: pythia completion bash\n"
                 "_pythia() {\n"
                 "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} values='' flags='' i\n"
                 "  local command=${COMP_WORDS[1]} sub=${COMP_WORDS[2]}\n"
                 "  if ((COMP_CWORD == 1)); then\n"
                 "    COMPREPLY=($(compgen -W '");
    command_words_add(b, " ");
    buf_add_z(b, "' -- \"$cur\")); return\n  fi\n  case \"$command $sub\" in\n");
    for (const Command *c = commands; c->name; c++)
        if (strchr(c->name, ' ')) buf_printf(b, "    '%s') command='%s' ;;\n", c->name, c->name);
    buf_add_z(b, "  esac\n  case \"$command $prev\" in\n");
    for (const Command *c = commands; c->name; c++) bash_flag_values(b, c->name, c->flags);
    for (const Flag *f = global_flags; f->name; f++)
        if (value_kind(f) == VALUE_CHOICES) {
            buf_printf(b, "    *' --%s') values='", f->name);
            choices_add(b, flag_values(f));
            buf_add_z(b, "' ;;\n");
        }
    buf_add_z(b, "  esac\n"
                 "  if [[ $values ]]; then COMPREPLY=($(compgen -W \"$values\" -- \"$cur\")); return; fi\n"
                 "  case \"$command\" in\n");
    for (const Command *c = commands; c->name;) { /* groups: their subcommands */
        if (!strchr(c->name, ' ')) {
            c++;
            continue;
        }
        Str group = str_upto(str_of(c->name), (size_t)str_find_char(str_of(c->name), ' '));
        buf_printf(b, "    %.*s) ((COMP_CWORD == 2)) && values='", STR_FMT(group));
        for (; c->name && str_starts(str_of(c->name), group) && c->name[group.n] == ' '; c++)
            buf_printf(b, "%s ", c->name + group.n + 1);
        buf_add_z(b, "' ;;\n");
    }
    buf_add_z(b, "    completion) values='bash zsh fish' ;;\n    help) values='");
    command_words_add(b, " ");
    buf_add_z(b, "' ;;\n    status|verify|'collection show'|'collection rename'|'collection rm')\n"
                 "      values=$(pythia collection list --quiet 2>/dev/null) ;;\n"
                 "    'model verify') values=$(pythia model list --quiet 2>/dev/null) ;;\n"
                 "  esac\n  case \"$command\" in\n");
    for (const Command *c = commands; c->name; c++) {
        buf_printf(b, "    '%s') flags='", c->name);
        bash_flag_words(b, c->flags);
        buf_add_z(b, "' ;;\n");
    }
    buf_add_z(b, "  esac\n  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$flags");
    bash_flag_words(b, global_flags);
    buf_add_z(b, "\" -- \"$cur\"))\n"
                 "  elif [[ $values ]]; then COMPREPLY=($(compgen -W \"$values\" -- \"$cur\"))\n"
                 "  else compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); fi\n"
                 "}\ncomplete -F _pythia pythia\n");
}

/* In single quotes, for zsh's and fish's descriptions: quotes and brackets of the text are made harmless. */
static void quoted_add(Buf *b, const char *text) {
    for (const char *p = text; *p; p++) {
        if (*p == '\'') {
            buf_add_z(b, "'\\''");
        } else if (*p == '[' || *p == ']' || *p == ':') {
            buf_char(b, ' ');
        } else {
            buf_char(b, *p);
        }
    }
}

static void zsh_flags_add(Buf *b, const Flag *flags) {
    for (const Flag *f = flags; f && f->name; f++) {
        buf_printf(b, " '%s--%s%s[", f->type == FLAG_SWITCH || f->type == FLAG_VALUE ? "" : "*", f->name,
                   f->type == FLAG_SWITCH ? "" : "=");
        quoted_add(b, flag_help(f));
        buf_char(b, ']');
        if (f->type != FLAG_SWITCH) {
            ValueKind kind = value_kind(f);
            buf_printf(b, ":%s:", f->arg);
            if (kind == VALUE_CHOICES) {
                buf_char(b, '(');
                choices_add(b, flag_values(f));
                buf_char(b, ')');
            } else if (kind == VALUE_COLLECTION) {
                buf_add_z(b, "_pythia_collections");
            } else if (kind == VALUE_MODEL) {
                buf_add_z(b, "_pythia_models");
            } else if (kind == VALUE_FILE) {
                buf_add_z(b, "_files");
            }
        }
        buf_char(b, '\'');
    }
}

static void zsh_add(Buf *b) {
    buf_add_z(b, "#compdef pythia\n# zsh completion for pythia; made by: pythia completion zsh\n"
                 "_pythia_collections() { compadd -- ${(f)\"$(pythia collection list --quiet 2>/dev/null)\"} }\n"
                 "_pythia_models() { compadd -- ${(f)\"$(pythia model list --quiet 2>/dev/null)\"} }\n"
                 "_pythia() {\n  local command=$words[2]\n  if ((CURRENT == 2)); then compadd -- ");
    command_words_add(b, " ");
    buf_add_z(b, "; return; fi\n  local skip=1\n  case \"$words[2] $words[3]\" in\n");
    for (const Command *c = commands; c->name; c++)
        if (strchr(c->name, ' ')) buf_printf(b, "    '%s') command='%s'; skip=2 ;;\n", c->name, c->name);
    buf_add_z(b, "  esac\n  shift $skip words; ((CURRENT -= skip))\n  case $command in\n");
    for (const Command *c = commands; c->name; c++) {
        buf_printf(b, "    '%s') _arguments -S", c->name);
        zsh_flags_add(b, c->flags);
        zsh_flags_add(b, global_flags);
        buf_add_z(b, " '*:file:_files' ;;\n");
    }
    for (const Command *c = commands; c->name;) {
        if (!strchr(c->name, ' ')) {
            c++;
            continue;
        }
        Str group = str_upto(str_of(c->name), (size_t)str_find_char(str_of(c->name), ' '));
        buf_printf(b, "    %.*s) compadd --", STR_FMT(group));
        for (; c->name && str_starts(str_of(c->name), group) && c->name[group.n] == ' '; c++)
            buf_printf(b, " %s", c->name + group.n + 1);
        buf_add_z(b, " ;;\n");
    }
    buf_add_z(b,
              "  esac\n}\nif [[ $funcstack[1] == _pythia ]]; then _pythia \"$@\"; else compdef _pythia pythia; fi\n");
}

static void fish_flag_add(Buf *b, const char *condition, const Flag *f) {
    buf_printf(b, "complete -c pythia%s%s%s -l %s", condition[0] ? " -n '" : "", condition, condition[0] ? "'" : "",
               f->name);
    if (f->letter) buf_printf(b, " -s %c", f->letter);
    ValueKind kind = value_kind(f);
    if (f->type != FLAG_SWITCH) buf_add_z(b, kind == VALUE_FILE ? " -r" : " -x");
    if (kind == VALUE_CHOICES) {
        buf_add_z(b, " -a '");
        choices_add(b, flag_values(f));
        buf_char(b, '\'');
    }
    if (kind == VALUE_COLLECTION) buf_add_z(b, " -a '(pythia collection list --quiet 2>/dev/null)'");
    if (kind == VALUE_MODEL) buf_add_z(b, " -a '(pythia model list --quiet 2>/dev/null)'");
    buf_add_z(b, " -d \"");
    for (const char *p = flag_help(f); *p; p++) {
        if (*p == '"' || *p == '$' || *p == '\\') buf_char(b, '\\');
        buf_char(b, *p);
    }
    buf_add_z(b, "\"\n");
}

static void fish_add(Buf *b) {
    buf_add_z(b, "# fish completion for pythia; made by: pythia completion fish\ncomplete -c pythia -n "
                 "__fish_use_subcommand -f -a '");
    command_words_add(b, " ");
    buf_add_z(b, "'\n");
    for (const Command *c = commands; c->name; c++) {
        const char *space = strchr(c->name, ' ');
        char condition[160];
        if (space) {
            int group = (int)(space - c->name);
            (void)snprintf(condition, sizeof condition,
                           "__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s", group, c->name,
                           space + 1);
            buf_printf(b, "complete -c pythia -n '__fish_seen_subcommand_from %.*s' -f -a %s -d \"%s\"\n", group,
                       c->name, space + 1, c->summary);
        } else {
            (void)snprintf(condition, sizeof condition, "__fish_seen_subcommand_from %s", c->name);
        }
        for (const Flag *f = c->flags; f && f->name; f++) fish_flag_add(b, condition, f);
    }
    for (const Flag *f = global_flags; f->name; f++) fish_flag_add(b, "", f);
    buf_add_z(b, "complete -c pythia -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n");
}

Err cmd_completion(Cli *cli) {
    Str shell = cli->args.words[0];
    TRY(choice_check("the shell", shell, "bash|zsh|fish"));
    if (str_is(shell, "bash")) bash_add(&cli->out);
    if (str_is(shell, "zsh")) zsh_add(&cli->out);
    if (str_is(shell, "fish")) fish_add(&cli->out);
    return ERR_OK;
}
