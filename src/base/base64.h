/* base64.h - RFC 4648, the ordinary alphabet. Threads: any. */
#ifndef PYTHIA_BASE_BASE64_H
#define PYTHIA_BASE_BASE64_H

#include "base/str.h"

/* Appends the bytes that text stands for to out. Strict: no blanks, padded to a multiple of four, no bits left over; false else,
 * with out as far as it came. */
bool base64_decode(Str text, Buf *out);

#endif
