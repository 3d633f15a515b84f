/* managed_job.h - one call that writes to a managed collection: found or made, locked, its documents put or removed,
 * its words and vectors brought up to date. What managed.c (texts of a program) and upload.c (files) share.
 *
 *     managed_find                     nothing is written yet, so a call that comes to nothing leaves nothing behind
 *     managed_begin
 *     { store_begin; managed_put …; words_commit }…
 *     managed_settle                   vectors, sweep; from here on a power cut takes nothing
 *     managed_end                      always
 *
 * Threads: one, that of the Pythia. Lock order: managed_begin takes the collection's lock and the index folder's.
 */
#ifndef PYTHIA_ENGINE_MANAGED_JOB_H
#define PYTHIA_ENGINE_MANAGED_JOB_H

#include "chunk/chunk.h"
#include "engine/engine.h"
#include "engine/words.h"

typedef struct {
    Pythia *p;
    Arena *a; /* the caller's */
    Store *store;
    StoreCollection c; /* id 0: there is none of that name yet */
    IndexSettings settings;
    Model *model;
    Words *words; /* from managed_begin on */
    int lock_fd;  /* -1: not held */
    int64_t run;  /* 0: none */
    IndexProgressFn progress;
    void *progress_ctx;
    int64_t start_ns;
} ManagedJob;

/* ERR_INPUT: the collection is a folder's. ERR_NO_COLLECTION with make false. The model is the one to embed with. */
MUST_USE Err managed_find(ManagedJob *j, Pythia *p, Arena *a, Str collection, bool make);
/* Makes it if need be, and holds it; ERR_BUSY: another call does. with_run: a row that `runs` shows. */
MUST_USE Err managed_begin(ManagedJob *j, bool with_run);
/* doc's text into chunks, as this collection's are cut. Any thread. */
MUST_USE Err managed_cut(const ManagedJob *j, Arena *a, const Doc *doc, DocChunks *out);
/* In a transaction: the document with its chunks, text and words, in the place of one with the same URI. */
MUST_USE Err managed_put(ManagedJob *j, const Doc *doc, const DocChunks *made);
MUST_USE Err managed_remove(ManagedJob *j, int64_t doc);
/* Tells how far it is, and that the run lives. ERR_INTERRUPT. */
MUST_USE Err managed_beat(ManagedJob *j, const char *stage, int64_t done, int64_t total);
/* out NULL: nothing was put, so nothing is embedded. */
MUST_USE Err managed_settle(ManagedJob *j, EmbedReport *out);
/* Ends the run with err, which it hands on, and gives everything back. */
MUST_USE Err managed_end(ManagedJob *j, Err err, int64_t failures);

/* A document of the collection by what users call it: its path, or its URI. ERR_NO_DOCUMENT. */
MUST_USE Err managed_document(Store *s, Arena *a, int64_t collection, Str what, StoreDoc *out);

/* documents.c: a row as users see it. */
MUST_USE Err document_fill(Arena *a, const StoreDoc *d, PythiaDocument *out);

#endif
