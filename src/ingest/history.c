/* history.c - see history.h. */
#include "ingest/history.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 50, READ_BYTES = 65536 };

/* ---- what it printed ---- */

static size_t count_char(Str s, char c) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
    return n;
}

/* The paths of the record that *rest goes on with. */
static Err paths_take(Arena *a, Str *rest, HistoryCommit *c) {
    Str list = *rest, path;
    size_t n = 0;
    while (rest->n && rest->p[0] != '\1' && str_cut(rest, '\0', &path)) n++;
    list.n -= rest->n;
    if (n > HISTORY_FILES_MAX) return ERR_OK;
    Str *paths = arena_array(a, Str, n);
    if (!paths) return arena_error();
    while (list.n && str_cut(&list, '\0', &path)) {
        if (c->n == 0 && str_starts(path, STR("\n"))) path = str_from(path, 1);
        if (path.n) paths[c->n++] = path;
    }
    c->paths = paths;
    return ERR_OK;
}

Err history_parse(Arena *a, Str printed, HistoryCommit **out, size_t *n) {
    Str rest = printed, subject;
    *n = 0;
    *out = arena_array(a, HistoryCommit, count_char(printed, '\1'));
    if (!*out) return arena_error();
    const ptrdiff_t first = str_find_char(rest, '\1');
    for (rest = first >= 0 ? str_from(rest, (size_t)first) : STR(""); rest.n && rest.p[0] == '\1';) {
        if (!str_cut(&rest, '\0', &subject)) break;
        HistoryCommit c = {.subject = str_trim(str_from(subject, 1))};
        TRY(paths_take(a, &rest, &c));
        if (c.n && c.subject.n) (*out)[(*n)++] = c;
    }
    return ERR_OK;
}

/* ---- asking git ---- */

extern char **environ;

/* Ours, without what would point git at another repository. */
static char **environment(Arena *a) {
    size_t n = 0, kept = 0;
    while (environ[n]) n++;
    char **out = arena_array(a, char *, n + 3);
    for (size_t i = 0; out && i < n; i++)
        if (strncmp(environ[i], "GIT_", 4) != 0 && strncmp(environ[i], "LC_ALL=", 7) != 0) out[kept++] = environ[i];
    if (out) {
        out[kept++] = (char *)(uintptr_t) "LC_ALL=C";
        out[kept] = (char *)(uintptr_t) "GIT_OPTIONAL_LOCKS=0";
    }
    return out;
}

static int spawn(Arena *a, const char *root, const char *most, int writing, pid_t *pid) {
    const char *const words[] = {"git",
                                 "--no-pager",
                                 "-c",
                                 "core.fsmonitor=false",
                                 "-c",
                                 "log.showSignature=false",
                                 "-C",
                                 root,
                                 "log",
                                 "--no-merges",
                                 "--no-ext-diff",
                                 "--no-textconv",
                                 "--relative",
                                 "--no-renames",
                                 "--diff-filter=AM",
                                 "--name-only",
                                 "-z",
                                 "--format=%x01%s",
                                 "-n",
                                 most,
                                 "--",
                                 ".",
                                 NULL};
    posix_spawn_file_actions_t files;
    char **env = environment(a);
    if (!env) return ENOMEM;
    int code = posix_spawn_file_actions_init(&files);
    if (code) return code;
    code = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!code) code = posix_spawn_file_actions_adddup2(&files, writing, 1);
    if (!code) code = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    if (!code) code = posix_spawnp(pid, "git", &files, NULL, (char *const *)(uintptr_t)words, env);
    (void)posix_spawn_file_actions_destroy(&files);
    return code;
}

/* Until it closes its end, or has said as much as is wanted. */
static Err hear(int fd, const Deadline *stop, Buf *into) {
    char bytes[READ_BYTES];
    while (into->n < HISTORY_BYTES_MAX) {
        struct pollfd look = {.fd = fd, .events = POLLIN};
        TRY(deadline_check(stop));
        const int ready = poll(&look, 1, LOOK_MS);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        const ssize_t n = ready < 0 ? -1 : read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_set(ERR_IO, "cannot hear git: %s", strerror(errno));
        if (n == 0) break;
        buf_add_bytes(into, bytes, (size_t)n);
        if (into->failed) break;
    }
    return buf_ok(into);
}

/* *status: of the program's end. */
static Err ask_git(Arena *a, const char *root, size_t most, const Deadline *stop, Buf *into, int *status, Str *why) {
    char number[24];
    int ends[2];
    pid_t pid = 0;
    (void)snprintf(number, sizeof number, "%zu", most);
    if (pipe2(ends, O_CLOEXEC) != 0) return err_set(ERR_IO, "cannot start git: %s", strerror(errno));
    const int code = spawn(a, root, number, ends[1], &pid);
    (void)close(ends[1]);
    if (code) {
        (void)close(ends[0]);
        *why = arena_printf(a, "git cannot be started: %s", strerror(code));
        return why->p ? ERR_OK : arena_error();
    }
    const Err err = hear(ends[0], stop, into);
    (void)close(ends[0]);
    if (err || into->n >= HISTORY_BYTES_MAX) (void)kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) {}
    return err;
}

Err history_read(Arena *a, const char *root, size_t most, const Deadline *stop, HistoryCommit **out, size_t *n,
                 Str *why) {
    Buf printed = {0};
    int status = 0;
    *out = NULL;
    *n = 0;
    *why = STR("");
    Err err = ask_git(a, root, most < HISTORY_COMMITS_MAX ? most : HISTORY_COMMITS_MAX, stop, &printed, &status, why);
    const bool told = WIFEXITED(status) ? WEXITSTATUS(status) == 0 : printed.n >= HISTORY_BYTES_MAX;
    if (!err && !why->n && !told) *why = STR("git knows no history of this folder");
    if (!err && !why->n) {
        const Str kept = arena_str(a, buf_str(&printed));
        err = kept.p ? history_parse(a, kept, out, n) : arena_error();
    }
    buf_free(&printed);
    return err;
}
