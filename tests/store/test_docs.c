/* Collections, documents, versions, embeddings, runs: what is put is what is read, before and after reopening. */
#include "fixture.h"

static void a_store_opens_where_nothing_was(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    StoreCollection *all = NULL;
    size_t n = 0;
    CHECK_OK(store_collections(f.store, &f.arena, &all, &n));
    CHECK_INT(n, 1);
    CHECK_STR(all[0].name, "docs");
    fixture_check_sound(&f);
    const StoreCaps *caps = store_caps(f.store);
    CHECK(!caps->lexical && caps->text && caps->transactions && !caps->many_writers);
    fixture_close(&f);
}

static void an_unknown_kind_is_refused_with_the_known_ones(void **state) {
    (void)state;
    Store *s = NULL;
    StoreSpec spec = {.kind = "mongo", .path = "/nowhere"};
    CHECK_ERR(store_open(&s, &spec), ERR_USAGE, "no store is called 'mongo'; there are: local");
    CHECK(s == NULL);
    store_close(NULL);
}

static void a_missing_store_opened_for_reading_names_the_command(void **state) {
    (void)state;
    Fixture f = {0};
    (void)snprintf(f.folder, sizeof f.folder, "%s", check_temp_dir());
    const StoreSpec spec = fixture_spec(&f, true);
    CHECK_ERR(store_open(&f.store, &spec), ERR_NO_COLLECTION, "nothing is indexed yet");
    CHECK(strstr(err_text(), f.folder));
    CHECK_STR(str_of(err_fix_text()), "pythia index");
    CHECK_OK(file_remove_tree(f.folder));
}

static void a_collection_keeps_every_field(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    StoreCollection c = {
        .name = STR("na\xC3\xAFve \"quoted\" '); DROP TABLE chunks; --"),
        .root = STR(""),
        .describe = STR("d"),
        .model_name = STR("m"),
        .dim = 1024,
        .index_kind = STR("hnsw"),
        .generation = UINT64_MAX,
        .rows = UINT32_MAX,
        .created_ms = -5,
        .updated_ms = INT64_MAX,
        .settings = STR("{\"hidden\":true}"),
    };
    for (int i = 0; i < 32; i++) c.model_id.bytes[i] = (uint8_t)(200 + i);
    CHECK_OK(store_collection_put(f.store, &c));
    fixture_reopen(&f, true);
    StoreCollection got;
    CHECK_OK(store_collection(f.store, &f.arena, c.name, &got));
    CHECK_INT(got.id, c.id);
    CHECK(str_eq(got.name, c.name) && str_eq(got.root, c.root) && str_eq(got.settings, c.settings));
    CHECK(str_eq(got.index_kind, c.index_kind) && str_eq(got.describe, c.describe) &&
          str_eq(got.model_name, c.model_name));
    CHECK_INT(got.dim, 1024);
    CHECK(got.generation == UINT64_MAX && got.rows == UINT32_MAX);
    CHECK(got.created_ms == -5 && got.updated_ms == INT64_MAX);
    CHECK(memcmp(got.model_id.bytes, c.model_id.bytes, 32) == 0);
    fixture_close(&f);
}

static void a_missing_collection_names_those_there_are(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_collection(&f, "code");
    StoreCollection c;
    CHECK_ERR(store_collection(f.store, &f.arena, STR("nope"), &c), ERR_NO_COLLECTION,
              "no collection 'nope'; there are: code, docs");
    CHECK_STR(str_of(err_fix_text()), "pythia collection list");
    for (int i = 0; i < 30; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "x%02d", i);
        (void)fixture_collection(&f, name);
    }
    CHECK_ERR(store_collection(f.store, &f.arena, STR("nope"), &c), ERR_NO_COLLECTION, "x17, …");
    fixture_close(&f);
}

static void a_taken_name_is_refused_and_spoils_nothing(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    StoreCollection c = {.name = STR("docs")};
    CHECK_OK(store_begin(f.store));
    const int64_t kept = fixture_put(&f, "a.c", "alpha");
    CHECK_ERR(store_collection_put(f.store, &c), ERR_INPUT, "there is a collection 'docs' already");
    CHECK_INT(c.id, 0);
    CHECK_OK(store_commit(f.store)); /* nothing had been changed by the refused call */
    StoreDoc doc;
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &doc));
    CHECK_INT(doc.id, kept);
    c.name = STR("");
    CHECK_ERR(store_collection_put(f.store, &c), ERR_INPUT, "a collection needs a name");
    c = (StoreCollection){.id = 99, .name = STR("other")};
    CHECK_ERR(store_collection_put(f.store, &c), ERR_NO_COLLECTION, "no collection with id 99");
    fixture_close(&f);
}

static void a_removed_collection_takes_everything_with_it(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const int64_t other = fixture_collection(&f, "other");
    const Doc doc = fixture_doc(&f, "k.md", STR("kept text\n\nsecond"));
    const int64_t id = fixture_put_doc(&f, other, &doc, true);
    (void)fixture_put(&f, "a.c", "kept alpha");
    const Sha256 model = {{1}};
    const ChunkHash hash = chunk_hash_of(STR("second"));
    CHECK_OK(store_embedding_put(f.store, other, &model, &hash, 0));
    int64_t run = 0;
    CHECK_OK(store_run_begin(f.store, other, 5, &run));
    CHECK_OK(store_collection_remove(f.store, other));
    StoreCollection c;
    CHECK_INT(store_collection(f.store, &f.arena, STR("other"), &c), ERR_NO_COLLECTION);
    Str text;
    CHECK_INT(store_text(f.store, &f.arena, id, &text), ERR_NO_DOCUMENT);
    bool found = true;
    int64_t where = 0;
    uint32_t slot = 0;
    CHECK_OK(store_embedding_find(f.store, &model, &hash, &found, &where, &slot));
    CHECK(!found);
    CHECK_STR(fixture_paths(&f, "kept alpha"), "a.c");
    CHECK_ERR(store_collection_remove(f.store, other), ERR_NO_COLLECTION, "no collection with id 2");
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void a_document_keeps_every_field_and_its_chunks(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    Doc doc = fixture_doc(&f, "dir/b\xFF.c", STR("one\ntwo\nthree"));
    doc.title = STR("Title");
    doc.size = 99;
    doc.mtime_ns = -123456789;
    Chunk chunks[2] = {
        {.start = 0,
         .end = 4,
         .start_line = 1,
         .end_line = 1,
         .page = 3,
         .tokens = 7,
         .symbol = STR("sym"),
         .kind = STR("function"),
         .heading = STR("A > B"),
         .hash = chunk_hash_of(STR("one\n"))},
        {.start = 4, .end = 13, .start_line = 2, .end_line = 3, .kind = STR("lines"), .hash = chunk_hash_of(STR("x"))},
    };
    const StorePut put = {
        .collection = f.collection, .doc = &doc, .inode = UINT64_MAX, .chunks = chunks, .n_chunks = 2, .now_ms = 77};
    StoreChange change;
    CHECK_OK(store_put(f.store, &put, &change));
    const int64_t id = change.doc;
    fixture_reopen(&f, true);
    StoreDoc got;
    CHECK_OK(store_document(f.store, &f.arena, f.collection, doc.path, &got));
    CHECK_INT(got.id, id);
    CHECK(str_eq(got.uri, doc.uri) && str_eq(got.path, doc.path) && str_eq(got.title, doc.title));
    CHECK_STR(got.lang, "c");
    CHECK_INT(got.state, DOC_ACTIVE);
    CHECK_INT(got.size, 99);
    CHECK_INT(got.mtime_ns, -123456789);
    CHECK(got.inode == UINT64_MAX && got.version > 0);
    CHECK_INT(got.indexed_ms, 77);
    CHECK_INT(got.chunks, 2);
    CHECK(memcmp(got.sha256.bytes, doc.sha256.bytes, 32) == 0);
    StoreChunk *list = NULL;
    size_t n = 0;
    CHECK_OK(store_chunks_of(f.store, &f.arena, id, &list, &n));
    CHECK_INT(n, 2);
    CHECK_STR(list[0].symbol, "sym");
    CHECK_STR(list[0].kind, "function");
    CHECK_STR(list[0].heading, "A > B");
    CHECK_INT(list[0].page, 3);
    CHECK_INT(list[1].start, 4);
    CHECK_INT(list[1].end, 13);
    CHECK_INT(list[1].end_line, 3);
    CHECK(list[1].doc_id == id && !list[1].has_text && list[1].mtime_ns == -123456789);
    CHECK(memcmp(list[0].hash.bytes, chunks[0].hash.bytes, 16) == 0);
    StoreDoc by_uri;
    CHECK_OK(store_document_by_uri(f.store, &f.arena, f.collection, doc.uri, &by_uri));
    CHECK_INT(by_uri.id, id);
    CHECK_ERR(store_document(f.store, &f.arena, f.collection, STR("no.c"), &got), ERR_NO_DOCUMENT,
              "no document 'no.c'");
    fixture_close(&f);
}

static void putting_again_replaces_content_and_keeps_the_id(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const int64_t id = fixture_put(&f, "a.c", "alpha beta\n\ngamma");
    StoreDoc before, after;
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &before));
    CHECK_INT(fixture_put(&f, "a.c", "delta"), id);
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &after));
    CHECK(after.version != before.version);
    CHECK_INT(after.chunks, 1);
    CHECK_STR(fixture_paths(&f, "alpha beta"), "");
    CHECK_STR(fixture_paths(&f, "gamma"), "");
    CHECK_STR(fixture_paths(&f, "delta"), "a.c");
    fixture_check_sound(&f);
    /* The first content again is the first version again. */
    CHECK_INT(fixture_put(&f, "a.c", "alpha beta\n\ngamma"), id);
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &after));
    CHECK_INT(after.version, before.version);
    for (int i = 0; i < 40; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "content %d", i);
        CHECK_INT(fixture_put(&f, "a.c", text), id);
    }
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void a_chunk_outside_its_text_is_refused(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Doc doc = fixture_doc(&f, "a.c", STR("12345"));
    Chunk bad[] = {{.start = 0, .end = 6},
                   {.start = -1, .end = 2},
                   {.start = 3, .end = 2},
                   {.start = 0, .end = 1, .start_line = 2}};
    for (size_t i = 0; i < 4; i++) {
        const StorePut put = {.collection = f.collection, .doc = &doc, .chunks = &bad[i], .n_chunks = 1};
        CHECK_ERR(store_put(f.store, &put, NULL), ERR_INPUT, "chunk 0 of 'a.c' spans bytes");
    }
    fixture_check_sound(&f);
    fixture_close(&f);
}

typedef struct {
    Buf seen;
    int stop_after, count;
} Listing;

static Err list_doc(void *ctx, const StoreDoc *doc) {
    Listing *l = ctx;
    buf_printf(&l->seen, "%.*s:%d:%.*s ", STR_FMT(doc->path), (int)doc->state, STR_FMT(doc->reason));
    return ++l->count == l->stop_after ? err_set(ERR_INTERRUPT, "enough") : ERR_OK;
}

static void documents_are_listed_by_path_in_all_states(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "b.c", "beta");
    (void)fixture_put(&f, "a.c", "alpha");
    const Doc big = fixture_doc(&f, "c.bin", STR(""));
    CHECK_OK(store_put_skipped(f.store, f.collection, &big, DOC_SKIPPED, STR("binary"), 3, NULL));
    const Doc torn = fixture_doc(&f, "a.c", STR("")); /* was active: its chunks go */
    CHECK_OK(store_put_skipped(f.store, f.collection, &torn, DOC_FAILED, STR("unreadable"), 4, NULL));
    Listing all = {0};
    CHECK_OK(store_documents(f.store, f.collection, list_doc, &all));
    CHECK_STR(buf_str(&all.seen), "a.c:2:unreadable b.c:0: c.bin:1:binary ");
    buf_free(&all.seen);
    Listing some = {.stop_after = 1};
    CHECK_ERR(store_documents(f.store, f.collection, list_doc, &some), ERR_INTERRUPT, "enough");
    CHECK_INT(some.count, 1);
    buf_free(&some.seen);
    CHECK_STR(fixture_paths(&f, NULL), "b.c");
    StoreCounts counts;
    const Sha256 model = {{0}};
    CHECK_OK(store_counts(f.store, f.collection, &model, &counts));
    CHECK(counts.documents == 1 && counts.skipped == 1 && counts.failed == 1 && counts.chunks == 1);
    CHECK(counts.pending == 1 && counts.embedded == 0 && counts.text_bytes == 4 && counts.db_bytes > 0);
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void a_renamed_document_is_found_under_its_new_path(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const int64_t id = fixture_put(&f, "old/first.c", "alpha\n\nbeta");
    (void)fixture_put(&f, "new/second.c", "gamma");
    Doc moved = {.uri = STR("file:///root/new/second.c"),
                 .path = STR("new/second.c"),
                 .lang = STR("cpp"),
                 .mtime_ns = 8,
                 .prior = 0.5f};
    CHECK_OK(store_rename(f.store, id, &moved, 9, NULL));
    StoreDoc doc;
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("new/second.c"), &doc));
    CHECK_INT(doc.id, id); /* what stood there is gone */
    CHECK_STR(doc.lang, "cpp");
    CHECK(doc.mtime_ns == 8 && doc.inode == 9 && doc.chunks == 2);
    StoreChunk *chunks = NULL;
    size_t n = 0;
    float prior = 0;
    CHECK_OK(store_chunks_of(f.store, &f.arena, id, &chunks, &n));
    CHECK_OK(store_chunk_prior(f.store, chunks[1].chunk_id, &prior));
    CHECK_NEAR(prior, 0.5, 0);
    CHECK_OK(store_chunk_prior(f.store, 9999, &prior)); /* gone meanwhile: nothing to hold against it */
    CHECK_NEAR(prior, 1, 0);
    CHECK_STR(fixture_paths(&f, NULL), "new/second.c new/second.c");
    CHECK_STR(fixture_paths(&f, "alpha"), "new/second.c");
    moved = (Doc){.uri = STR("u"), .path = STR("p"), .lang = STR("")};
    CHECK_ERR(store_rename(f.store, 99, &moved, 0, NULL), ERR_NO_DOCUMENT, "no document with id 99");
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void check_range(ChunkRange r, int64_t first, int64_t end) {
    CHECK_INT(r.first, first);
    CHECK_INT(r.end, end);
}

/* Whoever keeps an index of chunks follows these alone. */
static void each_change_tells_which_chunks_came_and_went(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Doc a = fixture_doc(&f, "a.c", STR("one\n\ntwo")), b = fixture_doc(&f, "b.c", STR("three"));
    StorePut put = {.collection = f.collection, .doc = &a};
    StoreChange change;
    put.chunks = fixture_chunks(&f, a.text, &put.n_chunks);
    CHECK_OK(store_put(f.store, &put, &change));
    const int64_t doc = change.doc;
    check_range(change.added, 1, 3);
    check_range(change.gone, 0, 0);
    CHECK_OK(store_put(f.store, &put, &change));
    CHECK_INT(change.doc, doc);
    check_range(change.added, 3, 5);
    check_range(change.gone, 1, 3);
    put = (StorePut){.collection = f.collection, .doc = &b};
    put.chunks = fixture_chunks(&f, b.text, &put.n_chunks);
    CHECK_OK(store_put(f.store, &put, &change));
    check_range(change.added, 5, 6);
    /* a.c over b.c */
    CHECK_OK(store_rename(f.store, doc, &b, 1, &change));
    CHECK_INT(change.doc, doc);
    check_range(change.added, 3, 5);
    check_range(change.gone, 3, 5);
    check_range(change.evicted, 5, 6);
    CHECK_OK(store_put_skipped(f.store, f.collection, &b, DOC_SKIPPED, STR("binary"), 1, &change));
    check_range(change.added, 0, 0);
    check_range(change.gone, 3, 5);
    CHECK_OK(store_remove(f.store, doc, &change));
    check_range(change.gone, 0, 0); /* it had none any more */
    CHECK_OK(store_put(f.store, &put, &change));
    check_range(change.added, 6, 7); /* ids are never used again */
    CHECK_OK(store_remove(f.store, change.doc, &change));
    check_range(change.gone, 6, 7);
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void touching_and_removing(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const int64_t id = fixture_put(&f, "a.c", "alpha");
    CHECK_OK(store_touch(f.store, id, 42, 43));
    StoreDoc doc;
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &doc));
    CHECK(doc.mtime_ns == 42 && doc.inode == 43);
    CHECK_OK(store_remove(f.store, id, NULL));
    CHECK_STR(fixture_paths(&f, NULL), "");
    CHECK_ERR(store_remove(f.store, id, NULL), ERR_NO_DOCUMENT, "no document with id");
    CHECK_ERR(store_touch(f.store, id, 1, 1), ERR_NO_DOCUMENT, "no document with id");
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void a_skimmed_document_is_told_and_waits_for_no_vector(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Sha256 model = {{1}};
    const Doc doc = fixture_doc(&f, "a.c", STR("alpha\n\nbeta"));
    Chunk chunks[] = {
        {.start = 0, .end = 11, .start_line = 1, .end_line = 3, .tokens = CHUNK_COARSE, .kind = STR("lines")}};
    chunks[0].hash = chunk_hash_of(STR("alpha\n\nbeta"));
    StorePut put = {.collection = f.collection, .doc = &doc, .chunks = chunks, .n_chunks = 1, .cut = DOC_SKIMMED};
    CHECK_OK(store_put(f.store, &put, NULL));
    (void)fixture_put(&f, "b.c", "alpha\n\nbeta"); /* the same text, in chunks of its own */
    StoreDoc row;
    StorePending p[4];
    StoreCounts counts;
    size_t n = 0;
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &row));
    CHECK_INT(row.cut, DOC_SKIMMED);
    CHECK_OK(store_counts(f.store, f.collection, &model, &counts));
    CHECK_INT(counts.skimmed, 1);
    CHECK_INT(counts.documents, 2);
    CHECK_OK(store_pending(f.store, f.collection, &model, 0, 0, p, 4, &n));
    CHECK_INT(n, 2); /* of b.c */
    CHECK_OK(store_recut(f.store, f.collection));
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &row));
    CHECK_INT(row.cut, DOC_SKIMMED);
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("b.c"), &row));
    CHECK_INT(row.cut, DOC_CUT_BY_OTHER);
    (void)fixture_put(&f, "a.c", "alpha\n\nbeta");
    (void)fixture_put(&f, "b.c", "alpha\n\nbeta");
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &row));
    CHECK_INT(row.cut, DOC_CUT);
    CHECK_OK(store_recut(f.store, f.collection));
    CHECK_OK(store_put_skipped(f.store, f.collection, &doc, DOC_SKIPPED, STR("binary"), 1, NULL));
    CHECK_OK(store_document(f.store, &f.arena, f.collection, STR("a.c"), &row));
    CHECK_INT(row.cut, DOC_CUT);
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void kept_text_comes_back_byte_for_byte(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    Buf big = {0};
    for (int i = 0; i < 20000; i++) buf_printf(&big, "line %d of it\n", i * 7919 % 1000);
    const Doc doc = fixture_doc(&f, "up.txt", buf_str(&big));
    Doc copy = doc;
    copy.uri = STR("upload://sha256:copy");
    copy.path = STR("copy.txt");
    const int64_t id = fixture_put_doc(&f, f.collection, &doc, true);
    const int64_t twin = fixture_put_doc(&f, f.collection, &copy, true);
    Str text;
    CHECK_OK(store_text(f.store, &f.arena, id, &text));
    CHECK(str_eq(text, buf_str(&big)));
    StoreChunk *list = NULL;
    size_t n = 0;
    CHECK_OK(store_chunks_of(f.store, &f.arena, id, &list, &n));
    CHECK(n == 1 && list[0].has_text);
    CHECK_OK(store_remove(f.store, id, NULL)); /* the other one still has it */
    CHECK_OK(store_text(f.store, &f.arena, twin, &text));
    CHECK(str_eq(text, buf_str(&big)));
    CHECK_INT(fixture_put(&f, "copy.txt", "now from a file"), twin + 1); /* another URI */
    const int64_t plain = fixture_put(&f, "plain.c", "x");
    CHECK_ERR(store_text(f.store, &f.arena, plain, &text), ERR_NO_DOCUMENT, "keeps no text");
    fixture_check_sound(&f);
    CHECK_OK(store_remove(f.store, twin, NULL));
    fixture_check_sound(&f);
    buf_free(&big);
    fixture_close(&f);
}

static void a_rollback_takes_everything_back(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "a.c", "alpha");
    CHECK_OK(store_begin(f.store));
    (void)fixture_put(&f, "a.c", "beta");
    (void)fixture_put(&f, "b.c", "gamma");
    const int64_t made = fixture_collection(&f, "made");
    CHECK(made > 0);
    CHECK_STR(fixture_paths(&f, NULL), "a.c b.c"); /* a writer sees its own work */
    CHECK_STR(fixture_paths(&f, "beta"), "a.c");
    store_rollback(f.store);
    CHECK_STR(fixture_paths(&f, NULL), "a.c");
    CHECK_STR(fixture_paths(&f, "alpha"), "a.c");
    CHECK_OK(store_begin(f.store));
    (void)fixture_put(&f, "c.c", "delta");
    fixture_reopen(&f, false); /* closing rolls back */
    CHECK_STR(fixture_paths(&f, "delta"), "");
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void embeddings_are_keyed_by_content_and_model(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Sha256 model = {{1}}, other = {{2}};
    (void)fixture_put(&f, "a.c", "same\n\nunique\n\nsame");
    (void)fixture_put(&f, "b.c", "same\n\nlast");
    StorePending p[8];
    size_t n = 0;
    CHECK_OK(store_pending(f.store, f.collection, &model, 0, 0, p, 8, &n));
    CHECK_INT(n, 3); /* same, unique, last */
    CHECK(p[0].chunk < p[1].chunk && p[1].chunk < p[2].chunk);
    const ChunkHash same = chunk_hash_of(STR("same"));
    CHECK(memcmp(p[0].hash.bytes, same.bytes, 16) == 0);
    CHECK_OK(store_pending(f.store, f.collection, &model, 0, 0, p, 2, &n));
    CHECK_INT(n, 2);
    CHECK_OK(store_pending(f.store, f.collection, &model, 0, p[1].chunk, p, 8, &n));
    CHECK_INT(n, 1); /* last; the second `same` stands behind but its content came before */
    CHECK_OK(store_embedding_put(f.store, f.collection, &model, &same, 5));
    CHECK_OK(store_embedding_put(f.store, f.collection, &model, &same, 6)); /* moved */
    CHECK_OK(store_pending(f.store, f.collection, &model, 0, 0, p, 8, &n));
    CHECK_INT(n, 2);
    CHECK_OK(store_pending(f.store, f.collection, &other, 0, 0, p, 8, &n));
    CHECK_INT(n, 3);
    bool found = false;
    int64_t where = 0;
    uint32_t slot = 0;
    CHECK_OK(store_embedding_find(f.store, &model, &same, &found, &where, &slot));
    CHECK(found && where == f.collection && slot == 6);
    CHECK_OK(store_embedding_find(f.store, &other, &same, &found, &where, &slot));
    CHECK(!found);
    StoreCounts counts;
    CHECK_OK(store_counts(f.store, f.collection, &model, &counts));
    CHECK(counts.chunks == 5 && counts.embedded == 3 && counts.pending == 2);
    CHECK(counts.pending_files >= 1);
    fixture_close(&f);
}

/* chunks, embedded, pending, documents with pending chunks; the rows behind them are those that store_check counts. */
static void check_counts(Fixture *f, const Sha256 *model, int chunks, int embedded, int files) {
    StoreCounts n;
    Buf report = {0};
    CHECK_OK(store_counts(f->store, f->collection, model, &n));
    CHECK_INT(n.chunks, chunks);
    CHECK_INT(n.embedded, embedded);
    CHECK_INT(n.pending, chunks - embedded);
    CHECK_INT(n.pending_files, files);
    const Err err = store_check(f->store, &report);
    if (err) fail_msg("%s: %.*s", err_text(), STR_FMT(buf_str(&report)));
    buf_free(&report);
}

static void counts_that_are_remembered_follow_what_changes(void **state) {
    (void)state;
    Fixture f;
    StoreCollection c;
    Store *other = NULL;
    StoreCounts n;
    fixture_open(&f);
    CHECK_OK(store_collection(f.store, &f.arena, STR("docs"), &c));
    (void)fixture_put(&f, "a.c", "one\n\ntwo");
    const StoreSpec spec = fixture_spec(&f, true);
    CHECK_OK(store_open(&other, &spec));
    for (int again = 0; again < 2; again++) {
        CHECK_OK(store_counts(other, c.id, &c.model_id, &n));
        CHECK(n.documents == 1 && n.chunks == 2);
    }
    (void)fixture_put(&f, "b.c", "three"); /* by another connection */
    CHECK_OK(store_counts(other, c.id, &c.model_id, &n));
    CHECK(n.documents == 2 && n.chunks == 3);
    CHECK_OK(store_counts(f.store, c.id, &c.model_id, &n)); /* by this one */
    CHECK(n.documents == 2 && n.chunks == 3);
    CHECK_OK(store_begin(f.store));
    (void)fixture_put(&f, "c.c", "four");
    CHECK_OK(store_counts(f.store, c.id, &c.model_id, &n)); /* of what is not committed */
    CHECK(n.documents == 3 && n.chunks == 4);
    CHECK_OK(store_counts(other, c.id, &c.model_id, &n));
    CHECK(n.documents == 2 && n.chunks == 3);
    store_rollback(f.store);
    for (int again = 0; again < 2; again++) {
        CHECK_OK(store_counts(f.store, c.id, &c.model_id, &n));
        CHECK(n.documents == 2 && n.chunks == 3);
    }
    enum { MORE = 12 };
    for (int i = 0; i < MORE; i++) { /* more collections than are remembered */
        const int64_t empty = fixture_collection(&f, arena_printf(&f.arena, "more-%d", i).p);
        CHECK_OK(store_counts(f.store, empty, &c.model_id, &n));
        CHECK_INT(n.chunks, 0);
    }
    CHECK_OK(store_counts(f.store, c.id, &c.model_id, &n));
    CHECK_INT(n.chunks, 3);
    store_close(other);
    fixture_close(&f);
}

static void what_has_no_vector_is_counted_whatever_comes_and_goes(void **state) {
    (void)state;
    Fixture f;
    StoreCollection c;
    fixture_open(&f);
    CHECK_OK(store_collection(f.store, &f.arena, STR("docs"), &c));
    const Sha256 model = c.model_id, other = {{9}};
    c.rows = 8; /* all slots below are in them */
    CHECK_OK(store_collection_put(f.store, &c));
    const ChunkHash same = chunk_hash_of(STR("same")), mine = chunk_hash_of(STR("mine"));
    const int64_t a = fixture_put(&f, "a.c", "same\n\nmine\n\nsame");
    (void)fixture_put(&f, "b.c", "same");
    check_counts(&f, &model, 4, 0, 2);
    CHECK_OK(store_embedding_put(f.store, f.collection, &model, &same, 0)); /* three chunks have this text */
    check_counts(&f, &model, 4, 3, 1);
    CHECK_OK(store_embedding_put(f.store, f.collection, &model, &same, 5)); /* it only moved */
    CHECK_OK(store_embedding_put(f.store, f.collection, &other, &mine, 1)); /* another model's */
    check_counts(&f, &model, 4, 3, 1);
    StoreCounts n;
    CHECK_OK(store_counts(f.store, f.collection, &other, &n));
    CHECK(n.pending == 3 && n.pending_files == 2);
    (void)fixture_put(&f, "b.c", "same\n\nmine\n\nnew");
    check_counts(&f, &model, 6, 3, 2);
    CHECK_OK(store_embedding_put(f.store, f.collection, &model, &mine, 2));
    check_counts(&f, &model, 6, 5, 1);
    CHECK_OK(store_remove(f.store, a, NULL));
    check_counts(&f, &model, 3, 2, 1);
    const uint32_t map[6] = {0, 1, UINT32_MAX, 3, 4, 0}; /* `mine` is forgotten */
    CHECK_OK(store_embedding_remap(f.store, f.collection, map, 6));
    check_counts(&f, &model, 3, 1, 1);
    c.model_id = other;
    CHECK_OK(store_collection_put(f.store, &c));
    check_counts(&f, &other, 3, 1, 1); /* its `mine` */
    CHECK_OK(store_embedding_clear(f.store, f.collection));
    check_counts(&f, &other, 3, 0, 1);
    fixture_close(&f);
}

static void sweep_lists_slots_that_no_chunk_needs(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Sha256 model = {{1}};
    const int64_t a = fixture_put(&f, "a.c", "same\n\nunique");
    (void)fixture_put(&f, "b.c", "same");
    const ChunkHash same = chunk_hash_of(STR("same")), unique = chunk_hash_of(STR("unique"));
    CHECK_OK(store_embedding_put(f.store, f.collection, &model, &same, 0));
    CHECK_OK(store_embedding_put(f.store, f.collection, &model, &unique, 1));
    StoreSwept *swept = NULL;
    size_t n = 9;
    CHECK_OK(store_embedding_sweep(f.store, &f.arena, f.collection, &swept, &n));
    CHECK_INT(n, 0);
    CHECK_OK(store_remove(f.store, a, NULL));
    CHECK_OK(store_embedding_sweep(f.store, &f.arena, f.collection, &swept, &n));
    CHECK_INT(n, 1);
    CHECK_INT(swept[0].slot, 1);
    CHECK(memcmp(&swept[0].hash, &unique, sizeof unique) == 0);
    bool found = true;
    int64_t where = 0;
    uint32_t slot = 0;
    CHECK_OK(store_embedding_find(f.store, &model, &unique, &found, &where, &slot));
    CHECK(!found);
    CHECK_OK(store_embedding_find(f.store, &model, &same, &found, &where, &slot));
    CHECK(found);
    CHECK_OK(store_embedding_clear(f.store, f.collection));
    CHECK_OK(store_embedding_find(f.store, &model, &same, &found, &where, &slot));
    CHECK(!found);
    fixture_close(&f);
}

static void remap_moves_slots_and_drops_those_that_are_gone(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const Sha256 model = {{1}};
    const ChunkHash h[3] = {chunk_hash_of(STR("0")), chunk_hash_of(STR("1")), chunk_hash_of(STR("2"))};
    for (uint32_t i = 0; i < 3; i++) CHECK_OK(store_embedding_put(f.store, f.collection, &model, &h[i], i));
    const uint32_t map[3] = {1, UINT32_MAX, 0}; /* slots change places */
    CHECK_OK(store_embedding_remap(f.store, f.collection, map, 3));
    const int want[3] = {1, -1, 0};
    for (int i = 0; i < 3; i++) {
        bool found = false;
        int64_t where = 0;
        uint32_t slot = 0;
        CHECK_OK(store_embedding_find(f.store, &model, &h[i], &found, &where, &slot));
        CHECK_INT(found ? (int)slot : -1, want[i]);
    }
    fixture_close(&f);
}

static void runs_begin_beat_and_end(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    int64_t run = 0, second = 0;
    CHECK_OK(store_run_begin(f.store, f.collection, 1000, &run));
    CHECK_OK(store_run_beat(f.store, run, STR("embed"), 5, 10, 2000));
    StoreRun *list = NULL;
    size_t n = 0;
    CHECK_OK(store_runs(f.store, &f.arena, f.collection, 10, &list, &n));
    CHECK_INT(n, 1);
    CHECK(list[0].state == RUN_RUNNING && list[0].done == 5 && list[0].total == 10 && list[0].beat_ms == 2000);
    CHECK_STR(list[0].stage, "embed");
    CHECK_OK(store_run_end(f.store, run, RUN_SUCCEEDED, STR(""), 1, 3000));
    CHECK_OK(store_run_begin(f.store, f.collection, 4000, &second));
    CHECK_OK(store_runs(f.store, &f.arena, 0, 1, &list, &n));
    CHECK(n == 1 && list[0].id == second);
    CHECK_OK(store_runs(f.store, &f.arena, 0, SIZE_MAX, &list, &n));
    CHECK(n == 2 && list[1].state == RUN_SUCCEEDED && list[1].failures == 1 && list[1].ended_ms == 3000);
    CHECK_ERR(store_run_beat(f.store, 77, STR(""), 0, 0, 0), ERR_INPUT, "no run 77");
    CHECK_ERR(store_run_end(f.store, 77, RUN_FAILED, STR(""), 0, 0), ERR_INPUT, "no run 77");
    fixture_close(&f);
}

static void audit_rows_are_read_newest_first_and_the_oldest_go(void **state) {
    (void)state;
    enum { ROWS = 100003, KEPT = 100000 };
    Fixture f;
    fixture_open(&f);
    StoreAudit *list = NULL;
    size_t n = 1;
    CHECK_OK(store_audits(f.store, &f.arena, 10, &list, &n));
    CHECK_INT(n, 0);
    CHECK_OK(store_begin(f.store));
    for (int64_t i = 1; i <= ROWS; i++)
        CHECK_OK(store_audit_put(f.store, &(StoreAudit){.at_ms = i,
                                                        .action = i == ROWS ? STR("index") : STR("read"),
                                                        .object = STR("docs"),
                                                        .detail = STR("{}")}));
    CHECK_OK(store_commit(f.store));
    CHECK_OK(store_audits(f.store, &f.arena, 2, &list, &n));
    CHECK(n == 2 && list[0].at_ms == ROWS && list[1].at_ms == ROWS - 1 && list[0].id > list[1].id);
    CHECK_STR(list[0].action, "index");
    CHECK_STR(list[1].action, "read");
    CHECK_STR(list[0].object, "docs");
    CHECK_STR(list[0].detail, "{}");
    CHECK_OK(store_audits(f.store, &f.arena, SIZE_MAX, &list, &n));
    CHECK_INT(n, KEPT);
    CHECK_INT(list[n - 1].at_ms, ROWS - KEPT + 1);
    fixture_close(&f);
}

static void feedback_is_of_its_collection_and_the_oldest_goes(void **state) {
    (void)state;
    enum { ROWS = STORE_FEEDBACK_MAX + 2 };
    Fixture f;
    fixture_open(&f);
    StoreFeedback *list = NULL;
    size_t n = 1;
    int64_t gone = 0;
    CHECK_OK(store_feedbacks(f.store, &f.arena, f.collection, 10, &list, &n));
    CHECK_INT(n, 0);
    CHECK_OK(store_begin(f.store));
    for (int64_t i = 1; i <= ROWS; i++)
        CHECK_OK(store_feedback_put(f.store, &(StoreFeedback){.collection = f.collection,
                                                              .at_ms = i,
                                                              .query = STR("how"),
                                                              .path = STR("a.c"),
                                                              .start_line = 3,
                                                              .end_line = 4,
                                                              .hash = {{7}},
                                                              .verdict = (FeedbackVerdict)(i % FEEDBACK_VERDICTS)}));
    CHECK_OK(store_commit(f.store));
    CHECK_OK(store_feedbacks(f.store, &f.arena, f.collection, STORE_FEEDBACK_MAX, &list, &n));
    CHECK_INT(n, STORE_FEEDBACK_MAX);
    CHECK(list[0].at_ms == ROWS && list[0].verdict == ROWS % FEEDBACK_VERDICTS && list[n - 1].at_ms == 3);
    CHECK(list[0].start_line == 3 && list[0].end_line == 4 && list[0].hash.bytes[0] == 7 &&
          list[0].collection == f.collection);
    CHECK_STR(list[0].query, "how");
    CHECK_STR(list[0].path, "a.c");
    CHECK_OK(store_feedback_clear(f.store, f.collection + 1, &gone));
    CHECK_INT(gone, 0);
    CHECK_OK(store_feedback_clear(f.store, f.collection, &gone));
    CHECK_INT(gone, STORE_FEEDBACK_MAX);
    fixture_close(&f);
}

static void a_new_run_tells_that_the_one_before_lost_its_process(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    int64_t dead = 0, next = 0, other = 0;
    StoreRun run;
    CHECK_OK(store_run_begin(f.store, fixture_collection(&f, "other"), 900, &other));
    CHECK_OK(store_run_begin(f.store, f.collection, 1000, &dead));
    CHECK_OK(store_run_begin(f.store, f.collection, 2000, &next));
    CHECK_OK(store_run(f.store, &f.arena, dead, &run));
    CHECK(run.state == RUN_FAILED && run.ended_ms == 2000);
    CHECK_STR(run.error, "its process ended before it did");
    CHECK_OK(store_run(f.store, &f.arena, other, &run));
    CHECK_INT(run.state, RUN_RUNNING);
    CHECK_ERR(store_run(f.store, &f.arena, 999, &run), ERR_NO_DOCUMENT, "there is no run '999'");
    for (int i = 0; i < 1200; i++) {
        CHECK_OK(store_run_end(f.store, next, RUN_SUCCEEDED, STR(""), 0, 3000));
        CHECK_OK(store_run_begin(f.store, f.collection, 3000, &next));
    }
    StoreRun *list = NULL;
    size_t n = 0;
    CHECK_OK(store_runs(f.store, &f.arena, f.collection, 5000, &list, &n));
    CHECK_INT(n, 1000);
    CHECK_INT(list[0].id, next);
    fixture_close(&f);
}

static void silent_runs_are_reaped_and_a_beat_revives_them(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const int64_t minute = 60 * 1000;
    int64_t dead = 0, live = 0, n_reaped = 0;
    CHECK_OK(store_run_begin(f.store, f.collection, 0, &dead));
    CHECK_OK(store_run_begin(f.store, fixture_collection(&f, "other"), 0, &live));
    CHECK_OK(store_run_beat(f.store, live, STR("walk"), 0, 0, 10 * minute));
    CHECK_OK(store_run_reap(f.store, 15 * minute, &n_reaped));
    CHECK_INT(n_reaped, 0);
    CHECK_OK(store_run_reap(f.store, 15 * minute + 1, &n_reaped));
    CHECK_INT(n_reaped, 1);
    StoreRun *list = NULL;
    size_t n = 0;
    CHECK_OK(store_runs(f.store, &f.arena, 0, 10, &list, &n));
    CHECK(list[1].id == dead && list[1].state == RUN_FAILED);
    CHECK_STR(list[1].error, "no heartbeat for 15 minutes");
    CHECK(list[0].state == RUN_RUNNING);
    CHECK_OK(store_run_beat(f.store, dead, STR("embed"), 1, 2, 16 * minute));
    CHECK_OK(store_runs(f.store, &f.arena, 0, 10, &list, &n));
    CHECK(list[1].state == RUN_RUNNING && list[1].error.n == 0 && list[1].ended_ms == 0);
    CHECK_OK(store_run_end(f.store, live, RUN_CANCELLED, STR("by the user"), 0, 17 * minute));
    CHECK_ERR(store_run_beat(f.store, live, STR("walk"), 0, 0, 18 * minute), ERR_INTERRUPT, "was cancelled");
    CHECK_OK(store_run_end(f.store, live, RUN_SUCCEEDED, STR(""), 0, 19 * minute));
    CHECK_OK(store_runs(f.store, &f.arena, 0, 10, &list, &n));
    CHECK(list[0].state == RUN_CANCELLED);
    fixture_close(&f);
}

static void a_store_opened_for_reading_refuses_to_write(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "a.c", "alpha");
    fixture_reopen(&f, true);
    CHECK_STR(fixture_paths(&f, "alpha"), "a.c");
    CHECK_ERR(store_begin(f.store), ERR_UNSUPPORTED, "opened for reading only");
    CHECK_ERR(store_remove(f.store, 1, NULL), ERR_UNSUPPORTED, "opened for reading only");
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_opens_where_nothing_was),
        cmocka_unit_test(an_unknown_kind_is_refused_with_the_known_ones),
        cmocka_unit_test(a_missing_store_opened_for_reading_names_the_command),
        cmocka_unit_test(a_collection_keeps_every_field),
        cmocka_unit_test(a_missing_collection_names_those_there_are),
        cmocka_unit_test(a_taken_name_is_refused_and_spoils_nothing),
        cmocka_unit_test(a_removed_collection_takes_everything_with_it),
        cmocka_unit_test(a_document_keeps_every_field_and_its_chunks),
        cmocka_unit_test(putting_again_replaces_content_and_keeps_the_id),
        cmocka_unit_test(a_chunk_outside_its_text_is_refused),
        cmocka_unit_test(documents_are_listed_by_path_in_all_states),
        cmocka_unit_test(a_renamed_document_is_found_under_its_new_path),
        cmocka_unit_test(each_change_tells_which_chunks_came_and_went),
        cmocka_unit_test(touching_and_removing),
        cmocka_unit_test(a_skimmed_document_is_told_and_waits_for_no_vector),
        cmocka_unit_test(kept_text_comes_back_byte_for_byte),
        cmocka_unit_test(a_rollback_takes_everything_back),
        cmocka_unit_test(embeddings_are_keyed_by_content_and_model),
        cmocka_unit_test(what_has_no_vector_is_counted_whatever_comes_and_goes),
        cmocka_unit_test(counts_that_are_remembered_follow_what_changes),
        cmocka_unit_test(sweep_lists_slots_that_no_chunk_needs),
        cmocka_unit_test(remap_moves_slots_and_drops_those_that_are_gone),
        cmocka_unit_test(runs_begin_beat_and_end),
        cmocka_unit_test(audit_rows_are_read_newest_first_and_the_oldest_go),
        cmocka_unit_test(feedback_is_of_its_collection_and_the_oldest_goes),
        cmocka_unit_test(a_new_run_tells_that_the_one_before_lost_its_process),
        cmocka_unit_test(silent_runs_are_reaped_and_a_beat_revives_them),
        cmocka_unit_test(a_store_opened_for_reading_refuses_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
