/* Tests of what the store keeps of definitions and references: by document, by name, by prefix; gone with their
 * document. */
#include "store/fixture.h"

#define SYMBOL(path_, name_, kind_, from, to, line_)                                                                   \
    {                                                                                                                  \
        .path = STR(path_), .name = STR(name_), .kind = STR(kind_), .signature = STR("sig " name_), .start = (from),   \
        .end = (to), .line = (line_), .start_line = (line_), .end_line = (line_) + 1                                   \
    }

static int64_t put(Fixture *f, const char *path, const char *lang, const Symbol *symbols, size_t n,
                   const Reference *refs, size_t n_refs) {
    Doc doc = fixture_doc(f, path, STR("some text of forty bytes or more, long enough for symbols"));
    doc.lang = str_of(lang);
    size_t n_chunks = 0;
    StoreChange change;
    const StorePut p = {.collection = f->collection,
                        .doc = &doc,
                        .chunks = fixture_chunks(f, doc.text, &n_chunks),
                        .n_chunks = 1,
                        .symbols = symbols,
                        .n_symbols = n,
                        .references = refs,
                        .n_references = n_refs};
    CHECK_OK(store_put(f->store, &p, &change));
    return change.doc;
}

static const Symbol of_a[] = {SYMBOL("Stack", "Stack", "class", 0, 30, 1),
                              SYMBOL("Stack.push", "push", "method", 5, 20, 2)};
static const Symbol of_b[] = {SYMBOL("push", "push", "function", 1, 9, 4),
                              SYMBOL("push_all", "push_all", "function", 10, 19, 8)};

static Str named(Fixture *f, const char *text, StoreSymbolMatch match, const Filter *filter, size_t cap) {
    StoreSymbol *found = NULL;
    size_t n = 0;
    Buf b = {0};
    CHECK_OK(store_symbols_named(f->store, &f->arena, f->collection, str_of(text), match, filter, cap, &found, &n));
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s:%d:%.*s", i ? " " : "", STR_FMT(found[i].doc_path), found[i].symbol.line,
                   STR_FMT(found[i].symbol.path));
    const Str s = arena_str(&f->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static Str used(Fixture *f, const char *name, size_t cap, size_t want_total) {
    StoreReference *found = NULL;
    size_t n = 0, total = 0;
    Buf b = {0};
    CHECK_OK(store_references(f->store, &f->arena, f->collection, str_of(name), NULL, cap, &found, &n, &total));
    CHECK_INT(total, want_total);
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%s%.*s:%d", i ? " " : "", STR_FMT(found[i].doc_path), found[i].line);
    const Str s = arena_str(&f->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static void definitions_come_back_as_they_were_put(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const int64_t id = put(&f, "a.py", "python", of_a, 2, NULL, 0);
    Symbol *got = NULL;
    size_t n = 0;
    CHECK_OK(store_symbols_of(f.store, &f.arena, id, &got, &n));
    CHECK_INT(n, 2);
    CHECK_STR(got[1].path, "Stack.push");
    CHECK_STR(got[1].name, "push");
    CHECK_STR(got[1].kind, "method");
    CHECK_STR(got[1].signature, "sig push");
    CHECK_INT(got[1].start, 5);
    CHECK_INT(got[1].end, 20);
    CHECK_INT(got[1].line, 2);
    CHECK_INT(got[1].end_line, 3);
    StoreSymbol one;
    CHECK_OK(store_symbol(f.store, &f.arena, id, 0, &one));
    CHECK_STR(one.symbol.path, "Stack");
    CHECK_STR(one.doc_path, "a.py");
    CHECK_ERR(store_symbol(f.store, &f.arena, id, 7, &one), ERR_NO_DOCUMENT, "has no symbol 7");
    fixture_close(&f);
}

static void definitions_are_found_by_name_and_by_its_start(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)put(&f, "b.c", "c", of_b, 2, NULL, 0);
    (void)put(&f, "a.py", "python", of_a, 2, NULL, 0);
    CHECK_STR(named(&f, "push", SYMBOLS_NAMED, NULL, 9), "a.py:2:Stack.push b.c:4:push");
    CHECK_STR(named(&f, "push", SYMBOLS_NAMED, NULL, 1), "a.py:2:Stack.push");
    CHECK_STR(named(&f, "push_", SYMBOLS_STARTING, NULL, 9), "b.c:8:push_all");
    CHECK_STR(named(&f, "pus", SYMBOLS_NAMED, NULL, 9), "");
    const Str c = STR("c"), method = STR("method"), lines = STR("lines");
    CHECK_STR(named(&f, "push", SYMBOLS_NAMED, &(Filter){.langs = &c, .n_langs = 1}, 9), "b.c:4:push");
    CHECK_STR(named(&f, "push", SYMBOLS_NAMED, &(Filter){.kinds = &method, .n_kinds = 1}, 9), "a.py:2:Stack.push");
    CHECK_STR(named(&f, "push", SYMBOLS_NAMED, &(Filter){.kinds = &lines, .n_kinds = 1}, 9), "");
    fixture_close(&f);
}

static void references_are_found_by_name_alone(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Reference of_one[] = {
        {STR("a"), 3}, {STR("push"), 2}, {STR("push"), 900000}, {STR("pushed"), 5}, {STR("x\ny"), 1}};
    const Reference of_two[] = {{STR("push"), 1}};
    (void)put(&f, "b.c", "c", NULL, 0, of_one, 5);
    (void)put(&f, "a.c", "c", NULL, 0, of_two, 1);
    CHECK_STR(used(&f, "push", 9, 3), "a.c:1 b.c:2 b.c:900000");
    CHECK_STR(used(&f, "push", 2, 3), "a.c:1 b.c:2");
    CHECK_STR(used(&f, "a", 9, 1), "b.c:3");
    CHECK_STR(used(&f, "ush", 9, 0), "");
    CHECK_STR(used(&f, "x\ny", 9, 0), "");
    CHECK_STR(used(&f, "", 9, 0), "");
    fixture_close(&f);
}

static void what_a_document_had_goes_with_it(void **state) {
    (void)state;
    Fixture f;
    Buf report = {0};
    fixture_open(&f);
    const Reference ref[] = {{STR("push"), 2}};
    const int64_t id = put(&f, "a.py", "python", of_a, 2, ref, 1);
    CHECK_INT(put(&f, "a.py", "python", of_b, 1, NULL, 0), id); /* a new version */
    CHECK_STR(named(&f, "push", SYMBOLS_NAMED, NULL, 9), "a.py:4:push");
    CHECK_STR(used(&f, "push", 9, 0), "");
    CHECK_OK(store_check(f.store, &report));
    CHECK_OK(store_remove(f.store, id, NULL));
    CHECK_STR(named(&f, "push", SYMBOLS_STARTING, NULL, 9), "");
    (void)put(&f, "a.py", "python", of_a, 2, ref, 1);
    CHECK_OK(store_collection_remove(f.store, f.collection));
    CHECK_OK(store_check(f.store, &report));
    buf_free(&report);
    fixture_close(&f);
}

static Err count(void *ctx, int64_t doc, int64_t place, Str path, Str kind) {
    (void)doc, (void)place, (void)kind;
    *(size_t *)ctx += path.n > 0;
    return ERR_OK;
}

static void each_names_all_that_pass(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)put(&f, "a.py", "python", of_a, 2, NULL, 0);
    (void)put(&f, "b.c", "c", of_b, 2, NULL, 0);
    size_t n = 0;
    CHECK_OK(store_symbols_each(f.store, f.collection, NULL, count, &n));
    CHECK_INT(n, 4);
    n = 0;
    const Str c = STR("c");
    CHECK_OK(store_symbols_each(f.store, f.collection, &(Filter){.langs = &c, .n_langs = 1}, count, &n));
    CHECK_INT(n, 2);
    fixture_close(&f);
}

static size_t chunks_of_symbol(Fixture *f, const char *name, int64_t first[2]) {
    const Str wanted = str_of(name);
    ChunkRange *ranges = NULL;
    size_t n = 0, chunks = 0;
    CHECK_OK(
        store_ranges(f->store, &f->arena, f->collection, &(Filter){.symbols = &wanted, .n_symbols = 1}, &ranges, &n));
    for (size_t i = 0; i < n; i++)
        for (int64_t id = ranges[i].first; id < ranges[i].end; id++, chunks++)
            if (chunks < 2) first[chunks] = id;
    return chunks;
}

static void a_filter_of_symbols_lets_their_chunks_pass(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    Doc doc = fixture_doc(&f, "x.py", STR("class X\n\n  def y\n\n  more\n\nlast"));
    const Symbol symbols[] = {SYMBOL("X", "X", "class", 0, 24, 1), SYMBOL("X.y", "y", "method", 9, 16, 3),
                              SYMBOL("y", "y", "function", 26, 30, 7)};
    size_t n = 0;
    StoreChange change;
    StorePut p = {.collection = f.collection, .doc = &doc, .symbols = symbols, .n_symbols = 3};
    p.chunks = fixture_chunks(&f, doc.text, &n);
    p.n_chunks = n;
    CHECK_INT(n, 4);
    CHECK_OK(store_put(f.store, &p, &change));
    int64_t at[2] = {0};
    CHECK_INT(chunks_of_symbol(&f, "X.y", at), 1);
    CHECK_INT(at[0], change.added.first + 1);
    CHECK_INT(chunks_of_symbol(&f, "y", at), 2); /* both that are called so */
    CHECK_INT(at[1], change.added.first + 3);
    CHECK_INT(chunks_of_symbol(&f, "X", at), 3);
    CHECK_INT(chunks_of_symbol(&f, "!X", at), 1);
    CHECK_INT(chunks_of_symbol(&f, "z", at), 0);
    CHECK_INT(chunks_of_symbol(&f, ".y", at), 0);
    int64_t chunk = 0;
    CHECK_OK(store_chunk_holding(f.store, change.doc, 9, &chunk));
    CHECK_INT(chunk, change.added.first + 1);
    CHECK_OK(store_chunk_holding(f.store, change.doc, 1000, &chunk));
    CHECK_INT(chunk, 0);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_come_back_as_they_were_put),
        cmocka_unit_test(definitions_are_found_by_name_and_by_its_start),
        cmocka_unit_test(references_are_found_by_name_alone),
        cmocka_unit_test(what_a_document_had_goes_with_it),
        cmocka_unit_test(each_names_all_that_pass),
        cmocka_unit_test(a_filter_of_symbols_lets_their_chunks_pass),
    };
    return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
