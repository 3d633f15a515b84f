/* document.c - see document.h. */
#include "ingest/document.h"

#include <stdio.h>
#include <string.h>

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

static Err read_pdf(Arena *a, int fd, const DocumentOpts *opts, Doc *out, Str *skip) {
    PdfOpts pdf = opts->pdf;
    pdf.child = opts->child;
    return pdf_read(a, fd, &pdf, out, skip);
}

Err document_read(Arena *a, int fd, const struct stat *st, const DocumentFormat *format, int64_t max_text_size,
                  const DocumentOpts *opts, Doc *out, Str *skip) {
    const int64_t most = format->is_text ? max_text_size : opts->max_size;
    struct stat after;
    if (st->st_size > most) return reason_too_large(a, most, st->st_size, skip);
    TRY(sha256_fd(fd, &out->sha256));
    TRY(format->kind == FORMAT_PDF ? read_pdf(a, fd, opts, out, skip)
                                   : child_read(a, fd, format, &opts->child, out, skip));
    if (fstat(fd, &after) != 0 || !file_same_state(st, &after)) *skip = STR("changed while being read");
    if (skip->n) return ERR_OK;
    out->lang = str_of(format->lang);
    if (str_trim(out->text).n) return ERR_OK;
    *skip = arena_printf(a, "no text (%s)", format->name);
    return skip->p ? ERR_OK : arena_error();
}
