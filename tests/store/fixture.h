/* fixture.h - what the tests of the store share: a store in a temporary folder, short ways to put documents. */
#ifndef PYTHIA_TESTS_STORE_FIXTURE_H
#define PYTHIA_TESTS_STORE_FIXTURE_H

#include "check.h"

#include "base/arena.h"
#include "base/file.h"
#include "store/store.h"

typedef struct {
    char folder[512];
    Store *store;
    Arena arena;
    int64_t collection;
} Fixture;

static inline StoreSpec fixture_spec(const Fixture *f, bool read_only) {
    return (StoreSpec){.kind = "local", .path = f->folder, .read_only = read_only};
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
    StoreChange change;
    CHECK_OK(store_put(f->store, &put, &change));
    CHECK_INT(change.added.end - change.added.first, n);
    return change.doc;
}

static inline int64_t fixture_put(Fixture *f, const char *path, const char *text) {
    const Doc doc = fixture_doc(f, path, str_of(text));
    return fixture_put_doc(f, f->collection, &doc, false);
}

/* The paths of the chunks that the filter lets pass, in order of their ids: "a.c b.c". text: only chunks of just this
 * text; NULL: any. */
static inline Str fixture_chunks_in(Fixture *f, Store *s, const char *text, const Filter *filter) {
    ChunkRange *ranges = NULL;
    size_t n = 0;
    Buf paths = {0};
    CHECK_OK(store_ranges(s, &f->arena, f->collection, filter, &ranges, &n));
    for (size_t i = 0; i < n; i++) {
        CHECK(ranges[i].first < ranges[i].end && (i == 0 || ranges[i - 1].end < ranges[i].first));
        for (int64_t id = ranges[i].first; id < ranges[i].end; id++) {
            const ChunkHash hash = text ? chunk_hash_of(str_of(text)) : (ChunkHash){{0}};
            StoreChunk c;
            int64_t collection = 0;
            CHECK_OK(store_chunk(s, &f->arena, id, &collection, &c));
            CHECK_INT(collection, f->collection);
            if (text && memcmp(hash.bytes, c.hash.bytes, sizeof hash.bytes) != 0) continue;
            if (paths.n) buf_char(&paths, ' ');
            buf_add(&paths, c.path);
        }
    }
    const Str result = arena_str(&f->arena, buf_str(&paths));
    buf_free(&paths);
    return result;
}

static inline Str fixture_paths(Fixture *f, const char *text) { return fixture_chunks_in(f, f->store, text, NULL); }

static inline void fixture_check_sound(Fixture *f) {
    Buf report = {0};
    const Err err = store_check(f->store, &report);
    if (err || report.n) fail_msg("check: %s\n%.*s", err_text(), STR_FMT(buf_str(&report)));
    buf_free(&report);
}

#endif
