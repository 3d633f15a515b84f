/* ascii.h - letters, digits and blanks of ASCII, whatever the locale says; bytes of other characters are none of
 * them. */
#ifndef PYTHIA_BASE_ASCII_H
#define PYTHIA_BASE_ASCII_H

#include <stdbool.h>

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static inline char lower(char c) { return is_upper(c) ? (char)(c | 0x20) : c; }

/* Between words, and at the end of a line. */
static inline bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

#endif
