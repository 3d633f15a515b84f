/* readers.c - see readers.h. Descriptors travel as unix(7) has it: SCM_RIGHTS beside one message of a fixed size. */
#include "ingest/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct Readers {
    const char *program;
    pthread_mutex_t lock; /* guards idle */
    Reader *idle;
};

Err readers_open(Readers **out, const char *program) {
    Readers *r = calloc(1, sizeof *r);
    *out = r;
    if (!r) return err_set(ERR_NOMEM, "out of memory for readers of documents");
    r->program = program;
    (void)pthread_mutex_init(&r->lock, NULL);
    return ERR_OK;
}

static void reader_end(Reader *reader) {
    (void)close(reader->fd);
    while (waitpid(reader->pid, NULL, 0) < 0 && errno == EINTR) {}
    free(reader);
}

void readers_close(Readers *r) {
    if (!r) return;
    while (r->idle) {
        Reader *next = r->idle->next;
        reader_end(r->idle);
        r->idle = next;
    }
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- starting ---- */

static int spawn(const char *program, int socket_end, pid_t *pid) {
    char *const words[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)CHILD_WORD, (char *)(uintptr_t)CHILD_SERVES,
                           NULL};
    char *const environment[] = {(char *)(uintptr_t) "LC_ALL=C.UTF-8", NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&files);
    if (code) return code;
    if (!(code = posix_spawnattr_init(&attributes))) {
        /* A group of its own: Ctrl-C is for us. Our output is not its own: a pipe behind us must end when we do. */
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        code = posix_spawn_file_actions_adddup2(&files, socket_end, 0);
        for (int fd = 1; fd <= 2 && !code; fd++)
            code = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_WRONLY, 0);
        if (!code) code = posix_spawn(pid, program, &files, &attributes, words, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return code;
}

static Err reader_start(const char *program, Reader **out) {
    int ends[2];
    pid_t pid = 0;
    Reader *reader = calloc(1, sizeof *reader);
    *out = reader;
    if (!reader) return err_set(ERR_NOMEM, "out of memory for a reader of documents");
    int code = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
    if (!code) {
        code = spawn(program, ends[1], &pid);
        (void)close(ends[1]);
        if (code) (void)close(ends[0]);
    }
    if (code) {
        free(reader);
        return err_set(ERR_IO, "cannot start '%s': %s", program, strerror(code));
    }
    *reader = (Reader){.pid = pid, .fd = ends[0]};
    return ERR_OK;
}

Err reader_borrow(Readers *r, Reader **out) {
    (void)pthread_mutex_lock(&r->lock);
    *out = r->idle;
    if (r->idle) r->idle = r->idle->next;
    (void)pthread_mutex_unlock(&r->lock);
    return *out ? ERR_OK : reader_start(r->program, out);
}

void reader_return(Readers *r, Reader *reader, bool sound) {
    if (!sound) {
        reader_end(reader);
        return;
    }
    (void)pthread_mutex_lock(&r->lock);
    reader->next = r->idle;
    r->idle = reader;
    (void)pthread_mutex_unlock(&r->lock);
}

/* ---- messages ---- */

typedef union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(3 * sizeof(int))];
} Ancillary;

bool reader_send(const Reader *reader, const ReaderRequest *request, const int fds[3]) {
    Ancillary extra = {0};
    struct iovec bytes = {.iov_base = (void *)(uintptr_t)request, .iov_len = sizeof *request};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = extra.bytes, .msg_controllen = sizeof extra.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    ssize_t n;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(3 * sizeof(int));
    memcpy(CMSG_DATA(c), fds, 3 * sizeof(int));
    while ((n = sendmsg(reader->fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {}
    return n == (ssize_t)sizeof *request;
}

bool reader_take(ReaderRequest *request, int fds[3]) {
    Ancillary extra = {0};
    struct iovec bytes = {.iov_base = request, .iov_len = sizeof *request};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = extra.bytes, .msg_controllen = sizeof extra.bytes};
    ssize_t n;
    while ((n = recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL)) < 0 && errno == EINTR) {}
    const struct cmsghdr *c = n == (ssize_t)sizeof *request ? CMSG_FIRSTHDR(&message) : NULL;
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(3 * sizeof(int))) return false;
    memcpy(fds, CMSG_DATA(c), 3 * sizeof(int));
    request->format[sizeof request->format - 1] = 0;
    return true;
}
