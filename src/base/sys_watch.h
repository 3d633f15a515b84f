/* sys_watch.h - the system's own word of what happens in folders: inotify on Linux; elsewhere sys_watch_open says
 * ERR_UNSUPPORTED and the caller looks for itself.
 *
 * One watch a folder, not recursive: who wants a tree adds its folders (ingest/watch.h does).
 *
 * Threads: one a SysWatch.
 */
#ifndef PYTHIA_BASE_SYS_WATCH_H
#define PYTHIA_BASE_SYS_WATCH_H

#include "base/err.h"
#include "base/str.h"

typedef struct SysWatch SysWatch;

typedef enum {
    SYS_CHANGED = 1, /* a file's content or times */
    SYS_CAME = 2,    /* made, or moved in */
    SYS_WENT = 4,    /* removed, or moved out */
    SYS_FOLDER = 8,  /* what came or went is a folder */
    SYS_SELF = 16,   /* the watched folder itself went; no name */
    SYS_ENDED = 32,  /* the watch is over; its id may be forgotten */
    SYS_LOST = 64,   /* events were dropped: nobody knows what happened; id is -1 */
} SysWatchWhat;

typedef struct {
    int id;
    unsigned what; /* SysWatchWhat */
    Str name;      /* in the folder; "" of the folder itself. Lives until the next read */
} SysWatchEvent;

/* ERR_UNSUPPORTED: no such thing here; ERR_LIMIT: the user has as many as the system allows, told with its setting. */
MUST_USE Err sys_watch_open(SysWatch **out);
void sys_watch_close(SysWatch *w);   /* NULL is fine */
int sys_watch_fd(const SysWatch *w); /* can be read when there are events */

/* Watches a folder, never through a link; an already watched one keeps its id, also after it was renamed. ERR_LIMIT
 * when the system allows no more watches, told with its setting; ERR_IO with the reason otherwise. Cost: some 2 us. */
MUST_USE Err sys_watch_add(SysWatch *w, const char *folder, int *id);
void sys_watch_remove(SysWatch *w, int id);

/* Calls sink for what has happened, without waiting. */
typedef Err (*SysWatchSink)(void *ctx, const SysWatchEvent *event);
MUST_USE Err sys_watch_read(SysWatch *w, SysWatchSink sink, void *ctx);

#endif
