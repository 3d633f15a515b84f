/* charset.h - encodings: what they are called, which one bytes are in, and their text as UTF-8.
 *
 * Conversion is iconv's, whose converters are files; a confined reader can open none. So a Charsets keeps those that
 * were opened: charsets_prepare opens the ones that a document names, before the confinement. Names mean what the
 * WHATWG's Encoding standard says they mean in practice ("iso-8859-1" is windows-1252).
 *
 * Which encoding undeclared bytes are in is guessed by uchardet from statistics; its library is loaded at the first
 * such file. Threads: a Charsets is for one thread; charset_guess for any.
 */
#ifndef PYTHIA_INGEST_CHARSET_H
#define PYTHIA_INGEST_CHARSET_H

#include "base/arena.h"

#define CHARSETS_MAX 12

typedef struct {
    struct {
        char name[32];
        void *iconv;
    } open[CHARSETS_MAX];
    size_t n;
    char guess[32]; /* of the whole document; "" none */
} Charsets;

/* Opens what bytes name behind "charset=", "encoding=", "=?" and "\ansicpg"; and, when they name none and are not
 * UTF-8, what they look like. */
void charsets_prepare(Charsets *c, Str bytes);
void charsets_close(Charsets *c);

/* The encoding of a font's characters by RTF's \fcharset: 204 is "cp1251"; "" when it says nothing. */
const char *charset_of_font(int64_t number);

/* bytes as UTF-8, in the arena where they were not: by their byte-order mark; by the declared name ("": none); as UTF-8
 * when they are; by the guess; else as windows-1252. Bytes that mean nothing become U+FFFD. */
MUST_USE Err charset_decode(Charsets *c, Arena *a, Str bytes, Str declared, Str *out);

/* "windows-1251" for bytes that look like it; "" when nothing is known, or the library is not there. */
void charset_guess(Str bytes, char out[32]);

#endif
