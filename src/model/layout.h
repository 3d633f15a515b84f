/* layout.h - one block of memory cut into pieces of 64-byte alignment. The same code measures and cuts: with base NULL
 * it only counts, so that what is taken and what is handed out cannot differ. Threads: a value, for one thread. */
#ifndef PYTHIA_MODEL_LAYOUT_H
#define PYTHIA_MODEL_LAYOUT_H

#include <stddef.h>

typedef struct {
    char *base; /* NULL: only counts */
    size_t at;  /* bytes taken so far */
} Layout;

/* The next piece; NULL when only counting. bytes: of things that are there, so that their sum cannot overflow. */
static inline void *layout_take(Layout *l, size_t bytes) {
    void *p = l->base ? l->base + l->at : NULL;
    l->at += (bytes + 63) / 64 * 64;
    return p;
}

#endif
