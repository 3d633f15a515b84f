/* pair.h - a query and a document as one text for a cross-encoder: the tokens of both between the tokenizer's marks,
 * cut as Hugging Face tokenizers cut a pair ("longest first"). Private to the room.
 */
#ifndef PYTHIA_MODEL_PAIR_H
#define PYTHIA_MODEL_PAIR_H

#include "base/arena.h"
#include "model/tok.h"

typedef struct {
    const Tok *tok;
    const int32_t *query; /* [at most max] ids */
    size_t n_query;       /* all there are, those not kept too */
    size_t max;           /* tokens of a pair, marks counted */
    size_t between;       /* marks between the two: 1 ([SEP]), RoBERTa's 2 (</s></s>) */
} Pair;

/* Encodes the query into the arena. ERR_UNSUPPORTED: a tokenizer without marks for a pair; ERR_LIMIT: max leaves no
 * room for a token of each; ERR_CORRUPT: the file asks for marks that cannot be. g: pythia.pair.separators, how many
 * marks stand between the two, for models that do not do as their tokenizer's kind mostly does. */
MUST_USE Err pair_open(Pair *out, Arena *a, const Gguf *g, const Tok *tok, size_t max, Str query);

/* [CLS] query [SEP] doc [SEP] into ids [cap >= max]; *n is how many there would be without cutting, *second how many
 * stand before the document. The pair is cut to max. */
MUST_USE Err pair_encode(const Pair *p, Str doc, int32_t *ids, size_t cap, size_t *n, uint32_t *second);

#endif
