/* local_docs.c - documents with their versions, chunks and kept texts.
 *
 * A document's content (chunks, kept text) belongs to its active version and is replaced as a whole: content_clear,
 * then content_write. Version rows of older contents stay as history, VERSIONS_KEPT of them, without content.
 */
#include "store/local.h"

#include <assert.h>

#include "base/meta.h"

enum { VERSIONS_KEPT = 10 };

/* Where a document's content stands. */
typedef struct {
    int64_t doc, collection, version, first_chunk, chunk_count;
} Place;

/* ---- reading ---- */

static Err doc_of_row(LocalStore *l, Arena *a, sqlite3_stmt *st, StoreDoc *out) {
    *out = (StoreDoc){
        .id = sqlite3_column_int64(st, 0),
        .uri = column_str_in(st, 1, a),
        .path = column_str_in(st, 2, a),
        .title = column_str_in(st, 3, a),
        .lang = column_str_in(st, 4, a),
        .reason = column_str_in(st, 6, a),
        .size = sqlite3_column_int64(st, 8),
        .mtime_ns = sqlite3_column_int64(st, 9),
        .inode = (uint64_t)sqlite3_column_int64(st, 10),
        .version = sqlite3_column_int64(st, 11),
        .indexed_ms = sqlite3_column_int64(st, 12),
        .chunks = a ? sqlite3_column_int64(st, 13) : 0,
        .cut = (DocCut)sqlite3_column_int(st, 14),
        .meta = column_str_in(st, 15, a),
    };
    if (!out->meta.p || !out->uri.p || !out->path.p || !out->title.p || !out->lang.p || !out->reason.p)
        return arena_error();
    const int64_t state = sqlite3_column_int64(st, 5);
    if (state < DOC_ACTIVE || state > DOC_FAILED) {
        return local_damaged(l, "document %lld has state %lld", (long long)out->id, (long long)state);
    }
    out->state = (DocState)state;
    return column_bytes(l, st, 7, out->sha256.bytes, sizeof out->sha256.bytes);
}

Err local_documents(Store *s, int64_t collection, StoreDocSink sink, void *ctx) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_DOC_LIST, &st, SQL_VALUES(sql_int(collection))));
    Err err = ERR_OK;
    while (!(err = sql_next(l, st, &row)) && row) {
        StoreDoc doc;
        if ((err = doc_of_row(l, NULL, st, &doc))) break;
        if ((err = sink(ctx, &doc))) break;
    }
    sql_done(st);
    return err;
}

/* One row of the statement, or *found false. */
static Err doc_find(LocalStore *l, SqlId id, Arena *a, int64_t collection, Str key, bool *found, StoreDoc *out) {
    sqlite3_stmt *st = NULL;
    TRY(local_use(l, id, &st, SQL_VALUES(sql_int(collection), sql_text(key))));
    TRY(sql_next(l, st, found));
    if (!*found) return ERR_OK;
    const Err err = doc_of_row(l, a, st, out);
    sql_done(st);
    return err;
}

Err local_document(Store *s, Arena *a, int64_t collection, Str path, StoreDoc *out) {
    bool found = false;
    TRY(doc_find(local_of(s), SQL_DOC_BY_PATH, a, collection, path, &found, out));
    return found ? ERR_OK : err_set(ERR_NO_DOCUMENT, "no document '%.*s'", STR_FMT(path));
}

Err local_document_by_uri(Store *s, Arena *a, int64_t collection, Str uri, StoreDoc *out) {
    bool found = false;
    TRY(doc_find(local_of(s), SQL_DOC_BY_URI, a, collection, uri, &found, out));
    return found ? ERR_OK : err_set(ERR_NO_DOCUMENT, "no document '%.*s'", STR_FMT(uri));
}

static Err place_of(LocalStore *l, int64_t doc, Place *out) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_DOC_PLACE, &st, SQL_VALUES(sql_int(doc))));
    TRY(sql_next(l, st, &row));
    if (!row) return err_set(ERR_NO_DOCUMENT, "no document with id %lld", (long long)doc);
    *out = (Place){
        .doc = doc,
        .collection = sqlite3_column_int64(st, 0),
        .version = sqlite3_column_int64(st, 1),
        .first_chunk = sqlite3_column_int64(st, 2),
        .chunk_count = sqlite3_column_int64(st, 3),
    };
    sql_done(st);
    return ERR_OK;
}

/* ---- kept texts ---- */

static Err blob_put(LocalStore *l, Str text, int64_t *id) {
    const Sha256 sha = sha256_of(text);
    TRY(local_number(l, SQL_BLOB_FIND, id, SQL_VALUES(sql_blob(sha.bytes, sizeof sha.bytes))));
    if (*id) return ERR_OK;
    TRY(local_pack(l, text));
    TRY(local_run(l, SQL_BLOB_INSERT,
                  SQL_VALUES(sql_blob(sha.bytes, sizeof sha.bytes), sql_int((int64_t)text.n),
                             sql_blob(l->packed.p, l->packed.n))));
    *id = sqlite3_last_insert_rowid(l->db);
    return ERR_OK;
}

/* The version lets go of its text; the blob goes with the last version that had it. */
static Err blob_release(LocalStore *l, int64_t version) {
    int64_t blob = 0;
    TRY(local_number(l, SQL_VERSION_BLOB, &blob, SQL_VALUES(sql_int(version))));
    if (!blob) return ERR_OK;
    TRY(local_run(l, SQL_VERSION_DROP_BLOB, SQL_VALUES(sql_int(version))));
    return local_run(l, SQL_BLOB_RELEASE, SQL_VALUES(sql_int(blob)));
}

Err local_text(Store *s, Arena *a, int64_t doc, Str *out) {
    LocalStore *l = local_of(s);
    Buf text = {0};
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_TEXT_GET, &st, SQL_VALUES(sql_int(doc))));
    TRY(sql_next(l, st, &row));
    if (!row) return err_set(ERR_NO_DOCUMENT, "the store keeps no text of document %lld", (long long)doc);
    Err err = local_unpack(l, column_str(st, 1), sqlite3_column_int64(st, 0), &text);
    sql_done(st);
    if (!err) {
        *out = arena_str(a, buf_str(&text));
        if (!out->p) err = arena_error();
    }
    buf_free(&text);
    return err;
}

/* ---- content ---- */

static Err chunks_count(LocalStore *l, int64_t collection, int64_t change) {
    return local_run(l, SQL_COLLECTION_ADD_CHUNKS, SQL_VALUES(sql_int(collection), sql_int(change)));
}

static ChunkRange place_range(const Place *at) {
    return (ChunkRange){at->first_chunk, at->first_chunk + at->chunk_count};
}

/* The document loses chunks and kept text. Its row still names them: the caller writes it. */
static Err content_clear(LocalStore *l, const Place *at, ChunkRange *gone) {
    if (at->version) TRY(blob_release(l, at->version));
    TRY(symbols_clear(l, at->doc));
    if (at->chunk_count == 0) return ERR_OK;
    *gone = place_range(at);
    TRY(local_run(l, SQL_CHUNKS_DELETE, SQL_VALUES(sql_int(at->doc))));
    return chunks_count(l, at->collection, -at->chunk_count);
}

/* Names are kept where they are more than the symbol. */
static Str names_kept(const Chunk *c) { return !c->names.p || str_eq(c->names, c->symbol) ? STR("") : c->names; }

static Err chunks_write(LocalStore *l, const StorePut *put, int64_t doc, int64_t version, int64_t *first) {
    *first = 0;
    for (size_t i = 0; i < put->n_chunks; i++) {
        const Chunk *c = &put->chunks[i];
        TRY(local_run(l, SQL_CHUNK_INSERT,
                      SQL_VALUES(sql_int(put->collection), sql_int(doc), sql_int(version), sql_int(c->start),
                                 sql_int(c->end), sql_int(c->start_line), sql_int(c->end_line), sql_int(c->page),
                                 sql_int(c->tokens), sql_text(c->symbol), sql_text(c->kind), sql_text(c->heading),
                                 sql_blob(c->hash.bytes, sizeof c->hash.bytes), sql_text(names_kept(c)))));
        const int64_t id = sqlite3_last_insert_rowid(l->db);
        if (i == 0) *first = id;
        assert(id == *first + (int64_t)i); /* AUTOINCREMENT and one writer: invariant 2 of schema.sql */
    }
    return ERR_OK;
}

static Err content_write(LocalStore *l, const StorePut *put, int64_t doc, ChunkRange *added) {
    const Doc *d = put->doc;
    int64_t blob = 0, version = 0, first = 0;
    if (put->keep_text) TRY(blob_put(l, d->text, &blob));
    TRY(local_number(l, SQL_VERSION_PUT, &version,
                     SQL_VALUES(sql_int(doc), sql_blob(d->sha256.bytes, sizeof d->sha256.bytes), sql_int(d->size),
                                sql_int((int64_t)d->text.n), sql_id_or_null(blob), sql_int(put->now_ms))));
    TRY(chunks_write(l, put, doc, version, &first));
    TRY(symbols_write(l, put, doc));
    if (put->n_chunks) {
        *added = (ChunkRange){first, first + (int64_t)put->n_chunks};
        TRY(chunks_count(l, put->collection, (int64_t)put->n_chunks));
    }
    TRY(local_run(l, SQL_DOC_SET_CONTENT,
                  SQL_VALUES(sql_int(doc), sql_int(version), sql_int(first), sql_int((int64_t)put->n_chunks),
                             sql_int(put->cut))));
    TRY(pending_of_document(l, put->collection, doc));
    return local_run(l, SQL_VERSION_TRIM, SQL_VALUES(sql_int(doc), sql_int(version), sql_int(VERSIONS_KEPT)));
}

/* ---- putting ---- */

static SqlValue prior_value(const Doc *d) {
    return sql_int(d->prior > 0.0f ? (int64_t)(d->prior * 1000.0f + 0.5f) : 1000);
}

/* Makes or updates the document's row; an old content is cleared. */
static Err doc_write(LocalStore *l, int64_t collection, const Doc *d, DocState state, Str reason, uint64_t inode,
                     int64_t now_ms, StoreChange *change) {
    int64_t *const id = &change->doc;
    TRY(local_number(l, SQL_DOC_ID_BY_URI, id, SQL_VALUES(sql_int(collection), sql_text(d->uri))));
    /* The columns of DOC_INSERT and DOC_UPDATE, which differ behind the thirteenth. */
    SqlValue values[] = {
        sql_text(d->path),
        sql_text(d->title),
        sql_text(d->lang),
        sql_int(state),
        sql_text(reason),
        sql_blob(d->sha256.bytes, sizeof d->sha256.bytes),
        sql_int(d->size),
        sql_int(d->mtime_ns),
        sql_int((int64_t)inode),
        sql_int(now_ms),
        prior_value(d),
        sql_text(d->meta),
        sql_int(meta_changed_ms(d->meta)),
        sql_int(collection),
        sql_text(d->uri),
    };
    if (*id == 0) {
        TRY(local_run(l, SQL_DOC_INSERT, values, 15));
        *id = sqlite3_last_insert_rowid(l->db);
        return ERR_OK;
    }
    Place at = {0};
    TRY(place_of(l, *id, &at));
    TRY(content_clear(l, &at, &change->gone));
    values[13] = sql_int(*id);
    TRY(local_run(l, SQL_DOC_UPDATE, values, 14));
    return local_run(l, SQL_DOC_SET_CONTENT,
                     SQL_VALUES(sql_int(*id), sql_int(0), sql_int(0), sql_int(0), sql_int(DOC_CUT)));
}

static Err put_check(const StorePut *put) {
    const int64_t size = (int64_t)put->doc->text.n;
    for (size_t i = 0; i < put->n_chunks; i++) {
        const Chunk *c = &put->chunks[i];
        if (c->start >= 0 && c->start <= c->end && c->end <= size && c->start_line <= c->end_line) continue;
        return err_set(ERR_INPUT, "chunk %zu of '%.*s' spans bytes %lld to %lld of %lld", i, STR_FMT(put->doc->path),
                       (long long)c->start, (long long)c->end, (long long)size);
    }
    return ERR_OK;
}

Err local_put(Store *s, const StorePut *put, StoreChange *change) {
    LocalStore *l = local_of(s);
    TRY(put_check(put));
    TRY(local_write_begin(l));
    Err err = doc_write(l, put->collection, put->doc, DOC_ACTIVE, STR(""), put->inode, put->now_ms, change);
    if (!err) err = content_write(l, put, change->doc, &change->added);
    return local_write_end(l, err);
}

Err local_put_skipped(Store *s, int64_t collection, const Doc *doc, DocState state, Str reason, int64_t now_ms,
                      StoreChange *change) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, doc_write(l, collection, doc, state, reason, 0, now_ms, change));
}

/* ---- changing ---- */

static Err doc_erase(LocalStore *l, int64_t doc, ChunkRange *gone) {
    Place at = {0};
    TRY(place_of(l, doc, &at));
    TRY(content_clear(l, &at, gone));
    TRY(local_run(l, SQL_VERSION_DELETE, SQL_VALUES(sql_int(doc))));
    return local_run(l, SQL_DOC_DELETE, SQL_VALUES(sql_int(doc)));
}

static Err doc_rename(LocalStore *l, int64_t id, const Doc *doc, uint64_t inode, StoreChange *change) {
    Place at = {0};
    int64_t holder = 0;
    TRY(place_of(l, id, &at));
    TRY(local_number(l, SQL_DOC_ID_BY_URI, &holder, SQL_VALUES(sql_int(at.collection), sql_text(doc->uri))));
    if (holder && holder != id) TRY(doc_erase(l, holder, &change->evicted)); /* it was overwritten by the move */
    change->doc = id;
    change->gone = change->added = at.chunk_count ? place_range(&at) : (ChunkRange){0};
    return local_run(l, SQL_DOC_RENAME,
                     SQL_VALUES(sql_int(id), sql_text(doc->uri), sql_text(doc->path), sql_text(doc->lang),
                                sql_int(doc->mtime_ns), sql_int((int64_t)inode), prior_value(doc)));
}

Err local_rename(Store *s, int64_t id, const Doc *doc, uint64_t inode, StoreChange *change) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, doc_rename(l, id, doc, inode, change));
}

static Err doc_touch(LocalStore *l, int64_t doc, int64_t mtime_ns, uint64_t inode) {
    TRY(local_run(l, SQL_DOC_TOUCH, SQL_VALUES(sql_int(doc), sql_int(mtime_ns), sql_int((int64_t)inode))));
    if (sqlite3_changes(l->db) == 1) return ERR_OK;
    return err_set(ERR_NO_DOCUMENT, "no document with id %lld", (long long)doc);
}

Err local_touch(Store *s, int64_t doc, int64_t mtime_ns, uint64_t inode) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, doc_touch(l, doc, mtime_ns, inode));
}

Err local_recut(Store *s, int64_t collection) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, local_run(l, SQL_DOCS_RECUT, SQL_VALUES(sql_int(collection))));
}

Err local_reread(Store *s, int64_t collection) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, local_run(l, SQL_DOCS_REREAD, SQL_VALUES(sql_int(collection))));
}

Err local_remove(Store *s, int64_t doc, StoreChange *change) {
    LocalStore *l = local_of(s);
    change->doc = doc;
    TRY(local_write_begin(l));
    return local_write_end(l, doc_erase(l, doc, &change->gone));
}
