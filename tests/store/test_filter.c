/* Filters: which chunks they let pass, as ranges of ids and as slots of vectors. */
#include "fixture.h"

static void filters_let_pass_what_they_name(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const char *const paths[] = {"src/net/a.c", "src/net/b.h", "src/network.c", "docs/net.md", "src/net", "a.c"};
    for (int i = 0; i < 6; i++) {
        Doc doc = fixture_doc(&f, paths[i], STR("needle"));
        doc.lang = i == 3 ? STR("markdown") : STR("c");
        doc.mtime_ns = (int64_t)(i + 1) * 1000 * 1000000; /* (i + 1) seconds */
        Chunk c = {.end = 6, .kind = i % 2 ? STR("function") : STR("lines"), .hash = chunk_hash_of(str_of(paths[i]))};
        const StorePut put = {.collection = f.collection, .doc = &doc, .chunks = &c, .n_chunks = 1};
        CHECK_OK(store_put(f.store, &put, NULL));
    }
    const Str net[] = {STR("src/net/")}, two[] = {STR("a.c"), STR("./docs")}, root[] = {STR(".")}, none[] = {STR("sr")};
    const Str globs[] = {STR("*.c"), STR("!src/net/*")}, not_md[] = {STR("!*.md")}, langs[] = {STR("Markdown")};
    const Str not_c[] = {STR("!C")}, not_function[] = {STR("!function")};
    const Str mixed[] = {STR("function"), STR("!lines")};
    const Str kinds[] = {STR("function"), STR("nothing"), STR("function")};
    const struct {
        Filter filter;
        const char *want;
    } cases[] = {
        {{.paths = net, .n_paths = 1}, "src/net/a.c src/net/b.h src/net"},
        {{.paths = two, .n_paths = 2}, "docs/net.md a.c"},
        {{.paths = root, .n_paths = 1}, "src/net/a.c src/net/b.h src/network.c docs/net.md src/net a.c"},
        {{.paths = none, .n_paths = 1}, ""},
        {{.globs = globs, .n_globs = 2}, "src/network.c a.c"},
        {{.globs = not_md, .n_globs = 1}, "src/net/a.c src/net/b.h src/network.c src/net a.c"},
        {{.langs = langs, .n_langs = 1}, "docs/net.md"},
        {{.kinds = kinds, .n_kinds = 3}, "src/net/b.h docs/net.md a.c"},
        {{.kinds = kinds, .n_kinds = 3, .paths = net, .n_paths = 1}, "src/net/b.h"},
        {{.since_ms = 5000}, "src/net a.c"},
        {{.until_ms = 2000}, "src/net/a.c src/net/b.h"},
        {{.since_ms = 3000, .until_ms = 3000}, "src/network.c"},
        {{.since_ms = 7000}, ""},
        {{.langs = not_c, .n_langs = 1}, "docs/net.md"},
        {{.kinds = not_function, .n_kinds = 1}, "src/net/a.c src/network.c src/net"},
        {{.kinds = mixed, .n_kinds = 2}, "src/net/b.h docs/net.md a.c"},
        {{.kinds = kinds, .n_kinds = 3, .also = &(Filter){.langs = langs, .n_langs = 1}}, "docs/net.md"},
        {{.also = &(Filter){.paths = net, .n_paths = 1, .also = &(Filter){.globs = globs, .n_globs = 2}}}, ""},
        {{.also = &(Filter){.also = &(Filter){.since_ms = 5000}}}, "src/net a.c"},
    };
    const Sha256 model = {{1}};
    for (uint32_t i = 0; i < 6; i++) {
        const ChunkHash hash = chunk_hash_of(str_of(paths[i]));
        CHECK_OK(store_embedding_put(f.store, f.collection, &model, &hash, i * 60));
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Str got = fixture_chunks_in(&f, f.store, NULL, &cases[i].filter);
        if (!str_is(got, cases[i].want)) print_message("case %zu\n", i);
        CHECK_STR(got, cases[i].want);
        uint64_t bits[5] = {~0ull, ~0ull, ~0ull, ~0ull, ~0ull};
        size_t count = 9, seen = 0;
        CHECK_OK(store_slots(f.store, f.collection, &model, &cases[i].filter, bits, 301, &count));
        for (int b = 0; b < 320; b++) seen += bits[b / 64] >> (b % 64) & 1;
        CHECK_INT(seen, count);
        CHECK((count == 0) == (cases[i].want[0] == 0));
        /* One by one, through the slots. */
        size_t passed = 0;
        for (uint32_t s = 0; s < 6; s++) {
            const uint32_t slot = s * 60;
            int64_t *ids = NULL;
            size_t *of = NULL, n = 0;
            CHECK_OK(
                store_slot_chunks(f.store, &f.arena, f.collection, &model, &cases[i].filter, &slot, 1, &ids, &of, &n));
            CHECK_INT(n, bits[slot / 64] >> (slot % 64) & 1);
            passed += n;
        }
        CHECK_INT(passed, count);
    }
    fixture_close(&f);
}

static void documents_pass_by_what_they_say_of_themselves(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    static const struct {
        const char *path, *meta;
    } docs[] = {{"a.pdf", "author\tAnna Berg\ncreated\t2024-05-01\nkeywords\tsea\n"},
                {"b.eml", "author\tOla Lind\ncreated\t2024-05-01\nmodified\t2025-01-02T03:04:05Z\n"},
                {"c.md", "author\tAnna Lind\nkeywords\tsea, moon\n"},
                {"d.c", ""}};
    for (int i = 0; i < 4; i++) {
        Doc doc = fixture_doc(&f, docs[i].path, STR("needle"));
        doc.meta = str_of(docs[i].meta);
        doc.mtime_ns = INT64_C(1500000000000) * 1000000; /* July 2017 */
        (void)fixture_put_doc(&f, f.collection, &doc, false);
    }
    const Str anna[] = {STR("author=anna")}, either[] = {STR("author=berg"), STR("author=OLA")};
    const Str both[] = {STR("author=lind"), STR("keywords=moon")}, not_anna[] = {STR("!author=anna")};
    const Str some[] = {STR("author=lind"), STR("!author=anna")}, none[] = {STR("author=berg x")};
    const int64_t in_2024 = INT64_C(1704067200000), in_2025 = INT64_C(1735689600000);
    const struct {
        Filter filter;
        const char *want;
    } cases[] = {
        {{.metas = anna, .n_metas = 1}, "a.pdf c.md"},
        {{.metas = either, .n_metas = 2}, "a.pdf b.eml"},
        {{.metas = both, .n_metas = 2}, "c.md"},
        {{.metas = not_anna, .n_metas = 1}, "b.eml d.c"},
        {{.metas = some, .n_metas = 2}, "b.eml"},
        {{.metas = none, .n_metas = 1}, ""},
        {{.since_ms = in_2024}, "a.pdf b.eml"},
        {{.since_ms = in_2025}, "b.eml"},
        {{.until_ms = in_2024}, "c.md d.c"}, /* by their files */
        {{.since_ms = in_2024, .also = &(Filter){.metas = anna, .n_metas = 1}}, "a.pdf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Str got = fixture_chunks_in(&f, f.store, NULL, &cases[i].filter);
        if (!str_is(got, cases[i].want)) print_message("case %zu\n", i);
        CHECK_STR(got, cases[i].want);
    }
    StoreDoc kept;
    fixture_reopen(&f, true);
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.pdf"), &kept));
    CHECK_STR(kept.meta, docs[0].meta);
    fixture_close(&f);
}

static void slots_beyond_the_index_and_without_chunks_have_no_bit(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Sha256 model = {{1}}, other = {{2}};
    const int64_t gone = fixture_put(&f, "gone.c", "gone");
    (void)fixture_put(&f, "a.c", "twice\n\ntwice\n\nonce");
    const char *const texts[] = {"gone", "twice", "once"};
    const uint32_t where[] = {0, 63, 64};
    for (int i = 0; i < 3; i++) {
        const ChunkHash hash = chunk_hash_of(str_of(texts[i]));
        CHECK_OK(store_embedding_put(f.store, f.collection, &model, &hash, where[i]));
    }
    CHECK_OK(store_remove(f.store, gone, NULL));
    uint64_t bits[2] = {0};
    size_t count = 0;
    CHECK_OK(store_slots(f.store, f.collection, &model, NULL, bits, 64, &count));
    CHECK(count == 1 && bits[0] == UINT64_C(1) << 63);
    CHECK_OK(store_slots(f.store, f.collection, &model, NULL, bits, 65, &count));
    CHECK(count == 2 && bits[1] == 1);
    CHECK_OK(store_slots(f.store, f.collection, &other, NULL, bits, 65, &count));
    CHECK(count == 0 && bits[0] == 0 && bits[1] == 0);
    const uint32_t asked[] = {64, 0, 63, 7};
    int64_t *ids = NULL;
    size_t *of = NULL, n = 0;
    CHECK_OK(store_slot_chunks(f.store, &f.arena, f.collection, &model, NULL, asked, 4, &ids, &of, &n));
    CHECK_INT(n, 3);
    CHECK(of[0] == 0 && of[1] == 2 && of[2] == 2 && ids[1] < ids[2]);
    uint32_t slot = 0;
    CHECK_OK(store_chunk_slot(f.store, f.collection, &model, ids[1], &slot));
    CHECK_INT(slot, 63);
    CHECK_ERR(store_chunk_slot(f.store, f.collection, &other, ids[1], &slot), ERR_NO_INDEX, "has no vector yet");
    CHECK_STR(str_of(err_fix_text()), "pythia index");
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_let_pass_what_they_name),
        cmocka_unit_test(documents_pass_by_what_they_say_of_themselves),
        cmocka_unit_test(slots_beyond_the_index_and_without_chunks_have_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
