/* cli.c - what every command uses: the engine at first use, results to stdout, talk to stderr, the JSON envelope.
 *
 * Results are gathered in a Buf and written whole: a command that fails half-way has printed nothing, and stdout's
 * errors are seen in one place. Streaming commands flush when they have a batch.
 */
#include "cli/cli.h"
#include "serve/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

Err cli_engine(Cli *cli, Pythia **out) {
    if (!cli->engine) {
        PythiaOpts opts = {.config = cli->config,
                           .home = cli->home,
                           .cwd = cli->cwd,
                           .environ = environ,
                           .cancel = cli->cancel,
                           .reader = "/proc/self/exe"};
        TRY(pythia_open(&cli->engine, &opts));
    }
    *out = cli->engine;
    return ERR_OK;
}

Err cli_flush(Cli *cli) {
    Err err = buf_ok(&cli->out);
    size_t at = 0;
    while (!err && !cli->out_closed && at < cli->out.n) {
        ssize_t n = write(STDOUT_FILENO, cli->out.p + at, cli->out.n - at);
        if (n >= 0) {
            at += (size_t)n;
        } else if (errno == EPIPE) {
            cli->out_closed = true; /* SIGPIPE is ignored: `pythia index | head` must not kill an index run */
        } else if (errno != EINTR) {
            err = err_set(ERR_IO, "cannot write to the standard output: %s", strerror(errno));
        }
    }
    buf_clear(&cli->out);
    return err;
}

static void say_line(const char *fmt, va_list args) {
    Buf raw = {0}, safe = {0};
    buf_vprintf(&raw, fmt, args);
    safe_text(&safe, buf_str(&raw));
    buf_char(&safe, '\n');
    /* One write a line, so that lines of several processes do not mix. Nobody is left to hear of a failure. */
    ssize_t written = write(STDERR_FILENO, safe.p ? safe.p : "", safe.n);
    (void)written;
    buf_free(&raw);
    buf_free(&safe);
}

void cli_say(Cli *cli, const char *fmt, ...) {
    if (cli->json || cli->out_closed) return;
    va_list args;
    va_start(args, fmt);
    say_line(fmt, args);
    va_end(args);
}

void cli_warn(Cli *cli, const char *fmt, ...) {
    (void)cli;
    va_list args;
    va_start(args, fmt);
    say_line(fmt, args);
    va_end(args);
}

JsonOut cli_json_begin_after(Cli *cli, Err outcome) {
    JsonOut j = jout_to(&cli->out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "status", outcome ? "error" : "ok");
    if (outcome) {
        jout_key(&j, "error");
        jout_begin(&j, '{');
        reply_error_members(&j, outcome);
        jout_end(&j, '}');
    }
    return j;
}

JsonOut cli_json_begin(Cli *cli) { return cli_json_begin_after(cli, ERR_OK); }

void cli_json_escape(Buf *b, size_t from) {
    size_t bad = 0;
    for (size_t i = from; i < b->n; i++) {
        unsigned char c = (unsigned char)b->p[i];
        bad += c == 0x7F || (c == 0xC2 && i + 1 < b->n && (unsigned char)b->p[i + 1] < 0xA0);
    }
    if (!bad) return;
    Buf safe = {0};
    for (size_t i = from; i < b->n; i++) {
        unsigned char c = (unsigned char)b->p[i];
        if (c == 0x7F) {
            buf_add_z(&safe, "\\u007f");
        } else if (c == 0xC2 && i + 1 < b->n && (unsigned char)b->p[i + 1] < 0xA0) {
            buf_printf(&safe, "\\u00%02x", (unsigned char)b->p[++i]);
        } else {
            buf_char(&safe, (char)c);
        }
    }
    b->n = from;
    buf_add(b, buf_str(&safe));
    b->failed |= safe.failed;
    buf_free(&safe);
}

void cli_json_end(Cli *cli, JsonOut *j) {
    jout_end(j, '}');
    cli_json_escape(&cli->out, 0);
    buf_char(&cli->out, '\n');
    cli->answered = true;
}

void cli_json_error(Cli *cli, Err err) {
    buf_clear(&cli->out);
    JsonOut j = jout_to(&cli->out);
    reply_error(&j, err);
    cli_json_escape(&cli->out, 0);
    buf_char(&cli->out, '\n');
    cli->answered = true;
}
