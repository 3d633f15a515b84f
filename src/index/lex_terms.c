/* lex_terms.c - see lex_terms.h. */
#include "index/lex_terms.h"

#include <stdlib.h>

#include "base/hash.h"

enum { TABLE_LEAST = 256, WHOLE_MAX = 16 };

static Err memory_out(void) { return err_set(ERR_NOMEM, "out of memory for the terms of documents"); }

/* head and tail: reads of at most 8 bytes that never leave the term. The bytes' order in a word does not matter, since
 * the words are only compared with each other. */
static LexTerm term_of(Str s) {
    LexTerm t = {.p = s.p, .n = (uint32_t)s.n};
    const size_t n = s.n;
    if (n >= 8) {
        memcpy(&t.head, s.p, 8);
        memcpy(&t.tail, s.p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&t.head, s.p, 4);
        memcpy(&t.tail, s.p + n - 4, 4);
    } else {
        t.head = (uint8_t)s.p[0];
        t.tail = (uint64_t)(uint8_t)s.p[n / 2] << 8 | (uint8_t)s.p[n - 1];
    }
    uint64_t h = n > WHOLE_MAX ? xxh3_of(s) : (t.head ^ n) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ h >> 29 ^ t.tail) * UINT64_C(0xD6E8FEB86659FD93);
    t.hash = (uint32_t)(h >> 32);
    return t;
}

static bool is_same(const LexTerm *a, const LexTerm *b) {
    return a->hash == b->hash && a->n == b->n && a->head == b->head && a->tail == b->tail &&
           (a->n <= WHOLE_MAX || memcmp(a->p, b->p, a->n) == 0);
}

static Err terms_grow(LexTerms *t) {
    const uint32_t cap = t->cap ? 2 * t->cap : TABLE_LEAST / 2;
    const size_t size = 2 * (size_t)cap;
    if (cap > UINT32_MAX / 4) return err_set(ERR_LIMIT, "too many terms in one segment of words");
    LexTerm *terms = realloc(t->terms, cap * sizeof *terms);
    if (terms) t->terms = terms;
    uint32_t *table = calloc(size, sizeof *table);
    if (!terms || !table) {
        free(table);
        return memory_out();
    }
    for (uint32_t i = 0; i < t->count; i++) {
        size_t at = t->terms[i].hash & (size - 1);
        while (table[at]) at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    free(t->table);
    t->table = table;
    t->size = size;
    t->cap = cap;
    return ERR_OK;
}

Err lex_terms_adopt(LexTerms *t, const LexTerm *term, uint32_t *number) {
    if (t->count == t->cap) TRY(terms_grow(t));
    size_t at = term->hash & (t->size - 1);
    for (; t->table[at]; at = (at + 1) & (t->size - 1)) {
        *number = t->table[at] - 1;
        if (is_same(&t->terms[*number], term)) return ERR_OK;
    }
    LexTerm kept = *term;
    kept.p = arena_str(&t->arena, str_make(term->p, term->n)).p;
    if (!kept.p) return arena_error();
    t->terms[t->count] = kept;
    *number = t->count++;
    t->table[at] = t->count;
    return ERR_OK;
}

Err lex_terms_number(LexTerms *t, Str term, uint32_t *number) {
    const LexTerm one = term_of(term);
    return lex_terms_adopt(t, &one, number);
}

void lex_terms_reset(LexTerms *t) {
    t->count = 0;
    if (t->table) memset(t->table, 0, t->size * sizeof *t->table);
    arena_reset(&t->arena);
}

void lex_terms_free(LexTerms *t) {
    free(t->terms);
    free(t->table);
    arena_free(&t->arena);
    *t = (LexTerms){0};
}
