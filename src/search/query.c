/* query.c - see query.h. A quote counts only with its partner; a single one is text (an apostrophe, an inch). */
#include "search/query.h"

Err query_parse(Arena *a, Str text, Query *out) {
    text = str_trim(text);
    if (text.n == 0) return err_set(ERR_USAGE, "the query is empty");
    if (text.n > QUERY_MAX)
        return err_set(ERR_LIMIT, "the query has %zu bytes, at most %d are taken", text.n, QUERY_MAX);
    char *meaning = arena_alloc(a, text.n + 1);
    if (!meaning) return arena_error();
    size_t n = 0;
    bool open = false, has_phrase = false;
    for (size_t i = 0; i < text.n; i++) {
        bool quote = text.p[i] == '"' && (open || str_find_char(str_from(text, i + 1), '"') >= 0);
        if (!quote) {
            meaning[n++] = text.p[i];
            continue;
        }
        has_phrase |= open && text.p[i - 1] != '"';
        open = !open;
        meaning[n++] = ' ';
    }
    *out = (Query){.words = text, .meaning = str_trim(str_make(meaning, n)), .has_phrase = has_phrase};
    return out->meaning.n ? ERR_OK : err_set(ERR_USAGE, "the query holds nothing but quotes");
}
