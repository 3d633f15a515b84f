/* analyze.c - text into the terms of the lexical index.
 *
 * One pass over the bytes. Runs of separators are skipped; a run of letters, digits and '_' is a word; a run of Han,
 * kana or Hangul gives bigrams. A word is folded into a small buffer while the borders of its parts are noted:
 *
 *     _        snake_case             hard
 *     aB       camelCase              hard
 *     ABc      HTTPServer, before B   hard; but the plural of an acronym is no border (URLs)
 *     a1 1a    utf8, int32_t          soft: more than DIGIT_SPLITS_MAX of them and it is a hash, not a name
 *
 * A word without borders gives its stem. A word with borders gives the stem of each part and, at the position of the
 * first one, the whole as it was written, folded and unstemmed: a search for `max_retries` finds "max retry" by the
 * parts and puts the identifier itself first by the whole. Splitting *and* keeping the whole took BM25 from 0.338 to
 * 0.408 nDCG@10 on CosQA's Python functions; neither alone did.
 *
 * What is left whole on purpose: hexadecimal numbers, words longer than WORD_BYTES_MAX (base64, minified code) and
 * words whose parts are too short to mean anything. Their parts would fill the index with noise.
 *
 * Accents: combining marks of Latin, Greek, Cyrillic, Hebrew and Arabic are dropped (NFKD, then the marks' own blocks).
 * Marks of Indic and South-East Asian scripts are vowels, not accents, and stay. Compatibility forms are folded too
 * (full-width letters, ligatures, superscripts).
 *
 * Memory: one Analyzer is about 200 KB, most of it the cache of stems: Snowball costs some 250 ns a word, a cache hit
 * 10, and 95 % of the words of a source tree hit. Nothing is allocated while a text runs.
 * Sources: Unicode 15 (UAX #15, #44 through utf8proc), Snowball's English stemmer (libstemmer).
 */
#include "index/analyze.h"

#include <assert.h>
#include <stdlib.h>

#include <libstemmer.h>
#include <utf8proc.h>

#include "base/utf8.h"

enum {
    TERM_BYTES_MAX = 128,
    WORD_BYTES_MAX = 512, /* of the source; a longer word is one term, cut */
    FOLDED_MAX = 1024,    /* bytes of a folded word; one code point may fold to 33 bytes (U+FDFA) */
    PARTS_MAX = 64,       /* of a word; one with more is one term */
    DIGIT_SPLITS_MAX = 3, /* "x86_64" has 1, "a9f3c04e" has 5 */
    JUNK_PARTS = 8,       /* a word of more parts ... */
    JUNK_PART_BYTES = 3,  /* ... which are shorter than this on average is one term: base64 */
    STEM_SLOTS = 4096,    /* power of two */
    STEM_BYTES_MAX = 23,  /* longer words are stemmed each time */
    STEM_LETTERS_MIN = 3, /* Snowball leaves shorter ones as they are */
    DECOMPOSED_MAX = 32,  /* code points of one decomposed code point: 18 at most (U+FDFA) */
};

/* What a code point is to a word. The order matters: everything up to CLASS_OTHER ends an ASCII word. */
typedef enum {
    CLASS_SEPARATOR,
    CLASS_OTHER, /* a byte >= 0x80: decode it */
    CLASS_UPPER,
    CLASS_LOWER, /* and letters without case */
    CLASS_DIGIT,
    CLASS_UNDERSCORE,
    CLASS_CJK,
    CLASS_IGNORED, /* inside a word: accents, joiners, soft hyphens */
} Class;

typedef enum { CUT_HARD, CUT_ACRONYM, CUT_SOFT } CutKind;

typedef struct {
    size_t at;     /* in the folded word */
    size_t source; /* in the text */
    CutKind kind;
} Cut;

/* The word that is being read. */
typedef struct {
    char folded[FOLDED_MAX];
    size_t n;
    Cut cuts[PARTS_MAX + 1]; /* starts of the parts; the first one is the word's own */
    size_t n_cuts;
    size_t n_soft;
    bool opaque;        /* too long or too many parts: one term */
    Class before, last; /* classes of the last two characters */
    size_t last_at, last_source;
    size_t start, end; /* in the text */
} Word;

typedef struct {
    uint8_t key_n, stem_n; /* key_n 0: free */
    char key[STEM_BYTES_MAX];
    char stem[STEM_BYTES_MAX];
} StemSlot;

struct Analyzer {
    struct sb_stemmer *stemmer;
    uint8_t class_of[256]; /* Class of a byte */
    Word word;
    StemSlot stems[STEM_SLOTS];
};

/* Where the terms of one run go. */
typedef struct {
    TermSink sink;
    void *ctx;
} Out;

Err analyzer_open(Analyzer **out) {
    *out = NULL;
    Analyzer *a = calloc(1, sizeof *a);
    if (!a) return err_set(ERR_NOMEM, "out of memory for the analyser");
    a->stemmer = sb_stemmer_new("english", "UTF_8");
    if (!a->stemmer) {
        free(a);
        return err_set(ERR_INTERNAL, "libstemmer has no stemmer 'english' for UTF-8");
    }
    for (unsigned c = 0; c < 256; c++) {
        Class class = CLASS_SEPARATOR;
        if (c >= 0x80) class = CLASS_OTHER;
        if (c >= 'A' && c <= 'Z') class = CLASS_UPPER;
        if (c >= 'a' && c <= 'z') class = CLASS_LOWER;
        if (c >= '0' && c <= '9') class = CLASS_DIGIT;
        if (c == '_') class = CLASS_UNDERSCORE;
        a->class_of[c] = (uint8_t) class;
    }
    *out = a;
    return ERR_OK;
}

void analyzer_close(Analyzer *a) {
    if (!a) return;
    sb_stemmer_delete(a->stemmer);
    free(a);
}

/* ---- stems ---- */

static bool is_alphabetic(Str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 'a' || s.p[i] > 'z') return false;
    return s.n > 0;
}

static uint32_t stem_hash(Str word) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < word.n; i++) h = (h ^ (uint8_t)word.p[i]) * 16777619u;
    return h ^ h >> 15;
}

/* The stem of a part, or the part itself when it is not purely alphabetic. Valid until the next call. */
static Str stem_of(Analyzer *a, Str word) {
    if (word.n < STEM_LETTERS_MIN || !is_alphabetic(word)) return word;
    StemSlot *slot = NULL;
    if (word.n <= STEM_BYTES_MAX) {
        slot = &a->stems[stem_hash(word) & (STEM_SLOTS - 1)];
        if (slot->key_n == word.n && memcmp(slot->key, word.p, word.n) == 0) return str_make(slot->stem, slot->stem_n);
    }
    const sb_symbol *stem = sb_stemmer_stem(a->stemmer, (const sb_symbol *)word.p, (int)word.n);
    if (!stem) return word; /* out of memory in libstemmer: the word itself is a fair term */
    const Str result = str_make((const char *)stem, (size_t)sb_stemmer_length(a->stemmer));
    if (result.n == 0) return word;
    if (slot && result.n <= STEM_BYTES_MAX) {
        slot->key_n = (uint8_t)word.n;
        slot->stem_n = (uint8_t)result.n;
        memcpy(slot->key, word.p, word.n);
        memcpy(slot->stem, result.p, result.n);
    }
    return result;
}

/* ---- words ---- */

static void word_begin(Word *w, size_t at) {
    w->n = 0;
    w->n_cuts = w->n_soft = 0;
    w->opaque = false;
    w->before = w->last = CLASS_SEPARATOR;
    w->last_at = w->last_source = 0;
    w->start = w->end = at;
}

static void word_cut(Word *w, size_t at, size_t source, CutKind kind) {
    if (w->n_cuts > PARTS_MAX) {
        w->opaque = true;
        return;
    }
    w->n_soft += kind == CUT_SOFT;
    w->cuts[w->n_cuts++] = (Cut){at, source, kind};
}

/* Notes the border, if any, before a character of this class that stands at `source` and will be folded to w->n. */
static void word_border(Word *w, Class class, size_t source) {
    if (w->last == CLASS_SEPARATOR || w->last == CLASS_UNDERSCORE) {
        if (class != CLASS_UNDERSCORE) word_cut(w, w->n, source, CUT_HARD);
    } else if (class == CLASS_UPPER && w->last == CLASS_LOWER) {
        word_cut(w, w->n, source, CUT_HARD);
    } else if (class == CLASS_LOWER && w->last == CLASS_UPPER && w->before == CLASS_UPPER) {
        word_cut(w, w->last_at, w->last_source, CUT_ACRONYM);
    } else if (class != CLASS_UNDERSCORE && (class == CLASS_DIGIT) != (w->last == CLASS_DIGIT)) {
        word_cut(w, w->n, source, CUT_SOFT);
    }
    w->before = w->last;
    w->last = class;
    w->last_at = w->n;
    w->last_source = source;
}

/* Reads ASCII word characters from text[at..); returns where they end. Leading underscores belong to no word. */
static size_t word_read_ascii(Analyzer *a, Str text, size_t at) {
    Word *w = &a->word;
    size_t i = at;
    for (; i < text.n; i++) {
        const uint8_t c = (uint8_t)text.p[i];
        const Class class = (Class)a->class_of[c];
        if (class <= CLASS_OTHER) break;
        if (i - w->start >= WORD_BYTES_MAX || w->n >= FOLDED_MAX - 1) {
            w->opaque = true;
            continue;
        }
        if (class == CLASS_UNDERSCORE && w->n == 0) continue;
        word_border(w, class, i);
        w->folded[w->n++] = class == CLASS_UPPER ? (char)(c | 0x20) : (char)c;
    }
    w->end = i;
    return i;
}

/* Combining marks that are accents or vowel points, by their blocks. */
static bool is_accent(uint32_t cp) {
    return (cp >= 0x0300 && cp <= 0x036F) || (cp >= 0x0483 && cp <= 0x0487) || (cp >= 0x0591 && cp <= 0x05C7) ||
           (cp >= 0x0610 && cp <= 0x061A) || (cp >= 0x064B && cp <= 0x065F) || cp == 0x0670 ||
           (cp >= 0x1AB0 && cp <= 0x1AFF) || (cp >= 0x1DC0 && cp <= 0x1DFF) || (cp >= 0x20D0 && cp <= 0x20FF) ||
           (cp >= 0x3099 && cp <= 0x309A) || (cp >= 0xFE00 && cp <= 0xFE0F) || (cp >= 0xFE20 && cp <= 0xFE2F) ||
           (cp >= 0xE0100 && cp <= 0xE01EF);
}

static bool is_cjk(uint32_t cp) {
    return (cp >= 0x2E80 && cp <= 0x2FDF) || (cp >= 0x3005 && cp <= 0x3007) || (cp >= 0x3041 && cp <= 0x30FF) ||
           (cp >= 0x3105 && cp <= 0x318F) || (cp >= 0x31A0 && cp <= 0x31FF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
           (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0xAC00 && cp <= 0xD7A3) || (cp >= 0xF900 && cp <= 0xFAFF) ||
           (cp >= 0xFF66 && cp <= 0xFF9F) || (cp >= 0x20000 && cp <= 0x3FFFD);
}

static Class class_of_code_point(uint32_t cp) {
    if (cp == 0x00AD || cp == 0x200C || cp == 0x200D || cp == 0x2060) return CLASS_IGNORED;
    if (is_accent(cp)) return CLASS_IGNORED;
    if (cp == 0xFF3F) return CLASS_UNDERSCORE; /* full-width */
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
        return CLASS_UPPER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NO:
        return CLASS_DIGIT;
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
        return is_cjk(cp) ? CLASS_CJK : CLASS_LOWER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return CLASS_LOWER; /* vowels of Indic scripts: part of the word */
    default:
        return CLASS_SEPARATOR;
    }
}

/* The class of the character at text[at], and its length. Ill-formed bytes are separators, and so is U+FFFD. */
static Class class_at(const Analyzer *a, Str text, size_t at, uint32_t *cp, size_t *length) {
    const uint8_t c = (uint8_t)text.p[at];
    if (c < 0x80) {
        *cp = c;
        *length = 1;
        return (Class)a->class_of[c];
    }
    *length = utf8_decode(str_from(text, at), cp);
    return class_of_code_point(*cp);
}

/* Appends the folded form of cp: full case folding, compatibility decomposition, no accents. What a decomposition has
 * beside letters and digits (the spaces of U+FDFA, the slash of a fraction) is dropped. */
static void word_fold(Word *w, uint32_t cp) {
    utf8proc_int32_t parts[DECOMPOSED_MAX];
    int boundary = 0;
    const utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)cp, parts, DECOMPOSED_MAX,
                                UTF8PROC_CASEFOLD | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, &boundary);
    if (n <= 0 || n > DECOMPOSED_MAX) return;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        const uint32_t part = (uint32_t)parts[i];
        if (is_accent(part) || class_of_code_point(part) == CLASS_SEPARATOR) continue;
        if (w->n + 4 > FOLDED_MAX) {
            w->opaque = true;
            return;
        }
        w->n += utf8_encode(part, w->folded + w->n);
    }
}

/* The same as word_read_ascii for any script. A word of ASCII only never comes here. */
static size_t word_read_unicode(Analyzer *a, Str text, size_t at) {
    Word *w = &a->word;
    size_t i = at, length = 0;
    for (; i < text.n; i += length) {
        uint32_t cp = 0;
        const Class class = class_at(a, text, i, &cp, &length);
        if (class == CLASS_SEPARATOR || class == CLASS_CJK) break;
        if (class == CLASS_IGNORED) continue;
        if (i - w->start >= WORD_BYTES_MAX || w->n + 4 > FOLDED_MAX) {
            w->opaque = true;
            continue;
        }
        if (class == CLASS_UNDERSCORE) {
            if (w->n == 0) continue;
            word_border(w, class, i);
            w->folded[w->n++] = '_';
            continue;
        }
        word_border(w, class, i);
        if (cp < 0x80) {
            w->folded[w->n++] = class == CLASS_UPPER ? (char)(cp | 0x20) : (char)cp;
        } else {
            word_fold(w, cp);
        }
    }
    w->end = i;
    return i;
}

/* Takes back borders that are none: digits of hashes, plurals of acronyms, empty parts. */
static void word_settle(Word *w) {
    while (w->n > 0 && w->folded[w->n - 1] == '_') w->n--;
    const bool keep_soft = w->n_soft <= DIGIT_SPLITS_MAX;
    size_t kept = 0;
    for (size_t i = 0; i < w->n_cuts; i++) {
        const Cut c = w->cuts[i];
        const size_t next = i + 1 < w->n_cuts ? w->cuts[i + 1].at : w->n;
        if (c.at >= next) continue; /* folded to nothing */
        if (c.kind == CUT_SOFT && !keep_soft && kept > 0) continue;
        const bool ends = next == w->n || w->folded[next - 1] == '_';
        const bool plural = c.kind == CUT_ACRONYM && ends && next - c.at >= 2 && w->folded[c.at + 1] == 's' &&
                            (next - c.at == 2 || w->folded[c.at + 2] == '_');
        if (plural) continue;
        w->cuts[kept++] = c;
    }
    w->n_cuts = kept;
    if (kept > JUNK_PARTS && w->n < kept * JUNK_PART_BYTES) w->opaque = true;
    if (w->n > 2 && w->folded[0] == '0' && w->folded[1] == 'x') w->opaque = true;
}

static int emit(const Out *out, Str term, bool colocated, size_t start, size_t end) {
    if (term.n > TERM_BYTES_MAX) term.n = utf8_floor(term, TERM_BYTES_MAX);
    return term.n ? out->sink(out->ctx, term, colocated, start, end) : 0;
}

static int word_emit(Analyzer *a, const Out *out) {
    Word *w = &a->word;
    word_settle(w);
    const Str whole = str_make(w->folded, w->n);
    if (w->n == 0) return 0;
    if (w->opaque) return emit(out, whole, false, w->start, w->end);
    if (w->n_cuts <= 1) return emit(out, stem_of(a, whole), false, w->start, w->end);
    for (size_t i = 0; i < w->n_cuts; i++) {
        const bool is_last = i + 1 == w->n_cuts;
        const size_t from = w->cuts[i].at;
        size_t to = is_last ? w->n : w->cuts[i + 1].at;
        while (to > from && w->folded[to - 1] == '_') to--;
        const size_t end = is_last ? w->end : w->cuts[i + 1].source;
        int stop = emit(out, stem_of(a, str_make(w->folded + from, to - from)), false, w->cuts[i].source, end);
        if (!stop && i == 0) stop = emit(out, whole, true, w->start, w->end);
        if (stop) return stop;
    }
    return 0;
}

/* Length of a possessive "'s" (with ' or U+2019) at text[at], 0 when there is none: "the user's name". */
static size_t possessive_length(const Analyzer *a, Str text, size_t at) {
    const Str rest = str_from(text, at);
    size_t n = 0;
    if (str_starts(rest, STR("'"))) n = 1;
    if (str_starts(rest, STR("\xE2\x80\x99"))) n = 3;
    if (n == 0 || rest.n <= n || (rest.p[n] | 0x20) != 's') return 0;
    n++;
    uint32_t cp = 0;
    size_t length = 0;
    if (rest.n > n && class_at(a, rest, n, &cp, &length) != CLASS_SEPARATOR) return 0;
    return n;
}

/* ---- Han, kana, Hangul ---- */

/* One code point where a compatibility form has one (half-width kana, compatibility ideographs), else itself. */
static uint32_t cjk_fold(uint32_t cp) {
    if (cp >= 0xAC00 && cp <= 0xD7A3) return cp; /* syllables would fall apart into jamo */
    utf8proc_int32_t parts[DECOMPOSED_MAX];
    int boundary = 0;
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, parts, DECOMPOSED_MAX,
                                                       UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, &boundary);
    return n == 1 ? (uint32_t)parts[0] : cp;
}

/* Bigrams of the run that starts at text[*at]; a run of one character gives that character. Moves *at behind it. */
static int cjk_emit(const Analyzer *a, Str text, size_t *at, const Out *out) {
    char pair[8];
    size_t first_n = 0, first_at = *at, count = 0, i = *at, length = 0;
    for (; i < text.n; i += length) {
        uint32_t cp = 0;
        const Class class = class_at(a, text, i, &cp, &length);
        if (class == CLASS_IGNORED) continue;
        if (class != CLASS_CJK) break;
        char next[4];
        const size_t next_n = utf8_encode(cjk_fold(cp), next);
        memcpy(pair + first_n, next, next_n);
        if (count > 0) {
            const int stop = emit(out, str_make(pair, first_n + next_n), false, first_at, i + length);
            if (stop) return stop;
        }
        memcpy(pair, next, next_n);
        first_n = next_n;
        first_at = i;
        count++;
    }
    const size_t start = *at;
    *at = i;
    return count == 1 ? emit(out, str_make(pair, first_n), false, start, i) : 0;
}

/* ---- the pass ---- */

/* The run that starts at text[*at], which is no ASCII separator. Moves *at behind it, at least by one. */
static int run_emit(Analyzer *a, Str text, size_t *at, const Out *out) {
    uint32_t cp = 0;
    size_t length = 0;
    Class class = class_at(a, text, *at, &cp, &length);
    if (class == CLASS_SEPARATOR || class == CLASS_IGNORED) {
        *at += length;
        return 0;
    }
    if (class == CLASS_CJK) return cjk_emit(a, text, at, out);
    word_begin(&a->word, *at);
    size_t end = word_read_ascii(a, text, *at);
    if (end < text.n && (uint8_t)text.p[end] >= 0x80) {
        class = class_at(a, text, end, &cp, &length);
        if (class != CLASS_SEPARATOR && class != CLASS_CJK) {
            word_begin(&a->word, *at);
            end = word_read_unicode(a, text, *at);
        }
    }
    *at = end;
    const int stop = word_emit(a, out);
    if (!stop && end < text.n && (a->word.last == CLASS_LOWER || a->word.last == CLASS_UPPER)) {
        *at += possessive_length(a, text, end);
    }
    return stop;
}

int analyzer_run(Analyzer *a, Str text, TermSink sink, void *ctx) {
    assert(a && sink && (text.p || text.n == 0));
    const Out out = {sink, ctx};
    size_t at = 0;
    while (at < text.n) {
        if (a->class_of[(uint8_t)text.p[at]] == CLASS_SEPARATOR) {
            at++;
            continue;
        }
        const int stop = run_emit(a, text, &at, &out);
        if (stop) return stop;
    }
    return 0;
}
