/* text.c - see text.h. */
#include "base/text.h"

#include "base/utf8.h"

typedef struct {
    Str mark;
    size_t unit; /* bytes */
    bool big;    /* big-endian */
} Encoding;

static uint32_t unit_at(Str s, size_t at, const Encoding *e) {
    uint32_t v = 0;
    for (size_t i = 0; i < e->unit; i++) v |= (uint32_t)(uint8_t)s.p[at + i] << 8 * (e->big ? e->unit - 1 - i : i);
    return v;
}

static Err wide_decode(Arena *a, Str s, const Encoding *e, Str *out) {
    char *text = arena_alloc_array(a, s.n / e->unit + 1, 4);
    if (!text) return arena_error();
    size_t n = 0;
    for (size_t i = 0; i < s.n; i += e->unit) {
        uint32_t cp = s.n - i >= e->unit ? unit_at(s, i, e) : UTF8_REPLACEMENT;
        if (e->unit == 2 && cp >= 0xD800 && cp < 0xDC00 && s.n - i >= 4) {
            uint32_t low = unit_at(s, i + 2, e);
            if (low >= 0xDC00 && low < 0xE000) {
                cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
                i += 2;
            }
        }
        if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) cp = UTF8_REPLACEMENT;
        n += utf8_encode(cp, text + n);
    }
    *out = str_make(text, n);
    return ERR_OK;
}

Err text_decode(Arena *a, Str bytes, Str *out) {
    /* UTF-32 before UTF-16, whose little-endian mark is the beginning of its own. */
    static const Encoding encodings[] = {
        {{"\xEF\xBB\xBF", 3}, 1, false}, {{"\xFF\xFE\0\0", 4}, 4, false}, {{"\0\0\xFE\xFF", 4}, 4, true},
        {{"\xFF\xFE", 2}, 2, false},     {{"\xFE\xFF", 2}, 2, true},
    };
    *out = bytes;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
        const Encoding *e = &encodings[i];
        if (!str_starts(bytes, e->mark)) continue;
        *out = str_from(bytes, e->mark.n);
        return e->unit == 1 ? ERR_OK : wide_decode(a, *out, e, out);
    }
    return ERR_OK;
}
