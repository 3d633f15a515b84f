/* watch.h - when a tree should be looked at again.
 *
 * A Watch does not say what changed: an index run finds that out for itself, by size, time and content, and is right
 * whatever was missed. A Watch says that it is time. So lost events, folders that moved while they were watched and a
 * system without watches all come to the same: look once more.
 *
 *     watch_open                         every folder that a walk enters is watched
 *     poll(watch_fd, watch_wait_ns)      until something happens
 *     watch_read
 *     watch_wait_ns is 0: watch_batch    then look at the tree if it says so
 *     watch_looked
 *
 * Events are gathered until nothing happened for WATCH_QUIET_MS, at most for WATCH_LONGEST_MS, so that an editor's way
 * of saving (a file beside, renamed into place) is one batch; and while git works in the tree (`index.lock` is there,
 * as during the switch of a branch), at most for WATCH_GIT_MS. Files that the rules leave out make no batch. New
 * folders are watched before the tree is looked at, so nothing in them is missed.
 *
 * Where the system has no watches, or no more of them, the tree is looked at from time to time (watch_polls tells why),
 * at most once in WATCH_POLL_MS and so that looking takes a tenth of the time at most.
 *
 * Threads: one. The clock comes in as an argument (clock_mono_ns).
 */
#ifndef PYTHIA_INGEST_WATCH_H
#define PYTHIA_INGEST_WATCH_H

#include "base/sys_watch.h"
#include "ingest/walk.h"

enum { WATCH_QUIET_MS = 60, WATCH_LONGEST_MS = 700, WATCH_GIT_MS = 10000, WATCH_POLL_MS = 1000 };

typedef struct Watch Watch;

typedef struct {
    const char *root;    /* absolute, links resolved; copied */
    WalkOpts walk;       /* what it points to must outlive the Watch */
    bool poll;           /* do not ask the system: for file systems that others write to */
    size_t most_folders; /* watched; 0: as many as the system allows */
} WatchSpec;

/* ERR_IO when the root cannot be walked. Cost: a walk, and some 2 us a folder. */
MUST_USE Err watch_open(Watch **out, const WatchSpec *spec, int64_t now_ns);
void watch_close(Watch *w); /* NULL is fine */

int watch_fd(const Watch *w);            /* -1: there is nothing to wait for but the time */
size_t watch_folders(const Watch *w);    /* watched now */
const char *watch_polls(const Watch *w); /* why the tree is also polled; NULL: it is not */

/* Takes what has happened, without waiting. */
MUST_USE Err watch_read(Watch *w, int64_t now_ns);
/* The same for one event; what watch_read does. */
MUST_USE Err watch_event(Watch *w, const SysWatchEvent *event, int64_t now_ns);

/* When the first event of the batch was taken; 0: nothing happened yet. */
int64_t watch_since_ns(const Watch *w);
/* How long nothing need be done: 0, a batch is due; -1: until something happens. */
int64_t watch_wait_ns(const Watch *w, int64_t now_ns);

/* Ends the batch. *look: the tree should be looked at; false when only what the rules leave out has changed, or the
 * root is not there now. */
MUST_USE Err watch_batch(Watch *w, int64_t now_ns, bool *look);
/* Looking is done, or was put off (a batch is due again after WATCH_POLL_MS). */
void watch_looked(Watch *w, int64_t started_ns, int64_t now_ns, bool put_off);

#endif
