/* confine.h - what a reader of hostile documents must not be able to do, taken from its process before it sees the
 * first byte. Linux: rlimits, Landlock and seccomp; elsewhere rlimits alone.
 *
 * CONFINE_READER is for our own readers, which get the document as a descriptor and answer through a pipe: afterwards
 * the process can open no file, make no socket, start no process or thread and write to nothing but what it has open;
 * system calls are an allow-list. CONFINE_PROGRAM is for programs of others (pdftotext, tesseract), which need their
 * libraries: they may read and run what lies in the system's folders, and nothing else; network, processes, tracing,
 * mounting and the like are a deny-list.
 *
 * Landlock came with Linux 5.13, filters of system calls with 3.5; what the kernel has not is left out, and told by the
 * result. A refused call fails with EPERM or EACCES instead of ending the process, so that a library that only asks
 * goes on. Cost: some 50 us. Threads: call it in a process of one thread; there is no way back.
 */
#ifndef PYTHIA_INGEST_CONFINE_H
#define PYTHIA_INGEST_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { CONFINE_READER, CONFINE_PROGRAM } ConfineKind;

typedef struct {
    ConfineKind kind;
    int64_t memory; /* bytes of address space */
    int64_t cpu_s;  /* seconds of CPU time */
} ConfineLimits;

typedef struct {
    bool memory, files, calls; /* limited: address space, access to files (Landlock), system calls (seccomp) */
} Confined;

/* Descriptors above 2 are closed. */
Confined confine_self(const ConfineLimits *limits);

#endif
