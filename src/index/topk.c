/* topk.c - see topk.h. A plain binary heap, root = worst; finishing is the second half of a heap sort, in place. */
#include "index/topk.h"

/* Moves hits[i] down until no child is worse than it. */
static void sift_down(VecHit *hits, size_t n, size_t i) {
    VecHit moving = hits[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && hit_before(hits[child], hits[child + 1])) child++;
        if (!hit_before(moving, hits[child])) break;
        hits[i] = hits[child];
    }
    hits[i] = moving;
}

void topk_insert(TopK *t, VecHit hit) {
    if (hit.score != hit.score) return; /* NaN has no place in an order */
    if (t->n == t->k) {
        t->hits[0] = hit;
        sift_down(t->hits, t->n, 0);
        return;
    }
    size_t i = t->n++;
    for (size_t parent; i > 0 && hit_before(t->hits[parent = (i - 1) / 2], hit); i = parent)
        t->hits[i] = t->hits[parent];
    t->hits[i] = hit;
}

void topk_finish(TopK *t) {
    for (size_t n = t->n; n > 1; n--) {
        VecHit worst = t->hits[0];
        t->hits[0] = t->hits[n - 1];
        sift_down(t->hits, n - 1, 0);
        t->hits[n - 1] = worst;
    }
}
