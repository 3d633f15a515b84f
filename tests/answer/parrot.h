/* A writer for tests that says what it is told, some bytes at a time. */
#ifndef PYTHIA_TESTS_ANSWER_PARROT_H
#define PYTHIA_TESTS_ANSWER_PARROT_H

#include "answer/compose.h"
#include "check.h"

typedef struct {
    Writer base;
    Str text;
    size_t step;
    Err end; /* what it ends with */
} Parrot;

static Err parrot_write(Writer *w, const WriterJob *job) {
    const Parrot *p = (const Parrot *)(const void *)w;
    for (size_t at = 0; at < p->text.n; at += p->step)
        if (!job->sink(job->ctx, str_upto(str_from(p->text, at), p->step))) return ERR_OK;
    return p->end ? err_set(p->end, "as told") : ERR_OK;
}

static const WriterKind parrot_kind = {.name = "parrot", .write = parrot_write};

#endif
