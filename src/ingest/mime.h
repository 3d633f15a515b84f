/* mime.h - the parts of a mail: headers, boundaries, encodings. RFC 5322, 2045 to 2047, 2231. Everything is borrowed
 * from the mail's bytes unless it had to be decoded. */
#ifndef PYTHIA_INGEST_MIME_H
#define PYTHIA_INGEST_MIME_H

#include "ingest/charset.h"

typedef struct {
    Str type, subtype; /* "text", "plain" where nothing is said */
    Str charset;       /* "" none */
    Str boundary;      /* of a multipart */
    Str name;          /* the file's, raw; "" none */
    Str encoding;      /* "base64" … */
    bool is_attachment;
    Str body; /* behind the blank line, still encoded */
} MimePart;

MUST_USE Err mime_part(Arena *a, Str entity, MimePart *out);
/* The next part between boundaries; *rest is the body at first. */
bool mime_next(Str *rest, Str boundary, Str *entity);
/* The body's bytes, decoded from base64 or quoted-printable. */
MUST_USE Err mime_decode(Arena *a, const MimePart *p, Str *out);
/* A header's value: unfolded, encoded words resolved; "" when there is none. */
MUST_USE Err mime_header(Charsets *c, Arena *a, Str entity, const char *name, Str *out);
/* "=?utf-8?q?Gr=C3=BC=C3=9Fe?=" resolved. */
MUST_USE Err mime_words(Charsets *c, Arena *a, Str text, Str *out);
/* The first line is a header. */
bool mime_looks_so(Str bytes);

#endif
