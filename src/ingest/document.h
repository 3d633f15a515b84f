/* document.h - documents that are more than text (format.h), from an open file to a Doc: size limits, the hash, the
 * child that reads them, and what it is called when it does not. */
#ifndef PYTHIA_INGEST_DOCUMENT_H
#define PYTHIA_INGEST_DOCUMENT_H

#include <sys/stat.h>

#include "ingest/format_pdf.h"

typedef struct {
    ChildOpts child;  /* program NULL: no document is read; they are text, or binary, by their bytes */
    int64_t max_size; /* bytes, of formats that are not text */
    PdfOpts pdf;      /* its child is filled in */
} DocumentOpts;

/* Changes when a reader makes another text of the same file, or finds more that it says of itself: documents are then
 * read anew. */
#define DOCUMENT_READERS_VERSION 4

/* Reads the document that fd is open on: lang, title, meta, text, marks, sha256, or *skip with the reason. The caller
 * has filled path, size and mtime. Errors: ERR_IO, ERR_NOMEM, those of opts->child.stop. */
MUST_USE Err document_read(Arena *a, int fd, const struct stat *st, const DocumentFormat *format, int64_t max_text_size,
                           const DocumentOpts *opts, Doc *out, Str *skip);

/* "larger than 1 MB (3.2 MB)" */
MUST_USE Err reason_too_large(Arena *a, int64_t most, int64_t size, Str *out);

/* Nothing of the file changed between the two. */
bool file_same_state(const struct stat *a, const struct stat *b);

#endif
