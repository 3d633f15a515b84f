/* lex_seg.h - one segment of the lexical index: an immutable file over the documents [first, first + docs).
 *
 * The file is one of parts (built.h). Its numbers: words[SEG_FIRST ...] below. Its parts:
 *
 *   DICT     terms in bytewise order, 32 to a group. Of a term: bytes shared with the one before (0 for the first of a group)
 *            and bytes of the rest, 4 bits each, or a byte 255 and a byte each; the rest; and its sizes: df, bytes of its
 *            postings, bytes of its positions (LexSizes below), in one byte where they are small, as most terms' are
 *   GROUPS   of a group of terms, 3 u32: where it begins in DICT, its first term's postings in POST, positions in POS
 *   POST     postings, see below
 *   POS      positions, see below
 *   LENGTHS  of each document its terms in all fields, at most 65,535: runs of 128, put into memory when the file is opened
 *   IDS      of 128 documents: i64 least (id - place), u32 where their rest begins in ID_BITS, u32 bits of it. Ids that
 *            follow each other take no bits
 *   ID_BITS  the rests, packed; such of more than 32 bits take 64
 *   TUPLES   u32, what the codes of postings mean: occurrences in the four fields, a byte each, symbol lowest
 *   REMOVED  u32, numbers of documents, here or earlier, that are removed from this segment on; rising
 *   DROPPED  bitmap of documents whose postings a merge left out; missing when there are none
 *
 * A posting is a document (counted from `first`) and a code. Postings stand in blocks of 128, the last one shorter. A
 * block is its documents' distances to the one before, less one, then the codes, each a run, or fewer than eight pairs
 * of both (lex_pack.h). A term of several blocks begins with a directory, 12 bytes a block:
 *
 *      0  4  last document         4  2  bytes of the block
 *      6  6  three points (tf, length), as small numbers: each posting of the block has no more tf and no less length
 *            than one of the points. tf is by the weights in the words, times TF_UNIT. So the best that a block can give
 *            is known for any k1, b and mean length, and any other weights too (by the ratio)
 *
 * Positions: of each posting, field by field, the distance of each occurrence to the one before in that field; in runs
 * of 128 numbers. A block's positions begin a run; those of a term of several blocks stand behind how many bytes each
 * block's take, in runs of 128 too. So ranking never reads any, and a phrase reads those of the blocks that it meets.
 *
 * Checksums are looked at when the file is opened; what is in it is still not believed: every document, code and offset
 * that is read is compared with its bounds (a file with right checksums may have been written by somebody else).
 *
 * Threads: a LexSeg is immutable but for refs.
 */
#ifndef PYTHIA_INDEX_LEX_SEG_H
#define PYTHIA_INDEX_LEX_SEG_H

#include <stdatomic.h>

#include "index/built.h"
#include "index/lex.h"
#include "index/lex_pack.h"

enum { LEX_BLOCK = LEX_RUN, LEX_GROUP = 32, LEX_DIR_BYTES = 12, LEX_POINTS = 3, LEX_TF_UNIT = 4 };
enum { LEX_TERM_MAX = 255, LEX_LENGTH_MAX = 65535, LEX_COUNT_MAX = 255, LEX_SIZES_LONG = 255 };
enum {
    PART_DICT,
    PART_GROUPS,
    PART_POST,
    PART_POS,
    PART_LENGTHS,
    PART_IDS,
    PART_ID_BITS,
    PART_TUPLES,
    PART_REMOVED,
    PART_DROPPED,
    LEX_PARTS
};
/* Sizes of a term in one byte: df - 1 in 0..6, and how many bytes its postings take beyond one a document and its
 * positions beyond one a document, 0..5 each, in mixed radix. LEX_SIZES_WIDE stands before three varints instead. Three
 * terms of four are in fewer than eight documents: a third byte less of each was 1.9 % of the text. */
enum { LEX_SIZES_DF = 7, LEX_SIZES_MORE = 6, LEX_SIZES_WIDE = 255 };
/* Two words each from SEG_LENGTH on: numbers of 64 bits. SEG_WEIGHTS: four floats. */
enum { LEX_LAYOUT = 1 }; /* of the parts, as told above; rises with every change of them */
enum {
    SEG_FIRST,
    SEG_COUNTED,
    SEG_TERMS,
    SEG_LAYOUT,
    SEG_LENGTH,
    SEG_POSTINGS = 6,
    SEG_POSITIONS = 8,
    SEG_WEIGHTS = 10
};

typedef struct {
    int64_t base;
    uint32_t at, bits;
} LexIdBlock;

typedef struct {
    atomic_uint refs;
    BuiltFile file; /* path and header */
    Built *built;
    uint32_t first, docs;
    uint32_t counted; /* documents that the statistics count: all but the dropped ones */
    uint32_t terms, groups, tuples, n_removed;
    uint64_t length, postings, positions; /* of the counted */
    float weights[LEX_FIELDS];            /* by which the points of blocks were made */
    Str dict, post, pos, id_bits;
    const uint32_t *group; /* [groups][3] */
    uint16_t *lengths;     /* [docs] the segment's own */
    const LexIdBlock *ids;
    const uint32_t *tuple;
    const uint32_t *removed;
    const uint64_t *dropped; /* NULL: none */
} LexSeg;

/* A term of a segment. */
typedef struct {
    const LexSeg *seg;
    char term[LEX_TERM_MAX];
    size_t term_n;
    uint32_t df;
    Str post, pos;
} LexEntry;

/* A block of postings where it lies. */
typedef struct {
    uint32_t last; /* document, UINT32_MAX when the block does not tell */
    uint32_t n;
    uint64_t prev; /* documents begin behind prev - 1 */
    const uint8_t *at;
    size_t room; /* bytes that it may use */
    uint32_t pos_at, pos_bytes;
    uint8_t points[LEX_POINTS][2];
} LexBlockAt;

/* Path of a segment's file; ERR_LIMIT when too long. */
MUST_USE Err seg_path(const char *dir, uint64_t generation, uint32_t first, uint32_t end, char *out, size_t room);
/* The header all segments of a generation have. */
IndexHead seg_head(uint64_t generation);

/* ERR_NO_INDEX when the file is not there, ERR_CORRUPT when it is not what a segment is. */
MUST_USE Err seg_open(const char *dir, uint64_t generation, uint32_t first, uint32_t end, LexSeg **out);
void seg_hold(LexSeg *s);
void seg_drop(LexSeg *s); /* NULL is fine; the last one closes */
MUST_USE Err seg_bad(const LexSeg *s, const char *what);

int64_t seg_id(const LexSeg *s, uint32_t doc);
/* Calls found for each document whose id is in the ranges. Cost: the blocks of 128 that may hold one. */
void seg_find(const LexSeg *s, const ChunkRange *ranges, size_t n, void (*found)(void *ctx, uint32_t number),
              void *ctx);

static inline bool seg_is_dropped(const LexSeg *s, uint32_t doc) {
    return s->dropped && s->dropped[doc / 64] >> (doc % 64) & 1;
}

/* *found: the segment has the term. Cost: ~1 us, a binary search among groups. */
MUST_USE Err seg_term(const LexSeg *s, Str term, LexEntry *out, bool *found);

/* Terms in order, from the first that is not below `from` on; *more false: there is none (any more). */
typedef struct {
    LexEntry entry; /* where the walk is */
    uint32_t place; /* of the term behind it */
    const uint8_t *at;
    uint64_t post_at, pos_at;
} LexWalk;
MUST_USE Err seg_walk(const LexSeg *s, Str from, LexWalk *out, bool *more);
MUST_USE Err seg_walk_next(LexWalk *w, bool *more);

static inline size_t seg_blocks(uint32_t df) { return ((size_t)df + LEX_BLOCK - 1) / LEX_BLOCK; }
/* Where the blocks of a term lie: out [seg_blocks(df)]; and where their positions do, for who reads any. */
MUST_USE Err seg_block_list(const LexEntry *e, LexBlockAt *out);
MUST_USE Err seg_positions_list(const LexEntry *e, LexBlockAt *blocks);
/* docs, codes: [LEX_BLOCK]. Rising documents below s->docs, codes below s->tuples. */
MUST_USE Err seg_block_read(const LexSeg *s, const LexBlockAt *b, uint32_t *docs, uint32_t *codes);
/* Numbers of positions of a block of these codes, at most LEX_BLOCK * 4 * 255, and the numbers: out [that many]. */
size_t seg_positions_count(const LexSeg *s, const uint32_t *codes, size_t n);
MUST_USE Err seg_positions_read(const LexEntry *e, const LexBlockAt *b, size_t n, uint32_t *out);

static inline unsigned tuple_count(uint32_t tuple, unsigned field) { return tuple >> (8 * field) & 255; }
static inline unsigned tuple_sum(uint32_t t) { return (t & 255) + (t >> 8 & 255) + (t >> 16 & 255) + (t >> 24); }

#endif
