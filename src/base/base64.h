/* base64.h - RFC 4648, the ordinary alphabet. Threads: any. */
#ifndef PYTHIA_BASE_BASE64_H
#define PYTHIA_BASE_BASE64_H

#include "base/str.h"

/* Strict: no blanks, padded to a multiple of four, no bits left over. Loose, for what other programs write: '-' and '_'
 * of the second alphabet too, and padding may be missing. */
typedef enum { BASE64_STRICT, BASE64_LOOSE } Base64;

/* Appends the bytes that text stands for to out; false when it stands for none, with out as far as it came. */
bool base64_decode(Str text, Base64 how, Buf *out);

/* Appends text for the bytes, padded. */
void base64_encode(Str bytes, Buf *out);

#endif
