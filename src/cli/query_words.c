/* query_words.c - which words of a query to mark in a line. Only for showing: the engine has its own analysis. */
#include "base/ascii.h"
#include "cli/hits.h"

enum { STEM_MIN = 4, SUFFIX_MAX = 4, WORDS_MAX = 64 };

/* Bytes of multi-byte characters count as letters. */
static bool is_word(char c) { return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80; }

static bool is_common(Str w) {
    static const char *const common[] = {"a",    "an",   "and",   "are",   "as",   "at",  "be",   "by",  "can",   "do",
                                         "does", "for",  "from",  "has",   "how",  "if",  "in",   "is",  "it",    "its",
                                         "not",  "of",   "on",    "or",    "that", "the", "this", "to",  "using", "was",
                                         "what", "when", "where", "which", "who",  "why", "will", "with"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (str_is(w, common[i])) return true;
    return false;
}

/* "parsing" and "parse" should both mark "parser": the usual English endings are dropped where enough is left. */
static Str stem_of(Str w) {
    static const char *const endings[] = {"ations", "ation", "ings", "ing", "ers", "ies", "er",
                                          "ed",     "es",    "ly",   "s",   "e",   "y"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        Str end = str_of(endings[i]);
        if (str_ends(w, end) && w.n - end.n >= STEM_MIN) return str_upto(w, w.n - end.n);
    }
    return w;
}

Err query_words(Arena *a, Str query, QueryWords *out) {
    *out = (QueryWords){.words = arena_array(a, QueryWord, WORDS_MAX)};
    char *low = arena_alloc(a, query.n);
    if (!out->words || !low) return arena_error();
    for (size_t i = 0; i < query.n; i++) low[i] = lower(query.p[i]);
    for (size_t i = 0; i < query.n && out->n < WORDS_MAX;) {
        if (!is_word(low[i])) {
            i++;
            continue;
        }
        size_t start = i;
        while (i < query.n && is_word(low[i])) i++;
        Str word = str_make(low + start, i - start);
        if (word.n >= 2 && !is_common(word)) out->words[out->n++].stem = stem_of(word);
    }
    return ERR_OK;
}

/* "backoff" starts a word in "next_backoff", "nextBackoff" and "backoff". */
static bool word_starts(Str line, size_t at) {
    if (at == 0 || !is_word(line.p[at - 1])) return true;
    return is_upper(line.p[at]) && !is_upper(line.p[at - 1]);
}

size_t query_word_match(const void *ctx, Str line, size_t at) {
    const QueryWords *q = ctx;
    if (!is_word(line.p[at]) || !word_starts(line, at)) return 0;
    for (size_t i = 0; i < q->n; i++) {
        Str stem = q->words[i].stem;
        if (stem.n > line.n - at) continue;
        size_t k = 0;
        while (k < stem.n && lower(line.p[at + k]) == stem.p[k]) k++;
        if (k < stem.n) continue;
        size_t end = at + k;
        while (end < line.n && is_lower(line.p[end])) end++;
        if (end - at - k <= SUFFIX_MAX) return end - at;
    }
    return 0;
}
