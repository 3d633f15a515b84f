/* child_main.c - the child's side: confine, read, answer, end. See child.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ingest/child.h"
#include "ingest/confine.h"
#include "ingest/readers.h"
#include "ingest/wire.h"

enum { EXIT_USAGE = 64, EXIT_NO_PROGRAM = 127 };

static bool write_all(int fd, Str s) {
    while (s.n) {
        const ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        s = str_from(s, (size_t)n);
    }
    return true;
}

/* The document's bytes, mapped: none are copied. A file that shrinks meanwhile ends the child, and the parent tells. */
static bool document_map(Str *out) {
    struct stat st;
    if (fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0) return false;
    *out = STR("");
    if (st.st_size == 0) return true;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    *out = str_make(p, (size_t)st.st_size);
    return p != MAP_FAILED;
}

static int read_document(const DocumentFormat *format, const ConfineLimits *limits) {
    Str bytes;
    Arena a = {0};
    Flow f;
    Doc doc = {0};
    Buf answer = {0};
    if (!document_map(&bytes)) return EXIT_USAGE;
    flow_begin(&f, &a);
    charsets_prepare(&f.charsets, bytes); /* opens what it may need: afterwards nothing can be opened */
    (void)confine_self(limits);
    Err err = format->read(&f, bytes);
    if (!err) err = flow_end(&f, &doc);
    if (err)
        wire_put_refused(&answer, err, str_of(err_text()));
    else
        wire_put_text(&answer, &doc);
    if (answer.failed) return EXIT_FAILURE;
    return write_all(STDOUT_FILENO, buf_str(&answer)) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Becomes the program, which inherits what was taken from us. */
static int become_program(char **words, const ConfineLimits *limits) {
    char *const environment[] = {"LC_ALL=C.UTF-8", "OMP_THREAD_LIMIT=1", "HOME=/nonexistent", NULL};
    (void)confine_self(limits);
    (void)execve(words[0], words, environment);
    (void)dprintf(STDERR_FILENO, "cannot start '%s': %s\n", words[0], strerror(errno));
    return EXIT_NO_PROGRAM;
}

/* ---- waiting for documents ---- */

typedef struct {
    const DocumentFormat *more; /* besides the table's */
    size_t n_more;
} Known;

static const DocumentFormat *known_format(const Known *k, Str name) {
    for (size_t i = 0; i < k->n_more; i++)
        if (str_is(name, k->more[i].name)) return &k->more[i];
    return format_named(name);
}

static void on_child(int number) { (void)number; }

/* The child's status when it ended; it is made to when whoever asked is gone. */
static int await(pid_t pid, const sigset_t *waiting) {
    int status = 0;
    struct pollfd asker = {.fd = STDIN_FILENO, .events = POLLIN};
    while (waitpid(pid, &status, WNOHANG) == 0) {
        /* SIGCHLD comes through only here, so it cannot be missed. */
        if (ppoll(&asker, 1, NULL, waiting) <= 0) continue;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        break;
    }
    return status;
}

static void serve_child(const Known *k, const ReaderRequest *request, const int fds[3]) {
    const ConfineLimits limits = {.kind = CONFINE_READER, .memory = request->memory, .cpu_s = request->cpu_s};
    const DocumentFormat *format = known_format(k, str_of(request->format));
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) != i) _exit(EXIT_USAGE);
    _exit(format && format->read ? read_document(format, &limits) : EXIT_USAGE);
}

/* Until the asker is gone. */
static int serve(const Known *k) {
    ReaderRequest request;
    int fds[3];
    sigset_t blocked, waiting;
    const struct sigaction action = {.sa_handler = on_child};
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &blocked, &waiting);
    while (reader_take(&request, fds)) {
        const pid_t pid = fork();
        if (pid == 0) serve_child(k, &request, fds);
        for (int i = 0; i < 3; i++) (void)close(fds[i]);
        const int status = pid > 0 ? await(pid, &waiting) : EXIT_FAILURE << 8;
        if (!write_all(STDIN_FILENO, str_make((const char *)&status, sizeof status))) break;
    }
    return EXIT_SUCCESS;
}

int child_main(int argc, char **argv, const DocumentFormat *more, size_t n_more) {
    const Known known = {more, n_more};
    ConfineLimits limits = {.kind = CONFINE_READER};
    if (argc == 3 && str_is(str_of(argv[2]), CHILD_SERVES)) _exit(serve(&known));
    if (argc < 5 || !str_to_i64(str_of(argv[2]), &limits.memory) || !str_to_i64(str_of(argv[3]), &limits.cpu_s))
        _exit(EXIT_USAGE);
    if (str_is(str_of(argv[4]), "=") && argc > 5) {
        limits.kind = CONFINE_PROGRAM;
        _exit(become_program(argv + 5, &limits));
    }
    const DocumentFormat *format = known_format(&known, str_of(argv[4]));
    if (!format || !format->read) _exit(EXIT_USAGE);
    /* No handlers, no flushing: whatever the document made of this process ends here. */
    _exit(read_document(format, &limits));
}
