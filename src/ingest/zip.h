/* zip.h - members of a zip archive (PKWARE's APPNOTE 6.3.9) in memory: what office documents and books are packed in.
 *
 * Only the central directory counts, as it does for those who write such files; members are stored or deflated, the two
 * methods that these formats know. Names are compared and never opened, so a name cannot leave anything.
 *
 * Limits, each an ERR_LIMIT that tells it: ZIP_MEMBERS_MAX members, ZIP_RATIO_MAX times its packed size for a member of
 * over a megabyte (deflate's own limit is 1,032; text is packed 3 to 20 times), ZIP_MEMBER_MAX bytes a member,
 * ZIP_TOTAL_MAX of all members that were read. Encrypted archives: ERR_UNSUPPORTED. Threads: one.
 */
#ifndef PYTHIA_INGEST_ZIP_H
#define PYTHIA_INGEST_ZIP_H

#include "base/arena.h"

#define ZIP_MEMBERS_MAX 65000
#define ZIP_RATIO_MAX   200
#define ZIP_MEMBER_MAX  ((size_t)128 * 1024 * 1024)
#define ZIP_TOTAL_MAX   ((size_t)256 * 1024 * 1024)

typedef struct {
    Str name;
    uint32_t packed, size; /* bytes */
    uint32_t offset;       /* of its local header */
    uint16_t method, flags;
} ZipMember;

typedef struct {
    Str bytes;
    ZipMember *members; /* in the order of the directory */
    size_t n;
    size_t total; /* bytes unpacked so far */
} Zip;

MUST_USE Err zip_open(Arena *a, Str bytes, Zip *out);
/* The member of this name; NULL when there is none. */
const ZipMember *zip_find(const Zip *z, Str name);
/* Its bytes in the arena. */
MUST_USE Err zip_read(Arena *a, Zip *z, const ZipMember *m, Str *out);
/* Both; *out is {NULL, 0} when there is no such member. */
MUST_USE Err zip_read_named(Arena *a, Zip *z, Str name, Str *out);

#endif
