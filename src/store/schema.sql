-- schema.sql - the tables of the local store, version 9 (PRAGMA user_version). The build turns this file into a string.
-- PostgreSQL has the same tables under the same names.
--
-- Invariants (store_check proves them):
--  1. A document is unique by (collection, tenant, source_uri).
--  2. The chunks of a document have consecutive ids: [first_chunk, first_chunk + chunk_count). They belong to its active
--     version and lie inside that version's text.
--  3. collections.chunks is the sum over its documents; the collection's lexical index has as many (engine/words.h).
--  4. chunk_embeddings says where a vector stands in the collection's index; the numbers are in the index file alone.
--  5. Symbols and references are of a document's active version and inside its text.
--  6. documents.pending is the number of its chunks without a vector of the collection's model (local_pending.c).

CREATE TABLE collections (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    root        TEXT NOT NULL,
    describe    TEXT NOT NULL,
    model_name  TEXT NOT NULL,
    model_id    BLOB NOT NULL,               -- SHA-256 of the model file
    dim         INTEGER NOT NULL,
    index_kind  TEXT NOT NULL,
    generation  INTEGER NOT NULL,            -- of the index files
    rows        INTEGER NOT NULL,            -- committed rows of the index
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    settings    TEXT NOT NULL,               -- JSON
    pending     INTEGER,                     -- chunks without a vector when the last run ended; NULL: it has not, or was killed
    pending_files INTEGER,                   -- documents with such chunks
    chunks      INTEGER NOT NULL DEFAULT 0,
    lex_generation INTEGER NOT NULL DEFAULT 0, -- of the lexical index's files; 0: there are none
    lex_count   INTEGER NOT NULL DEFAULT 0   -- committed numbers of the lexical index
);

CREATE TABLE documents (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    collection  INTEGER NOT NULL REFERENCES collections(id),
    tenant      TEXT NOT NULL DEFAULT '',
    source_uri  TEXT NOT NULL,
    path        TEXT NOT NULL,
    title       TEXT NOT NULL,
    lang        TEXT NOT NULL,
    state       INTEGER NOT NULL,            -- DocState: 0 active, 1 skipped, 2 failed
    reason      TEXT NOT NULL,
    sha256      BLOB NOT NULL,               -- of the original bytes
    size        INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    version     INTEGER NOT NULL DEFAULT 0,  -- the active one, 0 none
    indexed_ms  INTEGER NOT NULL,
    first_chunk INTEGER NOT NULL DEFAULT 0,
    chunk_count INTEGER NOT NULL DEFAULT 0,
    prior       INTEGER NOT NULL DEFAULT 1000, -- thousandths: what its hits count beside those of other documents
    cut         INTEGER NOT NULL DEFAULT 0,  -- DocCut: 0 as the collection's settings want, 1 skimmed, 2 by older settings
    pending     INTEGER NOT NULL DEFAULT 0,  -- of its chunks those without a vector of the collection's model
    meta        TEXT NOT NULL DEFAULT '',    -- what it says of itself: lines "name<tab>value" (base/meta.h)
    changed_ms  INTEGER NOT NULL DEFAULT 0,  -- its last change as it says itself; 0: it does not, mtime_ns is meant
    UNIQUE (collection, tenant, source_uri)
);
CREATE INDEX documents_path   ON documents(collection, path);
CREATE INDEX documents_chunks ON documents(collection, first_chunk);

CREATE TABLE blobs (                         -- kept texts, content-addressed
    id          INTEGER PRIMARY KEY,
    sha256      BLOB NOT NULL UNIQUE,        -- of the text
    size        INTEGER NOT NULL,            -- of the text
    zstd        BLOB NOT NULL
);

CREATE TABLE document_versions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    document    INTEGER NOT NULL REFERENCES documents(id),
    sha256      BLOB NOT NULL,
    size        INTEGER NOT NULL,
    text_size   INTEGER NOT NULL,            -- bytes that chunk spans count in
    blob        INTEGER REFERENCES blobs(id),
    created_ms  INTEGER NOT NULL,
    UNIQUE (document, sha256)
);
CREATE INDEX document_versions_blob ON document_versions(blob) WHERE blob IS NOT NULL;

CREATE TABLE chunks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    collection  INTEGER NOT NULL REFERENCES collections(id),
    document    INTEGER NOT NULL REFERENCES documents(id),
    version     INTEGER NOT NULL,
    start       INTEGER NOT NULL,            -- bytes [start, "end") of the version's text
    "end"       INTEGER NOT NULL,
    start_line  INTEGER NOT NULL,
    end_line    INTEGER NOT NULL,
    page        INTEGER NOT NULL,
    tokens      INTEGER NOT NULL,            -- CHUNK_COARSE (-1): of a skimmed document, not to be embedded
    symbol      TEXT NOT NULL,
    names       TEXT NOT NULL DEFAULT '',    -- of all definitions that begin in it; '': it is the symbol alone
    kind        TEXT NOT NULL,
    heading     TEXT NOT NULL,
    hash        BLOB NOT NULL                -- 16 bytes
);
CREATE INDEX chunks_collection ON chunks(collection);
CREATE INDEX chunks_document   ON chunks(document);
CREATE INDEX chunks_hash       ON chunks(collection, hash);
CREATE INDEX chunks_kind       ON chunks(collection, kind);

CREATE TABLE symbols (                       -- definitions; local_symbols.c
    document    INTEGER NOT NULL REFERENCES documents(id),
    place       INTEGER NOT NULL,            -- in order of the text, outer ones first
    collection  INTEGER NOT NULL REFERENCES collections(id),
    name        TEXT NOT NULL,               -- "next", the end of path
    path        TEXT NOT NULL,               -- "Backoff.next"
    kind        TEXT NOT NULL,
    signature   TEXT NOT NULL,
    start       INTEGER NOT NULL,            -- bytes [start, "end") of the active version's text, comments before it included
    "end"       INTEGER NOT NULL,
    line        INTEGER NOT NULL,            -- of the name
    start_line  INTEGER NOT NULL,
    end_line    INTEGER NOT NULL,
    PRIMARY KEY (document, place)
) WITHOUT ROWID;
CREATE INDEX symbols_name ON symbols(collection, name);

CREATE TABLE document_references (           -- which names stand on which lines: "name<tab>line +lines...<newline>" by name
    document    INTEGER PRIMARY KEY REFERENCES documents(id),
    size        INTEGER NOT NULL,
    zstd        BLOB NOT NULL
);

CREATE TABLE models (
    id          INTEGER PRIMARY KEY,
    sha256      BLOB NOT NULL UNIQUE
);

CREATE TABLE chunk_embeddings (
    collection  INTEGER NOT NULL REFERENCES collections(id),
    model       INTEGER NOT NULL REFERENCES models(id),
    hash        BLOB NOT NULL,
    slot        INTEGER NOT NULL,
    PRIMARY KEY (collection, model, hash)
) WITHOUT ROWID;
CREATE INDEX chunk_embeddings_slot ON chunk_embeddings(collection, model, slot);
CREATE INDEX chunk_embeddings_hash ON chunk_embeddings(model, hash);

CREATE TABLE ingestion_runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    collection  INTEGER NOT NULL REFERENCES collections(id),
    state       INTEGER NOT NULL,            -- RunState: 0 queued, 1 running, 2 succeeded, 3 failed, 4 cancelled
    stage       TEXT NOT NULL,
    error       TEXT NOT NULL,
    done        INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    queued_ms   INTEGER NOT NULL,
    started_ms  INTEGER NOT NULL,
    beat_ms     INTEGER NOT NULL,
    ended_ms    INTEGER NOT NULL
);
CREATE INDEX ingestion_runs_collection ON ingestion_runs(collection);
CREATE INDEX ingestion_runs_state      ON ingestion_runs(state);

CREATE TABLE chats (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    title       TEXT NOT NULL,
    collections TEXT NOT NULL,               -- JSON list of names
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    owner       TEXT NOT NULL DEFAULT ''     -- id of the token it was begun with; '': nobody's in particular
);

CREATE TABLE chat_messages (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    chat        INTEGER NOT NULL REFERENCES chats(id),
    role        TEXT NOT NULL,               -- user, assistant
    content     TEXT NOT NULL,
    citations   TEXT NOT NULL,               -- JSON
    created_ms  INTEGER NOT NULL
);
CREATE INDEX chat_messages_chat ON chat_messages(chat);

CREATE TABLE feedback (                      -- what people made of hits, for evaluation; local_feedback.c
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    collection  INTEGER NOT NULL REFERENCES collections(id),
    query       TEXT NOT NULL,
    path        TEXT NOT NULL,               -- of the document
    start_line  INTEGER NOT NULL,            -- of the chunk, as it was
    end_line    INTEGER NOT NULL,
    hash        BLOB NOT NULL,               -- of the chunk's text, as it was
    verdict     INTEGER NOT NULL,            -- FeedbackVerdict: 0 clicked, 1 useful, 2 useless
    at_ms       INTEGER NOT NULL
);
CREATE INDEX feedback_collection ON feedback(collection);

CREATE TABLE users (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    role        TEXT NOT NULL,               -- read, write, admin
    created_ms  INTEGER NOT NULL
);

CREATE TABLE tokens (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user        INTEGER NOT NULL REFERENCES users(id),
    hash        BLOB NOT NULL UNIQUE,        -- SHA-256 of the token; the token itself is shown once and kept nowhere
    role        TEXT NOT NULL,
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER NOT NULL,            -- 0: never
    revoked_ms  INTEGER NOT NULL
);
CREATE INDEX tokens_user ON tokens(user);

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms       INTEGER NOT NULL,
    user        INTEGER,
    action      TEXT NOT NULL,
    object      TEXT NOT NULL,
    detail      TEXT NOT NULL                -- JSON; never a document, a query or a key
);
CREATE INDEX audit_at ON audit(at_ms);
