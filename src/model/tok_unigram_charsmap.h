/* tok_unigram_charsmap.h - SentencePiece's normaliser: a map from short texts to their replacements, compiled into
 * bytes (tokenizer.ggml.precompiled_charsmap).
 *
 * The bytes are: u32 length of the trie, the trie, then the replacements, each ended by a NUL. The trie is a double
 * array (Yata's, as darts-clone packs it), 32 bits a unit: bits 0-7 label, 8 has a value below it, 9 offset is in 256s,
 * 10-30 offset; of a value unit bits 0-30 are the value, a place among the replacements. The child of a node by byte b
 * stands at node ^ offset ^ b, its value, if any, at node ^ offset.
 *
 * Threads: immutable.
 */
#ifndef PYTHIA_MODEL_TOK_UNIGRAM_CHARSMAP_H
#define PYTHIA_MODEL_TOK_UNIGRAM_CHARSMAP_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

typedef struct {
    const char *units; /* [n_units] little-endian, unaligned; NULL: nothing is replaced */
    size_t n_units;
    Str replacements; /* ends in a NUL */
    Str ascii[128];   /* what each becomes when it stands alone; p NULL: itself */
} TokCharsmap;

/* Borrows the bytes. Nothing in them is trusted: a walk that leaves the trie ends there. Errors: ERR_CORRUPT when the
 * lengths cannot be. name: the model's. */
MUST_USE Err tok_charsmap_open(TokCharsmap *m, Str bytes, const char *name);

/* Appends text, replaced, to out. text is well-formed. Cost: ~2 ns a byte of ASCII. */
void tok_charsmap_apply(const TokCharsmap *m, Str text, Buf *out);

#endif
