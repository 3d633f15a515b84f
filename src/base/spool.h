/* spool.h - bytes on their way in: kept in a file that has no name, and hashed as they come.
 *
 * For what arrives piece by piece and must be read as a file: a pipe, an upload. Memory does not grow with it, a
 * program that is killed leaves nothing behind, and its SHA-256 is known the moment the last byte is there.
 *
 *     spool_open; spool_add …; spool_end; spool_fd, spool_size, spool_sha256; spool_close
 *
 * Threads: one at a time. Errors: ERR_IO (a full disk), ERR_LIMIT (more than max_size), ERR_NOMEM; after one, only
 * spool_close.
 */
#ifndef PYTHIA_BASE_SPOOL_H
#define PYTHIA_BASE_SPOOL_H

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

typedef struct Spool Spool;

/* dir: made when missing; its disk holds the bytes. max_size: bytes, at most. */
MUST_USE Err spool_open(Spool **out, const char *dir, int64_t max_size);
MUST_USE Err spool_add(Spool *s, Str bytes);
/* All that comes of fd until its end. *cancel (may be NULL): set by a signal, ERR_INTERRUPT. */
MUST_USE Err spool_drain(Spool *s, int fd, const volatile int *cancel);
MUST_USE Err spool_end(Spool *s); /* nothing more comes */
int spool_fd(const Spool *s);     /* the spool's own; to be read with pread, or from where it stands: its start */
int64_t spool_size(const Spool *s);
const Sha256 *spool_sha256(const Spool *s); /* behind spool_end */
void spool_close(Spool *s);                 /* NULL is fine */

#endif
