/* readers.h - readers that wait for documents.
 *
 * Starting the program anew for each document costs its dynamic linking, 6 ms of CPU; so a few are kept. A reader that
 * waits (`pythia __read serve`) has seen no document and is not confined: for each one it is sent it forks a child,
 * small and without threads, that confines itself and reads. So one process never sees two documents, as before.
 *
 * A reader ends when its socket is closed, whoever closed it; a child with it. Threads: a Readers is locked; a lent
 * Reader is for who borrowed it.
 */
#ifndef PYTHIA_INGEST_READERS_H
#define PYTHIA_INGEST_READERS_H

#include "base/err.h"
#include "ingest/child.h"

typedef struct Reader {
    int pid;
    int fd; /* our end of its socket */
    struct Reader *next;
} Reader;

MUST_USE Err readers_open(Readers **out, const char *program);
void readers_close(Readers *r); /* none may be lent; NULL is fine */

/* One that waits, else a new one. ERR_IO when the program cannot be started. */
MUST_USE Err reader_borrow(Readers *r, Reader **out);
/* Back to the others; one that is not sound (its child had to be killed) is ended. */
void reader_return(Readers *r, Reader *reader, bool sound);

/* What it is asked; three descriptors come with it: the document, and the writing ends of two pipes. */
typedef struct {
    int64_t memory, cpu_s;
    char format[32];
} ReaderRequest;
/* False when the reader is gone. */
bool reader_send(const Reader *reader, const ReaderRequest *request, const int fds[3]);
/* For the reader: false at the end. Its socket is descriptor 0. */
bool reader_take(ReaderRequest *request, int fds[3]);

#endif
