/* local_sql.h - every statement of the local store, by name. Values are bound, never printed in. A statement is
 * prepared at its first use and kept until the store is closed (local_use).
 *
 * X(name, plan, sql). plan INDEXED: every table is reached through an index or its key; WALKS: it reads a whole table,
 * or sorts, for the reason beside it. tests/store/test_plan.c holds EXPLAIN QUERY PLAN against these words. ANALYZE is
 * never run, so the plans depend on the schema alone and are the same on every machine.
 *
 * What is not here: pragmas (local.c).
 */
#ifndef PYTHIA_STORE_LOCAL_SQL_H
#define PYTHIA_STORE_LOCAL_SQL_H

#define SQL_COLLECTION_COLUMNS                                                                                         \
    "id, name, root, describe, model_name, model_id, dim, index_kind, generation, rows, created_ms, updated_ms, "      \
    "settings, pending, pending_files, lex_generation, lex_count, chunks"
#define SQL_DOC_COLUMNS                                                                                                \
    "id, source_uri, path, title, lang, state, reason, sha256, size, mtime_ns, inode, version, indexed_ms, "           \
    "chunk_count, cut, meta"
#define SQL_CHUNK_COLUMNS                                                                                              \
    "c.id, c.document, d.source_uri, d.path, d.title, d.lang, c.symbol, c.kind, c.heading, c.start, c.\"end\", "       \
    "c.start_line, c.end_line, c.page, c.hash, d.sha256, d.size, d.mtime_ns, "                                         \
    "(SELECT blob IS NOT NULL FROM document_versions v WHERE v.id = d.version), c.collection, c.names, d.meta"
#define SQL_SYMBOL_COLUMNS                                                                                             \
    "s.path, length(CAST(s.name AS BLOB)), s.kind, s.signature, s.start, s.\"end\", s.line, s.start_line, s.end_line"
#define SQL_CHAT_COLUMNS                                                                                               \
    "id, title, collections, created_ms, updated_ms, (SELECT count(*) FROM chat_messages m WHERE m.chat = c.id), "     \
    "owner"
#define SQL_RUN_COLUMNS                                                                                                \
    "id, collection, state, stage, error, done, total, failures, queued_ms, started_ms, beat_ms, ended_ms"

/* clang-format off */
#define LOCAL_SQL_LIST(X) \
    /* collections; there are few, so that listing them all is no matter */ \
    X(COLLECTIONS, WALKS, "SELECT " SQL_COLLECTION_COLUMNS " FROM collections ORDER BY name") \
    X(COLLECTION_NAMES, WALKS, "SELECT name FROM collections ORDER BY name LIMIT ?1") \
    X(COLLECTION_BY_NAME, INDEXED, "SELECT " SQL_COLLECTION_COLUMNS " FROM collections WHERE name = ?1") \
    X(COLLECTION_INSERT, INDEXED, \
      "INSERT INTO collections(name, root, describe, model_name, model_id, dim, index_kind, generation, rows, created_ms, " \
      "updated_ms, settings, pending, pending_files, lex_generation, lex_count) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, " \
      "?10, ?11, ?12, ?13, ?14, ?15, ?16)") \
    X(COLLECTION_UPDATE, INDEXED, \
      "UPDATE collections SET name = ?1, root = ?2, describe = ?3, model_name = ?4, model_id = ?5, dim = ?6, index_kind = ?7, " \
      "generation = ?8, rows = ?9, created_ms = ?10, updated_ms = ?11, settings = ?12, pending = ?13, " \
      "pending_files = ?14, lex_generation = ?15, lex_count = ?16 WHERE id = ?17") \
    X(COLLECTION_MODEL, INDEXED, \
      "SELECT m.id FROM collections c JOIN models m ON m.sha256 = c.model_id WHERE c.id = ?1") \
    X(COLLECTION_ADD_CHUNKS, INDEXED, "UPDATE collections SET chunks = chunks + ?2 WHERE id = ?1") \
    X(COLLECTION_DELETE, INDEXED, "DELETE FROM collections WHERE id = ?1") \
    X(COLLECTION_DELETE_EMBEDDINGS, INDEXED, "DELETE FROM chunk_embeddings WHERE collection = ?1") \
    X(COLLECTION_DELETE_CHUNKS, INDEXED, "DELETE FROM chunks WHERE collection = ?1") \
    X(COLLECTION_DELETE_SYMBOLS, INDEXED, "DELETE FROM symbols WHERE collection = ?1") \
    X(COLLECTION_DELETE_REFERENCES, INDEXED, \
      "DELETE FROM document_references WHERE document IN (SELECT id FROM documents WHERE collection = ?1)") \
    X(COLLECTION_DELETE_VERSIONS, INDEXED, \
      "DELETE FROM document_versions WHERE document IN (SELECT id FROM documents WHERE collection = ?1)") \
    X(COLLECTION_DELETE_DOCUMENTS, INDEXED, "DELETE FROM documents WHERE collection = ?1") \
    X(COLLECTION_DELETE_RUNS, INDEXED, "DELETE FROM ingestion_runs WHERE collection = ?1") \
    /* once a removed collection; kept texts are few beside documents */ \
    X(BLOBS_SWEEP, WALKS, "DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM document_versions v WHERE v.blob = blobs.id)") \
    /* documents */ \
    X(DOC_LIST, INDEXED, "SELECT " SQL_DOC_COLUMNS " FROM documents WHERE collection = ?1 ORDER BY path") \
    X(DOC_BY_PATH, INDEXED, "SELECT " SQL_DOC_COLUMNS " FROM documents WHERE collection = ?1 AND path = ?2 LIMIT 1") \
    X(DOC_BY_URI, INDEXED, \
      "SELECT " SQL_DOC_COLUMNS " FROM documents WHERE collection = ?1 AND tenant = '' AND source_uri = ?2") \
    /* once a run that embeds; sorts as many as it gives */ \
    X(DOC_NEWEST, WALKS, \
      "SELECT id FROM documents WHERE collection = ?1 AND first_chunk > 0 ORDER BY mtime_ns DESC, path LIMIT ?2") \
    X(DOC_PLACE, INDEXED, "SELECT collection, version, first_chunk, chunk_count FROM documents WHERE id = ?1") \
    X(DOC_ID_BY_URI, INDEXED, "SELECT id FROM documents WHERE collection = ?1 AND tenant = '' AND source_uri = ?2") \
    X(DOC_INSERT, INDEXED, \
      "INSERT INTO documents(path, title, lang, state, reason, sha256, size, mtime_ns, inode, indexed_ms, prior, " \
      "meta, changed_ms, collection, source_uri) " \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)") \
    X(DOC_UPDATE, INDEXED, \
      "UPDATE documents SET path = ?1, title = ?2, lang = ?3, state = ?4, reason = ?5, sha256 = ?6, size = ?7, " \
      "mtime_ns = ?8, inode = ?9, indexed_ms = ?10, prior = ?11, meta = ?12, changed_ms = ?13 WHERE id = ?14") \
    X(DOC_SET_CONTENT, INDEXED, \
      "UPDATE documents SET version = ?2, first_chunk = ?3, chunk_count = ?4, pending = ?4, cut = ?5 WHERE id = ?1") \
    X(DOC_COUNT_PENDING, INDEXED, \
      "UPDATE documents SET pending = (SELECT count(*) FROM chunks c WHERE c.document = ?1 AND NOT EXISTS " \
      "(SELECT 1 FROM chunk_embeddings e WHERE e.collection = ?2 AND e.model = ?3 AND e.hash = c.hash)) WHERE id = ?1") \
    X(DOCS_COUNT_PENDING, INDEXED, \
      "UPDATE documents SET pending = (SELECT count(*) FROM chunks c WHERE c.document = documents.id AND NOT EXISTS " \
      "(SELECT 1 FROM chunk_embeddings e WHERE e.collection = ?1 AND e.model = ?2 AND e.hash = c.hash)) WHERE collection = ?1") \
    X(DOC_LESS_PENDING, INDEXED, "UPDATE documents SET pending = pending - 1 WHERE id = ?1") \
    X(DOC_RENAME, INDEXED, \
      "UPDATE documents SET source_uri = ?2, path = ?3, lang = ?4, mtime_ns = ?5, inode = ?6, prior = ?7 WHERE id = ?1") \
    X(DOC_TOUCH, INDEXED, "UPDATE documents SET mtime_ns = ?2, inode = ?3 WHERE id = ?1") \
    X(DOCS_RECUT, INDEXED, "UPDATE documents SET cut = 2 WHERE collection = ?1 AND cut = 0") \
    X(DOCS_REREAD, INDEXED, \
      "UPDATE documents SET cut = 2 WHERE collection = ?1 AND cut = 0 AND (lang IN ('markdown', 'rst', 'asciidoc', 'org') OR " \
      "EXISTS (SELECT 1 FROM document_versions v WHERE v.id = documents.version AND v.blob IS NOT NULL))") \
    X(DOC_DELETE, INDEXED, "DELETE FROM documents WHERE id = ?1") \
    X(VERSION_PUT, INDEXED, \
      "INSERT INTO document_versions(document, sha256, size, text_size, blob, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) " \
      "ON CONFLICT (document, sha256) DO UPDATE SET size = excluded.size, text_size = excluded.text_size, " \
      "blob = excluded.blob RETURNING id") \
    X(VERSION_BLOB, INDEXED, "SELECT blob FROM document_versions WHERE id = ?1") \
    X(VERSION_DROP_BLOB, INDEXED, "UPDATE document_versions SET blob = NULL WHERE id = ?1") \
    /* sorts the few versions of one document */ \
    X(VERSION_TRIM, WALKS, \
      "DELETE FROM document_versions WHERE document = ?1 AND id <> ?2 AND id NOT IN " \
      "(SELECT id FROM document_versions WHERE document = ?1 ORDER BY id DESC LIMIT ?3)") \
    X(VERSION_DELETE, INDEXED, "DELETE FROM document_versions WHERE document = ?1") \
    X(BLOB_FIND, INDEXED, "SELECT id FROM blobs WHERE sha256 = ?1") \
    X(BLOB_INSERT, INDEXED, "INSERT INTO blobs(sha256, size, zstd) VALUES (?1, ?2, ?3)") \
    X(BLOB_RELEASE, INDEXED, \
      "DELETE FROM blobs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM document_versions v WHERE v.blob = ?1)") \
    X(TEXT_GET, INDEXED, \
      "SELECT b.size, b.zstd FROM documents d JOIN document_versions v ON v.id = d.version JOIN blobs b ON b.id = v.blob " \
      "WHERE d.id = ?1") \
    X(CHUNK_INSERT, INDEXED, \
      "INSERT INTO chunks(collection, document, version, start, \"end\", start_line, end_line, page, tokens, symbol, kind, " \
      "heading, hash, names) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)") \
    X(CHUNKS_DELETE, INDEXED, "DELETE FROM chunks WHERE document = ?1") \
    /* symbols */ \
    X(SYMBOL_INSERT, INDEXED, \
      "INSERT INTO symbols(document, place, collection, name, path, kind, signature, start, \"end\", line, start_line, " \
      "end_line) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)") \
    X(SYMBOLS_DELETE, INDEXED, "DELETE FROM symbols WHERE document = ?1") \
    X(SYMBOLS_OF, INDEXED, "SELECT " SQL_SYMBOL_COLUMNS " FROM symbols s WHERE s.document = ?1 ORDER BY s.place") \
    X(SYMBOL_GET, INDEXED, \
      "SELECT s.document, s.place, d.first_chunk, d.path, d.source_uri, d.lang, " SQL_SYMBOL_COLUMNS \
      " FROM symbols s CROSS JOIN documents d ON d.id = s.document WHERE s.document = ?1 AND s.place = ?2") \
    /* sorts those of one name */ \
    X(SYMBOLS_NAMED, WALKS, \
      "SELECT s.document, s.place, d.first_chunk, d.path, d.source_uri, d.lang, " SQL_SYMBOL_COLUMNS \
      " FROM symbols s CROSS JOIN documents d ON d.id = s.document WHERE s.collection = ?1 AND s.name = ?2 " \
      "ORDER BY d.path, s.place") \
    X(SYMBOLS_STARTING, INDEXED, \
      "SELECT s.document, s.place, d.first_chunk, d.path, d.source_uri, d.lang, " SQL_SYMBOL_COLUMNS \
      " FROM symbols s CROSS JOIN documents d ON d.id = s.document WHERE s.collection = ?1 AND s.name >= ?2 " \
      "AND s.name < ?3 ORDER BY s.name, s.document, s.place") \
    X(SYMBOLS_EACH, INDEXED, \
      "SELECT s.document, s.place, d.first_chunk, s.path, s.kind FROM documents d CROSS JOIN symbols s ON s.document = d.id " \
      "WHERE d.collection = ?1 AND d.first_chunk > 0") \
    X(REFERENCES_PUT, INDEXED, "INSERT OR REPLACE INTO document_references(document, size, zstd) VALUES (?1, ?2, ?3)") \
    X(REFERENCES_DELETE, INDEXED, "DELETE FROM document_references WHERE document = ?1") \
    X(REFERENCES_EACH, INDEXED, \
      "SELECT r.document, d.first_chunk, d.path, d.lang, r.size, r.zstd FROM documents d CROSS JOIN document_references r " \
      "ON r.document = d.id WHERE d.collection = ?1 ORDER BY d.path") \
    /* embeddings */ \
    X(MODEL_FIND, INDEXED, "SELECT id FROM models WHERE sha256 = ?1") \
    X(MODEL_INSERT, INDEXED, "INSERT INTO models(sha256) VALUES (?1)") \
    X(PENDING, INDEXED, \
      "SELECT c.id, c.hash FROM chunks c INDEXED BY chunks_collection WHERE c.collection = ?1 AND c.id > ?3 AND c.tokens >= 0 " \
      "AND NOT EXISTS (SELECT 1 FROM chunk_embeddings e WHERE e.collection = ?1 AND e.model = ?2 AND e.hash = c.hash) " \
      "AND NOT EXISTS (SELECT 1 FROM chunks f WHERE f.collection = ?1 AND f.hash = c.hash AND f.id < c.id AND f.tokens >= 0) " \
      "ORDER BY c.id LIMIT ?4") \
    X(PENDING_OF, INDEXED, \
      "SELECT c.id, c.hash FROM chunks c INDEXED BY chunks_document WHERE c.document = ?5 AND c.collection = ?1 AND c.id > ?3 " \
      "AND c.tokens >= 0 " \
      "AND NOT EXISTS (SELECT 1 FROM chunk_embeddings e WHERE e.collection = ?1 AND e.model = ?2 AND e.hash = c.hash) " \
      "AND NOT EXISTS (SELECT 1 FROM chunks f WHERE f.collection = ?1 AND f.hash = c.hash AND f.document = ?5 AND f.id < c.id) " \
      "ORDER BY c.id LIMIT ?4") \
    X(HASH_DOCUMENTS, INDEXED, "SELECT document FROM chunks WHERE collection = ?1 AND hash = ?2") \
    X(EMBEDDING_HAS, INDEXED, "SELECT 1 FROM chunk_embeddings WHERE collection = ?1 AND model = ?2 AND hash = ?3") \
    X(EMBEDDING_PUT, INDEXED, \
      "INSERT INTO chunk_embeddings(collection, model, hash, slot) VALUES (?1, ?2, ?3, ?4) " \
      "ON CONFLICT (collection, model, hash) DO UPDATE SET slot = excluded.slot") \
    X(EMBEDDING_FIND, INDEXED, \
      "SELECT collection, slot FROM chunk_embeddings WHERE model = ?1 AND hash = ?2 ORDER BY collection LIMIT 1") \
    X(EMBEDDING_SWEEP, INDEXED, \
      "DELETE FROM chunk_embeddings WHERE collection = ?1 AND NOT EXISTS " \
      "(SELECT 1 FROM chunks c WHERE c.collection = ?1 AND c.hash = chunk_embeddings.hash) RETURNING slot, hash") \
    X(EMBEDDING_LIST, INDEXED, "SELECT model, hash, slot FROM chunk_embeddings WHERE collection = ?1") \
    X(EMBEDDING_MOVE, INDEXED, \
      "UPDATE chunk_embeddings SET slot = ?4 WHERE collection = ?1 AND model = ?2 AND hash = ?3") \
    X(EMBEDDING_DELETE, INDEXED, "DELETE FROM chunk_embeddings WHERE collection = ?1 AND model = ?2 AND hash = ?3") \
    /* searching */ \
    X(FILTER_DOCS, INDEXED, \
      "SELECT first_chunk, chunk_count, path, lang, mtime_ns, changed_ms, meta FROM documents WHERE collection = ?1 AND first_chunk > 0 " \
      "ORDER BY first_chunk") \
    X(FILTER_KIND, INDEXED, "SELECT id FROM chunks WHERE collection = ?1 AND kind = ?2 ORDER BY id") \
    X(FILTER_SYMBOL, INDEXED, \
      "SELECT c.id FROM symbols AS s JOIN chunks AS c ON c.document = s.document " \
      "AND c.start < s.\"end\" AND c.\"end\" > s.start WHERE s.collection = ?1 AND s.name = ?2 " \
      "AND (s.path = ?3 OR substr(s.path, -length(?3) - 1) = '.' || ?3)") \
    X(SLOTS_OF_RANGE, INDEXED, \
      "SELECT e.slot FROM chunks c CROSS JOIN chunk_embeddings e ON e.collection = ?1 AND e.model = ?2 AND e.hash = c.hash " \
      "WHERE c.id BETWEEN ?3 AND ?4 AND c.collection = ?1") \
    X(SLOTS_OF_ALL, INDEXED, \
      "SELECT e.slot FROM chunk_embeddings e WHERE e.collection = ?1 AND e.model = ?2 " \
      "AND EXISTS (SELECT 1 FROM chunks c WHERE c.collection = ?1 AND c.hash = e.hash)") \
    X(SLOT_CHUNKS, WALKS, /* sorts the few chunks of one content */ \
      "SELECT c.id FROM chunk_embeddings e CROSS JOIN chunks c ON c.collection = ?1 AND c.hash = e.hash " \
      "WHERE e.collection = ?1 AND e.model = ?2 AND e.slot = ?3 ORDER BY c.id") \
    X(CHUNK_PRIOR, INDEXED, "SELECT d.prior FROM chunks c JOIN documents d ON d.id = c.document WHERE c.id = ?1") \
    X(CHUNK_BY_ID, INDEXED, "SELECT " SQL_CHUNK_COLUMNS " FROM chunks c JOIN documents d ON d.id = c.document WHERE c.id = ?1") \
    X(CHUNKS_OF, INDEXED, \
      "SELECT " SQL_CHUNK_COLUMNS " FROM chunks c JOIN documents d ON d.id = c.document WHERE c.document = ?1 ORDER BY c.id") \
    X(CHUNK_HOLDING, INDEXED, "SELECT id FROM chunks WHERE document = ?1 AND \"end\" > ?2 ORDER BY id LIMIT 1") \
    X(CHUNK_SLOT, INDEXED, \
      "SELECT e.slot FROM chunks c JOIN chunk_embeddings e ON e.collection = ?1 AND e.model = ?2 AND e.hash = c.hash " \
      "WHERE c.id = ?3 AND c.collection = ?1") \
    X(COUNT_DOCS, INDEXED, \
      "SELECT sum(state = 0), sum(state = 1), sum(state = 2), sum(chunk_count), sum(CASE state WHEN 0 THEN size ELSE 0 END), " \
      "sum(cut = 1), sum(pending), sum(pending > 0) " \
      "FROM documents WHERE collection = ?1") \
    X(COUNT_EMBEDDED, INDEXED, \
      "SELECT count(*) FROM chunks c WHERE c.collection = ?1 AND EXISTS " \
      "(SELECT 1 FROM chunk_embeddings e WHERE e.collection = ?1 AND e.model = ?2 AND e.hash = c.hash)") \
    X(COLLECTION_HAS_MODEL, INDEXED, "SELECT count(*) FROM collections WHERE id = ?1 AND model_id = ?2") \
    X(DATA_VERSION, INDEXED, "PRAGMA data_version") /* another one when somebody else has committed */ \
    X(COUNT_PENDING_FILES, INDEXED, \
      "SELECT count(*) FROM documents d WHERE d.collection = ?1 AND EXISTS (SELECT 1 FROM chunks c WHERE c.document = d.id AND " \
      "NOT EXISTS (SELECT 1 FROM chunk_embeddings e WHERE e.collection = ?1 AND e.model = ?2 AND e.hash = c.hash))") \
    /* chats; a person's, so that looking at all of them is no matter */ \
    X(CHAT_INSERT, INDEXED, \
      "INSERT INTO chats(title, collections, created_ms, updated_ms, owner) VALUES (?1, ?2, ?3, ?3, ?4)") \
    X(CHAT_TOUCH, INDEXED, "UPDATE chats SET updated_ms = ?2 WHERE id = ?1") \
    X(CHAT_MESSAGE_INSERT, INDEXED, \
      "INSERT INTO chat_messages(chat, role, content, citations, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)") \
    X(CHAT_DELETE_MESSAGES, INDEXED, \
      "DELETE FROM chat_messages WHERE chat = (SELECT id FROM chats WHERE id = ?1 AND (?2 IS NULL OR owner = ?2))") \
    X(CHAT_DELETE, INDEXED, "DELETE FROM chats WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)") \
    X(CHAT_BY_ID, INDEXED, \
      "SELECT " SQL_CHAT_COLUMNS " FROM chats c WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)") \
    X(CHATS, WALKS, \
      "SELECT " SQL_CHAT_COLUMNS " FROM chats c WHERE ?2 IS NULL OR owner = ?2 ORDER BY updated_ms DESC, id DESC LIMIT ?1") \
    X(CHAT_MESSAGES, INDEXED, \
      "SELECT role, content, citations, created_ms FROM chat_messages WHERE chat = ?1 ORDER BY id DESC LIMIT ?2") \
    /* runs */ \
    X(RUN_INSERT, INDEXED, \
      "INSERT INTO ingestion_runs(collection, state, stage, error, done, total, failures, queued_ms, started_ms, beat_ms, " \
      "ended_ms) VALUES (?1, 1, '', '', 0, 0, 0, ?2, ?2, ?2, 0)") \
    X(RUN_ABANDON, INDEXED, \
      "UPDATE ingestion_runs SET state = 3, ended_ms = ?2, error = ?3 WHERE collection = ?1 AND state = 1") \
    /* one look from the newest on; a collection has few runs more than are kept */ \
    X(RUN_TRIM, INDEXED, \
      "DELETE FROM ingestion_runs WHERE collection = ?1 AND state > 1 AND id <= " \
      "(SELECT id FROM ingestion_runs WHERE collection = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)") \
    X(RUN_BY_ID, INDEXED, "SELECT " SQL_RUN_COLUMNS " FROM ingestion_runs WHERE id = ?1") \
    X(RUN_STATE, INDEXED, "SELECT state FROM ingestion_runs WHERE id = ?1") \
    X(RUN_BEAT, INDEXED, \
      "UPDATE ingestion_runs SET state = 1, stage = ?2, done = ?3, total = ?4, beat_ms = ?5, error = '', ended_ms = 0 " \
      "WHERE id = ?1") \
    X(RUN_END, INDEXED, \
      "UPDATE ingestion_runs SET state = ?2, error = ?3, failures = ?4, ended_ms = ?5 WHERE id = ?1 AND state <> 4") \
    X(RUN_REAP, INDEXED, \
      "UPDATE ingestion_runs SET state = 3, ended_ms = ?1, error = CASE state WHEN 0 THEN ?4 ELSE ?5 END " \
      "WHERE state IN (0, 1) AND ((state = 0 AND queued_ms < ?2) OR (state = 1 AND beat_ms < ?3))") \
    X(RUNS, INDEXED, "SELECT " SQL_RUN_COLUMNS " FROM ingestion_runs WHERE collection = ?1 ORDER BY id DESC LIMIT ?2") \
    /* feedback */ \
    X(FEEDBACK_INSERT, INDEXED, \
      "INSERT INTO feedback(collection, query, path, start_line, end_line, hash, verdict, at_ms) " \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)") \
    X(FEEDBACK_TRIM, INDEXED, "DELETE FROM feedback WHERE id <= ?1") \
    X(FEEDBACK_CLEAR, INDEXED, "DELETE FROM feedback WHERE collection = ?1") \
    X(FEEDBACKS, INDEXED, \
      "SELECT id, collection, query, path, start_line, end_line, hash, verdict, at_ms FROM feedback WHERE collection = ?1 " \
      "ORDER BY id DESC LIMIT ?2") \
    /* audit */ \
    X(AUDIT_INSERT, INDEXED, "INSERT INTO audit(at_ms, user, action, object, detail) VALUES (?1, NULL, ?2, ?3, ?4)") \
    X(AUDIT_TRIM, INDEXED, "DELETE FROM audit WHERE id <= ?1") \
    /* the newest few, by the key from its end */ \
    X(AUDITS, WALKS, "SELECT id, at_ms, action, object, detail FROM audit ORDER BY id DESC LIMIT ?1") \
    /* the newest few, by the key from its end */ \
    X(RUNS_ALL, WALKS, "SELECT " SQL_RUN_COLUMNS " FROM ingestion_runs ORDER BY id DESC LIMIT ?1") \
    /* the check reads everything, once, on purpose */ \
    X(CHECK_DOCS, WALKS, \
      "SELECT d.id, d.collection, d.path, d.version, d.first_chunk, d.chunk_count, coalesce(v.text_size, -1), v.document, " \
      "b.sha256, b.size, b.zstd, v.blob FROM documents d LEFT JOIN document_versions v ON v.id = d.version " \
      "LEFT JOIN blobs b ON b.id = v.blob ORDER BY d.collection, d.id") \
    X(CHECK_CHUNKS, INDEXED, \
      "SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0), coalesce(min(start), 0), coalesce(max(\"end\"), 0), " \
      "coalesce(sum(start > \"end\" OR start_line > end_line OR version <> ?2 OR collection <> ?3 OR length(hash) <> 16), 0) " \
      "FROM chunks WHERE document = ?1") \
    X(CHECK_ORPHANS, WALKS, \
      "SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = c.document)") \
    X(CHECK_SYMBOLS, WALKS, \
      "SELECT count(*) FROM symbols s WHERE s.start < 0 OR s.\"end\" <= s.start OR NOT EXISTS (SELECT 1 FROM documents d " \
      "JOIN document_versions v ON v.id = d.version WHERE d.id = s.document AND d.collection = s.collection " \
      "AND s.\"end\" <= v.text_size)") \
    X(CHECK_REFERENCES, WALKS, \
      "SELECT count(*) FROM document_references r WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = r.document)") \
    X(CHECK_PENDING, WALKS, \
      "SELECT count(*) FROM documents d WHERE d.pending <> (SELECT count(*) FROM chunks c WHERE c.document = d.id AND NOT EXISTS " \
      "(SELECT 1 FROM chunk_embeddings e, collections k, models m WHERE k.id = d.collection AND m.sha256 = k.model_id " \
      "AND e.collection = k.id AND e.model = m.id AND e.hash = c.hash))") \
    X(CHECK_COLLECTIONS, WALKS, \
      "SELECT id, name, chunks, rows, (SELECT count(*) FROM chunks c WHERE c.collection = collections.id), " \
      "(SELECT count(*) FROM chunk_embeddings e WHERE e.collection = collections.id AND e.slot >= collections.rows) " \
      "FROM collections ORDER BY id")
/* clang-format on */

typedef enum {
#define LOCAL_SQL_ID(name, plan, sql) SQL_##name,
    LOCAL_SQL_LIST(LOCAL_SQL_ID)
#undef LOCAL_SQL_ID
        SQL_COUNT
} SqlId;

#endif
