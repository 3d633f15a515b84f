/* fixture.h - what the tests of the store share: a plain analyser (the real one lives in another room), a store in a
 * temporary folder, short ways to put documents. */
#ifndef PYTHIA_TESTS_STORE_FIXTURE_H
#define PYTHIA_TESTS_STORE_FIXTURE_H

#include "check.h"

#include "base/arena.h"
#include "base/file.h"
#include "store/store.h"

/* Lower-cased runs of ASCII letters, digits and bytes >= 0x80; "a_b" gives a, a_b (at the same position), b. */
static int fixture_analyze(void *analyzer, Str text, StoreTermSink sink, void *ctx) {
    (void)analyzer;
    size_t i = 0;
    while (i < text.n) {
        char whole[256], part[256];
        size_t n_whole = 0, n_part = 0, start = i;
        bool first = true, split = false;
        for (;; i++) {
            const char c = i < text.n ? text.p[i] : 0;
            const bool letter =
                (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80);
            if (letter && n_whole < sizeof whole) {
                const char low = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
                whole[n_whole++] = part[n_part++] = low;
                continue;
            }
            if (c == '_' && n_whole > 0 && n_whole < sizeof whole) {
                /* The whole is known only at the end of the word. */
                size_t end = i;
                while (end < text.n && text.p[end] != ' ' && text.p[end] != '\n') end++;
                if (sink(ctx, str_make(part, n_part), false, start, i)) return 1;
                if (first && sink(ctx, str_make(text.p + start, end - start), true, start, end)) return 1;
                first = false;
                split = true;
                whole[n_whole++] = '_';
                n_part = 0;
                continue;
            }
            break;
        }
        if (n_part && sink(ctx, str_make(part, n_part), false, start, i)) return 1;
        (void)split;
        if (i < text.n) i++;
    }
    return 0;
}

typedef struct {
    char folder[512];
    Store *store;
    Arena arena;
    int64_t collection;
} Fixture;

static inline StoreSpec fixture_spec(const Fixture *f, bool read_only) {
    return (StoreSpec){
        .kind = "local", .path = f->folder, .read_only = read_only, .analyzer = {.run = fixture_analyze}};
}

static inline int64_t fixture_collection(Fixture *f, const char *name) {
    StoreCollection c = {
        .name = str_of(name),
        .root = STR("/root"),
        .describe = STR("what it is"),
        .model_name = STR("mini"),
        .dim = 384,
        .index_kind = STR("flat"),
        .created_ms = 1,
        .updated_ms = 2,
        .settings = STR("{}"),
    };
    c.model_id.bytes[0] = 7;
    CHECK_OK(store_collection_put(f->store, &c));
    CHECK(c.id > 0);
    return c.id;
}

static inline void fixture_open(Fixture *f) {
    *f = (Fixture){0};
    (void)snprintf(f->folder, sizeof f->folder, "%s", check_temp_dir());
    const StoreSpec spec = fixture_spec(f, false);
    CHECK_OK(store_open(&f->store, &spec));
    f->collection = fixture_collection(f, "docs");
}

static inline void fixture_close(Fixture *f) {
    store_close(f->store);
    arena_free(&f->arena);
    CHECK_OK(file_remove_tree(f->folder));
}

static inline void fixture_reopen(Fixture *f, bool read_only) {
    store_close(f->store);
    f->store = NULL;
    const StoreSpec spec = fixture_spec(f, read_only);
    CHECK_OK(store_open(&f->store, &spec));
}

static inline Doc fixture_doc(Fixture *f, const char *path, Str text) {
    return (Doc){
        .uri = arena_printf(&f->arena, "file:///root/%s", path),
        .path = arena_str(&f->arena, str_of(path)),
        .text = text,
        .lang = STR("c"),
        .sha256 = sha256_of(text),
        .size = (int64_t)text.n,
        .mtime_ns = 1000000,
    };
}

/* Chunks are the text's paragraphs (split at "\n\n"), kind "lines". Lives in the arena. */
static inline Chunk *fixture_chunks(Fixture *f, Str text, size_t *n) {
    Chunk *chunks = arena_array(&f->arena, Chunk, text.n / 2 + 1);
    *n = 0;
    size_t at = 0;
    while (at < text.n) {
        const ptrdiff_t cut = str_find(str_from(text, at), STR("\n\n"));
        const size_t end = cut < 0 ? text.n : at + (size_t)cut;
        chunks[*n] = (Chunk){
            .start = (int64_t)at,
            .end = (int64_t)end,
            .start_line = (int32_t)*n + 1,
            .end_line = (int32_t)*n + 1,
            .tokens = 3,
            .kind = STR("lines"),
            .symbol = STR(""),
            .heading = STR(""),
            .hash = chunk_hash_of(str_make(text.p + at, end - at)),
        };
        ++*n;
        at = cut < 0 ? text.n : end + 2;
    }
    return chunks;
}

static inline int64_t fixture_put_doc(Fixture *f, int64_t collection, const Doc *doc, bool keep) {
    size_t n = 0;
    Chunk *chunks = fixture_chunks(f, doc->text, &n);
    const StorePut put = {.collection = collection,
                          .doc = doc,
                          .inode = 5,
                          .chunks = chunks,
                          .n_chunks = n,
                          .now_ms = 9,
                          .keep_text = keep};
    int64_t id = 0;
    CHECK_OK(store_put(f->store, &put, &id));
    return id;
}

static inline int64_t fixture_put(Fixture *f, const char *path, const char *text) {
    const Doc doc = fixture_doc(f, path, str_of(text));
    return fixture_put_doc(f, f->collection, &doc, false);
}

/* The paths of the hits, best first: "a.c b.c". */
static inline Str fixture_search(Fixture *f, const char *query, const Filter *filter, size_t k) {
    StoreLexHit *hits = NULL;
    size_t n = 0;
    CHECK_OK(store_lexical(f->store, &f->arena, f->collection, str_of(query), filter, k, &hits, &n));
    CHECK(n <= k);
    Buf paths = {0};
    for (size_t i = 0; i < n; i++) {
        StoreChunk c;
        int64_t collection = 0;
        CHECK_OK(store_chunk(f->store, &f->arena, hits[i].chunk_id, &collection, &c));
        CHECK_INT(collection, f->collection);
        CHECK(i == 0 || hits[i - 1].score >= hits[i].score);
        CHECK(hits[i].score > 0);
        if (i) buf_char(&paths, ' ');
        buf_add(&paths, c.path);
    }
    const Str result = arena_str(&f->arena, buf_str(&paths));
    buf_free(&paths);
    return result;
}

static inline void fixture_check_sound(Fixture *f) {
    Buf report = {0};
    const Err err = store_check(f->store, &report);
    if (err || report.n) fail_msg("check: %s\n%.*s", err_text(), STR_FMT(buf_str(&report)));
    buf_free(&report);
}

#endif
