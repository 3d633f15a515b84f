/* What goes wrong outside: the n-th write fails, the disk is full, the process is killed, the file is locked, damaged,
 * foreign, newer, or in a folder that cannot be written. After each the old state is whole. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fault_vfs.h"
#include "fixture.h"

#include "store/local.h"

/* ---- writes that fail ---- */

static Err batch(Fixture *f) {
    TRY(store_begin(f->store));
    Err err = ERR_OK;
    const Doc docs[] = {
        fixture_doc(f, "a.c", STR("fresh alpha\n\nmore")),
        fixture_doc(f, "new.c", STR("fresh beta")),
    };
    for (size_t i = 0; !err && i < 2; i++) {
        size_t n = 0;
        Chunk *chunks = fixture_chunks(f, docs[i].text, &n);
        const StorePut put = {
            .collection = f->collection, .doc = &docs[i], .chunks = chunks, .n_chunks = n, .keep_text = true};
        err = store_put(f->store, &put, NULL);
    }
    StoreDoc gone;
    if (!err) err = store_document(f->store, &f->arena, f->collection, STR("b.c"), &gone);
    if (!err) err = store_remove(f->store, gone.id, NULL);
    /* Like a caller that goes on after a failed call: the commit must refuse then. */
    const Err commit = store_commit(f->store);
    if (err) CHECK(commit != ERR_OK);
    return err ? err : commit;
}

static void check_old_state(Fixture *f) {
    CHECK_STR(fixture_paths(f, NULL), "a.c b.c");
    CHECK_STR(fixture_paths(f, "old alpha"), "a.c");
    CHECK_STR(fixture_paths(f, "old beta"), "b.c");
    fixture_check_sound(f);
}

static void check_new_state(Fixture *f) {
    CHECK_STR(fixture_paths(f, NULL), "a.c a.c new.c");
    CHECK_STR(fixture_paths(f, "fresh alpha"), "a.c");
    CHECK_STR(fixture_paths(f, "fresh beta"), "new.c");
    fixture_check_sound(f);
}

/* The n-th write fails, for every n that there is; a checkpoint at each commit writes the database file too. */
static void each_failing_write(int code, const char *text) {
    long n = 1;
    for (bool passed = false; !passed; n++) {
        Fixture f;
        fixture_open(&f);
        (void)fixture_put(&f, "a.c", "old alpha");
        (void)fixture_put(&f, "b.c", "old beta");
        CHECK_OK(local_exec(local_of(f.store), "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 1"));
        fault_set(n, code);
        const Err err = batch(&f);
        passed = fault_calls < n;
        if (err) {
            CHECK_INT(err, ERR_IO);
            if (code == SQLITE_FULL && !strstr(err_text(), "disk I/O")) CHECK(strstr(err_text(), text));
            CHECK(strstr(err_text(), f.folder));
        }
        store_close(f.store);
        f.store = NULL;
        fault_set(0, 0);
        const StoreSpec spec = fixture_spec(&f, false);
        CHECK_OK(store_open(&f.store, &spec));
        if (err) {
            check_old_state(&f);
            CHECK_OK(batch(&f));
        }
        check_new_state(&f); /* a checkpoint that failed behind the commit is not the commit's failure */
        fixture_close(&f);
        CHECK(n < 1000);
    }
    CHECK(n > 10);
}

static void the_nth_failing_write_leaves_the_old_state(void **state) {
    (void)state;
    each_failing_write(SQLITE_IOERR_WRITE, "cannot read or write");
}

static void a_disk_that_fills_up_leaves_the_old_state(void **state) {
    (void)state;
    each_failing_write(SQLITE_FULL, "the disk is full");
}

static void a_store_whose_making_failed_can_be_made_again(void **state) {
    (void)state;
    long n = 1;
    for (bool passed = false; !passed; n++) {
        Fixture f = {0};
        (void)snprintf(f.folder, sizeof f.folder, "%s", check_temp_dir());
        const StoreSpec spec = fixture_spec(&f, false);
        fault_set(n, SQLITE_IOERR_WRITE);
        const Err err = store_open(&f.store, &spec);
        passed = fault_calls < n;
        store_close(f.store);
        f.store = NULL;
        fault_set(0, 0);
        if (err) CHECK_INT(err, ERR_IO);
        CHECK_OK(store_open(&f.store, &spec));
        f.collection = fixture_collection(&f, "docs");
        (void)fixture_put(&f, "a.c", "alpha");
        fixture_check_sound(&f);
        fixture_close(&f);
        CHECK(n < 1000);
    }
    CHECK(n > 4);
}

static void a_full_database_says_so(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "a.c", "old alpha");
    CHECK_OK(local_exec(local_of(f.store), "PRAGMA max_page_count = 90"));
    Buf big = {0};
    for (uint64_t i = 1; i < 50000; i++) buf_printf(&big, "%016llx ", (unsigned long long)(i * 0x9E3779B97F4A7C15u));
    const Doc doc = fixture_doc(&f, "big.c", buf_str(&big));
    size_t n = 0;
    Chunk *chunks = fixture_chunks(&f, doc.text, &n);
    const StorePut put = {.collection = f.collection, .doc = &doc, .chunks = chunks, .n_chunks = n, .keep_text = true};
    CHECK_ERR(store_put(f.store, &put, NULL), ERR_IO, "the disk is full");
    CHECK(strstr(err_text(), f.folder));
    CHECK_STR(fixture_paths(&f, NULL), "a.c");
    fixture_check_sound(&f);
    /* The same inside of a transaction, with a put before it that must go too. */
    CHECK_OK(store_begin(f.store));
    (void)fixture_put(&f, "c.c", "old gamma");
    CHECK_INT(store_put(f.store, &put, NULL), ERR_IO);
    CHECK_ERR(store_commit(f.store), ERR_IO, "the disk is full");
    CHECK_STR(fixture_paths(&f, NULL), "a.c");
    fixture_check_sound(&f);
    buf_free(&big);
    fixture_close(&f);
}

/* ---- kill -9 ---- */

enum { BATCH = 5, KILLS = 12 };

/* Puts batches until it is killed; tells each one that was committed. */
static void write_until_killed(Fixture *f, int first, int pipe_out) {
    for (int b = first;; b++) {
        if (store_begin(f->store)) _exit(1);
        for (int d = 0; d < BATCH; d++) {
            char path[32], text[64];
            (void)snprintf(path, sizeof path, "b%d/d%d.c", b, d);
            (void)snprintf(text, sizeof text, "batch word%d\n\nand doc%d", b, d);
            (void)fixture_put(f, path, text);
        }
        if (store_commit(f->store)) _exit(1);
        if (write(pipe_out, &b, sizeof b) != sizeof b) _exit(1);
    }
}

static Err count_doc(void *ctx, const StoreDoc *doc) {
    (void)doc;
    ++*(int *)ctx;
    return ERR_OK;
}

static void killed_processes_lose_nothing_committed_and_leave_no_half(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    int reported = 0;
    for (int kills = 0; kills < KILLS; kills++) {
        store_close(f.store); /* a connection must not be carried through fork */
        f.store = NULL;
        int ends[2];
        CHECK_INT(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            const StoreSpec spec = fixture_spec(&f, false);
            if (store_open(&f.store, &spec)) _exit(1);
            write_until_killed(&f, reported + 1, ends[1]);
        }
        (void)close(ends[1]);
        int batch_number = 0;
        for (int i = 0; i < 1 + kills % 4; i++)
            CHECK_INT(read(ends[0], &batch_number, sizeof batch_number), sizeof batch_number);
        /* It is somewhere in the next batch now: another place each time. */
        for (volatile int spin = 0; spin < kills * 40000; spin++) {}
        CHECK_INT(kill(child, SIGKILL), 0);
        while (read(ends[0], &batch_number, sizeof batch_number) == sizeof batch_number) {}
        (void)close(ends[0]);
        CHECK_INT(waitpid(child, NULL, 0), child);
        const StoreSpec spec = fixture_spec(&f, false);
        CHECK_OK(store_open(&f.store, &spec));
        int documents = 0;
        CHECK_OK(store_documents(f.store, f.collection, count_doc, &documents));
        CHECK_INT(documents % BATCH, 0);
        CHECK(documents >= batch_number * BATCH && documents <= (batch_number + 1) * BATCH);
        reported = documents / BATCH;
        fixture_check_sound(&f);
    }
    fixture_close(&f);
}

/* ---- other processes ---- */

static void a_second_writer_waits_and_is_told(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "a.c", "old");
    Store *second = NULL, *reader = NULL;
    const StoreSpec spec = fixture_spec(&f, false), reading = fixture_spec(&f, true);
    CHECK_OK(store_open(&second, &spec));
    CHECK_OK(store_open(&reader, &reading));
    (void)sqlite3_busy_timeout(local_of(second)->db, 10);
    CHECK_OK(store_begin(f.store));
    (void)fixture_put(&f, "a.c", "fresh");
    CHECK_ERR(store_begin(second), ERR_BUSY, "is locked: another pythia is writing");
    CHECK(strstr(err_text(), f.folder));
    CHECK_STR(str_of(err_fix_text()), "pythia runs");
    int64_t run = 0;
    CHECK_INT(store_run_begin(second, f.collection, 1, &run), ERR_BUSY);
    /* Readers are not held up, and see the last commit. */
    CHECK_STR(fixture_chunks_in(&f, reader, "old", NULL), "a.c");
    Store *late = NULL;
    CHECK_OK(store_open(&late, &reading));
    CHECK_STR(fixture_chunks_in(&f, late, "fresh", NULL), "");
    CHECK_OK(store_commit(f.store));
    CHECK_STR(fixture_chunks_in(&f, late, "fresh", NULL), "a.c");
    CHECK_OK(store_begin(second));
    store_rollback(second);
    store_close(late);
    store_close(reader);
    store_close(second);
    fixture_close(&f);
}

static int read_as_nobody(Fixture *f) {
    const pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && setuid(65534) != 0) _exit(9);
        const StoreSpec spec = fixture_spec(f, true);
        Store *s = NULL;
        if (store_open(&s, &spec)) _exit(2);
        ChunkRange *ranges = NULL;
        size_t n = 0;
        if (store_ranges(s, &f->arena, f->collection, NULL, &ranges, &n)) _exit(3);
        store_close(s);
        _exit(n == 1 ? 0 : 4);
    }
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void a_folder_that_cannot_be_written_can_be_read(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    char file[600];
    (void)snprintf(file, sizeof file, "%s/pythia.db", f.folder);
    (void)fixture_put(&f, "a.c", "alpha");
    CHECK_INT(chmod(file, 0444), 0);
    CHECK_INT(chmod(f.folder, 0555), 0);
    CHECK_INT(read_as_nobody(&f), 0); /* beside a writer: -wal and -shm are there */
    store_close(f.store);             /* folds the log in and removes both */
    f.store = NULL;
    CHECK_INT(read_as_nobody(&f), 0);
    CHECK_INT(chmod(f.folder, 0755), 0);
    fixture_close(&f);
}

/* ---- files that are not what they should be ---- */

static void file_write_at(const Fixture *f, long at, const void *bytes, size_t n) {
    char file[600];
    (void)snprintf(file, sizeof file, "%s/pythia.db", f->folder);
    FILE *out = fopen(file, at < 0 ? "wb" : "r+b");
    CHECK(out != NULL);
    if (at > 0) CHECK_INT(fseek(out, at, SEEK_SET), 0);
    CHECK_INT(fwrite(bytes, 1, n, out), n);
    CHECK_INT(fclose(out), 0);
}

static void check_open(Fixture *f, Err code, const char *text, const char *fix) {
    for (int read_only = 0; read_only < 2; read_only++) {
        const StoreSpec spec = fixture_spec(f, read_only);
        CHECK_ERR(store_open(&f->store, &spec), code, text);
        CHECK(f->store == NULL);
        if (!strstr(err_fix_text(), fix)) fail_msg("fix \"%s\" does not hold \"%s\"", err_fix_text(), fix);
    }
}

static void what_is_no_database_is_called_damaged(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    Buf noise = {0};
    for (int i = 0; i < 3000; i++) buf_add_z(&noise, "not a database ");
    file_write_at(&f, -1, noise.p, noise.n);
    check_open(&f, ERR_CORRUPT, "is damaged: file is not a database", ".damaged' && pythia index");
    buf_free(&noise);
    fixture_close(&f);
}

static void exec_on(const Fixture *f, const char *sql) {
    char file[600];
    (void)snprintf(file, sizeof file, "%s/pythia.db", f->folder);
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(file, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
}

static void other_schemas_are_refused(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    exec_on(&f, "PRAGMA user_version = 99");
    check_open(&f, ERR_FORMAT, "has schema 99, this pythia knows 9", "pythia index");
    exec_on(&f, "PRAGMA user_version = 0");
    const StoreSpec writing = fixture_spec(&f, false), reading = fixture_spec(&f, true);
    CHECK_ERR(store_open(&f.store, &writing), ERR_FORMAT, "has schema 0, which cannot be migrated");
    CHECK_ERR(store_open(&f.store, &reading), ERR_FORMAT, "has schema 0, this pythia needs 9");
    CHECK_STR(str_of(err_fix_text()), "pythia index");
    exec_on(&f, "PRAGMA application_id = 7");
    check_open(&f, ERR_FORMAT, "is a database, but not one of pythia's", "pythia index");
    fixture_close(&f);
}

/* As a program before 0.1 made it: words in a full-text table with a tokenizer of its own, which SQLite cannot open
 * now. */
static const char SCHEMA_1[] =
    "ALTER TABLE chats DROP COLUMN owner;"
    "DROP TABLE feedback; DROP TABLE symbols; DROP TABLE document_references; ALTER TABLE chunks DROP COLUMN names;"
    "ALTER TABLE documents DROP COLUMN prior; ALTER TABLE documents DROP COLUMN cut;"
    "ALTER TABLE documents DROP COLUMN pending;"
    "ALTER TABLE documents DROP COLUMN meta; ALTER TABLE documents DROP COLUMN changed_ms;"
    "ALTER TABLE collections DROP COLUMN lex_generation; ALTER TABLE collections DROP COLUMN lex_count;"
    "ALTER TABLE collections ADD COLUMN terms INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE document_terms(document INTEGER PRIMARY KEY, size INTEGER NOT NULL, zstd BLOB NOT NULL);"
    "INSERT INTO document_terms VALUES (1, 3, x'010203');"
    "CREATE TABLE chunk_fts_1_data(id INTEGER PRIMARY KEY, block BLOB);"
    "CREATE TABLE chunk_fts_1_idx(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;"
    "CREATE TABLE chunk_fts_1_config(k PRIMARY KEY, v) WITHOUT ROWID;"
    "INSERT INTO chunk_fts_1_data VALUES (10, x'00000000000000');"
    "PRAGMA writable_schema = ON;"
    "INSERT INTO sqlite_schema VALUES ('table', 'chunk_fts_1', 'chunk_fts_1', 0, 'CREATE VIRTUAL TABLE chunk_fts_1 "
    "USING "
    "fts5(symbol, path, heading, body, content = '''', columnsize = 0, tokenize = ''pythia'')');"
    "PRAGMA writable_schema = OFF; PRAGMA user_version = 1";

static int64_t count_on(const Fixture *f, const char *sql) {
    sqlite3_stmt *st = NULL;
    CHECK_INT(sqlite3_prepare_v2(local_of(f->store)->db, sql, -1, &st, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_step(st), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

static void a_database_with_words_in_it_is_migrated_and_loses_nothing_else(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    (void)fixture_put(&f, "a.c", "old alpha\n\nold gamma");
    (void)fixture_put(&f, "b.c", "old beta");
    store_close(f.store);
    f.store = NULL;
    exec_on(&f, SCHEMA_1);
    const StoreSpec reading = fixture_spec(&f, true), writing = fixture_spec(&f, false);
    CHECK_ERR(store_open(&f.store, &reading), ERR_FORMAT, "has schema 1, this pythia needs 9");
    CHECK_STR(str_of(err_fix_text()), "pythia index");
    CHECK_OK(store_open(&f.store, &writing));
    StoreCollection c;
    CHECK_OK(store_collection(f.store, &f.arena, STR("docs"), &c));
    CHECK(c.lex_generation == 0 && c.lex_count == 0 && c.chunks == 3);
    CHECK_STR(fixture_paths(&f, NULL), "a.c a.c b.c");
    float prior = 0;
    CHECK_OK(store_chunk_prior(f.store, 1, &prior));
    CHECK_NEAR(prior, 1, 0);
    CHECK_INT(
        count_on(&f, "SELECT count(*) FROM sqlite_schema WHERE name GLOB 'chunk_fts*' OR name = 'document_terms'"), 0);
    fixture_check_sound(&f);
    c.lex_generation = 3;
    c.lex_count = 8;
    CHECK_OK(store_collection_put(f.store, &c));
    fixture_reopen(&f, true);
    CHECK_OK(store_collection(f.store, &f.arena, STR("docs"), &c));
    CHECK(c.lex_generation == 3 && c.lex_count == 8 && c.chunks == 3);
    fixture_close(&f);
}

/* A migration that is cut off is none: it can be begun again. */
static void a_migration_that_fails_leaves_the_old_schema(void **state) {
    (void)state;
    long n = 1;
    for (bool passed = false; !passed; n++) {
        Fixture f;
        fixture_open(&f);
        (void)fixture_put(&f, "a.c", "old alpha");
        (void)fixture_put(&f, "b.c", "old beta");
        store_close(f.store);
        f.store = NULL;
        exec_on(&f, SCHEMA_1);
        const StoreSpec spec = fixture_spec(&f, false);
        fault_set(n, SQLITE_IOERR_WRITE);
        const Err err = store_open(&f.store, &spec);
        passed = fault_calls < n;
        store_close(f.store);
        f.store = NULL;
        fault_set(0, 0);
        if (err) CHECK_INT(err, ERR_IO);
        CHECK_OK(store_open(&f.store, &spec));
        check_old_state(&f);
        fixture_close(&f);
        CHECK(n < 1000);
    }
    CHECK(n > 4);
}

static void an_empty_file_is_a_store_to_be_made(void **state) {
    (void)state;
    Fixture f = {0};
    (void)snprintf(f.folder, sizeof f.folder, "%s", check_temp_dir());
    file_write_at(&f, -1, "", 0);
    const StoreSpec writing = fixture_spec(&f, false), reading = fixture_spec(&f, true);
    CHECK_ERR(store_open(&f.store, &reading), ERR_NO_COLLECTION, "is empty");
    CHECK_OK(store_open(&f.store, &writing));
    fixture_close(&f);
}

static void flipped_bytes_give_errors_never_crashes(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    CHECK_OK(store_begin(f.store));
    for (int i = 0; i < 60; i++) {
        char path[32], text[96];
        (void)snprintf(path, sizeof path, "f%d.c", i);
        (void)snprintf(text, sizeof text, "alpha beta w%d\n\ngamma delta w%d\n\nalpha w%d", i, i * 7, i * 3);
        const Doc doc = fixture_doc(&f, path, str_of(text));
        (void)fixture_put_doc(&f, f.collection, &doc, i % 2);
    }
    CHECK_OK(store_commit(f.store));
    store_close(f.store);
    f.store = NULL;
    char file[600];
    (void)snprintf(file, sizeof file, "%s/pythia.db", f.folder);
    Str whole;
    CHECK_OK(file_read(&f.arena, file, 1 << 30, &whole));
    uint64_t seed = 7;
    int found = 0;
    for (int round = 0; round < 150; round++) {
        file_write_at(&f, -1, whole.p, whole.n);
        for (int i = 0; i < 8; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const char byte = (char)(seed >> 56);
            file_write_at(&f, (long)((seed >> 20) % whole.n), &byte, 1);
        }
        if (round % 10 == 0) CHECK_INT(truncate(file, (off_t)((seed >> 20) % whole.n)), 0);
        const StoreSpec spec = fixture_spec(&f, round % 2);
        Err err = store_open(&f.store, &spec);
        if (!err) {
            ChunkRange *ranges = NULL;
            size_t n = 0;
            Buf report = {0};
            (void)!store_ranges(f.store, &f.arena, f.collection, NULL, &ranges, &n);
            err = store_check(f.store, &report);
            buf_free(&report);
        }
        found += err != ERR_OK;
        store_close(f.store);
        f.store = NULL;
    }
    CHECK(found > 50); /* many flips hit free space of a page */
    fixture_close(&f);
}

/* ---- the check ---- */

static void check_finds(const char *sql, const char *finding) {
    Fixture f;
    fixture_open(&f);
    const Doc doc = fixture_doc(&f, "kept.c", STR("kept text\n\nof two"));
    (void)fixture_put_doc(&f, f.collection, &doc, true);
    (void)fixture_put(&f, "a.c", "alpha\n\nbeta");
    store_close(f.store);
    exec_on(&f, sql);
    const StoreSpec spec = fixture_spec(&f, false);
    CHECK_OK(store_open(&f.store, &spec));
    Buf report = {0};
    CHECK_ERR(store_check(f.store, &report), ERR_CORRUPT, "is damaged");
    if (!strstr(report.p, finding)) fail_msg("the report does not hold \"%s\":\n%s", finding, report.p);
    buf_free(&report);
    fixture_close(&f);
}

static void the_check_names_what_is_wrong(void **state) {
    (void)state;
    check_finds("UPDATE chunks SET \"end\" = 999 WHERE id = 2", "a chunk of document 1 leaves its text of 17 bytes");
    check_finds("UPDATE chunks SET start = 20 WHERE id = 4", "document 2 has 1 chunks with a wrong span");
    check_finds("UPDATE chunks SET hash = x'00' WHERE id = 4", "wrong span, version or hash");
    check_finds("DELETE FROM chunks WHERE id = 4", "document 2 has 1 chunks instead of 2");
    check_finds("PRAGMA foreign_keys = OFF; DELETE FROM documents WHERE id = 2", "2 chunks belong to no document");
    check_finds("PRAGMA foreign_keys = OFF; DELETE FROM documents WHERE id = 2",
                "chunks row 3 refers to a row of documents");
    check_finds("UPDATE blobs SET zstd = x'1234'", "does not decompress");
    check_finds("UPDATE blobs SET size = 1 << 40", "a kept text claims 1099511627776 bytes");
    check_finds("UPDATE blobs SET sha256 = zeroblob(32)", "the kept text of document 1 was changed");
    check_finds("UPDATE collections SET chunks = 9", "collection 'docs' counts 9 chunks, its documents 4, its rows 4");
    check_finds("UPDATE documents SET pending = pending + 1 WHERE id = 2",
                "1 documents count their chunks without a vector wrongly");
    check_finds("INSERT INTO models VALUES (1, x'01'); INSERT INTO chunk_embeddings VALUES (1, 1, x'02', 5)",
                "1 embeddings of collection 'docs' stand beyond the 0 rows");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_nth_failing_write_leaves_the_old_state, fault_vfs_start, fault_vfs_stop),
        cmocka_unit_test_setup_teardown(a_disk_that_fills_up_leaves_the_old_state, fault_vfs_start, fault_vfs_stop),
        cmocka_unit_test_setup_teardown(a_store_whose_making_failed_can_be_made_again, fault_vfs_start, fault_vfs_stop),
        cmocka_unit_test(a_full_database_says_so),
        cmocka_unit_test(killed_processes_lose_nothing_committed_and_leave_no_half),
        cmocka_unit_test(a_second_writer_waits_and_is_told),
        cmocka_unit_test(a_folder_that_cannot_be_written_can_be_read),
        cmocka_unit_test(what_is_no_database_is_called_damaged),
        cmocka_unit_test(other_schemas_are_refused),
        cmocka_unit_test(a_database_with_words_in_it_is_migrated_and_loses_nothing_else),
        cmocka_unit_test_setup_teardown(a_migration_that_fails_leaves_the_old_schema, fault_vfs_start, fault_vfs_stop),
        cmocka_unit_test(an_empty_file_is_a_store_to_be_made),
        cmocka_unit_test(flipped_bytes_give_errors_never_crashes),
        cmocka_unit_test(the_check_names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
