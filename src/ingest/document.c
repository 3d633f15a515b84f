/* document.c - see document.h. */
#include "ingest/document.h"

#include <stdio.h>
#include <string.h>

#include "base/spool.h"

/* "3.2 MB" */
static void size_text(int64_t size, char out[32]) {
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    double v = (double)size;
    size_t u = 0;
    while (v >= 1024 && u < 4) v /= 1024, u++;
    const bool whole = v == (double)(int64_t)v;
    (void)snprintf(out, 32, whole ? "%.0f %s" : "%.1f %s", v, units[u]);
}

Err reason_too_large(Arena *a, int64_t most, int64_t size, Str *out) {
    char limit[32], got[32];
    size_text(most, limit);
    size_text(size, got);
    *out = arena_printf(a, "larger than %s (%s)", limit, got);
    return out->p ? ERR_OK : arena_error();
}

bool file_same_state(const struct stat *a, const struct stat *b) {
    return a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static PdfOpts pdf_opts(const DocumentOpts *opts) {
    PdfOpts pdf = opts->pdf;
    pdf.child = opts->child;
    return pdf;
}

/* ---- documents within ---- */

/* A document whose parts are being put in: all that stands before `taken` in the old text is done. */
typedef struct {
    Arena *a;
    const DocumentOpts *opts;
    const Doc *doc;
    Buf text, marks; /* DocMark[] */
    size_t n_marks, next_mark;
    int64_t taken;
    int32_t page; /* of the last of doc's own marks */
    Str heading;
    int64_t until_ns; /* no part is begun later */
} Join;

static void mark_add(Join *j, DocMark m) {
    buf_add_bytes(&j->marks, &m, sizeof m);
    j->n_marks++;
}

/* doc's own text up to byte `end`, with its marks. */
static void own_add(Join *j, int64_t end) {
    const int64_t moved = (int64_t)j->text.n - j->taken;
    for (; j->next_mark < j->doc->n_marks && j->doc->marks[j->next_mark].start < end; j->next_mark++) {
        DocMark m = j->doc->marks[j->next_mark];
        j->page = m.page;
        j->heading = m.heading;
        m.start += moved;
        mark_add(j, m);
    }
    buf_add(&j->text, str_make(j->doc->text.p + j->taken, (size_t)(end - j->taken)));
    j->taken = end;
}

static Err part_read(Join *j, Str bytes, Doc *out, Str *skip) {
    Spool *file = NULL;
    const PdfOpts pdf = pdf_opts(j->opts);
    if (clock_mono_ns() > j->until_ns) return *skip = STR("the documents before it took too long"), ERR_OK;
    Err err = spool_open(&file, P_tmpdir, FLOW_PARTS_BYTES);
    if (!err) err = spool_add(file, bytes);
    if (!err) err = spool_end(file);
    if (!err) err = pdf_read(j->a, spool_fd(file), &pdf, out, skip);
    spool_close(file);
    if (!err && !skip->n && out->text.n > FLOW_TEXT_MAX - j->text.n - j->doc->text.n) *skip = STR("too much text");
    return err;
}

/* "Die Brücke > map.pdf": where the part's own text stands; its own headings, if it has any, are below. */
static Err part_add(Join *j, const DocPart *part) {
    Doc inner = {.text = STR("")};
    Str skip = {"", 0};
    own_add(j, part->start);
    TRY(part_read(j, part->bytes, &inner, &skip));
    const int64_t base = (int64_t)j->text.n;
    if (skip.n)
        buf_printf(&j->text, "(not read: %.*s)\n", STR_FMT(skip));
    else
        buf_add(&j->text, inner.text);
    for (size_t i = 0; !skip.n && i < inner.n_marks; i++)
        mark_add(j,
                 (DocMark){.start = base + inner.marks[i].start, .page = inner.marks[i].page, .heading = j->heading});
    if (part->start == (int64_t)j->doc->text.n) return buf_ok(&j->text);
    buf_char(&j->text, '\n');
    /* What follows stands where it stood, unless it says so itself. */
    const bool told = j->next_mark < j->doc->n_marks && j->doc->marks[j->next_mark].start == part->start;
    if (!skip.n && !told) mark_add(j, (DocMark){.start = (int64_t)j->text.n, .page = j->page, .heading = j->heading});
    return buf_ok(&j->text);
}

static Err join_end(Join *j, Doc *doc) {
    TRY(buf_ok(&j->text));
    TRY(buf_ok(&j->marks));
    DocMark *marks = arena_array(j->a, DocMark, j->n_marks + 1);
    const Str text = arena_str(j->a, buf_str(&j->text));
    if (!marks || !text.p) return arena_error();
    if (j->n_marks) memcpy(marks, j->marks.p, j->n_marks * sizeof *marks);
    doc->text = text;
    doc->marks = marks;
    doc->n_marks = j->n_marks;
    doc->parts = NULL;
    doc->n_parts = 0;
    return ERR_OK;
}

/* Reads doc's parts into their places. */
static Err parts_join(Arena *a, const DocumentOpts *opts, Doc *doc) {
    const Doc before = *doc;
    Join j = {.a = a,
              .opts = opts,
              .doc = &before,
              .heading = STR(""),
              .until_ns = clock_mono_ns() + opts->child.timeout_ms * 1000000};
    Err err = ERR_OK;
    if (!doc->n_parts) return ERR_OK;
    for (size_t i = 0; !err && i < before.n_parts; i++) err = part_add(&j, &before.parts[i]);
    own_add(&j, (int64_t)before.text.n);
    if (!err) err = join_end(&j, doc);
    buf_free(&j.text);
    buf_free(&j.marks);
    return err;
}

/* ---- a document ---- */

static Err read_by_kind(Arena *a, int fd, const DocumentFormat *format, const DocumentOpts *opts, Doc *out, Str *skip) {
    const PdfOpts pdf = pdf_opts(opts);
    if (format->kind == FORMAT_PDF) return pdf_read(a, fd, &pdf, out, skip);
    if (format->kind == FORMAT_PICTURE) return picture_read(a, fd, &pdf, out, skip);
    TRY(child_read(a, fd, format, &opts->child, out, skip));
    return skip->n ? ERR_OK : parts_join(a, opts, out);
}

Err document_read(Arena *a, int fd, const struct stat *st, const DocumentFormat *format, int64_t max_text_size,
                  const DocumentOpts *opts, Doc *out, Str *skip) {
    const int64_t most = format->is_text ? max_text_size : opts->max_size;
    struct stat after;
    if (st->st_size > most) return reason_too_large(a, most, st->st_size, skip);
    TRY(sha256_fd(fd, &out->sha256));
    TRY(read_by_kind(a, fd, format, opts, out, skip));
    if (fstat(fd, &after) != 0 || !file_same_state(st, &after)) *skip = STR("changed while being read");
    if (skip->n) return ERR_OK;
    out->lang = str_of(format->lang);
    if (str_trim(out->text).n) return ERR_OK;
    *skip = arena_printf(a, "no text (%s)", format->name);
    return skip->p ? ERR_OK : arena_error();
}
