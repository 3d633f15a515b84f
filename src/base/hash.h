/* hash.h - SHA-256 (OpenSSL) where a collision would be an attack or a loss; XXH3 where only chance is the enemy. */
#ifndef PYTHIA_BASE_HASH_H
#define PYTHIA_BASE_HASH_H

#include "base/err.h"
#include "base/str.h"

typedef struct {
    uint8_t bytes[32];
} Sha256; /* of a document's or a model's bytes */

typedef struct {
    uint8_t bytes[16];
} ChunkHash; /* first half of the SHA-256 of a chunk's text: the key of its embedding */

typedef struct Sha256Stream Sha256Stream;

Sha256 sha256_of(Str bytes);
ChunkHash chunk_hash_of(Str text);
MUST_USE Err sha256_begin(Sha256Stream **out);
void sha256_add(Sha256Stream *s, Str bytes);
Sha256 sha256_end(Sha256Stream *s); /* frees s */
void sha256_abort(Sha256Stream *s); /* frees s; NULL is fine */
MUST_USE Err sha256_file(const char *path, Sha256 *out);
/* Of the whole file that fd is open on; where it is read from next stays as it is. ERR_IO without the file's name. */
MUST_USE Err sha256_fd(int fd, Sha256 *out);

/* git's id of a file's content: the SHA-1 of "blob <size>", a NUL and the bytes. For checking against what a hub says;
 * not a defence against who can make collisions. */
void git_blob_id(Str content, uint8_t out[20]);

/* Lower-case hex with a NUL. */
void hex_write(const uint8_t *bytes, size_t n, char *out /* [2 n + 1] */);
bool hex_read(Str hex, uint8_t *bytes, size_t n); /* false unless exactly 2 n hex digits */
int hex_value(char c);                            /* 0 to 15; -1: it is no hex digit */

uint64_t xxh3_of(Str bytes);
uint64_t xxh3_seeded(Str bytes, uint64_t seed);

#endif
