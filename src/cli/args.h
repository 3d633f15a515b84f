/* args.h - the command line as a user types it: flags anywhere, `--flag=value`, `--flag value`, `-mN`, `-m N`, switches
 * in one word (`-l0`), `--` ends flags, a lone `-` is an argument.
 *
 * Values are checked against the flag's own table row, so that the message can say what is valid. Values live in argv.
 * Threads: one.
 */
#ifndef PYTHIA_CLI_ARGS_H
#define PYTHIA_CLI_ARGS_H

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/str.h"

typedef struct Command Command;

typedef enum {
    FLAG_SWITCH, /* no value */
    FLAG_VALUE,  /* one value, the last one counts */
    FLAG_LIST,   /* may be repeated */
    FLAG_COMMAS, /* may be repeated, and each value is a comma list */
} FlagType;

#define KEY(conf) ((int)(conf) + 1) /* a flag's configuration key; 0: none */

typedef struct {
    const char *name; /* "limit" */
    char letter;      /* 'm', or 0 */
    FlagType type;
    const char *arg;    /* "N": what the value is called; NULL for switches */
    const char *values; /* "a|b|c", NULL: anything (or what the configuration key says) */
    int key;            /* KEY(CONF_…): the flag sets this key over file and environment */
    const char *sets;   /* the key's value when a switch is given */
    const char *alias;  /* another spelling ("backend"); NULL: none */
    const char *help;   /* NULL: the configuration key's */
} Flag;

typedef struct {
    Str *items;
    size_t n; /* times given; items is NULL for a switch */
} FlagValue;

typedef struct {
    const Command *command;
    FlagValue *values; /* [flags of the command, then global flags] */
    Str *words;        /* [n_words] what is not a flag */
    size_t n_words;
} Args;

/* Parses what follows the command's name. ERR_USAGE names the flag and lists the valid ones. */
MUST_USE Err args_parse(Arena *a, const Command *command, char **words, size_t n, Args *out);

/* name must be in the command's table or the global one (asserted). */
bool args_has(const Args *args, const char *name);
Str args_str(const Args *args, const char *name); /* the last value; {NULL,0} when not given */
const Str *args_list(const Args *args, const char *name, size_t *n);

/* Leave *out alone when the flag is not given; ERR_USAGE names value and range. */
MUST_USE Err args_i64(const Args *args, const char *name, int64_t min, int64_t max, int64_t *out);
MUST_USE Err args_f64(const Args *args, const char *name, double min, double max, double *out);

/* Hands every flag that has a configuration key to the configuration. */
MUST_USE Err args_configure(Arena *a, const Args *args, Config *config);

/* Checks a value against "a|b|c"; what is named in the error. */
MUST_USE Err choice_check(const char *what, Str value, const char *choices);

/* The nearest of n names by edits; {NULL,0} when none is near enough to be meant. */
Str nearest_name(Str word, const Str *names, size_t n);
/* ", did you mean 'X'" for it, with what goes before X ("--"); nothing when there is none. */
void nearest_add(Buf *b, Str word, const char *before, const Str *names, size_t n);

/* What a flag may be set to: its own values or its key's; NULL: anything. */
const char *flag_values(const Flag *f);
const char *flag_help(const Flag *f);

#endif
