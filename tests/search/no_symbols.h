/* no_symbols.h - for tests whose store is a stand-in: what widens a hit is asked for by none of them (test_symbols.py
 * does). */
#ifndef PYTHIA_TESTS_SEARCH_NO_SYMBOLS_H
#define PYTHIA_TESTS_SEARCH_NO_SYMBOLS_H

#include "store/store.h"

static Err not_here(void) { return err_set(ERR_UNSUPPORTED, "this test has no symbols"); }
Err store_symbols_of(Store *s, Arena *a, int64_t doc, Symbol **out, size_t *n) {
    (void)s, (void)a, (void)doc, (void)out, (void)n;
    return not_here();
}
Err store_chunks_of(Store *s, Arena *a, int64_t doc, StoreChunk **out, size_t *n) {
    (void)s, (void)a, (void)doc, (void)out, (void)n;
    return not_here();
}
Err store_symbol(Store *s, Arena *a, int64_t doc, int64_t place, StoreSymbol *out) {
    (void)s, (void)a, (void)doc, (void)place, (void)out;
    return not_here();
}
Err store_symbols_named(Store *s, Arena *a, int64_t collection, Str text, StoreSymbolMatch match, const Filter *filter,
                        size_t cap, StoreSymbol **out, size_t *n) {
    (void)s, (void)a, (void)collection, (void)text, (void)match, (void)filter, (void)cap, (void)out, (void)n;
    return not_here();
}
Err store_chunk_holding(Store *s, int64_t doc, int64_t at, int64_t *chunk_id) {
    (void)s, (void)doc, (void)at, (void)chunk_id;
    return not_here();
}
Err store_symbols_each(Store *s, int64_t collection, const Filter *filter, StoreSymbolSink sink, void *ctx) {
    (void)s, (void)collection, (void)filter, (void)sink, (void)ctx;
    return not_here();
}

#endif
