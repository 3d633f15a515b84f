/* cli.h - what the files of the command line share: the context of one call, the command table, output.
 *
 * One table (commands.c) names every command with its usage, flags and example; it serves parsing, help, completion and
 * the manual, so that none of them can disagree. A command is a function of the context: it asks the engine, and writes
 * results to cli->out (stdout) or talk to stderr. It returns an Err; main shows it once.
 *
 * Threads: one. Memory: everything of a call lives in cli->arena.
 */
#ifndef PYTHIA_CLI_CLI_H
#define PYTHIA_CLI_CLI_H

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/pythia.h"
#include "serve/reply.h"
#include "serve/shared.h"

#include "cli/args.h"
#include "cli/term.h"

typedef struct Cli {
    Arena arena;
    Args args;
    Config *config; /* NULL for commands that work without (help, version, completion) */
    Pythia *engine; /* opened by cli_engine */
    Shared *shared; /* a server that works for us (sharing.h); NULL: none */
    bool shared_sought;
    Str answered_by;         /* who did, of calls that a server might have; "" before */
    Term out_term, err_term; /* what stands behind stdout and stderr */
    Buf out;                 /* results on their way to stdout */
    bool json;               /* results and errors as JSON envelopes on stdout */
    bool out_closed;         /* the reader went away (head, less): say nothing more */
    bool answered;           /* the command has already put its own envelope on stdout, also when it failed */
    const char *home, *cwd;
    const char *user_file;    /* $XDG_CONFIG_HOME/pythia/config.ini; NULL: no home is known */
    const char *project_file; /* nearest .pythia.ini at or above cwd; NULL: none */
    bool project_trusted;
    const volatile int *cancel;
} Cli;

typedef Err (*CommandFn)(Cli *cli);

/* How much must stand before a command runs. */
typedef enum { NEEDS_NOTHING, NEEDS_HOME, NEEDS_CONFIG } CommandNeeds;

struct Command {
    const char *name;     /* "search", "collection list" */
    const char *group;    /* heading in `pythia --help` */
    const char *usage;    /* what follows the name: "QUERY [PATH…]" */
    const char *summary;  /* one line */
    const char *text;     /* more, for `pythia help COMMAND`; NULL: the summary says it all */
    const Flag *flags;    /* ends with name NULL; NULL: none of its own */
    const char *examples; /* one a line */
    size_t min_args, max_args;
    CommandNeeds needs;
    bool is_default; /* what a group's bare name means: `pythia collection` is `pythia collection list` */
    CommandFn run;
};

extern const Command commands[]; /* ends with name NULL */
extern const Flag global_flags[];

/* The commands of one first word: "collection list", "collection show" … */
enum { COMMANDS_MAX = 64 };
typedef struct {
    const Command *members[COMMANDS_MAX];
    size_t n; /* 0: no such command */
} CommandFamily;
void command_family(Str word, CommandFamily *out);

/* The command of the first one or two words; *used tells how many. ERR_USAGE names the nearest and lists all. */
MUST_USE Err command_find(char **words, size_t n, const Command **out, size_t *used);

/* Opens the engine at the first call. */
MUST_USE Err cli_engine(Cli *cli, Pythia **out);

/* Writes what stands in cli->out to stdout. ERR_IO when that fails; a reader that went away is no error. */
MUST_USE Err cli_flush(Cli *cli);

/* Talk: a line on stderr, made safe for a terminal; nothing when stdout carries JSON envelopes. */
void cli_say(Cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same, also with --json: for what must not be missed. */
void cli_warn(Cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The envelope: cli_json_begin writes {"status":"ok", and cli_json_end closes, escapes and ends the line. */
JsonOut cli_json_begin(Cli *cli);
/* The same of a call whose report stands beside its error: {"status":"error","error":{…}, unless outcome is ERR_OK. */
JsonOut cli_json_begin_after(Cli *cli, Err outcome);
void cli_json_end(Cli *cli, JsonOut *j);
/* A terminal obeys DEL and C1 controls written as UTF-8; JSON allows them raw. They only occur inside strings, so
 * \u00XX means the same to a reader. From byte `from` of b on. */
void cli_json_escape(Buf *b, size_t from);
/* Writes the error envelope for this thread's error. */
void cli_json_error(Cli *cli, Err err);
/* ---- commands, one file each ---- */
Err cmd_add(Cli *cli);
Err cmd_collection_list(Cli *cli);
Err cmd_collection_remove(Cli *cli);
Err cmd_collection_rename(Cli *cli);
Err cmd_collection_show(Cli *cli);
Err cmd_completion(Cli *cli);
Err cmd_config_get(Cli *cli);
Err cmd_config_list(Cli *cli);
Err cmd_config_path(Cli *cli);
Err cmd_config_set(Cli *cli);
Err config_set_user(Cli *cli, ConfigKey key, Str value); /* in the user's own file; "": removed */
Err cmd_config_trust(Cli *cli);
Err cmd_doctor(Cli *cli);
Err cmd_embed(Cli *cli);
Err cmd_eval_gate(Cli *cli);
Err cmd_eval_init(Cli *cli);
Err cmd_eval_report(Cli *cli);
Err cmd_eval_run(Cli *cli);
Err cmd_feedback_add(Cli *cli);
Err cmd_feedback_clear(Cli *cli);
Err cmd_feedback_list(Cli *cli);
Err cmd_bench_embed(Cli *cli);
Err cmd_bench_generate(Cli *cli);
Err cmd_bench_index(Cli *cli);
Err cmd_bench_search(Cli *cli);
Err cmd_get(Cli *cli);
Err cmd_symbols(Cli *cli);
Err cmd_help(Cli *cli);
Err cmd_index(Cli *cli);
Err cmd_model_import(Cli *cli);
Err cmd_model_list(Cli *cli);
Err cmd_model_pull(Cli *cli);
Err cmd_model_distill(Cli *cli);
Err cmd_model_verify(Cli *cli);
Err cmd_model_use(Cli *cli);
Err cmd_model_remove(Cli *cli);
Err cmd_rerank(Cli *cli);
Err cmd_rm(Cli *cli);
Err cmd_runs_cancel(Cli *cli);
Err cmd_runs_list(Cli *cli);
Err cmd_runs_show(Cli *cli);
Err cmd_ask(Cli *cli);
Err cmd_chat(Cli *cli);
Err cmd_chat_export(Cli *cli);
Err cmd_chat_list(Cli *cli);
Err cmd_chat_remove(Cli *cli);
Err cmd_chat_show(Cli *cli);
Err cmd_search(Cli *cli);
Err cmd_similar(Cli *cli);
Err cmd_status(Cli *cli);
Err cmd_tokenize(Cli *cli);
Err cmd_verify(Cli *cli);
Err cmd_version(Cli *cli);
Err cmd_watch(Cli *cli);
Err cmd_why(Cli *cli);

/* The server: cmd_serve.c. */
Err cmd_health(Cli *cli);
Err cmd_lsp(Cli *cli);
Err cmd_mcp(Cli *cli);
Err cmd_serve(Cli *cli);
Err cmd_token_create(Cli *cli);
Err cmd_token_list(Cli *cli);
Err cmd_token_revoke(Cli *cli);

/* Help of one command, or of a group; ERR_USAGE when there is none. */
MUST_USE Err help_command(Cli *cli, const char *word, const char *second);
void help_top(Cli *cli);
/* Writes one flag as help and manual show it: "-m, --limit N". */
void flag_title(Buf *b, const Flag *f);

/* True when the content of the project file was trusted with `pythia config trust`. */
MUST_USE Err trust_check(Arena *a, const char *home, const char *project_file, bool *out);

#endif
