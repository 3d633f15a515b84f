/* fresh.h - the live text of hits: each file is read once for all hits in it, and forgotten before the next. */
#ifndef PYTHIA_SEARCH_FRESH_H
#define PYTHIA_SEARCH_FRESH_H

#include "search/search.h"

#define FRESH_FILE_MAX   ((size_t)64 * 1024 * 1024) /* bytes; a file that grew larger is `changed`, without content */
#define FRESH_HASH_BYTES ((size_t)4 * 1024 * 1024)  /* hashed at most while looking for where a chunk went: some 3 ms */

/* A document as it is now. */
typedef struct {
    Str text; /* decoded as the chunker saw it */
    bool present;
    bool kept;       /* from the store: text that was made from the file, or has none */
    bool outdated;   /* kept, and the file has other bytes now */
    bool readable;   /* false: present, but too large to be read */
    bool untouched;  /* size and time are those that were indexed */
    int64_t growth;  /* bytes that the file is longer than when it was indexed */
    uint32_t *lines; /* [n_lines + 1] starts of lines, the text's length behind; made when first needed */
    size_t n_lines;
} LiveText;

/* Reads the document that c belongs to. A file that cannot be read, or that has left root (through a link), counts as
 * gone: one bad file must not cost the whole search. Errors: ERR_NOMEM, ERR_CORRUPT and others of store_text. */
MUST_USE Err live_read(Arena *scratch, Store *s, Str root, const StoreChunk *c, LiveText *out);

/* Where c is in the live text; content points into it. Fills c's span and lines when it moved. */
MUST_USE Err live_place(Arena *scratch, LiveText *live, StoreChunk *c, Freshness *fresh, Str *content);

/* The texts of many chunks, each file read once: chunks that are alike often stand in one. One thread's. */
typedef struct {
    int64_t id;
    LiveText live;
} LiveDoc;
typedef struct {
    Arena *arena; /* all that is read is in it */
    Store *store;
    Str root;
    LiveDoc *docs; /* [n] read so far */
    size_t n;
} LiveDocs;

/* room: documents that may be asked for, at most. */
MUST_USE Err live_docs_begin(LiveDocs *d, Arena *arena, Store *s, Str root, size_t room);
/* The chunk's text as it is now, where it is (live_place). Errors as live_read's. */
MUST_USE Err live_docs_place(LiveDocs *d, StoreChunk *c, Freshness *fresh, Str *out);
/* The chunk's text, {NULL, 0} when it is not what was indexed any more. */
MUST_USE Err live_docs_text(LiveDocs *d, StoreChunk *c, Str *out);

/* What of a hit is shown: its chunk; the chunk and all of the symbol or section that it is a part of; exactly its
 * symbol. */
typedef enum { FILL_CHUNK, FILL_WHOLE, FILL_SYMBOL } FillWidth;

/* chunk_live for all hits; source_of[i] indexes sources. Contents are copied into a. width: hits may be widened to all
 * that they are a part of, or become exactly their symbol (symbol_span). */
MUST_USE Err fresh_fill(Arena *a, const SearchSource *sources, const uint32_t *source_of, SearchHit *hits, size_t n,
                        FillWidth width);

/* Narrows a filled hit to bytes [from, to) of its content, with the indentation before them; one that is changed or
 * gone stays as it is. */
void hit_narrow(SearchHit *h, int64_t from, int64_t to);

#endif
