/* child.c - the parent's side: starting a child, hearing it out, telling how it ended. See child.h. */
#include "ingest/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ingest/readers.h"
#include "ingest/wire.h"

enum {
    WORDS_MAX = 24,
    ERR_BYTES = 4096, /* of complaints that are kept */
    LOOK_MS = 100,    /* how often opts->stop is looked at */
    READ_BYTES = 65536,
    READERS_TRIED = 4,
};

typedef struct {
    pid_t pid;
    int out, err; /* our ends of the pipes; -1: closed */
    Buf heard, complaints;
    size_t max_out;
    int64_t until_ns;
} Child;

/* ---- starting ---- */

static void shut(int *fd) {
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

/* Nothing of our own environment reaches a child: a locale for programs, and no second thread. */
static char *const child_environment[] = {"LC_ALL=C.UTF-8", "OMP_THREAD_LIMIT=1", NULL};

static Err spawn(Child *c, int document, int out_end, int err_end, char *const *words) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    int code = posix_spawn_file_actions_init(&files);
    if (code) return err_set(ERR_NOMEM, "cannot start a reader: %s", strerror(code));
    code = posix_spawnattr_init(&attributes);
    if (!code) {
        (void)sigemptyset(&none);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        /* A group of its own: Ctrl-C is for us, we end the child. */
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
        const int ends[] = {document, out_end, err_end};
        for (int i = 0; i < 3 && !code; i++) code = posix_spawn_file_actions_adddup2(&files, ends[i], i);
        if (!code) code = posix_spawn(&c->pid, words[0], &files, &attributes, words, child_environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return code ? err_set(ERR_IO, "cannot start '%s': %s", words[0], strerror(code)) : ERR_OK;
}

/* Two pipes, of which theirs are the writing ends; the document is read from its start. */
static Err pipes_open(Child *c, int document, int theirs[2]) {
    int out[2] = {-1, -1}, complaints[2] = {-1, -1};
    const bool open = pipe2(out, O_CLOEXEC) == 0 && pipe2(complaints, O_CLOEXEC) == 0;
    c->out = out[0], theirs[0] = out[1];
    c->err = complaints[0], theirs[1] = complaints[1];
    if (open && lseek(document, 0, SEEK_SET) == 0) return ERR_OK;
    const Err err = err_set(ERR_IO, "cannot start a reader: %s", strerror(errno));
    for (int i = 0; i < 2; i++) shut(&theirs[i]);
    shut(&c->out);
    shut(&c->err);
    return err;
}

static Err child_start(Child *c, int document, char *const *words) {
    int theirs[2];
    TRY(pipes_open(c, document, theirs));
    const Err err = spawn(c, document, theirs[0], theirs[1], words);
    for (int i = 0; i < 2; i++) shut(&theirs[i]);
    if (!err) return ERR_OK;
    shut(&c->out);
    shut(&c->err);
    return err;
}

/* ---- hearing ---- */

/* One read; at the end, or when it says more than it may, the pipe is closed. False: it said too much. */
static bool hear(int *fd, Buf *into, size_t most) {
    char bytes[READ_BYTES];
    const ssize_t n = read(*fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (n <= 0) {
        shut(fd);
        return true;
    }
    const bool fits = (size_t)n <= most - into->n;
    buf_add_bytes(into, bytes, fits ? (size_t)n : most - into->n);
    return fits && !into->failed;
}

/* Until both pipes are closed, or a limit is met. */
static Err hear_out(Child *c, const Deadline *stop, ChildEnd *end) {
    while (c->out >= 0 || c->err >= 0) {
        TRY(deadline_check(stop));
        const int64_t left = (c->until_ns - clock_mono_ns()) / 1000000;
        if (left <= 0) return end->timed_out = true, ERR_OK;
        struct pollfd fds[] = {{.fd = c->out, .events = POLLIN}, {.fd = c->err, .events = POLLIN}};
        const int n = poll(fds, 2, left < LOOK_MS ? (int)left : LOOK_MS);
        if (n < 0 && errno != EINTR) return err_set(ERR_IO, "cannot hear a reader: %s", strerror(errno));
        if (n <= 0) continue;
        if (fds[0].revents && !hear(&c->out, &c->heard, c->max_out)) return end->too_long = true, ERR_OK;
        if (fds[1].revents) (void)!hear(&c->err, &c->complaints, ERR_BYTES);
    }
    return ERR_OK;
}

/* ---- the end ---- */

static void status_tell(int status, ChildEnd *end) {
    end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void wait_for(Child *c, bool kill_now, ChildEnd *end) {
    static const struct timespec moment = {.tv_nsec = 200000};
    int status = 0;
    pid_t got = 0;
    if (kill_now) (void)kill(c->pid, SIGKILL);
    /* It closed its pipes, so it is about to end; one that is not is made to. */
    while ((got = waitpid(c->pid, &status, kill_now ? 0 : WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if (got < 0) continue;
        if (clock_mono_ns() > c->until_ns) {
            kill_now = end->timed_out = true;
            (void)kill(c->pid, SIGKILL);
        } else {
            (void)nanosleep(&moment, NULL);
        }
    }
    status_tell(got == c->pid ? status : EXIT_FAILURE << 8, end);
}

/* What was heard, in the arena. */
static Err child_told(Arena *a, Child *c, Err err, ChildEnd *end) {
    if (!err) err = buf_ok(&c->heard);
    if (!err) {
        end->out = arena_str(a, buf_str(&c->heard));
        end->err = arena_str(a, buf_str(&c->complaints));
        if (!end->out.p || !end->err.p) err = arena_error();
    }
    buf_free(&c->heard);
    buf_free(&c->complaints);
    return err;
}

static Err child_run(Arena *a, int document, char *const *words, const ChildOpts *opts, size_t max_out, ChildEnd *end) {
    Child c = {.out = -1, .err = -1, .max_out = max_out, .until_ns = clock_mono_ns() + opts->timeout_ms * 1000000};
    *end = (ChildEnd){.out = STR(""), .err = STR("")};
    TRY(child_start(&c, document, words));
    Err err = hear_out(&c, opts->stop, end);
    shut(&c.out);
    shut(&c.err);
    wait_for(&c, err || end->timed_out || end->too_long, end);
    return child_told(a, &c, err, end);
}

/* ---- a reader that waits ---- */

/* Sends the document to a borrowed reader; one that died while it waited is replaced. */
static Err reader_ask(const ChildOpts *opts, const ReaderRequest *request, const int fds[3], Reader **out) {
    for (int i = 0; i < READERS_TRIED; i++) {
        TRY(reader_borrow(opts->readers, out));
        if (reader_send(*out, request, fds)) return ERR_OK;
        reader_return(opts->readers, *out, false);
    }
    return err_set(ERR_IO, "no reader of '%s' takes a document", opts->program);
}

/* The status of its child; false when it does not come in time. */
static bool status_take(const Reader *reader, int64_t until_ns, ChildEnd *end) {
    int status = 0;
    for (;;) {
        const int64_t left = (until_ns - clock_mono_ns()) / 1000000;
        struct pollfd fd = {.fd = reader->fd, .events = POLLIN};
        const int n = poll(&fd, 1, left < 0 ? 0 : (int)left);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) end->timed_out = true;
        if (n <= 0 || read(reader->fd, &status, sizeof status) != (ssize_t)sizeof status) return false;
        status_tell(status, end);
        return true;
    }
}

static Err lent_run(Arena *a, int document, const char *format, const ChildOpts *opts, ChildEnd *end) {
    Child c = {.max_out = WIRE_MAX, .until_ns = clock_mono_ns() + opts->timeout_ms * 1000000};
    ReaderRequest request = {.memory = opts->memory, .cpu_s = opts->timeout_ms / 1000 + 1};
    Reader *reader = NULL;
    int theirs[2];
    *end = (ChildEnd){.out = STR(""), .err = STR(""), .exit_code = -1};
    (void)snprintf(request.format, sizeof request.format, "%s", format);
    TRY(pipes_open(&c, document, theirs));
    Err err = reader_ask(opts, &request, (int[]){document, theirs[0], theirs[1]}, &reader);
    for (int i = 0; i < 2; i++) shut(&theirs[i]);
    if (!err) {
        err = hear_out(&c, opts->stop, end);
        const bool heard = !err && !end->timed_out && !end->too_long;
        reader_return(opts->readers, reader, heard && status_take(reader, c.until_ns, end));
    }
    shut(&c.out);
    shut(&c.err);
    return child_told(a, &c, err, end);
}

/* program __read MEMORY CPU_SECONDS WORDS… */
static Err words_make(Arena *a, const ChildOpts *opts, const char *const *tail, char **out /* [WORDS_MAX] */) {
    const int64_t cpu_s = opts->timeout_ms / 1000 + 1;
    size_t n = 0;
    const char *memory = arena_printf(a, "%lld", (long long)opts->memory).p;
    const char *cpu = arena_printf(a, "%lld", (long long)cpu_s).p;
    if (!memory || !cpu) return arena_error();
    const char *const head[] = {opts->program, CHILD_WORD, memory, cpu};
    for (size_t i = 0; i < 4; i++) out[n++] = (char *)(uintptr_t)head[i];
    for (; *tail && n < WORDS_MAX - 1; tail++) out[n++] = (char *)(uintptr_t)*tail;
    out[n] = NULL;
    return *tail ? err_set(ERR_LIMIT, "too many words for a reader") : ERR_OK;
}

Err child_run_program(Arena *a, int fd, const char *const *words, const ChildOpts *opts, size_t max_out,
                      ChildEnd *out) {
    const char *tail[WORDS_MAX] = {"="};
    char *all[WORDS_MAX];
    for (size_t i = 0; words[i] && i < WORDS_MAX - 6; i++) tail[i + 1] = words[i];
    TRY(words_make(a, opts, tail, all));
    return child_run(a, fd, all, opts, max_out, out);
}

Err child_problem(Arena *a, const ChildEnd *end, const char *name, const ChildOpts *opts, Str *reason) {
    *reason = STR("");
    if (end->timed_out || end->signal == SIGXCPU)
        *reason =
            arena_printf(a, "quarantined (%s reader took longer than %g s)", name, (double)opts->timeout_ms / 1000);
    else if (end->too_long)
        *reason = arena_printf(a, "quarantined (%s reader gave too much text)", name);
    else if (end->signal)
        *reason = arena_printf(a, "quarantined (%s reader ended by signal %d, %s)", name, end->signal,
                               strsignal(end->signal));
    return reason->p ? ERR_OK : arena_error();
}

/* A reader's refusal as the reason that is kept. */
static Err refusal(Arena *a, const char *name, Err code, Str text, Str *skip) {
    if (code == ERR_CORRUPT || code == ERR_INPUT)
        *skip = arena_printf(a, "broken %s (%.*s)", name, STR_FMT(text));
    else if (code == ERR_UNSUPPORTED)
        *skip = arena_printf(a, "%s not supported (%.*s)", name, STR_FMT(text));
    else if (code == ERR_NOMEM)
        *skip = arena_printf(a, "quarantined (%s reader ran out of memory)", name);
    else
        *skip = arena_printf(a, "%s over a limit (%.*s)", name, STR_FMT(text));
    if (code == ERR_UNSUPPORTED && str_starts(text, STR("encrypted"))) *skip = arena_printf(a, "encrypted (%s)", name);
    return skip->p ? ERR_OK : arena_error();
}

Err child_read(Arena *a, int fd, const DocumentFormat *format, const ChildOpts *opts, Doc *out, Str *skip) {
    const char *const tail[] = {format->name, NULL};
    char *words[WORDS_MAX];
    ChildEnd end;
    Err refused;
    Str reason;
    TRY(words_make(a, opts, tail, words));
    TRY(opts->readers ? lent_run(a, fd, format->name, opts, &end) : child_run(a, fd, words, opts, WIRE_MAX, &end));
    TRY(child_problem(a, &end, format->name, opts, skip));
    if (skip->n) return ERR_OK;
    const Err err = end.exit_code == 0 ? wire_read(a, end.out, out, &refused, &reason) : ERR_CORRUPT;
    if (err == ERR_NOMEM) return err;
    if (err) {
        *skip = arena_printf(a, "quarantined (%s reader gave no answer, exit %d)", format->name, end.exit_code);
        return skip->p ? ERR_OK : arena_error();
    }
    return refused ? refusal(a, format->name, refused, reason, skip) : ERR_OK;
}
