/* built.h - what a kind builds over its rows, as one immutable file: vec-<generation>.built.
 *
 * The file holds up to BUILT_PARTS arrays, one index block each (format: file.h; items of 64 bytes), behind a first
 * block that tells their sizes:
 *
 *   byte  size
 *      0     4  rows that were built over
 *      4     4  n: parts that follow
 *      8     8  words of the kind's own: BUILT_WORDS numbers of 4 bytes stand at byte 64, what they mean is the kind's affair
 *     64    64  the kind's numbers
 *    128   8 n  bytes of each part
 *
 * It is written beside and renamed, so a reader has either the old or the new one; a map of the old one stays good
 * until it is let go of. All checksums are looked at when it is opened (some 20 GB/s).
 *
 * It may cover rows that the store did not commit in the end: a reader leaves out slots that its rows do not have; a
 * writer removes such a file at opening, since other rows may come to stand in those slots.
 *
 * Threads: built_hold and built_drop from any; the rest is the writer's.
 */
#ifndef PYTHIA_INDEX_BUILT_H
#define PYTHIA_INDEX_BUILT_H

#include <pthread.h>

#include "index/rows.h"

enum { BUILT_PARTS = 12, BUILT_WORDS = 16 };

typedef struct {
    const void *bytes; /* aligned to 64 */
    size_t n;
} BuiltPart;

typedef struct {
    FileMap map;
    size_t refs; /* guarded by BuiltFile.lock */
    uint32_t rows;
    uint32_t words[BUILT_WORDS];
    BuiltPart parts[BUILT_PARTS];
    size_t n_parts;
} Built;

typedef struct {
    IndexHead head;
    char path[1024];
    Built *now;           /* NULL: nothing is built */
    pthread_mutex_t lock; /* guards now and refs */
} BuiltFile;

/* Opens what there is of `rows`, which is open; nothing built is no error. tag as rows_open's. ERR_CORRUPT with file
 * and byte. */
MUST_USE Err built_open(BuiltFile *f, const Rows *rows, const char *tag);
void built_close(BuiltFile *f);

/* NULL when nothing is built. */
Built *built_hold(const BuiltFile *f);
void built_drop(const BuiltFile *f, Built *b);

/* Puts a file at f->path, in the place of an older one; f->now stays as it is. Its bytes are durable at return, its
 * name once the folder is synced (file_sync_dir_of), which serves any number of files. On failure the old one is as it
 * was. */
MUST_USE Err built_put(const BuiltFile *f, uint32_t rows, const uint32_t words[BUILT_WORDS], const BuiltPart *parts,
                       size_t n_parts);
/* The same, durable as a whole, and lets searches see it. */
MUST_USE Err built_write(BuiltFile *f, uint32_t rows, const uint32_t words[BUILT_WORDS], const BuiltPart *parts,
                         size_t n_parts);

/* Reads the file at f->path, whose header is to be f->head, on its own; *out is NULL when there is none. For segments
 * (lex_seg.c), of which a folder has several. built_free takes NULL. */
MUST_USE Err built_map(const BuiltFile *f, Built **out);
void built_free(Built *b);

/* ERR_CORRUPT unless part i has exactly n bytes: what a kind asks before it believes in a file. */
MUST_USE Err built_expect(const BuiltFile *f, const Built *b, size_t i, size_t n);

/* All checksums anew; one line a finding. */
MUST_USE Err built_check(const BuiltFile *f, Buf *report);

#endif
