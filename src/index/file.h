/* file.h - the file format of all index files: a header, then blocks of fixed-size items, each with its checksum.
 *
 * An index file only ever grows at its end, and how much of it counts is told by the store (see vec.h). So there is no
 * directory in it and nothing is ever written twice: a block is written whole, with one write, and is never touched
 * again. What a crash leaves behind the committed items is cut off by the next writer and not looked at by readers.
 *
 * Header, 128 bytes, numbers in the byte order of the machine that wrote it (the mark tells which; an index is derived
 * and never travels between byte orders, so the other order is refused, not converted):
 *
 *   byte  size
 *      0     8  magic 89 50 59 58 0D 0A 1A 0A: the high bit and the line ends show a transfer that changed them
 *      8     4  version of the format: 1. The magic, the mark and the place of the checksum stay in all versions
 *     12     4  byte order mark 0x01020304
 *     16     8  what the file holds, NUL-padded: "flat" rows of vectors, "gone" removed slots
 *     24     4  dim: floats of a row; 0 where there are none
 *     28     4  dtype of what is in an item: 1 f32, 2 u32, 3 int8
 *     32     4  bytes of an item
 *     36     4  zero
 *     40    32  SHA-256 of the model that made the vectors
 *     72     8  generation
 *     80    40  zero
 *    120     8  XXH3-64 of bytes 0..119
 *
 * Block, at a multiple of 64 bytes, one behind the other until the file's end:
 *
 *      0     4  magic 0x4B434C42
 *      4     4  items, at least 1
 *      8     8  number of the first item: blocks are without gaps, so it is the sum of the items before
 *     16     8  bytes of the items: items * bytes of an item
 *     24     8  XXH3-64 of everything behind this header, padding too
 *     32    24  zero
 *     56     8  XXH3-64 of bytes 0..55, seeded with the file header's checksum: a block of another file does not pass
 *     64     …  the items, then zeros up to a multiple of 64 bytes
 *
 * Every byte of the file stands under one of the checksums. Items of a block are aligned to 64 bytes as a whole; each
 * of them is when its size is a multiple of 64, which rows of 16, 32, … 384 … floats are.
 *
 * Threads: plain functions over bytes; nothing is kept.
 */
#ifndef PYTHIA_INDEX_FILE_H
#define PYTHIA_INDEX_FILE_H

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"

#define INDEX_FILE_VERSION 1
#define INDEX_HEAD_BYTES   128
#define INDEX_BLOCK_HEAD   64
#define INDEX_FILE_FIX     "pythia index --force" /* what mends a damaged or foreign file: it is rebuilt */

typedef enum { INDEX_F32 = 1, INDEX_U32 = 2, INDEX_I8 = 3 } IndexDtype;

typedef struct {
    char kind[9]; /* NUL-terminated */
    uint32_t dim;
    uint32_t dtype;
    uint32_t item_bytes; /* at least 1 */
    Sha256 model;
    uint64_t generation;
    uint64_t sum; /* of the header as it stands in the file; seeds the blocks' checksums */
} IndexHead;

typedef struct {
    uint64_t at;    /* byte of the block's header in the file */
    uint64_t first; /* number of its first item */
    uint32_t items;
    uint64_t padded; /* bytes behind the header, a multiple of 64 */
    uint64_t sum;    /* of these */
} IndexBlock;

static inline uint64_t index_block_end(const IndexBlock *b) { return b->at + INDEX_BLOCK_HEAD + b->padded; }

/* Makes path anew with nothing but the header (atomic and durable); head->sum is set. */
MUST_USE Err index_file_create(const char *path, IndexHead *head);
/* The header alone, into a file that is empty; head->sum is set. Not synced. */
MUST_USE Err index_head_append(FileAppend *f, IndexHead *head);

/* Reads the header of a file's bytes. ERR_CORRUPT (byte told) or ERR_FORMAT (version, byte order), with the fix. */
MUST_USE Err index_head_read(Str file, const char *path, IndexHead *out);

/* Compares what is in the file with what the caller wants; sum is not looked at. ERR_MODEL_MISMATCH for another model
 * or dim, ERR_FORMAT for another kind, dtype or generation. */
MUST_USE Err index_head_expect(const IndexHead *in_file, const IndexHead *want, const char *path);

/* The block whose header stands at byte `at`, expected to begin with item `first`. number: its place among the blocks,
 * for the text. ERR_CORRUPT, with file, block and byte; also when the file ends there. Its items are not read. */
MUST_USE Err index_block_read(Str file, const char *path, const IndexHead *head, size_t number, uint64_t at,
                              uint64_t first, IndexBlock *out);

/* The block's items against its checksum. Cost: reads them once, some 20 GB/s from memory. */
MUST_USE Err index_block_verify(Str file, const char *path, size_t number, const IndexBlock *b);

/* Bytes that `items` items take in a file with their header and padding. */
size_t index_block_bytes(size_t items, size_t item_bytes);

/* Writes one block at the file's end with one write. buffer: [index_block_bytes(items, item_bytes)] with the items from
 * byte INDEX_BLOCK_HEAD on; header and padding are filled in here. Not synced. On failure the file's length is what it
 * was, as the next append sees it. */
MUST_USE Err index_block_append(FileAppend *f, const IndexHead *head, uint8_t *buffer, uint64_t first, uint32_t items,
                                IndexBlock *out);

#endif
