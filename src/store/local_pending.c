/* local_pending.c - how many of a document's chunks have no vector of its collection's model: documents.pending.
 *
 * Every search tells its coverage, also beside a run that embeds, and counting takes a look at every chunk and every
 * vector (214,000 chunks: .3 s of CPU). So the number stands in the document's row, and follows in the same transaction
 * whatever changes it: new content, a new vector, another model, vectors that are forgotten. store_check counts anew
 * and compares.
 */
#include "store/local.h"

/* The id of the collection's model; 0 when no embedding of it was ever kept. */
static Err model_of(LocalStore *l, int64_t collection, int64_t *model) {
    return local_number(l, SQL_COLLECTION_MODEL, model, SQL_VALUES(sql_int(collection)));
}

Err pending_of_document(LocalStore *l, int64_t collection, int64_t doc) {
    int64_t model = 0;
    TRY(model_of(l, collection, &model));
    if (!model) return ERR_OK; /* DOC_SET_CONTENT has set all of them */
    return local_run(l, SQL_DOC_COUNT_PENDING, SQL_VALUES(sql_int(doc), sql_int(collection), sql_int(model)));
}

Err pending_of_collection(LocalStore *l, int64_t collection) {
    int64_t model = 0;
    TRY(model_of(l, collection, &model));
    return local_run(l, SQL_DOCS_COUNT_PENDING, SQL_VALUES(sql_int(collection), sql_int(model)));
}

Err pending_lose(LocalStore *l, int64_t collection, int64_t model, const ChunkHash *hash) {
    int64_t wanted = 0;
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(model_of(l, collection, &wanted));
    if (model != wanted) return ERR_OK;
    Err err =
        local_use(l, SQL_HASH_DOCUMENTS, &st, SQL_VALUES(sql_int(collection), sql_blob(hash->bytes, sizeof *hash)));
    while (!err && !(err = sql_next(l, st, &row)) && row)
        err = local_run(l, SQL_DOC_LESS_PENDING, SQL_VALUES(sql_int(sqlite3_column_int64(st, 0))));
    sql_done(st);
    return err;
}
