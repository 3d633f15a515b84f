/* sys_watch.c - see sys_watch.h. */
#include "base/sys_watch.h"

#ifdef __linux__

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { EVENTS_BYTES = 65536 }; /* some 2,000 events a read */

struct SysWatch {
    int fd;
    _Alignas(struct inotify_event) char events[EVENTS_BYTES];
};

/* IN_MODIFY too: a program that keeps its file open for days changes it all the same. */
static const uint32_t MASK = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                             IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;

Err sys_watch_open(SysWatch **out) {
    *out = NULL;
    SysWatch *w = calloc(1, sizeof *w);
    if (!w) return err_set(ERR_NOMEM, "out of memory for watching");
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd >= 0) {
        *out = w;
        return ERR_OK;
    }
    const int why = errno;
    free(w);
    if (why == EMFILE)
        return err_fix(err_set(ERR_LIMIT, "no more watchers for this user (fs.inotify.max_user_instances)"),
                       "sysctl fs.inotify.max_user_instances=1024");
    return err_set(ERR_UNSUPPORTED, "cannot watch folders here: %s", strerror(why));
}

void sys_watch_close(SysWatch *w) {
    if (!w) return;
    (void)close(w->fd);
    free(w);
}

int sys_watch_fd(const SysWatch *w) { return w->fd; }

Err sys_watch_add(SysWatch *w, const char *folder, int *id) {
    *id = inotify_add_watch(w->fd, folder, MASK);
    if (*id >= 0) return ERR_OK;
    if (errno == ENOSPC)
        return err_fix(err_set(ERR_LIMIT, "no more watches for this user (fs.inotify.max_user_watches)"),
                       "sysctl fs.inotify.max_user_watches=1048576");
    return err_set(ERR_IO, "cannot watch '%s': %s", folder, strerror(errno));
}

void sys_watch_remove(SysWatch *w, int id) { (void)inotify_rm_watch(w->fd, id); }

static unsigned what_of(uint32_t mask) {
    unsigned what = 0;
    if (mask & (IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE)) what |= SYS_CHANGED;
    if (mask & (IN_CREATE | IN_MOVED_TO)) what |= SYS_CAME;
    if (mask & (IN_DELETE | IN_MOVED_FROM)) what |= SYS_WENT;
    if (mask & IN_ISDIR) what |= SYS_FOLDER;
    if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) what |= SYS_SELF;
    if (mask & IN_IGNORED) what |= SYS_ENDED;
    if (mask & IN_Q_OVERFLOW) what |= SYS_LOST;
    return what;
}

Err sys_watch_read(SysWatch *w, SysWatchSink sink, void *ctx) {
    for (;;) {
        const ssize_t got = read(w->fd, w->events, sizeof w->events);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return ERR_OK;
        if (got <= 0) return err_set(ERR_IO, "cannot read what changed: %s", strerror(errno));
        for (size_t at = 0; at < (size_t)got;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)(w->events + at);
            const SysWatchEvent event = {
                .id = e->wd, .what = what_of(e->mask), .name = e->len ? str_of(e->name) : STR("")};
            TRY(sink(ctx, &event));
            at += sizeof *e + e->len;
        }
    }
}

#else

struct SysWatch {
    int unused;
};

Err sys_watch_open(SysWatch **out) {
    *out = NULL;
    return err_set(ERR_UNSUPPORTED, "cannot watch folders on this system");
}

void sys_watch_close(SysWatch *w) { (void)w; }

int sys_watch_fd(const SysWatch *w) {
    (void)w;
    return -1;
}

Err sys_watch_add(SysWatch *w, const char *folder, int *id) {
    (void)w;
    *id = -1;
    return err_set(ERR_UNSUPPORTED, "cannot watch '%s' on this system", folder);
}

void sys_watch_remove(SysWatch *w, int id) {
    (void)w;
    (void)id;
}

Err sys_watch_read(SysWatch *w, SysWatchSink sink, void *ctx) {
    (void)w;
    (void)sink;
    (void)ctx;
    return ERR_OK;
}

#endif
