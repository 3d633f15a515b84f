/* usages.c - see usages.h. */
#include "engine/usages.h"

#include <stdlib.h>

#include "chunk/usage.h"

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static Err room(Usages *u) {
    if (u->n < u->cap) return ERR_OK;
    const size_t cap = u->cap ? 2 * u->cap : 32;
    PythiaUsage *more = arena_array(u->a, PythiaUsage, cap);
    if (!more) return arena_error();
    if (u->n) memcpy(more, u->usages, u->n * sizeof *more);
    u->usages = more;
    u->cap = cap;
    return ERR_OK;
}

static Err count(Usages *u, const Usage *one, const PythiaReference *ref) {
    uint64_t *at = map_at(&u->shapes, one->shape, u->n);
    if (!at) return ERR_NOMEM;
    if (*at == u->n) {
        TRY(room(u));
        u->usages[u->n++] = (PythiaUsage){.shape = one->shape, .arguments = one->args};
    }
    PythiaUsage *usage = &u->usages[*at];
    usage->count++;
    if (usage->n < PYTHIA_USAGE_EXAMPLES) usage->examples[usage->n++] = *ref;
    return ERR_OK;
}

Err usages_add(Usages *u, Str text, size_t start, const PythiaReference *ref) {
    Str line = str_from(text, start);
    const ptrdiff_t end = str_find_char(line, '\n');
    if (end >= 0) line = str_upto(line, (size_t)end);
    for (size_t at = 0; at + u->name.n <= line.n;) {
        const ptrdiff_t found = str_find(str_from(line, at), u->name);
        if (found < 0) break;
        at += (size_t)found;
        const size_t behind = at + u->name.n;
        const bool whole = (at == 0 || !is_name(line.p[at - 1])) && (behind == line.n || !is_name(line.p[behind]));
        Usage one;
        if (whole) TRY(usage_of(u->a, text, start + at, u->name.n, &one));
        if (whole && (u->args < 0 || one.args == u->args)) TRY(count(u, &one, ref));
        at = behind;
    }
    return ERR_OK;
}

static int by_count(const void *x, const void *y) {
    const PythiaUsage *a = x, *b = y;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return str_cmp(a->shape, b->shape);
}

void usages_end(Usages *u) {
    if (u->n) qsort(u->usages, u->n, sizeof *u->usages, by_count);
    map_free(&u->shapes);
}
