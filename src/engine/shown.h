/* shown.h - which documents searches have shown before they had their vectors: those are embedded next.
 *
 * A file beside the collection's index, appended to by whoever searches and emptied by the run that embeds: ids of
 * documents, 8 bytes each, SHOWN_MAX at most. It is a wish and nothing more: what cannot be written or read is not
 * missed, what is in it is looked up before it is used, and nobody waits for it.
 *
 * Threads: any, in any process.
 */
#ifndef PYTHIA_ENGINE_SHOWN_H
#define PYTHIA_ENGINE_SHOWN_H

#include "engine/engine.h"

enum { SHOWN_MAX = 512 };

/* docs [n], the best hit first. Cost: some 20 us. */
void shown_note(Pythia *p, const StoreCollection *c, const int64_t *docs, size_t n);
/* Takes them out, the last noted first, each once: out [SHOWN_MAX]; returns how many. */
size_t shown_take(Pythia *p, const StoreCollection *c, int64_t *out);

#endif
