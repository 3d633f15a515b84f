/* read.h - from a file to a Doc: size limits, binary and minified detection, encodings, language by name and content.
 * A format is one reader and one line in read_formats (read.c). */
#ifndef PYTHIA_INGEST_READ_H
#define PYTHIA_INGEST_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/types.h"
#include "ingest/document.h"
#include "ingest/noise.h"

typedef struct {
    int64_t max_size; /* bytes; larger files are skipped */
    NoiseOpts noise;
    DocumentOpts documents;
    bool text_only; /* documents that a process of its own would read are skipped: "a document, read later" */
} ReadOpts;

/* Reads root/path. *skip is "" and *out filled, or the reason why the file is not indexed: "binary (NUL at byte 12)",
 * "larger than 1 MB (3.2 MB)", "empty", "changed while being read", and those of noise.h. Errors
 * (ERR_IO: unreadable) name the path. Everything lives in the arena. out->uri is file://<root>/<path>, percent-encoded
 * as RFC 3986 wants; out->text is UTF-8: a BOM is dropped, UTF-16 with a BOM is converted, and text in another encoding
 * is converted where that can be told (it is `extracted` then); else ill-formed bytes are kept as they are (offsets
 * must stay those of the file) while tokenizers and JSON repair them. Documents (PDF, office, HTML …) are read as
 * document.h says. */
MUST_USE Err doc_read(Arena *a, const char *root, Str path, const ReadOpts *opts, Doc *out, Str *skip);

/* The same of a file that is open and whose place does not matter (an upload): name tells format and language, out->uri
 * is "", and no rule of noise or secrets is asked, for somebody wants this very file. Reads from its start, whatever
 * was read before. */
MUST_USE Err doc_read_open(Arena *a, int fd, Str name, const ReadOpts *opts, Doc *out, Str *skip);

/* "python" for "x.py"; by the base name ("Makefile"), the extension, or the "#!" line; "" when unknown. An extension
 * that two languages share (".h", ".m", ".pl") is decided by the text. The name is static. */
Str lang_of(Str path, Str text);
/* All language names, sorted, for messages. */
size_t lang_names(const char *const **out);
/* The name of the language that a user typed: "py", "C++", "Bash" give "python", "cpp", "bash". ERR_USAGE names the
 * near ones, or all. */
MUST_USE Err lang_canonical(Str typed, Str *out);

/* What its lines are: people write prose in long lines, and data in any; long lines of code are a machine's. */
typedef enum { LANG_UNKNOWN, LANG_CODE, LANG_DATA, LANG_PROSE } LangClass;
LangClass lang_class(Str lang);

/* file:// URI of an absolute path; {NULL, 0} when memory is out. Bytes that RFC 3986 does not allow in a path, and all
 * above 0x7f, are percent-encoded. */
Str uri_of_path(Arena *a, const char *absolute);
/* And back: ERR_INPUT for another scheme or host, a relative path, a query, a fragment, a bad escape, an encoded
 * NUL. */
MUST_USE Err path_of_uri(Arena *a, Str uri, const char **out);

#endif
