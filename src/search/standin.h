/* standin.h - chunks that wait for their vector, judged by more than their words: what a static table, distilled from
 * the collection's model (model/distill.h), says of their text.
 *
 * Vectors of the two are of different spaces and are never compared: the question has one of each. A chunk's static
 * cosine moves what its words stand in for (fuse.h) up or down: by STANDIN_SHARE of how far it is from STANDIN_USUAL,
 * which is what the best by words have on average. So a chunk that waits is neither favoured nor buried beside those
 * that have vectors.
 *
 * Nothing of it is kept: vectors are computed of the few chunks that may be among the hits, which are those that words
 * found; a table makes some 60,000 a second and core, reading their files costs more. A table alone finds no chunk: at
 * its weight none without any word of the question would come among the hits.
 *
 * Threads: one search's.
 */
#ifndef PYTHIA_SEARCH_STANDIN_H
#define PYTHIA_SEARCH_STANDIN_H

#include "search/fuse.h"

/* By nDCG@10 of collections without any vector (docs/adr/0015). */
#define STANDIN_SHARE 0.5f
#define STANDIN_USUAL 0.35f

/* Sets `shift` of candidates without a cosine whose source has a table, as far as they may be among the `want` first.
 * text: the question. A deadline ends it with ERR_OK and *deadline_hit: what was not computed is judged by its words.
 * Cost: some 30 us a chunk looked at, STANDIN_MOST of them at most. */
enum { STANDIN_MOST = 512 };
MUST_USE Err standin_fill(const SearchSource *sources, size_t n_sources, Str text, const FuseRule *rule, size_t want,
                          const Deadline *deadline, Candidate *all, size_t n_all, bool *deadline_hit);

#endif
