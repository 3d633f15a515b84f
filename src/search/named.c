/* named.c - see named.h. */
#include "search/named.h"

#include "search/arms.h"
#include "search/symbol.h"

static Err source_find(Arena *a, const SearchSource *s, uint32_t number, const Filter *filter, Str name,
                       Candidate *list, size_t *n) {
    const ptrdiff_t dot = str_rfind_char(name, '.');
    const Str last = str_from(name, (size_t)(dot + 1));
    StoreSymbol *found = NULL;
    size_t n_found = 0;
    TRY(store_symbols_named(s->store, a, s->collection->id, last, SYMBOLS_NAMED, filter, NAMED_MAX, &found, &n_found));
    for (size_t i = 0; i < n_found; i++) {
        const Symbol *symbol = &found[i].symbol;
        int64_t chunk = 0;
        if (!symbol_is_named(name, symbol->path)) continue;
        TRY(store_chunk_holding(s->store, found[i].doc_id, symbol->start, &chunk));
        if (chunk)
            list[(*n)++] =
                (Candidate){.source = number, .chunk = chunk, .most = 1.0f, .named = symbol_weight(symbol->kind)};
    }
    return ERR_OK;
}

Err named_find(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq, const Query *q,
               Candidate **list, size_t *n) {
    *n = 0;
    if (q->n_names == 0) return ERR_OK;
    *list = arena_array(a, Candidate, n_sources * q->n_names * NAMED_MAX);
    if (!*list) return arena_error();
    for (size_t i = 0; i < n_sources; i++)
        for (size_t k = 0; k < q->n_names; k++)
            TRY(source_find(a, &sources[i], (uint32_t)i, source_filter(&sources[i], rq), q->names[k], *list, n));
    return ERR_OK;
}
