/* Words through the whole product: what pythia_index made of files is what pythia_search finds, with the scores of a
 * plain BM25F over everything the store has; after changes, renames, failed writes, damage and beside a writer. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/file.h"
#include "check.h"
#include "engine/engine.h"
#include "fault_vfs.h"

static char *environ_[] = {"PYTHIA_MODEL_EMBED=/none.gguf", NULL};

/* ---- a folder, and a Pythia over it ---- */

typedef struct {
    Config *config;
    Pythia *p;
    Arena arena;
    const char *dir;
} Fix;

static void pythia_begin(Fix *f, const char *dir, Pythia *beside) {
    *f = (Fix){0};
    f->dir = arena_cstr(&f->arena, str_of(dir));
    CHECK_OK(config_load(&f->config, &(ConfigSources){.environ = environ_}));
    PythiaOpts opts = {.config = f->config,
                       .home = arena_printf(&f->arena, "%s-home", dir).p,
                       .cwd = f->dir,
                       .environ = environ_,
                       .beside = beside};
    CHECK_OK(pythia_open(&f->p, &opts));
}

static void pythia_end(Fix *f) {
    pythia_close(f->p);
    config_free(f->config);
    arena_free(&f->arena);
}

static void fix_open(Fix *f) { pythia_begin(f, check_temp_dir(), NULL); }

static void fix_close(Fix *f) {
    CHECK_OK(file_remove_tree(f->dir));
    CHECK_OK(file_remove_tree(arena_printf(&f->arena, "%s-home", f->dir).p));
    pythia_end(f);
}

static void put(Fix *f, const char *path, const char *text) {
    const char *full = path_join(&f->arena, f->dir, path);
    CHECK_OK(file_make_dirs(arena_cstr(&f->arena, path_dir(str_of(full))), 0755));
    FILE *file = fopen(full, "w"); /* without a wait for the disk: there are thousands */
    CHECK(file && fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
}

static void drop(Fix *f, const char *path) { CHECK_OK(file_remove(path_join(&f->arena, f->dir, path))); }

static Err index_as(Fix *f, bool force, IndexReport *out) {
    IndexReport *reports = NULL;
    size_t n = 0;
    const IndexRequest rq = {.lex_only = true, .force = force};
    const Err err = pythia_index(f->p, &f->arena, &rq, &reports, &n);
    if (!err && out) *out = reports[0];
    return err;
}

static void index_now(Fix *f) { CHECK_OK(index_as(f, false, NULL)); }

static Err find(Fix *f, const char *query, size_t limit, PythiaReply *out) {
    const PythiaSearch rq = {
        .query = str_of(query), .limit = limit, .mode = "lexical", .min_score = -1, .deadline_ms = -1};
    return pythia_search(f->p, &f->arena, &rq, out);
}

/* Paths of the hits, best first: "a.txt b.txt". */
static Str found(Fix *f, const char *query, size_t limit) {
    PythiaReply r;
    Buf paths = {0};
    CHECK_OK(find(f, query, limit, &r));
    for (size_t i = 0; i < r.n; i++) buf_printf(&paths, "%s%.*s", i ? " " : "", STR_FMT(r.hits[i].path));
    const Str out = arena_str(&f->arena, buf_str(&paths));
    buf_free(&paths);
    return out;
}

static void collection_of(Fix *f, StoreCollection *out) {
    Store *s = NULL;
    StoreCollection *all = NULL;
    size_t n = 0;
    CHECK_OK(engine_store(f->p, false, &s));
    CHECK_OK(store_collections(s, &f->arena, &all, &n));
    CHECK_INT(n, 1);
    *out = all[0];
}

static void check_whole(Fix *f) {
    Buf report = {0};
    const Err err = pythia_verify(f->p, &f->arena, STR(""), &report);
    if (err || report.n) fail_msg("verify: %s\n%.*s", err_text(), STR_FMT(buf_str(&report)));
    buf_free(&report);
}

/* ---- against a plain BM25F ---- */

enum { WORDS = 200, CHUNKS_MAX = 2000 };

static uint64_t seed = 42;

static unsigned noise(unsigned below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((seed >> 33) % below);
}

static const char letters[] = "bcdfghjklmnpqrtvwz";
enum { LETTERS = sizeof letters - 1 };

/* Word 0 is in most chunks, word 199 in hardly any. Without vowels no stemmer changes them. */
static const char *word(void) {
    static char name[8];
    const double u = noise(100000) / 100000.0;
    const unsigned number = (unsigned)(WORDS * u * u * u);
    (void)snprintf(name, sizeof name, "z%c%cx", letters[number / LETTERS], letters[number % LETTERS]);
    return name;
}

static int number_of(Str w) {
    const char *a = w.n == 4 && w.p[0] == 'z' && w.p[3] == 'x' ? strchr(letters, w.p[1]) : NULL;
    const char *b = a ? strchr(letters, w.p[2]) : NULL;
    return b ? (int)((a - letters) * LETTERS + (b - letters)) : -1;
}

static const char *random_text(Fix *f) {
    Buf b = {0};
    if (noise(3) == 0) buf_printf(&b, "# %s %s\n\n", word(), word());
    for (unsigned n = 5 + noise(400); n > 0; n--) buf_printf(&b, "%s%s", word(), noise(12) ? " " : "\n\n");
    const char *text = arena_cstr(&f->arena, buf_str(&b));
    buf_free(&b);
    return text;
}

typedef struct {
    unsigned counts[LEX_FIELDS][WORDS];
    double length;
    int64_t id;
} Plain;

typedef struct {
    Plain *c;
    int field;
} Counting;

static int count_term(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    Counting *k = ctx;
    (void)start;
    (void)end;
    k->c->length += !colocated;
    const int number = number_of(term);
    if (number >= 0 && number < WORDS) k->c->counts[k->field][number]++;
    return 0;
}

static void count_field(Analyzer *a, Plain *c, int field, Str text) {
    Counting k = {c, field};
    (void)analyzer_run(a, text, count_term, &k);
}

/* Every chunk of the store, its text read from its file. */
static size_t plain_read(Fix *f, Plain *all) {
    Store *s = NULL;
    Analyzer *a = NULL;
    StoreCollection c;
    ChunkRange *ranges = NULL;
    size_t n_ranges = 0, n = 0;
    collection_of(f, &c);
    CHECK_OK(engine_store(f->p, false, &s));
    CHECK_OK(engine_analyzer(f->p, &a));
    CHECK_OK(store_ranges(s, &f->arena, c.id, NULL, &ranges, &n_ranges));
    for (size_t i = 0; i < n_ranges; i++)
        for (int64_t id = ranges[i].first; id < ranges[i].end; id++) {
            StoreChunk chunk;
            Str text;
            CHECK_OK(store_chunk(s, &f->arena, id, NULL, &chunk));
            CHECK_OK(
                file_read(&f->arena, path_join(&f->arena, f->dir, arena_cstr(&f->arena, chunk.path)), 1 << 20, &text));
            CHECK(n < CHUNKS_MAX);
            Plain *p = &all[n++];
            *p = (Plain){.id = id};
            count_field(a, p, LEX_SYMBOL, chunk.symbol);
            count_field(a, p, LEX_PATH, chunk.path);
            count_field(a, p, LEX_HEADING, chunk.title);
            count_field(a, p, LEX_HEADING, chunk.heading);
            count_field(a, p, LEX_BODY, str_make(text.p + chunk.start, (size_t)(chunk.end - chunk.start)));
        }
    CHECK_INT(n, c.chunks);
    return n;
}

static double tf_of(const Plain *c, unsigned w) {
    static const double weights[LEX_FIELDS] = {5, 2, 2, 1};
    double tf = 0;
    for (int field = 0; field < LEX_FIELDS; field++) tf += weights[field] * c->counts[field][w];
    return tf;
}

static double plain_score(const Plain *all, size_t n, size_t of, const unsigned *query, size_t n_query) {
    const double k1 = (double)lex_settings_default.k1, b = (double)lex_settings_default.b;
    double mean = 0, score = 0;
    for (size_t i = 0; i < n; i++) mean += all[i].length / (double)n;
    for (size_t q = 0; q < n_query; q++) {
        double df = 0;
        for (size_t i = 0; i < n; i++) df += tf_of(&all[i], query[q]) > 0;
        const double tf = tf_of(&all[of], query[q]), idf = log(1 + ((double)n - df + 0.5) / (df + 0.5));
        score += idf * (k1 + 1) * tf / (tf + k1 * (1 - b + b * all[of].length / mean));
    }
    return score;
}

/* Ten hits: each has the plain score of its chunk, and no chunk beside them has a better one. */
static void check_ranking(Fix *f, const Plain *all, size_t n) {
    PythiaReply r;
    Buf text = {0};
    unsigned query[6];
    const size_t n_query = 1 + noise(6);
    for (size_t i = 0; i < n_query; i++) {
        const char *w = word();
        query[i] = (unsigned)number_of(str_of(w));
        buf_printf(&text, "%s ", w);
    }
    CHECK_OK(find(f, text.p, 10, &r));
    buf_free(&text);
    int64_t ids[10];
    for (size_t i = 0; i < r.n; i++) CHECK(chunk_id_read(r.hits[i].id, &ids[i]));
    size_t matching = 0, better = 0;
    for (size_t i = 0; i < n; i++) {
        const double score = plain_score(all, n, i, query, n_query);
        size_t at = 0;
        matching += score > 0;
        while (at < r.n && ids[at] != all[i].id) at++;
        if (at < r.n)
            CHECK_NEAR(r.hits[at].bm25, score, 1e-5 * score);
        else if (r.n && score > (double)r.hits[r.n - 1].bm25 * (1 + 1e-5))
            better++;
    }
    CHECK_INT(better, 0);
    CHECK_INT(r.n, matching < 10 ? matching : 10);
}

static void change_files(Fix *f, int round) {
    for (int i = 0; i < 120; i++) {
        char path[64], other[64];
        (void)snprintf(path, sizeof path, "d%d/f%03d.md", i % 5, i);
        (void)snprintf(other, sizeof other, "d%d/f%03d.md", i % 5, i + 500);
        if (round == 0 || i % 7 == round) put(f, path, random_text(f));
        if (round == 1 && i % 10 == 3) drop(f, path);
        if (round == 2 && i % 10 == 4) {
            const char *from = path_join(&f->arena, f->dir, path), *to = path_join(&f->arena, f->dir, other);
            CHECK_INT(rename(from, to), 0);
        }
    }
}

static void scores_are_those_of_a_plain_bm25f_whatever_came_and_went(void **state) {
    (void)state;
    Fix f;
    fix_open(&f);
    Plain *all = calloc(CHUNKS_MAX, sizeof *all);
    for (int round = 0; round < 4; round++) {
        change_files(&f, round);
        CHECK_OK(index_as(&f, round == 3, NULL));
        const size_t n = plain_read(&f, all);
        CHECK(n > 120);
        for (int q = 0; q < 25; q++) check_ranking(&f, all, n);
        check_whole(&f);
    }
    free(all);
    fix_close(&f);
}

/* ---- what is found ---- */

static void words_phrases_and_identifiers_are_found(void **state) {
    (void)state;
    Fix f;
    fix_open(&f);
    put(&f, "1.txt", "connection reset by peer, and int max_retries = 3;\n");
    put(&f, "2.txt", "reset the connection, with the max of all retries\n");
    put(&f, "3.txt", "connection reset and the handler of a zebra\n");
    put(&f, "src/parser/lexer.txt", "body\n");
    index_now(&f);
    CHECK_STR(found(&f, "the zebra", 1), "3.txt");
    CHECK_STR(found(&f, "absent", 9), "");
    CHECK_STR(found(&f, ".,;", 9), "");
    CHECK_STR(found(&f, "\"by peer\"", 9), "1.txt");
    CHECK_STR(found(&f, "\"connection reset\" handler", 9), "3.txt 1.txt"); /* words beside a phrase add */
    CHECK_STR(found(&f, "\"reset connection\" handler", 9), "");
    CHECK_STR(found(&f, "\"connection reset\" \"by peer\"", 9), "1.txt");
    CHECK_STR(found(&f, "\"handler of", 1), "3.txt"); /* no partner: words */
    CHECK_STR(found(&f, "max_retries", 9), "1.txt 2.txt");
    CHECK_STR(found(&f, "\"max retries\"", 9), "1.txt"); /* its parts stand side by side */
    CHECK_STR(found(&f, "parser", 9), "src/parser/lexer.txt");
    const char *const hostile[] = {"NEAR(zebra handler, 2)",
                                   "zebra AND",
                                   "body:zebra",
                                   "zebra*",
                                   "(zebra",
                                   "--zebra",
                                   "\"zebra\"*",
                                   "zebra;--",
                                   "^zebra %s%n",
                                   "za''zebra'"};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) CHECK(found(&f, hostile[i], 9).n >= 5);
    fix_close(&f);
}

static void a_filter_holds_before_the_best_are_taken(void **state) {
    (void)state;
    Fix f;
    PythiaReply r;
    fix_open(&f);
    for (int i = 0; i < 50; i++) put(&f, arena_printf(&f.arena, "many/%d.txt", i).p, "needle needle needle\n");
    put(&f, "few/one.md", "a needle among much else that makes it a worse hit than all the others are\n");
    index_now(&f);
    const Str lang = STR("markdown"), path = STR("few"), glob = STR("*.md");
    const PythiaSearch asked[] = {
        {.langs = &lang, .n_langs = 1}, {.paths = &path, .n_paths = 1}, {.globs = &glob, .n_globs = 1}};
    for (size_t i = 0; i < 3; i++) {
        PythiaSearch rq = asked[i];
        rq.query = STR("needle");
        rq.mode = "lexical";
        rq.limit = 2;
        rq.min_score = -1;
        CHECK_OK(pythia_search(f.p, &f.arena, &rq, &r));
        CHECK_INT(r.n, 1);
        CHECK_STR(r.hits[0].path, "few/one.md");
    }
    fix_close(&f);
}

static void settings_of_bm25f_are_configuration(void **state) {
    (void)state;
    Fix f;
    fix_open(&f);
    put(&f, "zebra.txt", "nothing to see\n");
    put(&f, "2.txt", "a zebra, a zebra\n");
    index_now(&f);
    CHECK_STR(found(&f, "zebra", 1), "zebra.txt");
    CHECK_OK(config_set(f.config, CONF_LEXICAL_PATH, STR("0.1"), "test"));
    CHECK_STR(found(&f, "zebra", 1), "2.txt");
    CHECK_ERR(config_set(f.config, CONF_LEXICAL_B, STR("1.5"), "test"), ERR_USAGE, "lexical.b");
    CHECK_ERR(config_set(f.config, CONF_LEXICAL_BODY, STR("-1"), "test"), ERR_USAGE, "lexical.weight_body");
    CHECK_ERR(config_set(f.config, CONF_LEXICAL_K1, STR("0"), "test"), ERR_USAGE, "valid: a number from 0.01 to 100");
    fix_close(&f);
}

static void a_renamed_file_is_found_under_its_new_name_alone(void **state) {
    (void)state;
    Fix f;
    IndexReport report;
    fix_open(&f);
    put(&f, "old/giraffe.txt", "some text of it\n");
    put(&f, "other.txt", "more text\n");
    index_now(&f);
    CHECK_STR(found(&f, "giraffe", 9), "old/giraffe.txt");
    put(&f, "new/okapi.txt", "some text of it\n");
    drop(&f, "old/giraffe.txt");
    CHECK_OK(index_as(&f, false, &report));
    CHECK_INT(report.renamed, 1);
    CHECK_STR(found(&f, "giraffe", 9), "");
    CHECK_STR(found(&f, "okapi", 9), "new/okapi.txt");
    CHECK_STR(found(&f, "\"some text\"", 9), "new/okapi.txt");
    check_whole(&f);
    fix_close(&f);
}

/* ---- numbers, damage ---- */

static void numbers_are_given_anew_when_most_are_of_chunks_that_went(void **state) {
    (void)state;
    Fix f;
    StoreCollection c;
    fix_open(&f);
    for (int i = 0; i < 1500; i++) put(&f, arena_printf(&f.arena, "%d.txt", i).p, "several words to be found\n");
    index_now(&f);
    for (int i = 0; i < 1500; i++)
        if (i % 50) drop(&f, arena_printf(&f.arena, "%d.txt", i).p);
    index_now(&f);
    collection_of(&f, &c);
    CHECK_INT(c.lex_generation, 2);
    CHECK_INT(c.lex_count, 30);
    CHECK_INT(found(&f, "\"several words\"", 50).n > 0, 1);
    put(&f, "3.txt", "another giraffe\n");
    index_now(&f);
    CHECK_STR(found(&f, "giraffe", 9), "3.txt");
    check_whole(&f);
    fix_close(&f);
}

static const char *words_file(Fix *f) {
    StoreCollection c;
    collection_of(f, &c);
    return arena_printf(&f->arena, "%s/lex-%llu-00000000-%08x.seg", engine_index_dir(f->p, &f->arena, &c),
                        (unsigned long long)c.lex_generation, c.lex_count)
        .p;
}

static void damage(Fix *f, int how) {
    Str bytes;
    const char *path = words_file(f);
    CHECK_OK(file_read(&f->arena, path, 1 << 24, &bytes));
    char *copy = arena_alloc(&f->arena, bytes.n);
    memcpy(copy, bytes.p, bytes.n);
    if (how == 0) copy[bytes.n / 2] = (char)~copy[bytes.n / 2];
    if (how == 2)
        CHECK_OK(file_remove(path));
    else
        CHECK_OK(file_write_atomic(path, str_make(copy, how == 1 ? bytes.n / 2 : bytes.n), 0644));
}

static void a_damaged_or_missing_index_is_named_and_mended_by_the_command_named(void **state) {
    (void)state;
    for (int how = 0; how < 3; how++) {
        Fix f;
        PythiaReply r;
        StoreCollection c;
        Buf report = {0};
        fix_open(&f);
        put(&f, "a.txt", "a giraffe stands here\n");
        put(&f, "b.txt", "an okapi lies there\n");
        put(&f, "c.txt", "both of them sleep\n");
        index_now(&f);
        collection_of(&f, &c);
        const Str fix = arena_printf(&f.arena, "pythia index --collection '%.*s' --force", STR_FMT(c.name));
        const Err want = how == 2 ? ERR_NO_INDEX : ERR_CORRUPT;
        damage(&f, how);
        CHECK_INT(find(&f, "giraffe", 9, &r), want);
        CHECK_STR(str_of(err_fix_text()), fix.p);
        CHECK_INT(index_as(&f, false, NULL), want); /* never silently */
        CHECK_STR(str_of(err_fix_text()), fix.p);
        CHECK_INT(pythia_verify(f.p, &f.arena, STR(""), &report), want);
        CHECK(report.n > 0);
        buf_free(&report);
        put(&f, "b.txt", "an antelope meanwhile\n"); /* its old words are lost, its new ones are read */
        drop(&f, "c.txt");
        CHECK_OK(index_as(&f, true, NULL));
        CHECK_STR(found(&f, "\"giraffe stands\"", 9), "a.txt");
        CHECK_STR(found(&f, "antelope", 9), "b.txt");
        CHECK_STR(found(&f, "okapi sleep", 9), "");
        check_whole(&f);
        fix_close(&f);
    }
}

/* An index of a database that an older program made (schema 1) is made by the next `index`, of the files as they are
 * now. */
static void a_collection_without_words_gets_them_by_the_next_index(void **state) {
    (void)state;
    Fix f;
    PythiaReply r;
    StoreCollection c;
    Store *s = NULL;
    fix_open(&f);
    put(&f, "a.txt", "a giraffe stands here\n");
    put(&f, "b.txt", "an okapi lies there\n");
    index_now(&f);
    collection_of(&f, &c);
    c.lex_generation = c.lex_count = 0;
    CHECK_OK(engine_store(f.p, true, &s));
    CHECK_OK(store_collection_put(s, &c));
    CHECK_ERR(find(&f, "giraffe", 9, &r), ERR_NO_INDEX, "has no lexical index yet");
    CHECK_STR(str_of(err_fix_text()), arena_printf(&f.arena, "pythia index --collection '%.*s'", STR_FMT(c.name)).p);
    put(&f, "b.txt", "an antelope meanwhile\n");
    index_now(&f);
    CHECK_STR(found(&f, "giraffe", 9), "a.txt");
    CHECK_STR(found(&f, "antelope", 9), "b.txt");
    CHECK_STR(found(&f, "okapi", 9), "");
    check_whole(&f);
    fix_close(&f);
}

static void verify_finds_what_the_store_and_the_words_do_not_share(void **state) {
    (void)state;
    Fix f;
    Store *s = NULL;
    StoreCollection c;
    StoreDoc doc;
    Buf report = {0};
    fix_open(&f);
    put(&f, "a.txt", "a giraffe stands here\n");
    put(&f, "b.txt", "an okapi lies there\n");
    index_now(&f);
    collection_of(&f, &c);
    CHECK_OK(engine_store(f.p, true, &s));
    CHECK_OK(store_document(s, &f.arena, c.id, STR("a.txt"), &doc));
    CHECK_OK(store_remove(s, doc.id, NULL)); /* without its words */
    CHECK_INT(pythia_verify(f.p, &f.arena, STR(""), &report), ERR_CORRUPT);
    if (!strstr(report.p, "has 2 chunks, 1 of them twice or unknown, its store has 1")) fail_msg("%s", report.p);
    buf_free(&report);
    CHECK_ERR(index_as(&f, false, NULL), ERR_CORRUPT, "has 2 chunks, its store has 1");
    CHECK_OK(index_as(&f, true, NULL));
    CHECK_STR(found(&f, "giraffe", 9), "a.txt");
    check_whole(&f);
    fix_close(&f);
}

/* The row of a collection has the counts of its indexes: who writes it back while they move on would undo a commit. */
static void a_collection_that_is_being_indexed_is_neither_renamed_nor_removed(void **state) {
    (void)state;
    Fix f;
    StoreCollection c;
    int lock = -1;
    fix_open(&f);
    put(&f, "a.txt", "a giraffe stands here\n");
    index_now(&f);
    collection_of(&f, &c);
    CHECK_OK(engine_lock_collection(f.p, &c, &lock));
    CHECK_ERR(pythia_collection_rename(f.p, c.name, STR("other")), ERR_BUSY, "another pythia is indexing");
    CHECK_ERR(pythia_collection_remove(f.p, c.name), ERR_BUSY, "another pythia is indexing");
    CHECK_ERR(index_as(&f, false, NULL), ERR_BUSY, "another pythia is indexing");
    file_unlock(&lock);
    CHECK_OK(pythia_collection_rename(f.p, c.name, STR("other")));
    CHECK_STR(found(&f, "giraffe", 9), "a.txt");
    CHECK_OK(pythia_collection_remove(f.p, STR("other")));
    fix_close(&f);
}

/* ---- writes that fail ---- */

static void second_state(Fix *f) {
    put(f, "a.txt", "fresh alpha\n");
    put(f, "new/c.txt", "fresh gamma\n");
    put(f, "new/moved.txt", "old delta\n");
    drop(f, "b.txt");
    drop(f, "d.txt");
}

static void check_second(Fix *f) {
    CHECK_STR(found(f, "fresh", 9), "a.txt new/c.txt");
    CHECK_STR(found(f, "old", 9), "new/moved.txt");
    CHECK_STR(found(f, "moved", 9), "new/moved.txt");
    check_whole(f);
}

/* The n-th change on the disk fails: of the database (database) or of the index files. *more: there was an n-th. */
static void fail_nth(long nth, bool database, bool force, bool *more) {
    Fix f;
    fix_open(&f);
    put(&f, "a.txt", "old alpha\n");
    put(&f, "b.txt", "old beta\n");
    put(&f, "d.txt", "old delta\n");
    index_now(&f);
    second_state(&f);
    if (force) damage(&f, 0);
    if (database)
        fault_set(nth, SQLITE_FULL);
    else
        fault_arm(nth, ENOSPC);
    const Err err = index_as(&f, force, NULL);
    *more = database ? fault_calls >= nth : fault_count() >= nth;
    fault_set(0, 0);
    fault_arm(0, 0);
    if (err && err != ERR_PARTIAL) CHECK_INT(err, ERR_IO);
    if (!force) check_whole(&f); /* whichever state it is */
    CHECK_OK(index_as(&f, force, NULL));
    check_second(&f);
    fix_close(&f);
}

static void the_nth_failing_write_is_no_loss(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        bool more = true;
        long nth = 1;
        for (; more && nth < 400; nth += 1 + nth / 12) fail_nth(nth, kind % 2, kind >= 2, &more);
        CHECK(nth > 5 && !more);
    }
}

/* ---- readers beside a writer ---- */

typedef struct {
    Fix f;
    pthread_t thread;
    atomic_bool *end;
    long searches;
    ErrInfo error;
} Searcher;

static void *search_on(void *arg) {
    Searcher *s = arg;
    while (!atomic_load(s->end) || s->searches < 3) {
        PythiaReply r;
        Err err = find(&s->f, "\"always there\" words", 5, &r);
        if (!err && r.n == 0) err = err_set(ERR_INTERNAL, "nothing was found");
        arena_reset(&s->f.arena);
        err_save(&s->error, err);
        if (err) break;
        s->searches++;
    }
    return NULL;
}

static void searches_go_on_while_words_come_and_go(void **state) {
    (void)state;
    enum { SEARCHERS = 2 };
    Fix f;
    Searcher searchers[SEARCHERS];
    atomic_bool end = false;
    fix_open(&f);
    put(&f, "fixed.txt", "always there\n");
    index_now(&f);
    for (int i = 0; i < SEARCHERS; i++) {
        searchers[i] = (Searcher){.end = &end};
        pythia_begin(&searchers[i].f, f.dir, f.p);
        CHECK_INT(pthread_create(&searchers[i].thread, NULL, search_on, &searchers[i]), 0);
    }
    /* Grows through merges, shrinks through a new numbering, twice. */
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 1100; i++) {
            const char *path = arena_printf(&f.arena, "many/%d.txt", i).p;
            if (round % 2 == 0)
                put(&f, path, "words that come and go\n");
            else if (i % 40)
                drop(&f, path);
        }
        index_now(&f);
    }
    atomic_store(&end, true);
    for (int i = 0; i < SEARCHERS; i++) {
        CHECK_INT(pthread_join(searchers[i].thread, NULL), 0);
        CHECK_OK(err_restore(&searchers[i].error));
        CHECK(searchers[i].searches > 0);
        pythia_end(&searchers[i].f);
    }
    check_whole(&f);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_a_plain_bm25f_whatever_came_and_went),
        cmocka_unit_test(words_phrases_and_identifiers_are_found),
        cmocka_unit_test(a_filter_holds_before_the_best_are_taken),
        cmocka_unit_test(settings_of_bm25f_are_configuration),
        cmocka_unit_test(a_renamed_file_is_found_under_its_new_name_alone),
        cmocka_unit_test(numbers_are_given_anew_when_most_are_of_chunks_that_went),
        cmocka_unit_test(a_damaged_or_missing_index_is_named_and_mended_by_the_command_named),
        cmocka_unit_test(a_collection_without_words_gets_them_by_the_next_index),
        cmocka_unit_test(verify_finds_what_the_store_and_the_words_do_not_share),
        cmocka_unit_test(a_collection_that_is_being_indexed_is_neither_renamed_nor_removed),
        cmocka_unit_test_setup_teardown(the_nth_failing_write_is_no_loss, fault_vfs_start, fault_vfs_stop),
        cmocka_unit_test(searches_go_on_while_words_come_and_go),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
