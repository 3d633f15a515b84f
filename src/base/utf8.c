/* utf8.c - see utf8.h. */
#include "base/utf8.h"

#include <utf8proc.h>

size_t utf8_decode(Str s, uint32_t *cp) {
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned char b0 = p[0];
    *cp = UTF8_REPLACEMENT;
    if (b0 < 0x80) return *cp = b0, 1;
    /* Table 3-7 of the standard: the second byte's range is what rules out overlong forms and surrogates. */
    unsigned lo = 0x80, hi = 0xBF;
    size_t len;
    if (b0 >= 0xC2 && b0 <= 0xDF)
        len = 2;
    else if (b0 >= 0xE0 && b0 <= 0xEF) {
        len = 3;
        if (b0 == 0xE0) lo = 0xA0;
        if (b0 == 0xED) hi = 0x9F;
    } else if (b0 >= 0xF0 && b0 <= 0xF4) {
        len = 4;
        if (b0 == 0xF0) lo = 0x90;
        if (b0 == 0xF4) hi = 0x8F;
    } else
        return 1;
    uint32_t v = b0 & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if (i >= s.n || p[i] < lo || p[i] > hi) return i;
        v = v << 6 | (p[i] & 0x3Fu);
        lo = 0x80, hi = 0xBF;
    }
    *cp = v;
    return len;
}

size_t utf8_encode(uint32_t cp, char out[4]) {
    if (cp < 0x80) return out[0] = (char)cp, 1;
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

/* U+FFFD itself is three well-formed bytes; an ill-formed sequence never takes EF BF BD. */
static bool is_ill_formed(Str s, size_t len, uint32_t cp) {
    return cp == UTF8_REPLACEMENT && !(len == 3 && memcmp(s.p, "\xEF\xBF\xBD", 3) == 0);
}

bool utf8_valid(Str s) {
    while (s.n) {
        /* Eight ASCII bytes at a time: source code is little else. */
        uint64_t word;
        if (s.n >= 8 && (memcpy(&word, s.p, 8), (word & 0x8080808080808080u) == 0)) {
            s = str_from(s, 8);
            continue;
        }
        uint32_t cp;
        size_t len = utf8_decode(s, &cp);
        if (is_ill_formed(s, len, cp)) return false;
        s = str_from(s, len);
    }
    return true;
}

void utf8_repair(Buf *out, Str s) {
    size_t good = 0; /* bytes of s seen to be well-formed and not yet copied */
    while (good < s.n) {
        Str rest = str_from(s, good);
        uint32_t cp;
        size_t len = utf8_decode(rest, &cp);
        if (!is_ill_formed(rest, len, cp)) {
            good += len;
            continue;
        }
        buf_add(out, str_upto(s, good));
        buf_add(out, STR("\xEF\xBF\xBD"));
        s = str_from(s, good + len);
        good = 0;
    }
    buf_add(out, s);
}

size_t utf8_floor(Str s, size_t n) {
    if (n >= s.n) return s.n;
    size_t at = n;
    for (int back = 0; back < 3 && at > 0 && ((unsigned char)s.p[at] & 0xC0) == 0x80; back++) at--;
    if (((unsigned char)s.p[at] & 0xC0) == 0x80) return n; /* not UTF-8: cut anywhere */
    return at;
}

size_t utf8_width(Str s) {
    size_t width = 0;
    while (s.n) {
        uint32_t cp;
        size_t len = utf8_decode(s, &cp);
        int w = cp < 0x80 ? cp >= 0x20 : utf8proc_charwidth((utf8proc_int32_t)cp);
        width += w > 0 ? (size_t)w : 0;
        s = str_from(s, len);
    }
    return width;
}
