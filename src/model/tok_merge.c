/* tok_merge.c - two ways to the same result. Words are short: an array of ranks that is scanned for its least and
 * closed up after each merge beats a heap up to some fifty symbols. Long words (a line of base64, a vocabulary without
 * words) take the heap, whose entries are not removed when their symbols go: an entry counts only while both are there
 * in the lengths that it was made for. */
#include "model/tok_merge.h"

#include <string.h>

static void merge_small(TokSymbol *symbols, size_t *count, TokPairOf pair_of, const void *ctx) {
    TokPair pairs[TOK_MERGE_SMALL];
    size_t n = *count;
    for (size_t i = 0; i + 1 < n; i++) pairs[i] = pair_of(ctx, &symbols[i], &symbols[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (pairs[i].rank < pairs[best].rank) best = i;
        if (pairs[best].rank == TOK_NO_RANK) break;
        TokSymbol *left = &symbols[best], *right = left + 1;
        *left = (TokSymbol){left->at, right->at + right->n - left->at, pairs[best].id};
        n--;
        memmove(right, right + 1, (n - best - 1) * sizeof *right);
        if (best + 1 < n) {
            memmove(&pairs[best + 1], &pairs[best + 2], (n - best - 2) * sizeof *pairs);
            pairs[best] = pair_of(ctx, left, right);
        }
        if (best > 0) pairs[best - 1] = pair_of(ctx, left - 1, left);
    }
    *count = n;
}

/* ---- long words ---- */

#define NONE UINT32_MAX

typedef struct {
    uint32_t previous, next; /* places of the neighbours still there, or NONE */
} Link;

typedef struct {
    uint64_t key; /* rank << 32 | place of the left symbol: the order of merges */
    uint32_t n;   /* bytes of both; 0 cannot be */
    int32_t id;
} Entry;

typedef struct {
    TokSymbol *symbols; /* [count]; n is 0 where one was merged away */
    Link *links;        /* [count] */
    Entry *heap;        /* [2 count]: a merge takes one out and puts two in at most */
    size_t size;
} Heap;

static void heap_down(Heap *h, size_t at) {
    Entry moved = h->heap[at];
    for (size_t child; (child = 2 * at + 1) < h->size; at = child) {
        if (child + 1 < h->size && h->heap[child + 1].key < h->heap[child].key) child++;
        if (h->heap[child].key >= moved.key) break;
        h->heap[at] = h->heap[child];
    }
    h->heap[at] = moved;
}

static void heap_push(Heap *h, Entry entry) {
    size_t at = h->size++;
    for (size_t parent; at > 0 && h->heap[parent = (at - 1) / 2].key > entry.key; at = parent)
        h->heap[at] = h->heap[parent];
    h->heap[at] = entry;
}

static bool heap_pop(Heap *h, Entry *out) {
    if (h->size == 0) return false;
    *out = h->heap[0];
    h->heap[0] = h->heap[--h->size];
    if (h->size) heap_down(h, 0);
    return true;
}

/* The entry of a symbol and its right neighbour; false when they do not merge. */
static bool entry_of(const Heap *h, uint32_t left, TokPairOf pair_of, const void *ctx, Entry *out) {
    uint32_t right = left == NONE ? NONE : h->links[left].next;
    if (right == NONE) return false;
    const TokSymbol *l = &h->symbols[left], *r = &h->symbols[right];
    TokPair pair = pair_of(ctx, l, r);
    *out = (Entry){(uint64_t)pair.rank << 32 | left, l->n + r->n, pair.id};
    return pair.rank != TOK_NO_RANK;
}

static void heap_merge(Heap *h, TokPairOf pair_of, const void *ctx) {
    Entry entry;
    while (heap_pop(h, &entry)) {
        uint32_t left = (uint32_t)entry.key, right = h->links[left].next;
        TokSymbol *l = &h->symbols[left];
        if (l->n == 0 || right == NONE || l->n + h->symbols[right].n != entry.n) continue;
        TokSymbol *r = &h->symbols[right];
        *l = (TokSymbol){l->at, r->at + r->n - l->at, entry.id};
        r->n = 0;
        h->links[left].next = h->links[right].next;
        if (h->links[left].next != NONE) h->links[h->links[left].next].previous = left;
        if (entry_of(h, h->links[left].previous, pair_of, ctx, &entry)) heap_push(h, entry);
        if (entry_of(h, left, pair_of, ctx, &entry)) heap_push(h, entry);
    }
}

static Err merge_long(TokSymbol *symbols, size_t *count, TokPairOf pair_of, const void *ctx, Arena *scratch) {
    size_t n = *count, left = 0;
    Heap h = {.symbols = symbols, .links = arena_array(scratch, Link, n)};
    if (!h.links) return arena_error();
    h.heap = arena_array(scratch, Entry, 2 * n); /* n fits 32 bits */
    if (!h.heap) return arena_error();
    for (uint32_t i = 0; i < n; i++) h.links[i] = (Link){i ? i - 1 : NONE, i + 1 < n ? i + 1 : NONE};
    for (uint32_t i = 0; i + 1 < n; i++) h.size += entry_of(&h, i, pair_of, ctx, &h.heap[h.size]);
    for (size_t i = h.size / 2; i-- > 0;) heap_down(&h, i);
    heap_merge(&h, pair_of, ctx);
    for (size_t i = 0; i < n; i++)
        if (symbols[i].n) symbols[left++] = symbols[i];
    *count = left;
    return ERR_OK;
}

Err tok_merge(TokSymbol *symbols, size_t *n, TokPairOf pair_of, const void *ctx, Arena *scratch) {
    if (*n > TOK_MERGE_SMALL) return merge_long(symbols, n, pair_of, ctx, scratch);
    if (*n > 1) merge_small(symbols, n, pair_of, ctx);
    return ERR_OK;
}
