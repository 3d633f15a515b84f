/* attic.h - vectors of texts that no chunk holds any more, kept on disk for the day they come back: a branch switched
 * there and back, a reverted edit, a folder moved away and home again cost no embedding.
 *
 * A file of one model, of fixed size at most: rows of BUCKET slots, a text's hash choosing the row. A full row gives up
 * its oldest slot, so the file never grows over its bound and nothing is ever rewritten. Little-endian:
 *
 *   0   "PYATTIC1"                      64 + r * row   keys  [8] {hash [16], checksum u64, stamp u64}
 *   8   dim u32, slots of a row u32                    vectors [8][dim] f32
 *   16  rows u64                        row = 8 * (32 + 4 dim)
 *   24  model's id [32]
 *   56  XXH3 of bytes 0..55             checksum: XXH3 of hash and vector
 *
 * It is a cache: a missing, foreign, damaged or half-written file or slot is one that knows nothing, never an error;
 * there is no lock, since a slot that two processes wrote at once has a wrong checksum.
 *
 * Threads: one.
 */
#ifndef PYTHIA_ENGINE_ATTIC_H
#define PYTHIA_ENGINE_ATTIC_H

#include "base/hash.h"

typedef struct Attic Attic;

typedef struct {
    const char *dir; /* made when missing */
    Sha256 model;
    size_t dim;
    size_t max_bytes; /* under one row: keeps nothing */
    uint64_t stamp;   /* of what is put; the lowest goes first */
} AtticSpec;

/* Only ERR_NOMEM. Cost: an open and a read. */
MUST_USE Err attic_open(Attic **out, const AtticSpec *spec);
void attic_close(Attic *a); /* NULL is fine */

/* Cost: two reads, some 2 us. */
bool attic_get(Attic *a, const ChunkHash *hash, float *out /* [dim] */);
void attic_put(Attic *a, const ChunkHash *hash, const float *vector /* [dim] */);

#endif
