/* main.c - from argv to a command, and from its Err to what the user sees and the shell gets.
 *
 * Order: signals; find the command; parse its flags; home and configuration as far as the command needs them; run;
 * results out; the error shown once, as a line on stderr or, with --json, as the envelope on stdout.
 *
 * Signals: the first SIGINT or SIGTERM sets a flag that the engine looks at between pieces of work, so that what was
 * done is kept; a second one ends the process at once. Neither restarts a blocked read, so `embed -` wakes up too.
 * SIGPIPE is ignored: a reader that goes away ends the output, not the work.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"

static volatile int cancel_flag; /* what the engine polls; written by the handler only */

static void on_signal(int number) {
    (void)number;
    if (cancel_flag) {
        static const char clear[] = "\r\033[K";
        if (isatty(STDERR_FILENO)) {
            ssize_t n = write(STDERR_FILENO, clear, sizeof clear - 1); /* the half-drawn progress bar */
            (void)n;
        }
        _exit(130);
    }
    cancel_flag = 1;
}

static void signals_set(void) {
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    /* A file size limit is an error of write, told with its path, not a death without a word. */
    (void)sigaction(SIGXFSZ, &action, NULL);
}

/* Descriptors 0-2 are opened when the caller closed them: the first file of the store must not become "stderr". */
static void streams_open(void) {
    for (int fd = 0; fd <= 2; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 && errno == EBADF && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd) _exit(2);
    }
}

/* Before the flags are parsed: shall an error of parsing them be JSON? */
static bool words_want_json(char **words, size_t n) {
    for (size_t i = 0; i < n && !str_is(str_of(words[i]), "--"); i++) {
        Str w = str_of(words[i]);
        if (str_is(w, "--json") || str_is(w, "--jsonl") || str_is(w, "--format=json") || str_is(w, "--format=jsonl"))
            return true;
        if (str_is(w, "--format") && i + 1 < n && str_starts(str_of(words[i + 1]), STR("json"))) return true;
    }
    return false;
}

static Err user_file_find(Cli *cli) {
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/') {
        cli->user_file = path_join(&cli->arena, xdg, "pythia/config.ini");
    } else if (home && home[0]) {
        cli->user_file = path_join(&cli->arena, home, ".config/pythia/config.ini");
    } else {
        return ERR_OK;
    }
    return cli->user_file ? ERR_OK : arena_error();
}

/* The nearest .pythia.ini at or above the working folder. */
static Err project_file_find(Cli *cli) {
    Str dir = str_of(cli->cwd);
    for (;;) {
        const char *file = path_join(&cli->arena, arena_cstr(&cli->arena, dir.n ? dir : STR("/")), ".pythia.ini");
        if (!file) return arena_error();
        FileInfo info;
        TRY(file_info(file, true, &info));
        if (info.type == FILE_REGULAR) {
            cli->project_file = file;
            return ERR_OK;
        }
        if (dir.n <= 1) return ERR_OK;
        dir = path_dir(dir);
    }
}

static Err places_find(Cli *cli) {
    char *cwd = getcwd(NULL, 0);
    if (!cwd) return err_set(ERR_IO, "cannot tell the working folder: %s", strerror(errno));
    cli->cwd = arena_cstr(&cli->arena, str_of(cwd));
    free(cwd);
    if (!cli->cwd) return arena_error();
    TRY(user_file_find(cli));
    TRY(project_file_find(cli));
    TRY(pythia_home(&cli->arena, environ, &cli->home));
    return cli->project_file ? trust_check(&cli->arena, cli->home, cli->project_file, &cli->project_trusted) : ERR_OK;
}

static Err configuration_load(Cli *cli) {
    ConfigSources sources = {.user_file = cli->user_file,
                             .project_file = cli->project_file,
                             .project_trusted = cli->project_trusted,
                             .environ = environ};
    TRY(config_load(&cli->config, &sources));
    TRY(args_configure(&cli->arena, &cli->args, cli->config));
    LogLevel level = LOG_WARN;
    if (log_level_parse(config_text(cli->config, CONF_LOG_LEVEL), &level)) log_set_level(level);
    return ERR_OK;
}

/* --color, or what the configuration says once it is loaded. */
static void terms_set(Cli *cli) {
    const char *color = "auto";
    if (cli->config) {
        color = arena_cstr(&cli->arena, config_text(cli->config, CONF_UI_COLOR));
    } else if (cli->args.command) {
        if (args_has(&cli->args, "color")) color = args_str(&cli->args, "color").p;
        if (args_has(&cli->args, "no-color")) color = "never";
    }
    if (!color) color = "never";
    cli->out_term = term_of(STDOUT_FILENO, color);
    cli->err_term = term_of(STDERR_FILENO, color);
}

static Err command_run(Cli *cli, char **words, size_t n) {
    const Command *command = NULL;
    size_t used = 0;
    TRY(command_find(words, n, &command, &used));
    TRY(args_parse(&cli->arena, command, words + used, n - used, &cli->args));
    terms_set(cli);
    if (args_has(&cli->args, "help")) return help_command(cli, words[0], used == 2 ? words[1] : NULL);
    if (cli->args.n_words < command->min_args || cli->args.n_words > command->max_args) {
        bool few = cli->args.n_words < command->min_args;
        Str extra = few ? STR("") : cli->args.words[command->max_args];
        Err err = few ? err_set(ERR_USAGE, "'pythia %s' needs %s", command->name, command->usage)
                      : err_set(ERR_USAGE, "'pythia %s' cannot use the argument '%.*s'", command->name, STR_FMT(extra));
        return err_fix(err, "pythia help %s", command->name);
    }
    if (command->needs >= NEEDS_HOME) TRY(places_find(cli));
    if (command->needs >= NEEDS_CONFIG) TRY(configuration_load(cli));
    terms_set(cli);
    return command->run(cli);
}

/* `pythia`, `pythia --help`, `pythia --version`: before any command. */
static Err top_run(Cli *cli, char **words, size_t n) {
    Str first = n ? str_of(words[0]) : STR("");
    if (n == 0) {
        help_top(cli);
        return cli->out_term.tty ? ERR_OK : err_fix(err_set(ERR_USAGE, "no command given"), "pythia help");
    }
    if (str_is(first, "--help") || str_is(first, "-h")) {
        if (n > 1) return help_command(cli, words[1], n > 2 ? words[2] : NULL);
        help_top(cli);
        return ERR_OK;
    }
    if (str_is(first, "--version") || str_is(first, "-V")) return cmd_version(cli);
    return command_run(cli, words, n);
}

static void error_show(Cli *cli, Err err) {
    if (cli->json) {
        if (!cli->answered) cli_json_error(cli, err);
        return;
    }
    const char *fix = err_fix_text();
    cli_warn(cli, "pythia: %s%s%s", err_text(), fix[0] ? "; run: " : "", fix);
}

int main(int argc, char **argv) {
    int reader_code = 0;
    if (pythia_reader_main(argc, argv, &reader_code)) return reader_code;
    streams_open();
    signals_set();
    Cli cli = {.cancel = &cancel_flag};
    char **words = argv + (argc > 0);
    size_t n = argc > 0 ? (size_t)argc - 1 : 0;
    terms_set(&cli);
    cli.json = words_want_json(words, n);
    Err err = top_run(&cli, words, n);
    int code = err_exit_code(err);
    if (err && err != ERR_NOTHING && !cli.out_closed) error_show(&cli, err);
    Err written = cli_flush(&cli);
    if (written && !err) {
        error_show(&cli, written);
        code = err_exit_code(written);
    }
    shared_close(cli.shared);
    pythia_close(cli.engine);
    config_free(cli.config);
    buf_free(&cli.out);
    arena_free(&cli.arena);
    return code;
}
