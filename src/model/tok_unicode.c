/* tok_unicode.c - look-ups in the tables of tok_unicode_data.c. */
#include "model/tok_unicode.h"

/* Hangul syllables decompose by arithmetic (Unicode 15, 3.12). */
enum { HANGUL_FIRST = 0xAC00, HANGUL_LAST = 0xD7A3, JAMO_L = 0x1100, JAMO_V = 0x1161, JAMO_T = 0x11A7 };
enum { HANGUL_TAILS = 28, HANGUL_VOWELS_TAILS = 21 * 28 };

TokChar tok_char(uint32_t cp) {
    char letter = 'A';
    if (cp < TOK_CHAR_PLANES) {
        letter = tok_char_blocks[tok_char_index[cp / TOK_CHAR_BLOCK]][cp % TOK_CHAR_BLOCK];
    } else {
        for (size_t i = 0; i < tok_char_high_count; i++) /* some twenty, the ideographs of plane 2 first */
            if (cp <= tok_char_high[i].last) {
                letter = tok_char_high[i].letter;
                break;
            }
    }
    return tok_char_classes[letter - 'A'];
}

size_t tok_char_strip(uint32_t cp, uint32_t out[TOK_CHAR_STRIP_MAX]) {
    if (cp >= HANGUL_FIRST && cp <= HANGUL_LAST) {
        uint32_t s = cp - HANGUL_FIRST, tail = s % HANGUL_TAILS;
        out[0] = JAMO_L + s / HANGUL_VOWELS_TAILS;
        out[1] = JAMO_V + s % HANGUL_VOWELS_TAILS / HANGUL_TAILS;
        out[2] = JAMO_T + tail;
        return tail ? 3 : 2;
    }
    size_t low = 0, high = tok_char_strip_one_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (tok_char_strip_one[mid].from < cp)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < tok_char_strip_one_count && tok_char_strip_one[low].from == cp) {
        out[0] = tok_char_strip_one[low].to;
        return 1;
    }
    for (size_t i = 0; i < tok_char_strip_several_count; i++) {
        const TokCharSeveral *several = &tok_char_strip_several[i];
        if (several->from != cp) continue;
        size_t n = 0;
        while (n < TOK_CHAR_STRIP_MAX && several->to[n]) {
            out[n] = several->to[n];
            n++;
        }
        return n;
    }
    return 0; /* a non-spacing mark */
}

size_t tok_char_lower(uint32_t cp, uint32_t out[TOK_CHAR_LOWER_MAX]) {
    if (cp == 0x130) { /* I with a dot above: the one letter whose lower case is two code points */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    size_t low = 0, high = tok_char_lower_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (tok_char_lower_ranges[mid].last < cp)
            low = mid + 1;
        else
            high = mid;
    }
    out[0] = cp;
    if (low < tok_char_lower_count) {
        const TokCharLower *r = &tok_char_lower_ranges[low];
        if (cp >= r->first && (cp - r->first) % r->step == 0) out[0] = (uint32_t)((int64_t)cp + r->delta);
    }
    return 1;
}
