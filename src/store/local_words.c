/* local_words.c - words into FTS5 and out of it again.
 *
 * FTS5 keeps the posting lists; everything around them is ours. The analyser runs here, once a text, and what FTS5 gets
 * is its result: a stream of terms, ' ' before a term at a new position and WORD_SAME before one at the position of the
 * term before it (the whole of an identifier stands where its first part does). The tokenizer that FTS5 calls only
 * splits that stream, so it is the same for documents and queries and nothing is stemmed twice.
 *
 * Where the text is. chunk_fts_<id> is contentless: the text of a local file is not to be stored twice, and as an FTS5
 * content table it would be: 30 MB of source give 165 % of the text on disk with FTS5's own tokenizer, contentless 52
 * %. (Ours gives 69 %: identifiers whole and in parts, the path with each chunk.) But a contentless table of SQLite
 * 3.40 can only take a row out when it is told exactly what was put in. So that is kept, as a forward index: the
 * streams of a document's chunks, compressed by zstd into document_terms (24 % of the text). It has two virtues that
 * the text itself would not have: a file that has changed since can still be taken out, and so can one that was put in
 * by an older version's analyser.
 *
 *     forward index = path '\n' { symbol '\n' heading '\n' body '\n' }, one group a chunk, each field a stream
 *
 * Lengths. BM25 needs each chunk's length, and FTS5's own table of them costs a look-up a matching row, which is most
 * of bm25()'s time. Here the row id is chunk << 8 | code of the length: no look-up and no table. The code is exact up
 * to 64 positions and 3 % coarse above, made by integers only, because a row must be found again on any machine.
 *
 * Threads: as the store.
 */
#include "store/local.h"

#include <assert.h>

enum {
    LENGTH_CODES = 256,
    LENGTH_EXACT = 64,       /* lengths up to here have a code of their own */
    LENGTH_STEP_PERCENT = 3, /* the largest code stands for 13,463 positions */
};

static const char SQL_WORDS_CREATE[] =
    "CREATE VIRTUAL TABLE @ USING fts5(symbol, path, heading, body, content = '', columnsize = 0, tokenize = 'pythia')";
static const char SQL_WORDS_DROP[] = "DROP TABLE IF EXISTS @";
static const char SQL_WORDS_INSERT[] = "INSERT INTO @(rowid, symbol, path, heading, body) VALUES (?1, ?2, ?3, ?4, ?5)";
static const char SQL_WORDS_REMOVE[] =
    "INSERT INTO @(@, rowid, symbol, path, heading, body) VALUES ('delete', ?1, ?2, ?3, ?4, ?5)";
static const char SQL_WORDS_COUNT[] = "SELECT count(*) FROM @ WHERE @ MATCH ?1";
/* pythia_visit is always 1: no row comes out, the whole run is one step. (count() of it would be the plainer way, but
 * auxiliary functions do not work inside of aggregates.) */
static const char SQL_WORDS_RANK[] =
    "SELECT 1 FROM @ WHERE @ MATCH ?1 AND rowid BETWEEN ?2 AND ?3 AND pythia_visit(@) = 0";
static const char SQL_WORDS_PROVE[] = "INSERT INTO @(@) VALUES ('integrity-check')";

/* ---- lengths ---- */

static int64_t length_after(int64_t length) {
    if (length < LENGTH_EXACT) return length + 1;
    const int64_t step = length * LENGTH_STEP_PERCENT / 100;
    return length + (step > 1 ? step : 1);
}

int64_t words_rowid(int64_t chunk, int64_t length) {
    int64_t code = 0, at = 0;
    for (int64_t next = length_after(at); code < LENGTH_CODES - 1 && next <= length; next = length_after(at)) {
        at = next;
        code++;
    }
    return chunk << 8 | code;
}

int64_t words_chunk(int64_t rowid) { return rowid >> 8; }

int64_t words_length(int64_t rowid) {
    int64_t at = 0;
    for (int64_t code = rowid & (LENGTH_CODES - 1); code > 0; code--) at = length_after(at);
    return at;
}

/* ---- streams ---- */

typedef struct {
    Buf *out;
    bool any; /* a term of this text was appended */
} StreamSink;

/* A term with a blank, a control character or a quote cannot stand in a stream, nor in a query for FTS5. The analyser
 * gives none; another one's are left out, from documents and queries alike. */
static bool term_fits(Str term) {
    if (term.n == 0) return false;
    for (size_t i = 0; i < term.n; i++) {
        const uint8_t c = (uint8_t)term.p[i];
        if (c <= ' ' || c == '"' || c == 0x7f) return false;
    }
    return true;
}

static int stream_term(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    (void)start;
    (void)end;
    StreamSink *sink = ctx;
    if (!term_fits(term)) return 0;
    buf_char(sink->out, colocated && sink->any ? WORD_SAME : ' ');
    buf_add(sink->out, term);
    sink->any = true;
    return 0;
}

Err words_append(LocalStore *l, Str text, Buf *out) {
    StreamSink sink = {.out = out};
    (void)l->analyzer.run(l->analyzer.analyzer, text, stream_term, &sink);
    return buf_ok(out);
}

Err words_forward(LocalStore *l, const StorePut *put, Buf *out) {
    const Doc *d = put->doc;
    TRY(words_append(l, d->path, out));
    buf_char(out, '\n');
    for (size_t i = 0; i < put->n_chunks; i++) {
        const Chunk *c = &put->chunks[i];
        TRY(words_append(l, c->symbol, out));
        buf_char(out, '\n');
        TRY(words_append(l, d->title, out));
        TRY(words_append(l, c->heading, out));
        buf_char(out, '\n');
        TRY(words_append(l, str_make(d->text.p + c->start, (size_t)(c->end - c->start)), out));
        buf_char(out, '\n');
        if (out->n > LOCAL_TEXT_MAX) return err_set(ERR_LIMIT, "'%.*s' has too many words", STR_FMT(d->path));
    }
    return buf_ok(out);
}

Err words_forward_repath(LocalStore *l, Str forward, Str path, Buf *out) {
    const ptrdiff_t path_end = str_find_char(forward, '\n');
    if (path_end < 0) return local_damaged(l, "the words of a document have no path");
    TRY(words_append(l, path, out));
    buf_add(out, str_from(forward, (size_t)path_end));
    return buf_ok(out);
}

static int64_t stream_length(Str stream) {
    int64_t n = 0;
    for (size_t i = 0; i < stream.n; i++) n += stream.p[i] == ' ';
    return n;
}

/* ---- the table ---- */

/* The statements with '@' replaced by the collection's table; its name is a number of ours, never text from outside. */
static Err words_sql(const char *sql, int64_t collection, Buf *out) {
    buf_clear(out);
    for (const char *c = sql; *c; c++) {
        if (*c == '@')
            buf_printf(out, "chunk_fts_%lld", (long long)collection);
        else
            buf_char(out, *c);
    }
    return buf_ok(out);
}

static Err words_exec(LocalStore *l, const char *sql, int64_t collection) {
    Buf text = {0};
    Err err = words_sql(sql, collection, &text);
    if (!err) err = local_exec(l, text.p);
    buf_free(&text);
    return err;
}

Err words_create(LocalStore *l, int64_t collection) { return words_exec(l, SQL_WORDS_CREATE, collection); }

Err words_drop(LocalStore *l, int64_t collection) {
    words_forget(l); /* a prepared statement would lock the table */
    return words_exec(l, SQL_WORDS_DROP, collection);
}

Err words_prove(LocalStore *l, int64_t collection) { return words_exec(l, SQL_WORDS_PROVE, collection); }

void words_forget(LocalStore *l) {
    (void)sqlite3_finalize(l->words.insert);
    (void)sqlite3_finalize(l->words.remove);
    (void)sqlite3_finalize(l->words.count);
    (void)sqlite3_finalize(l->words.rank);
    l->words = (WordStmts){0};
}

static Err words_prepare(LocalStore *l, const char *sql, int64_t collection, sqlite3_stmt **out) {
    Buf text = {0};
    Err err = words_sql(sql, collection, &text);
    const int rc = err ? SQLITE_OK : sqlite3_prepare_v3(l->db, text.p, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    if (rc) err = local_fail(l, rc);
    buf_free(&text);
    return err;
}

Err words_use(LocalStore *l, int64_t collection) {
    if (l->words.collection == collection) return ERR_OK;
    words_forget(l);
    WordStmts *w = &l->words;
    Err err = ERR_OK;
    if ((err = words_prepare(l, SQL_WORDS_COUNT, collection, &w->count))) goto done;
    if ((err = words_prepare(l, SQL_WORDS_RANK, collection, &w->rank))) goto done;
    if ((err = words_prepare(l, SQL_WORDS_INSERT, collection, &w->insert))) goto done;
    if ((err = words_prepare(l, SQL_WORDS_REMOVE, collection, &w->remove))) goto done;
    w->collection = collection;
done:
    if (err) words_forget(l);
    return err;
}

Err words_change(LocalStore *l, int64_t collection, int64_t first_chunk, int64_t n, Str forward, WordsChange change,
                 int64_t *terms) {
    TRY(words_use(l, collection));
    *terms = 0;
    Str rest = forward, path = {0};
    bool whole = str_cut(&rest, '\n', &path);
    for (int64_t i = 0; whole && i < n; i++) {
        Str symbol, heading, body;
        whole = str_cut(&rest, '\n', &symbol) && str_cut(&rest, '\n', &heading) && str_cut(&rest, '\n', &body);
        if (!whole) break;
        const int64_t length =
            stream_length(symbol) + stream_length(path) + stream_length(heading) + stream_length(body);
        *terms += length;
        if (change == WORDS_COUNT) continue;
        sqlite3_stmt *st = change == WORDS_INSERT ? l->words.insert : l->words.remove;
        TRY(sql_bind(l, st,
                     SQL_VALUES(sql_int(words_rowid(first_chunk + i, length)), sql_text(symbol), sql_text(path),
                                sql_text(heading), sql_text(body))));
        bool row = false;
        TRY(sql_next(l, st, &row));
    }
    if (whole && rest.n == 0) return ERR_OK;
    return local_damaged(l, "the words of chunks %lld and on do not fit their number", (long long)first_chunk);
}

/* ---- FTS5's tokenizer ---- */

static int split_create(void *ctx, const char **args, int n, Fts5Tokenizer **out) {
    (void)args;
    (void)n;
    *out = ctx; /* it has no state of its own: FTS5 only asks that it is not NULL */
    return SQLITE_OK;
}

static void split_delete(Fts5Tokenizer *t) { (void)t; }

/* Splits a stream. The first term may stand without its ' ': queries are written that way. */
static int split_run(Fts5Tokenizer *t, void *ctx, int flags, const char *text, int n,
                     int (*token)(void *, int, const char *, int, int, int)) {
    (void)t;
    (void)flags;
    int rc = SQLITE_OK;
    for (int i = 0; i < n && rc == SQLITE_OK;) {
        const bool same = text[i] == WORD_SAME;
        if ((uint8_t)text[i] <= ' ') i++;
        const int start = i;
        while (i < n && (uint8_t)text[i] > ' ') i++;
        if (i > start) rc = token(ctx, same ? FTS5_TOKEN_COLOCATED : 0, text + start, i - start, start, i);
    }
    return rc;
}

Err words_register(LocalStore *l) {
    fts5_api *api = NULL;
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(l->db, "SELECT fts5(?1)", -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_pointer(st, 1, (void *)&api, "fts5_api_ptr", NULL);
        if (rc == SQLITE_OK) (void)sqlite3_step(st);
    }
    (void)sqlite3_finalize(st);
    if (!api || api->iVersion < 2)
        return err_set(ERR_UNSUPPORTED, "this SQLite (%s) has no FTS5", sqlite3_libversion());
    fts5_tokenizer tokenizer = {.xCreate = split_create, .xDelete = split_delete, .xTokenize = split_run};
    rc = api->xCreateTokenizer(api, "pythia", l, &tokenizer, NULL);
    if (rc == SQLITE_OK) rc = api->xCreateFunction(api, "pythia_visit", l, lexical_visit, NULL);
    return rc ? local_fail(l, rc) : ERR_OK;
}
