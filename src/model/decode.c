/* decode.c - see decode.h. A step is a pass (trunk_run.c) whose attention reads kept keys and values.
 *
 * Each layer and head of keys has one block, keys in panels of places, then values in panels of dimensions. All layers
 * of a kind (all seen, or a window) have room for the same places, beginning at base[kind], a multiple of the panel: so
 * sums run over the same lanes as in a whole text, and a token's bits stay the same. Layers with a window have room for
 * two of them: what fell out of the window is dropped when the room is full, a move of one window each window's length.
 */
#include "model/decode.h"

#include <stdlib.h>
#include <string.h>

#include "model/trunk_impl.h"
#include "model/weights.h"

enum { FIRST_ROOM = 256 }; /* places */

struct Decoder {
    const Trunk *t;
    Weights head;
    size_t places, n;         /* tokens there may be, and are */
    size_t base[TRUNK_KINDS]; /* place that the kept ones begin at */
    size_t room[TRUNK_KINDS]; /* places there is memory for, a multiple of the panel */
    size_t most[TRUNK_KINDS]; /* that room grows to */
    KernKept *kept;           /* [n_layers][n_kv_heads] */
    float *scratch;           /* of a step */
    float *head_scratch;
    size_t scratch_floats, head_floats;
};

static size_t kept_count(const Decoder *d) { return d->t->s.n_layers * d->t->s.n_kv_heads; }
static size_t kind_of(const Decoder *d, size_t i) { return d->t->layers[i / d->t->s.n_kv_heads].kind; }
static size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

static size_t kept_floats(const Decoder *d, size_t places) {
    return kern_kept_keys(d->t->kern, places, d->t->s.head_dim) +
           kern_kept_values(d->t->kern, places, d->t->s.head_dim);
}

void decoder_close(Decoder *d) {
    if (!d) return;
    for (size_t i = 0; d->kept && i < kept_count(d); i++) free(d->kept[i].keys);
    free(d->kept);
    free(d->scratch);
    free(d->head_scratch);
    free(d);
}

static Err find_head(Decoder *d) {
    const Trunk *t = d->t;
    const GgufTensor *own = gguf_tensor(t->gguf, "output.weight");
    char key[128];
    float cap = 0;
    if (own) TRY(net_tensor(t->gguf, "output.weight", (size_t)t->tokens->shape[1], t->s.dim, &own));
    TRY(gguf_get_f32(t->gguf, model_key(t->arch, "final_logit_softcapping", key), &cap));
    if (cap != 0) return err_set(ERR_UNSUPPORTED, "model '%s' caps its logits ('%s')", gguf_name(t->gguf), key);
    d->head = weights_of(own ? own : t->tokens, t->precision);
    return weights_check(t->gguf, NULL, &d->head);
}

Err decoder_open(Decoder **out, const void *net, size_t places) {
    const Trunk *t = net;
    *out = NULL;
    if (t->s.after[TRUNK_FAR] != 0 || t->s.post_norm)
        return err_set(ERR_UNSUPPORTED, "model '%s' reads texts in both directions, it cannot generate",
                       gguf_name(t->gguf));
    Decoder *d = calloc(1, sizeof *d);
    if (!d) return err_set(ERR_NOMEM, "out of memory for a sequence of model '%s'", gguf_name(t->gguf));
    d->t = t;
    d->places = places;
    d->kept = calloc(kept_count(d), sizeof *d->kept);
    for (size_t kind = 0; kind < TRUNK_KINDS; kind++) {
        size_t before = t->s.before[kind], panel = t->kern->panel;
        d->most[kind] = round_up(places, panel);
        if (before < places && 2 * (before + panel) + DECODER_STEP_MAX < places)
            d->most[kind] = round_up(2 * (before + panel) + DECODER_STEP_MAX, panel);
    }
    Err err = d->kept ? find_head(d) : err_set(ERR_NOMEM, "out of memory for model '%s'", gguf_name(t->gguf));
    if (err) {
        decoder_close(d);
        d = NULL;
    }
    *out = d;
    return err;
}

size_t decoder_tokens(const Decoder *d) { return d->n; }
size_t decoder_vocab(const Decoder *d) { return d->head.rows.n; }

size_t decoder_bytes(const Decoder *d) {
    size_t floats = d->scratch_floats + d->head_floats;
    for (size_t i = 0; i < kept_count(d); i++)
        if (d->kept[i].keys) floats += kept_floats(d, d->kept[i].places);
    return floats * sizeof(float);
}

size_t decoder_cut(Decoder *d, size_t n) {
    if (n >= d->n) return d->n;
    size_t before = d->t->s.before[TRUNK_NEAR];
    /* The next token, at place n, must find its window; a base of 0 has it all. */
    bool there = d->base[TRUNK_NEAR] == 0 || (n >= before && n - before >= d->base[TRUNK_NEAR]);
    d->n = there ? n : 0;
    if (!there) d->base[TRUNK_NEAR] = 0;
    return d->n;
}

/* ---- room for the next tokens ---- */

/* Copies the first `used` places of values, a panel of dimensions after the other; shift places further on in
 * `from`. */
static void move_values(const Decoder *d, const KernKept *to, const KernKept *from, size_t shift, size_t used) {
    size_t panel = d->t->kern->panel, panels = kern_panels(d->t->kern, d->t->s.head_dim);
    for (size_t p = 0; p < panels; p++)
        memmove(to->values + p * to->places * panel, from->values + (p * from->places + shift) * panel,
                used * panel * sizeof *to->values);
}

/* All layers of the kind get room for `room` places, the first `used` of which they keep. */
static Err grow(Decoder *d, size_t kind, size_t room, size_t used) {
    for (size_t i = 0; i < kept_count(d); i++) {
        if (kind_of(d, i) != kind || d->kept[i].places == room) continue; /* equal: a call before ran out of memory */
        KernKept old = d->kept[i], kept = {.places = room};
        kept.keys = aligned_alloc(64, round_up(kept_floats(d, room) * sizeof(float), 64));
        if (!kept.keys)
            return err_set(ERR_NOMEM, "out of memory for %zu tokens of model '%s'", room, gguf_name(d->t->gguf));
        kept.values = kept.keys + kern_kept_keys(d->t->kern, room, d->t->s.head_dim);
        if (used) memcpy(kept.keys, old.keys, round_up(used, d->t->kern->panel) * d->t->s.head_dim * sizeof(float));
        if (used) move_values(d, &kept, &old, 0, used);
        free(old.keys);
        d->kept[i] = kept;
    }
    d->room[kind] = room;
    return ERR_OK;
}

/* Drops what the next token's window does not reach. */
static void slide(Decoder *d, size_t kind) {
    size_t panel = d->t->kern->panel, before = d->t->s.before[kind];
    size_t base = d->n > before ? (d->n - before) / panel * panel : 0, shift = base - d->base[kind], used = d->n - base;
    for (size_t i = 0; i < kept_count(d) && shift; i++) {
        if (kind_of(d, i) != kind) continue;
        KernKept *k = &d->kept[i];
        memmove(k->keys, k->keys + shift * d->t->s.head_dim, round_up(used, panel) * d->t->s.head_dim * sizeof(float));
        move_values(d, k, k, shift, used);
    }
    d->base[kind] = base;
}

static Err make_room(Decoder *d, size_t kind, size_t tokens) {
    if (d->n + tokens - d->base[kind] > d->most[kind]) slide(d, kind);
    size_t want = d->n + tokens - d->base[kind], room = d->room[kind] ? d->room[kind] : FIRST_ROOM;
    if (want <= d->room[kind]) return ERR_OK;
    while (room < want) room *= 2;
    room = round_up(room, d->t->kern->panel);
    return grow(d, kind, room < d->most[kind] ? room : d->most[kind], d->n - d->base[kind]);
}

static Err need(Decoder *d, float **block, size_t *have, size_t floats) {
    if (floats <= *have) return ERR_OK;
    free(*block);
    *have = 0;
    *block = aligned_alloc(64, round_up(floats * sizeof(float), 64));
    if (!*block)
        return err_set(ERR_NOMEM, "out of memory for a step of model '%s': %zu bytes", gguf_name(d->t->gguf),
                       floats * sizeof(float));
    *have = floats;
    return ERR_OK;
}

/* ---- steps ---- */

static Err check_ids(const Decoder *d, const int32_t *ids, size_t n) {
    if (n == 0 || n > DECODER_STEP_MAX)
        return err_set(ERR_USAGE, "a step of %zu tokens is not possible, 1 to %d are", n, DECODER_STEP_MAX);
    if (n > d->places - d->n)
        return err_set(ERR_LIMIT, "%zu tokens and %zu more do not fit into %zu places", d->n, n, d->places);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= trunk_tokens(d->t))
            return err_set(ERR_CORRUPT, "model '%s': token %d has no vector", gguf_name(d->t->gguf), ids[i]);
    return ERR_OK;
}

Err decoder_step(Decoder *d, Pool *pool, const Deadline *deadline, const int32_t *ids, size_t n, const float **hidden) {
    TRY(check_ids(d, ids, n));
    for (size_t kind = 0; kind < TRUNK_KINDS; kind++)
        if (d->t->turning[kind]) TRY(make_room(d, kind, n)); /* else no layer is of the kind */
    const uint32_t starts[] = {0, (uint32_t)n};
    TrunkPass p = {.t = d->t, .pool = pool, .ids = ids, .starts = starts, .n_texts = 1, .n_tokens = n, .places = n};
    p.kept = d->kept;
    p.first = d->n;
    p.base = d->base;
    p.reach = d->n + n;
    TRY(need(d, &d->scratch, &d->scratch_floats, trunk_pass_lay_out(&p, pool_size(pool), NULL)));
    (void)trunk_pass_lay_out(&p, pool_size(pool), d->scratch);
    TRY(trunk_pass_run(&p, deadline, hidden));
    d->n += n;
    return ERR_OK;
}

Err decoder_logits(Decoder *d, Pool *pool, const float *hidden, size_t n, float *out) {
    TRY(need(d, &d->head_scratch, &d->head_floats, weights_scratch(d->t->kern, &d->head, n, pool_size(pool))));
    const WeightsRun run = {d->t->gguf, d->t->kern, pool, d->head_scratch};
    return weights_times(&run, &d->head, hidden, n, out);
}
