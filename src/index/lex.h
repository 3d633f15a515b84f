/* lex.h - the lexical index: which documents hold these words, the best first by BM25F.
 *
 *     score = sum over the query's terms of  weight * idf * tf (k1 + 1) / (tf + k1 (1 - b + b length / mean length))
 *     idf   = ln(1 + (N - df + 0.5) / (df + 0.5)),   tf = sum over fields of field weight * occurrences
 *
 * (Robertson & Zaragoza 2009, the simple form of BM25F; idf as Lucene has it.) length: terms of all fields, those that
 * share a position with the one before not counted. Occurrences count up to 255 a field, lengths up to 65,535.
 *
 * Documents are numbered 0, 1, 2 ... in order of adding; each keeps the id that the caller gave (a chunk's). Fields are
 * turned into terms by the Analyzer (analyze.h), which keeps the text nowhere: the index has terms and positions only.
 *
 * Life: an index is a folder of immutable segments, lex-<generation>-<first>-<end>.seg, each over the documents [first,
 * end). A writer gathers documents in memory; lex_sync writes them as a segment and tells the count of numbers given so
 * far; the caller commits that count in its own transaction and hands it back as LexSpec.committed at the next open.
 * Removals travel in the segment too, so that they count when it does: the store's commit is the only commit
 * (docs/adr/0003), and kill -9 at any moment leaves exactly what was committed.
 *
 * Statistics (N, df, mean length) are those of the documents that can be found, in all segments together: the same
 * documents have the same scores, whatever came and went before them. Nobody keeps the terms of a removed document, so
 * a search looks for those that are still in its terms' postings and counts them out; it reads the blocks that may have
 * one, which are few until the next merge drops them. (Lucene counts them in until then, and its scores depend on when
 * it merges.)
 *
 * Ranking is exact: what is skipped is proven not to belong among the k (lex_search.c), and sums are whole numbers, so
 * the order in which terms are added changes nothing; the same scores, bit for bit, as with LexSearch.exhaustive.
 *
 * Threads: any number of searches beside one writer, in this process or another. A reader keeps the segments it was
 * opened with; searches of a writer's own handle see what its last lex_sync or lex_merge left. lex_add, lex_remove,
 * lex_sync, lex_merge and lex_compact are for one thread.
 */
#ifndef PYTHIA_INDEX_LEX_H
#define PYTHIA_INDEX_LEX_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/types.h"
#include "index/analyze.h"

typedef struct LexIndex LexIndex;

/* The columns that a document has; heading takes its titles too. */
typedef enum { LEX_SYMBOL, LEX_PATH, LEX_HEADING, LEX_BODY, LEX_FIELDS } LexField;

typedef struct {
    float k1, b;               /* k1 > 0, b in [0, 1] */
    float weights[LEX_FIELDS]; /* what an occurrence counts, >= 0 */
} LexSettings;

/* 0.9, 0.5, {5, 2, 2, 1}, which serve words and vectors together best (docs/adr/0017). */
extern const LexSettings lex_settings_default;

typedef struct {
    const char *dir;     /* made when missing (writer) */
    uint64_t generation; /* names the files */
    uint32_t committed;  /* numbers that count: 0, or a count that lex_sync gave */
    bool writer;         /* takes the folder's lock: ERR_BUSY when another process has it */
    size_t full;         /* bytes from which on a segment is joined with no other; 0: LEX_FULL */
} LexSpec;

enum { LEX_FULL = 16 << 20 };

/* Segments are missing though committed > 0: ERR_NO_INDEX; damaged: ERR_CORRUPT with file and byte; both name the
 * command that rebuilds. Every checksum is looked at (some 20 GB/s). A writer removes what a crash left behind. */
MUST_USE Err lex_open(LexIndex **out, const LexSpec *spec);
void lex_close(LexIndex *ix); /* NULL is fine; no search may be under way */

/* ---- writing ---- */

/* Adds a document; *number is its. The analyser is the caller's, for this thread. Invisible until lex_sync; when much
 * is gathered it is written out, still invisible. After a failure of lex_add or lex_sync the handle takes no more:
 * close it and open it again with what is committed. Cost: some 12 us a chunk of 400 bytes, nearly all of it the
 * analyser and counting. */
MUST_USE Err lex_add(LexIndex *ix, Analyzer *a, int64_t id, const Str fields[LEX_FIELDS], uint32_t *number);

/* Documents that are analysed on any thread on their way into an index: nearly all that lex_add costs. Threads: one a
 * batch. */
typedef struct LexBatch LexBatch;
MUST_USE Err lex_batch_open(LexBatch **out);
void lex_batch_close(LexBatch *b); /* NULL is fine */
void lex_batch_clear(LexBatch *b); /* no documents; memory that is not much is kept for the next ones */
/* After a failure only clear and close are allowed. */
MUST_USE Err lex_batch_add(LexBatch *b, Analyzer *a, const Str fields[LEX_FIELDS]);
uint32_t lex_batch_size(const LexBatch *b); /* documents in it */
/* As lex_add of its documents [from, from + n) one after the other, with the ids first, first + 1 … Cost: a look-up a
 * distinct term of the batch, once for all of its parts; some tenth of what lex_add costs. */
MUST_USE Err lex_add_batch(LexIndex *ix, LexBatch *b, uint32_t from, uint32_t n, int64_t first);

/* Removes every document with an id in the ranges (sorted, apart) that the last lex_sync covers, from the next lex_sync
 * on; *n_removed of them (NULL: not asked for). ERR_INPUT for ranges out of order. */
MUST_USE Err lex_remove(LexIndex *ix, const ChunkRange *ranges, size_t n, size_t *n_removed);

/* Everything added and removed is durable from here; *committed is the count to commit. A sync of removals alone uses
 * up one number, so that the count tells of it. Nothing to write costs nothing. */
MUST_USE Err lex_sync(LexIndex *ix, uint32_t *committed);

/* Whether lex_merge(ix, false) has something to join: the caller's store must be durable by then, since a merge removes
 * the segments that an older count names. */
bool lex_merge_due(const LexIndex *ix);

/* Joins segments where it pays (more than 8 of them behind the last full one: those of like size at the end; or a third
 * of one removed); `all`: to one, without what is removed. To be called when the count of the last lex_sync is
 * committed, durably. Numbers stay as they are. Nothing to do is ERR_OK; a deadline or any other failure leaves the
 * segments as they were. */
MUST_USE Err lex_merge(LexIndex *ix, bool all, const Deadline *deadline);

/* Writes the index anew as generation + 1 without removed documents, numbered without gaps; *committed is the count to
 * commit with it. The old files stay until lex_drop, this handle on the old generation. Worth it when most numbers are
 * removed. */
MUST_USE Err lex_compact(LexIndex *ix, uint32_t *committed);

/* Removes a generation's files. */
MUST_USE Err lex_drop(const char *dir, uint64_t generation);

/* ---- searching ---- */

typedef enum { LEX_SHOULD, LEX_MUST, LEX_MUST_NOT } LexOccur;
typedef enum { LEX_TERM, LEX_PHRASE, LEX_PREFIX } LexKind;

/* A term, terms that stand one behind the other in one field, or all terms that begin so. A phrase and a prefix score
 * as one term does that stands where they do. MUST and MUST_NOT decide what is found; a MUST scores as well. */
typedef struct {
    LexKind kind;
    LexOccur occur;
    const Str *terms; /* [n] as the analyser gives them; n is 1 unless it is a phrase */
    size_t n;
    float weight; /* how often it stands in the query; words that only ask count less (lex_query_read) */
} LexClause;

typedef struct {
    const LexClause *clauses;
    size_t n;
} LexQuery;

#define LEX_CLAUSES_MAX 256 /* of a query; words take 224 of them at most, further ones are not looked at */
#define LEX_PHRASE_MAX  32  /* terms of a phrase; further ones are not looked at */

/* Words, and "phrases", which must stand; a quote without a partner is a blank. operators: also +word, -word (also
 * before a phrase) and word*. "how", "does", "with" and their like (base/english.h) count 0.4 of what other words do.
 * Everything is in the arena. A query without a word has no clauses. */
MUST_USE Err lex_query_read(Arena *arena, Analyzer *a, Str text, bool operators, LexQuery *out);

typedef struct {
    uint32_t number;
    float score;
    int64_t id;
} LexHit;

/* What a search did, for the curious. */
typedef struct {
    uint32_t blocks;  /* of postings decoded, 128 each at most */
    uint32_t windows; /* of 4,096 numbers that were looked into */
    uint32_t skipped; /* ... and those that were not */
} LexReport;

/* Memory that searches of one thread reuse. */
typedef struct LexScratch LexScratch;
MUST_USE Err lex_scratch_open(LexScratch **out);
void lex_scratch_close(LexScratch *s); /* NULL is fine */

typedef struct {
    size_t k;
    const LexSettings *settings; /* NULL: the defaults */
    const uint64_t *allowed;     /* bitmap over numbers, bit 1: may be returned; NULL: all */
    uint32_t n_allowed;          /* numbers that the bitmap covers; higher ones are not allowed */
    const Deadline *deadline;    /* NULL: none; when it is reached the best so far is returned with ERR_DEADLINE */
    bool exhaustive;             /* nothing is skipped: for tests */
    LexScratch *scratch;         /* for one thread; NULL: taken and given back by the call */
    LexReport *report;           /* NULL: not asked for */
} LexSearch;

/* out: [k], by falling score, ties by rising number; *n of them: all that match when there are fewer than k. Empty
 * terms, a phrase without terms, settings out of range: ERR_INPUT. */
MUST_USE Err lex_search(const LexIndex *ix, const LexQuery *q, const LexSearch *how, LexHit *out, size_t *n);

/* Sets the bits of live documents with an id in the ranges (sorted, apart); bits: [(numbers + 63) / 64], numbers from
 * lex_stats; *count of them. Others are left as they are. */
MUST_USE Err lex_allow(const LexIndex *ix, const ChunkRange *ranges, size_t n, uint64_t *bits, uint32_t numbers,
                       size_t *count);

/* In how many documents a term stands, as the analyser gives it; those count in that were removed and that no merge has
 * dropped yet. */
MUST_USE Err lex_term_count(const LexIndex *ix, Str term, uint32_t *n);

/* ---- looking after it ---- */

/* Ids of the documents that can be found, in order of their numbers: out [room], at most that many. Returns how many
 * there are. */
size_t lex_ids(const LexIndex *ix, int64_t *out, size_t room);

typedef struct {
    uint32_t numbers; /* given so far, as of the last lex_sync: what allowed covers */
    uint32_t live;    /* documents that can be found */
    uint32_t removed; /* removed and not dropped by a merge yet */
    uint32_t segments;
    uint64_t terms; /* summed over segments */
    uint64_t postings, positions;
    double mean_length;
    int64_t bytes; /* on disk, all of it */
    int64_t position_bytes;
} LexStats;
void lex_stats(const LexIndex *ix, LexStats *out);

/* Reads everything: checksums, order of terms and numbers, counts. One line a finding into report; ERR_CORRUPT when
 * there was one. */
MUST_USE Err lex_check(const LexIndex *ix, Buf *report);

#endif
