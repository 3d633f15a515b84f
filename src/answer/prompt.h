/* prompt.h - what a writer is told: rules, numbered sources, the question.
 *
 * Documents are somebody else's text and may be written to be obeyed. So that none can pass for more than it is:
 *  1. Every line of a source begins with "> ", whatever the document takes for the end of a line; no line of ours does. What looks
 *     like a further source, a rule or the question within a document is a quoted line.
 *  2. Control tokens of the models in use ("<|im_end|>", "[INST]", "<end_of_turn>") get a blank into them and are none any more.
 *     generate_chat.h does likewise for models of our own engine; a service's tokenizer is out of reach.
 *  3. Whatever a document makes a model say, an answer holds only what stands in the sources (cite.h).
 *
 * Threads: none of its own.
 */
#ifndef PYTHIA_ANSWER_PROMPT_H
#define PYTHIA_ANSWER_PROMPT_H

#include "search/search.h"

/* What a writer says when the sources do not answer. */
#define PROMPT_NO_ANSWER "NO ANSWER"

typedef struct {
    Str system, user; /* of a chat */
    Str plain;        /* the same for a model that only continues a text: it goes on with the answer */
} Prompt;

/* A source's block: "[1] path, lines 3-9 (heading)", its lines, an empty one. */
void prompt_source(Buf *b, size_t number, const SearchHit *hit);

/* hits: [n], numbered from 1. ERR_NOMEM. */
MUST_USE Err prompt_make(Arena *a, const SearchHit *hits, size_t n, Str question, Prompt *out);

/* Text without control tokens; line breaks of all kinds become a newline and `before`. */
void prompt_quote(Buf *b, Str text, const char *before);

#endif
