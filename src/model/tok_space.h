/* tok_space.h - Unicode's White_Space, as both engines of the reference have it: 25 code points, unchanged since 2013.
 * Not a library's \s, which differs between libraries (PCRE2's has U+180E too) and releases. */
#ifndef PYTHIA_MODEL_TOK_SPACE_H
#define PYTHIA_MODEL_TOK_SPACE_H

#include "base/str.h"

/* The members of a class in a pattern. */
#define TOK_SPACE_CLASS                                                                                                \
    "\\t-\\r\\x20\\x85\\xA0\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"

static inline bool tok_is_space(uint32_t cp) {
    if (cp < 0x80) return cp == ' ' || (cp >= '\t' && cp <= '\r');
    return cp == 0x85 || cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

/* Bytes of the white space that s ends with, one character; 0 when it ends with another. s is well-formed. */
static inline size_t tok_space_before(Str s) {
    if (s.n == 0) return 0;
    const uint8_t *p = (const uint8_t *)s.p + s.n;
    if (p[-1] < 0x80) return tok_is_space(p[-1]);
    if (s.n >= 2 && p[-2] == 0xC2) return tok_is_space(p[-1]) ? 2 : 0;
    if (s.n < 3 || (p[-3] & 0xF0) != 0xE0) return 0;
    uint32_t cp = (uint32_t)(p[-3] & 15) << 12 | (uint32_t)(p[-2] & 63) << 6 | (p[-1] & 63);
    return tok_is_space(cp) ? 3 : 0;
}

#endif
