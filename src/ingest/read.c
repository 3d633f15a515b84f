/* read.c - from a file to a Doc, or to the reason why not. See read.h.
 *
 * The file is opened part by part below the root, never through a link to a folder; a link to a file is resolved first
 * and must lead to a place in the root. What is compared before and after reading (size, times, inode) tells a file
 * that is being written: half a file is not indexed, the next run takes it.
 *
 * Memory: the file's bytes, once more when they were UTF-16 or UTF-32. Threads: any, an arena each.
 */
#include "ingest/read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "ingest/about.h"

enum {
    SNIFF_BYTES = 8192,   /* binary is decided by these, as grep and git do */
    CONTROL_PERCENT = 10, /* more control characters than this: not text. Prose has none, terminal logs 3-5 % */
};

typedef struct {
    const char *name;  /* for the reason */
    const char *magic; /* bytes at the start */
    size_t magic_n;
    /* Text of the document from its bytes, or *skip. */
    Err (*read)(Arena *a, Str path, Str bytes, Doc *out, Str *skip);
} ReadFormat;

static Err read_text(Arena *a, Str path, Str bytes, Doc *out, Str *skip);

#define MAGIC(bytes) (bytes), sizeof(bytes) - 1
/* The first whose magic fits reads the file. Formats without a reader are known by name, so that `why` can tell. */
static const ReadFormat read_formats[] = {
    {"PDF", MAGIC("%PDF-"), NULL},
    {"zip archive or office document", MAGIC("PK\3\4"), NULL},
    {"gzip", MAGIC("\x1f\x8b"), NULL},
    {"xz",
     MAGIC("\xfd"
           "7zXZ"),
     NULL},
    {"zstd", MAGIC("\x28\xb5\x2f\xfd"), NULL},
    {"7-zip archive", MAGIC("7z\xbc\xaf\x27\x1c"), NULL},
    {"office document of before 2007, or another compound file", MAGIC("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), NULL},
    {"PNG image", MAGIC("\x89PNG\r\n\x1a\n"), NULL},
    {"JPEG image", MAGIC("\xff\xd8\xff"), NULL},
    {"GIF image", MAGIC("GIF8"), NULL},
    {"ELF program",
     MAGIC("\x7f"
           "ELF"),
     NULL},
    {"SQLite database", MAGIC("SQLite format 3\0"), NULL},
    {"text", NULL, 0, read_text},
};

/* -- opening ------------------------------------------------------------------------------------------------------- */

/* Opens dir_path below the root with no link on the way. -1 with errno. */
static int open_below(Arena *a, const char *root, Str path, int last_flags) {
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Str rest = path, part;
    while (fd >= 0 && str_cut(&rest, '/', &part)) {
        const bool last = rest.p == NULL || rest.n == 0;
        const char *name = arena_cstr(a, part);
        if (!name || part.n == 0 || str_is(part, "..") || str_find_char(part, 0) >= 0) {
            (void)close(fd);
            errno = EINVAL;
            return -1;
        }
        const int next = openat(fd, name, O_CLOEXEC | O_NOFOLLOW | (last ? last_flags : O_RDONLY | O_DIRECTORY));
        const int saved = errno;
        (void)close(fd);
        errno = saved;
        fd = next;
        if (last) break;
    }
    return fd;
}

/* Opens the file, through a link at its end when that leads to a place in the root. */
static Err file_open_below(Arena *a, const char *root, Str path, int *fd, Str *skip) {
    /* O_NONBLOCK: a FIFO that took the file's place must not hang the run. */
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    *fd = open_below(a, root, path, flags);
    if (*fd >= 0) return ERR_OK;
    if (errno == ELOOP) {
        const char *root_real, *real, *full = arena_printf(a, "%s/%.*s", root, (int)path.n, path.p).p;
        if (!full) return arena_error();
        TRY(path_real(a, root, &root_real));
        TRY(path_real(a, full, &real));
        if (!path_within(str_of(real), str_of(root_real))) {
            *skip = STR("link out of the root");
            return ERR_OK;
        }
        const Str below = str_from(str_of(real), strcmp(root_real, "/") == 0 ? 1 : strlen(root_real) + 1);
        *fd = open_below(a, root_real, below, flags);
        if (*fd >= 0) return ERR_OK;
    }
    if (errno == ENXIO || errno == EISDIR) {
        *skip = STR("not a regular file");
        return ERR_OK;
    }
    return err_set(ERR_IO, "cannot read '%.*s': %s", STR_FMT(path), strerror(errno));
}

/* The first bytes, by which documents are told from text. */
static Err sniff(int fd, Str path, char out[FORMAT_SNIFF], Str *head) {
    ssize_t n;
    while ((n = pread(fd, out, FORMAT_SNIFF, 0)) < 0 && errno == EINTR) {}
    if (n < 0) return err_set(ERR_IO, "cannot read '%.*s': %s", STR_FMT(path), strerror(errno));
    *head = str_make(out, (size_t)n);
    return ERR_OK;
}

/* The whole file, one byte more than it should have asked for: growth shows. */
static Err read_bytes(Arena *a, int fd, const struct stat *before, Str path, Str *out, Str *skip) {
    const size_t size = (size_t)before->st_size;
    char *bytes = arena_alloc(a, size + 1);
    if (!bytes) return arena_error();
    size_t n = 0;
    while (n <= size) {
        const ssize_t got = pread(fd, bytes + n, size + 1 - n, (off_t)n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_set(ERR_IO, "cannot read '%.*s': %s", STR_FMT(path), strerror(errno));
        if (got == 0) break;
        n += (size_t)got;
    }
    struct stat after;
    if (n != size || fstat(fd, &after) != 0 || !file_same_state(before, &after))
        *skip = STR("changed while being read");
    *out = str_make(bytes, n < size ? n : size);
    return ERR_OK;
}

/* -- text ---------------------------------------------------------------------------------------------------------- */

/* NUL says binary; so do many control characters that no text needs. */
static Err binary_judge(Arena *a, Str text, Str *skip) {
    const Str look = str_upto(text, SNIFF_BYTES);
    const ptrdiff_t nul = str_find_char(look, 0);
    size_t controls = 0;
    for (size_t i = 0; i < look.n; i++) {
        const unsigned char c = (unsigned char)look.p[i];
        controls += (c < 0x20 && !(c >= 7 && c <= 13) && c != 0x1b) || c == 0x7f;
    }
    if (nul >= 0)
        *skip = arena_printf(a, "binary (NUL at byte %td)", nul);
    else if (controls * 100 > look.n * CONTROL_PERCENT)
        *skip = arena_printf(a, "binary (%zu %% control characters)", controls * 100 / look.n);
    return skip->p ? ERR_OK : arena_error();
}

/* Mostly UTF-8: some bytes of it are damaged, or of another encoding. */
static bool is_damaged_utf8(Str text) {
    size_t good = 0, bad = 0;
    for (Str rest = text; rest.n;) {
        uint32_t c;
        const size_t n = utf8_decode(rest, &c);
        const bool replaced = c == UTF8_REPLACEMENT && !(n == 3 && (uint8_t)rest.p[0] == 0xef);
        good += !replaced && n > 1;
        bad += replaced;
        rest = str_from(rest, n);
    }
    return good >= 4 * bad;
}

/* Text of before UTF-8: converted where its encoding can be told. Its spans are not the file's then, so it is kept. */
static Err encoding_convert(Arena *a, Doc *out) {
    Charsets c = {0};
    if (utf8_valid(out->text) || is_damaged_utf8(out->text)) return ERR_OK;
    charset_guess(out->text, c.guess);
    if (!c.guess[0]) return ERR_OK;
    const Err err = charset_decode(&c, a, out->text, STR(""), &out->text);
    charsets_close(&c);
    out->extracted = true;
    return err;
}

static Err read_text(Arena *a, Str path, Str bytes, Doc *out, Str *skip) {
    TRY(text_decode(a, bytes, &out->text));
    TRY(binary_judge(a, out->text, skip));
    if (skip->n) return ERR_OK;
    if (str_trim(out->text).n == 0) {
        *skip = STR("blank");
        return ERR_OK;
    }
    TRY(encoding_convert(a, out));
    out->lang = lang_of(path, out->text);
    return about_read_head(a, out);
}

static Err format_read(Arena *a, Str path, Str bytes, Doc *out, Str *skip) {
    for (size_t i = 0; i < sizeof read_formats / sizeof *read_formats; i++) {
        const ReadFormat *f = &read_formats[i];
        if (!str_starts(bytes, str_make(f->magic, f->magic_n))) continue;
        if (f->read) return f->read(a, path, bytes, out, skip);
        *skip = arena_printf(a, "binary (%s)", f->name);
        return skip->p ? ERR_OK : arena_error();
    }
    return ERR_OK;
}

/* The open file, as a document or as text. */
static Err file_read_doc(Arena *a, int fd, const struct stat *st, const ReadOpts *opts, Doc *out, Str *skip) {
    char bytes_of_head[FORMAT_SNIFF];
    Str head, bytes;
    if (!S_ISREG(st->st_mode)) return *skip = STR("not a regular file"), ERR_OK;
    if (st->st_size == 0) return *skip = STR("empty"), ERR_OK;
    out->size = st->st_size;
    out->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    TRY(sniff(fd, out->path, bytes_of_head, &head));
    const DocumentFormat *format = format_of(out->path, head);
    const bool wanted = format && (format->kind != FORMAT_PICTURE || opts->documents.pdf.ocr);
    if (wanted && opts->text_only) return *skip = STR("a document, read later"), ERR_OK;
    if (wanted && opts->documents.child.program)
        return document_read(a, fd, st, format, opts->max_size, &opts->documents, out, skip);
    if (st->st_size > opts->max_size) return reason_too_large(a, opts->max_size, st->st_size, skip);
    TRY(read_bytes(a, fd, st, out->path, &bytes, skip));
    if (skip->n) return ERR_OK;
    out->sha256 = sha256_of(bytes);
    return format_read(a, out->path, bytes, out, skip);
}

/* Step by step it can be read, but a hit in it could be opened by nobody. */
static Err reason_long_path(Arena *a, size_t n, Str *skip) {
    *skip = arena_printf(a, "a path of %zu bytes, which programs cannot open (at most %d)", n, PATH_MAX - 1);
    return skip->p ? ERR_OK : arena_error();
}

Err doc_read(Arena *a, const char *root, Str path, const ReadOpts *opts, Doc *out, Str *skip) {
    *out = (Doc){.path = arena_str(a, path), .title = STR(""), .meta = STR(""), .lang = STR(""), .text = STR("")};
    *skip = STR("");
    const char *absolute = path_absolute(a, root);
    const Str full = absolute ? arena_printf(a, "%s/%.*s", absolute[1] ? absolute : "", (int)path.n, path.p) : (Str){0};
    if (!out->path.p || !full.p) return arena_error();
    out->uri = uri_of_path(a, full.p);
    if (!out->uri.p) return arena_error();
    if (full.n >= PATH_MAX) return reason_long_path(a, full.n, skip);
    TRY(noise_of_path(a, path, &opts->noise, skip, &out->prior));
    if (skip->n) return ERR_OK;
    int fd = -1;
    struct stat st;
    Err err = file_open_below(a, root, path, &fd, skip);
    if (err || fd < 0) return err;
    if (fstat(fd, &st) != 0)
        err = err_set(ERR_IO, "cannot read '%.*s': %s", STR_FMT(path), strerror(errno));
    else
        err = file_read_doc(a, fd, &st, opts, out, skip);
    /* A document's text was written by its reader, in lines of any length. */
    if (!err && !skip->n && !out->n_marks) err = noise_of_text(a, out, &opts->noise, skip, &out->prior);
    (void)close(fd);
    return err;
}

Err doc_read_open(Arena *a, int fd, Str name, const ReadOpts *opts, Doc *out, Str *skip) {
    struct stat st;
    *out = (Doc){.path = arena_str(a, name),
                 .title = STR(""),
                 .meta = STR(""),
                 .lang = STR(""),
                 .text = STR(""),
                 .uri = STR("")};
    *skip = STR("");
    if (!out->path.p) return arena_error();
    if (fstat(fd, &st) != 0) return err_set(ERR_IO, "cannot read '%.*s': %s", STR_FMT(name), strerror(errno));
    return file_read_doc(a, fd, &st, opts, out, skip);
}
