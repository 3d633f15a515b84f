/* background.c - see background.h. The log is one file, begun anew when it has grown over LOG_MAX: what went on behind
 * the back is told by `pythia runs`; the log has what nobody was there to read. */
#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static const int64_t LOG_MAX = 1 << 20;

/* The child's exit code as the shell would have it. */
static int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

static _Noreturn void caller_wait(const Cli *cli, pid_t child, int fd) {
    char byte;
    ssize_t n;
    bool told = false;
    while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR) {
        if (*cli->cancel && !told) told = kill(child, SIGTERM) == 0;
    }
    if (n == 1) _exit(0);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    _exit(code_of(status));
}

static Err log_find(Cli *cli, const char **path) {
    FileInfo info;
    const char *dir = path_join(&cli->arena, cli->home, "logs");
    if (!dir) return arena_error();
    TRY(file_make_dirs(dir, 0700));
    *path = path_join(&cli->arena, dir, "background.log");
    if (!*path) return arena_error();
    TRY(file_info(*path, true, &info));
    return info.size > LOG_MAX ? file_remove(*path) : ERR_OK;
}

Err background_begin(Cli *cli, Background *out) {
    int fds[2];
    *out = (Background){.fd = -1};
    TRY(log_find(cli, &out->log_path));
    if (pipe2(fds, O_CLOEXEC) != 0) return err_set(ERR_IO, "cannot make a pipe: %s", strerror(errno));
    const pid_t child = fork();
    if (child < 0) {
        const Err err = err_set(ERR_IO, "cannot start a process: %s", strerror(errno));
        (void)close(fds[0]);
        (void)close(fds[1]);
        return err;
    }
    (void)close(fds[child ? 1 : 0]);
    if (child) caller_wait(cli, child, fds[0]);
    out->fd = fds[1];
    return ERR_OK;
}

Err background_leave(Cli *cli, Background *b) {
    if (b->fd < 0) return ERR_OK;
    TRY(cli_flush(cli));
    const int log = open(b->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) return err_set(ERR_IO, "cannot open '%s': %s", b->log_path, strerror(errno));
    const int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const bool moved =
        none >= 0 && dup2(none, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0;
    const Err err =
        moved ? ERR_OK : err_set(ERR_IO, "cannot move the output to '%s': %s", b->log_path, strerror(errno));
    (void)close(log);
    if (none >= 0) (void)close(none);
    if (err) return err;
    (void)setsid(); /* no Ctrl-C of the terminal, no hang-up; it fails where there is a session of its own already */
    cli->out_term.tty = cli->err_term.tty = false;
    cli->out_term.color = cli->err_term.color = cli->out_term.links = false;
    const ssize_t n = write(b->fd, "", 1); /* a caller that was killed needs no answer */
    (void)n;
    (void)close(b->fd);
    b->fd = -1;
    return ERR_OK;
}
