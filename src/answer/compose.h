/* compose.h - an answer as it is written: cut into sentences, each checked before anybody sees it.
 *
 *     writer ──pieces──▶ sentence ──cite_check──▶ it holds: told, with its citations ──▶ answer
 *                                            └──▶ it does not: taken out, kept with the reason
 *
 * So nothing that was shown is ever taken back, and every citation of what is shown is valid, whoever wrote it
 * (docs/adr). What a model thinks aloud before it answers ("<think>") is no part of the answer.
 *
 * Threads: one.
 */
#ifndef PYTHIA_ANSWER_COMPOSE_H
#define PYTHIA_ANSWER_COMPOSE_H

#include "answer/cite.h"
#include "answer/writer.h"

enum { COMPOSE_SENTENCES_MAX = 256 };

/* A part of the answer: a sentence behind what parts it from the one before, and what it cites. False: nobody listens
 * any more. */
typedef bool (*ComposeTell)(void *ctx, Str text, const Citation *citations /* [n] */, size_t n);

typedef struct {
    const SearchSource *searched; /* [n_searched] */
    size_t n_searched;
    const SearchHit *hits; /* [n] the sources by number from 1 */
    size_t n;
    const Prompt *prompt;
    Writer *writer;
    const Deadline *deadline;
    ComposeTell tell; /* NULL: nobody listens */
    void *ctx;
} ComposeRequest;

typedef struct {
    Str sentence;
    const char *why;
} Refused;

typedef struct {
    Str text;            /* "": nothing of it holds */
    Citation *citations; /* [n] of hits, in order of the text */
    size_t n;
    Refused *refused; /* [n_refused] taken out */
    size_t n_refused;
    bool deadline_hit; /* it ended early */
    bool stopped;      /* by tell */
} Composed;

/* Errors: the writer's; then out holds what was told before. A deadline is none once a sentence stands. */
MUST_USE Err answer_compose(Arena *a, const ComposeRequest *rq, Composed *out);

#endif
