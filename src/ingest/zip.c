/* zip.c - see zip.h. Offsets and sizes come from the file: each is checked against what is left before it is used. */
#include "ingest/zip.h"

#include <zlib.h>

enum {
    END_SIZE = 22,        /* end of central directory, without its comment */
    COMMENT_MAX = 65535,  /* bytes behind it */
    ENTRY_SIZE = 46,      /* of the central directory, without names */
    LOCAL_SIZE = 30,      /* local header, without names */
    RATIO_FROM = 1 << 20, /* smaller members may have any ratio */
    FLAG_ENCRYPTED = 1,
    STORED = 0,
    DEFLATED = 8,
};

static uint32_t u16_at(Str s, size_t at) { return (uint8_t)s.p[at] | (uint32_t)(uint8_t)s.p[at + 1] << 8; }
static uint32_t u32_at(Str s, size_t at) { return u16_at(s, at) | u16_at(s, at + 2) << 16; }

/* Where the end record stands: searched backwards, behind it only its comment. */
static bool end_find(Str s, size_t *at) {
    if (s.n < END_SIZE) return false;
    const size_t last = s.n - END_SIZE, first = last > COMMENT_MAX ? last - COMMENT_MAX : 0;
    for (size_t i = last + 1; i-- > first;)
        if (memcmp(s.p + i, "PK\5\6", 4) == 0 && u16_at(s, i + 20) <= s.n - i - END_SIZE) return *at = i, true;
    return false;
}

static Err entry_read(Arena *a, Zip *z, size_t *at, size_t i) {
    const Str s = z->bytes;
    if (s.n - *at < ENTRY_SIZE || memcmp(s.p + *at, "PK\1\2", 4) != 0)
        return err_set(ERR_CORRUPT, "entry %zu of the zip directory is damaged at byte %zu", i, *at);
    const size_t name_n = u16_at(s, *at + 28), more = u16_at(s, *at + 30) + u16_at(s, *at + 32);
    if (s.n - *at - ENTRY_SIZE < name_n + more)
        return err_set(ERR_CORRUPT, "entry %zu of the zip directory leaves the file at byte %zu", i, *at);
    ZipMember *m = &z->members[i];
    *m = (ZipMember){.name = arena_str(a, str_make(s.p + *at + ENTRY_SIZE, name_n)),
                     .packed = u32_at(s, *at + 20),
                     .size = u32_at(s, *at + 24),
                     .offset = u32_at(s, *at + 42),
                     .method = (uint16_t)u16_at(s, *at + 10),
                     .flags = (uint16_t)u16_at(s, *at + 8)};
    *at += ENTRY_SIZE + name_n + more;
    return m->name.p ? ERR_OK : arena_error();
}

Err zip_open(Arena *a, Str bytes, Zip *out) {
    size_t end = 0;
    *out = (Zip){.bytes = bytes};
    if (!end_find(bytes, &end)) return err_set(ERR_CORRUPT, "no zip directory: the file is cut off or damaged");
    const size_t n = u16_at(bytes, end + 10), size = u32_at(bytes, end + 12);
    size_t at = u32_at(bytes, end + 16);
    if (at == UINT32_MAX || n == UINT16_MAX)
        return err_set(ERR_UNSUPPORTED, "zip archive of over 4 GB or 65,534 members");
    if (n > ZIP_MEMBERS_MAX) return err_set(ERR_LIMIT, "zip archive of %zu members, at most %d", n, ZIP_MEMBERS_MAX);
    if (at > end || size > end - at || n * ENTRY_SIZE > end - at)
        return err_set(ERR_CORRUPT, "the zip directory leaves the file at byte %zu", at);
    out->members = arena_array(a, ZipMember, n + 1);
    if (!out->members) return arena_error();
    for (size_t i = 0; i < n; i++) TRY(entry_read(a, out, &at, i));
    out->n = n;
    return ERR_OK;
}

const ZipMember *zip_find(const Zip *z, Str name) {
    for (size_t i = 0; i < z->n; i++)
        if (str_eq(z->members[i].name, name)) return &z->members[i];
    return NULL;
}

/* The packed bytes of m. */
static Err packed_find(const Zip *z, const ZipMember *m, Str *out) {
    const Str s = z->bytes;
    const size_t at = m->offset;
    if (at > s.n || s.n - at < LOCAL_SIZE || memcmp(s.p + at, "PK\3\4", 4) != 0)
        return err_set(ERR_CORRUPT, "'%.*s' has no header at byte %zu of the zip archive", STR_FMT(m->name), at);
    const size_t skip = LOCAL_SIZE + u16_at(s, at + 26) + u16_at(s, at + 28);
    if (s.n - at < skip || s.n - at - skip < m->packed)
        return err_set(ERR_CORRUPT, "'%.*s' leaves the zip archive at byte %zu", STR_FMT(m->name), at);
    *out = str_make(s.p + at + skip, m->packed);
    return ERR_OK;
}

/* Raw deflate into exactly m->size bytes. */
static Err inflate_all(const ZipMember *m, Str packed, char *out) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.p,
                  .avail_in = (uInt)packed.n,
                  .next_out = (Bytef *)out,
                  .avail_out = (uInt)m->size};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return err_set(ERR_NOMEM, "out of memory for a zip member");
    const int code = inflate(&z, Z_FINISH);
    const bool whole = code == Z_STREAM_END && z.avail_out == 0;
    const size_t at = packed.n - z.avail_in;
    (void)inflateEnd(&z);
    if (whole) return ERR_OK;
    return err_set(ERR_CORRUPT, "'%.*s' of the zip archive is damaged at byte %zu of its %zu", STR_FMT(m->name), at,
                   packed.n);
}

Err zip_read(Arena *a, Zip *z, const ZipMember *m, Str *out) {
    Str packed;
    if (m->flags & FLAG_ENCRYPTED)
        return err_set(ERR_UNSUPPORTED, "encrypted: '%.*s' needs a password", STR_FMT(m->name));
    if (m->method != STORED && m->method != DEFLATED)
        return err_set(ERR_UNSUPPORTED, "'%.*s' is packed by method %u", STR_FMT(m->name), m->method);
    if (m->size > ZIP_MEMBER_MAX || m->size > ZIP_TOTAL_MAX - z->total)
        return err_set(ERR_LIMIT, "zip bomb: '%.*s' would be %u MB", STR_FMT(m->name), m->size >> 20);
    if (m->size > RATIO_FROM && m->size / ZIP_RATIO_MAX > m->packed)
        return err_set(ERR_LIMIT, "zip bomb: '%.*s' grows %u-fold, at most %d", STR_FMT(m->name),
                       m->packed ? m->size / m->packed : m->size, ZIP_RATIO_MAX);
    TRY(packed_find(z, m, &packed));
    if (m->method == STORED && m->packed != m->size)
        return err_set(ERR_CORRUPT, "'%.*s' of the zip archive has two sizes", STR_FMT(m->name));
    z->total += m->size;
    *out = packed;
    if (m->method == STORED) return ERR_OK;
    char *bytes = arena_alloc(a, (size_t)m->size + 1);
    if (!bytes) return arena_error();
    *out = str_make(bytes, m->size);
    return inflate_all(m, packed, bytes);
}

Err zip_read_named(Arena *a, Zip *z, Str name, Str *out) {
    const ZipMember *m = zip_find(z, name);
    *out = (Str){NULL, 0};
    return m ? zip_read(a, z, m, out) : ERR_OK;
}
