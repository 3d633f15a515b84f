/* chunk.h - from a text to chunks, and to the definitions and names in it. A chunker is one file and one line in the
 * table in chunk.c; a programming language one line in grammar.c and its rules.
 *
 * Code is cut by its syntax tree: a chunk ends best before a definition (its comments and decorators stay with it),
 * else between statements; small neighbours stand together in one chunk, large definitions are in several. Broken code
 * is cut too: what the grammar cannot make out is judged by its lines, as are languages without a grammar.
 *
 * Part of every chunker's contract: chunks are in order, do not overlap, cut only at line starts (a line longer than
 * the budget is cut at blanks, else at code points), leave out only blank text, have at most max_tokens tokens by the
 * model's own count, and the same text gives the same chunks. A chunk starts at a line's first byte, indentation and
 * all, and ends behind its last byte that is not blank (space, tab, CR, LF, VT, FF).
 *
 * The budget counts bytes too, CHUNK_BYTES_PER_TOKEN to a token: to many tokenizers a megabyte without a blank is one
 * unknown word, but it is no chunk. Indentation of more than 1,000 bytes is left out.
 */
#ifndef PYTHIA_CHUNK_CHUNK_H
#define PYTHIA_CHUNK_CHUNK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/types.h"

typedef struct {
    size_t max_tokens;    /* of a chunk, special tokens not counted; e.g. 254 for a model of 256 */
    size_t target_tokens; /* chunks are ended at the best border at or before this; 0: max_tokens * 3 / 4 */
    size_t (*count_tokens)(const void *ctx, Str text);
    const void *count_ctx;
} ChunkOpts;

#define CHUNK_MAX             200000 /* of one document */
#define CHUNK_BYTES_PER_TOKEN 64     /* text has 3 to 6; a chunk of more than one line never has more than this */
#define CHUNK_SKIM_BYTES      4096
#define CHUNK_TOKENS_LEAST    8 /* a budget in which every code point fits */

/* What a chunker is, and by what collections that another one made are told apart. */
#define CHUNKER_VERSION 2

typedef struct {
    Chunk *chunks;
    size_t n;
    Symbol *symbols; /* [n_symbols] by start, outer ones first: definitions, or headings */
    size_t n_symbols;
    Reference *references; /* [n_references] by name, then line, each line once */
    size_t n_references;
    const char *by;  /* "tree", "headings", "lines" */
    const char *why; /* by lines, though the language has a grammar: why; else NULL */
    size_t errors;   /* places in the tree that the grammar could not make out */
} DocChunks;

/* Chunks of doc->text in the arena, hashes filled in. Borders by lines, in order of preference: a blank line before a
 * line of less or equal indentation, a blank line, any line. Headings of Markdown and reStructuredText start a chunk
 * and are kept in chunk.heading; a heading with nothing below it goes on into the section behind it. The marks of an
 * extracted document do the same, and set chunk.page: no chunk crosses a page. Empty or blank text gives none. Cost:
 * linear in the text: each line is counted once, each chunk once more, the pieces of a long line a few times.
 * ERR_LIMIT: max_tokens below CHUNK_TOKENS_LEAST, over CHUNK_MAX chunks, over 2 GB of text. */
MUST_USE Err chunk_doc(Arena *a, const Doc *doc, const ChunkOpts *opts, DocChunks *out);

/* Coarse chunks, quickly: of CHUNK_SKIM_BYTES at most, cut where a paragraph at the left margin begins, else at a blank
 * line, else at any. Neither the syntax tree nor the tokenizer is asked, so they have neither symbol nor heading, and
 * `tokens` is CHUNK_COARSE; for the rest they keep the contract above. So that the words of many files can be found
 * before they are cut for good. Cost: 1.5 GB/s, and their hashes. ERR_LIMIT: over CHUNK_MAX chunks. */
MUST_USE Err chunk_skim(Arena *a, const Doc *doc, DocChunks *out);

/* Makes all grammars ready: ERR_INTERNAL names one that does not fit. *n: how many there are. Cost: 1 ms once. */
MUST_USE Err chunk_check(size_t *n);

#endif
