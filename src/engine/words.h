/* words.h - the words of a collection's chunks in its lexical index (index/lex.h), in step with the store.
 *
 * Words go the way of vectors (docs/adr/0003): what a transaction of the store changes is followed here, made durable
 * in a segment of the index, and counts when that very transaction is committed with the index's new count. So the
 * words are always those of the chunks that there are, and a kill at any moment leaves what was committed.
 *
 *     words_open
 *     store_begin; { store_put, …; words_follow } …; words_commit       a batch; then words_tidy
 *     words_close
 *
 * Invariant: the index has exactly the chunks of the collection, each once. An index that is missing, damaged or does
 * not fit is made anew from the store's spans and the live files (words_open). It becomes the next generation with one
 * commit when it is whole, so an interrupted one changes nothing. A file that has changed since it was indexed cannot
 * give its words any more: its chunks keep their names (path, symbol, heading), those of its spans that still hold
 * their text keep that, and the document is marked so that the next look reads it anew.
 *
 * Threads: one, that of the Pythia. Lock order: words_open takes the index folder's lock (ARCHITECTURE.md, section 5).
 */
#ifndef PYTHIA_ENGINE_WORDS_H
#define PYTHIA_ENGINE_WORDS_H

#include "engine/engine.h"

typedef struct Words Words;

/* Opens the collection's index for writing; c, which must outlive it, follows. A collection without one (a new one, or
 * of a database that an older pythia made) gets it. ERR_NO_INDEX, ERR_CORRUPT, ERR_FORMAT when what is there is not
 * whole, with the command that mends; with rebuild everything is checked and made anew where it is not sound. */
MUST_USE Err words_open(Words **out, Pythia *p, Store *s, StoreCollection *c, bool rebuild);
void words_close(Words *w); /* NULL is fine */

/* What one writing call of the store did. doc: as it was put, or read at its new place; chunks: those that were put,
 * NULL after store_rename (they are asked of the store). Both are looked at only when something was added. */
MUST_USE Err words_follow(Words *w, const StoreChange *change, const Doc *doc, const Chunk *chunks);

/* Finds the words of a document's chunks, on any thread: most of what words_follow costs. They are behind what the
 * batch has; a is this thread's. */
MUST_USE Err words_gather(LexBatch *batch, Analyzer *a, const Doc *doc, const Chunk *chunks, size_t n);
/* As words_follow after store_put, with the words that words_gather put into the batch from `at` on. */
MUST_USE Err words_follow_batch(Words *w, const StoreChange *change, LexBatch *batch, uint32_t at);

/* Ends the store's transaction: with ERR_OK the words are made durable and all is committed, else rolled back and err
 * handed on. After a failure only words_close is allowed. */
MUST_USE Err words_commit(Words *w, Err err);

/* Joins segments where it is due; at the end of a run (`last`) also numbers anew when most numbers are of chunks that
 * went. No transaction may be open. */
MUST_USE Err words_tidy(Words *w, bool last);

#endif
