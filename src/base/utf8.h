/* utf8.h - UTF-8 as the Unicode standard has it: shortest form only, no surrogates, nothing above U+10FFFF. */
#ifndef PYTHIA_BASE_UTF8_H
#define PYTHIA_BASE_UTF8_H

#include "base/str.h"

#define UTF8_REPLACEMENT 0xFFFDu

/* Decodes the code point at s.p[0..n) (n > 0). Returns the bytes it takes (1-4) and sets *cp; for an ill-formed
 * sequence *cp is U+FFFD and the return value is the length of the "maximal subpart" (Unicode 15, 3.9, table 3-8),
 * at least 1, which is what Python, Rust and browsers replace by one U+FFFD. */
size_t utf8_decode(Str s, uint32_t *cp);

/* Writes cp as 1-4 bytes into out; returns the count. cp must be a scalar value. */
size_t utf8_encode(uint32_t cp, char out[4]);

bool utf8_valid(Str s);

/* Appends s to out with each ill-formed subpart replaced by U+FFFD. */
void utf8_repair(Buf *out, Str s);

/* The largest n' <= n at which s can be cut without splitting a code point. */
size_t utf8_floor(Str s, size_t n);

/* Display columns of s on a terminal, approximately: code points less combining marks; wide ones count 2. */
size_t utf8_width(Str s);

#endif
