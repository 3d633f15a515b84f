/* trunk_shape.c - the metadata that networks with a trunk share, checked: nothing here is believed because it is usual.
 *
 * What would change the result and is not computed is refused: rotations scaled in other ways than linearly,
 * frequencies of a tensor, rotations of a part of a head, capped scores.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "model/trunk.h"

enum { HEAD_DIM_MAX = 1 << 12, WINDOW_MAX = 1 << 24, PERIOD_MAX = 1 << 10 };

static Err read_size(const Gguf *g, const ModelInfo *info, const char *key, size_t max, size_t *out) {
    char name[128];
    uint64_t v = *out;
    TRY(gguf_get_u64(g, model_key(info->arch, key, name), &v));
    if (v == 0 || v > max)
        return err_set(ERR_CORRUPT, "model '%s': '%s' is %" PRIu64 ", 1 to %zu is possible", gguf_name(g), name, v,
                       max);
    *out = (size_t)v;
    return ERR_OK;
}

/* A missing key leaves *out, which must lie between low and high in any case. */
static Err read_float(const Gguf *g, const ModelInfo *info, const char *key, float low, float high, float *out) {
    char name[128];
    TRY(gguf_get_f32(g, model_key(info->arch, key, name), out));
    if (*out >= low && *out <= high) return ERR_OK; /* NaN is not */
    return err_set(ERR_CORRUPT, "model '%s': '%s' is %g, %g to %g is possible", gguf_name(g), name, (double)*out,
                   (double)low, (double)high);
}

static Err read_heads(const Gguf *g, const ModelInfo *info, TrunkShape *s) {
    const char *name = gguf_name(g);
    s->n_heads = s->n_kv_heads = info->n_heads;
    TRY(read_size(g, info, "attention.head_count_kv", info->n_heads, &s->n_kv_heads));
    if (s->n_heads % s->n_kv_heads)
        return err_set(ERR_CORRUPT, "model '%s': %zu heads of keys do not divide %zu heads of queries", name,
                       s->n_kv_heads, s->n_heads);
    char key[128];
    bool told = gguf_key(g, model_key(info->arch, "attention.key_length", key)) != NULL;
    if (!told && s->dim % s->n_heads)
        return err_set(ERR_CORRUPT, "model '%s': %zu attention heads do not divide %zu dimensions", name, s->n_heads,
                       s->dim);
    s->head_dim = s->dim / s->n_heads;
    if (told) s->head_dim = 1;
    TRY(read_size(g, info, "attention.key_length", HEAD_DIM_MAX, &s->head_dim));
    size_t values = s->head_dim, turned = s->head_dim;
    TRY(read_size(g, info, "attention.value_length", HEAD_DIM_MAX, &values));
    TRY(read_size(g, info, "rope.dimension_count", HEAD_DIM_MAX, &turned));
    if (s->head_dim % 2)
        return err_set(ERR_CORRUPT, "model '%s': heads of %zu dimensions cannot be rotated in pairs", name,
                       s->head_dim);
    if (values != s->head_dim || turned != s->head_dim)
        return err_set(ERR_UNSUPPORTED,
                       "model '%s' has heads of %zu dimensions, values of %zu and rotates %zu; only the same for all "
                       "is supported",
                       name, s->head_dim, values, turned);
    return ERR_OK;
}

static Err read_scaling(const Gguf *g, const ModelInfo *info, TrunkShape *s) {
    char name[128];
    Str type = STR("linear");
    s->factor[TRUNK_FAR] = s->factor[TRUNK_NEAR] = 1;
    TRY(gguf_get_str(g, model_key(info->arch, "rope.scaling.type", name), &type));
    if (str_is(type, "none")) return ERR_OK;
    if (!str_is(type, "linear"))
        return err_set(ERR_UNSUPPORTED, "model '%s': '%s' is '%.*s'; supported are 'none' and 'linear'", gguf_name(g),
                       name, STR_FMT(type));
    return read_float(g, info, "rope.scaling.factor", 1e-3f, 1e6f, &s->factor[TRUNK_FAR]);
}

static Err read_rotation(const Gguf *g, const ModelInfo *info, float base_near, TrunkShape *s) {
    s->base[TRUNK_FAR] = 10000;
    s->base[TRUNK_NEAR] = base_near;
    /* Base 1 turns nothing, and below it near places would turn less than far ones. */
    TRY(read_float(g, info, "rope.freq_base", 1.0f, 1e12f, &s->base[TRUNK_FAR]));
    TRY(read_float(g, info, "rope.freq_base_swa", 1.0f, 1e12f, &s->base[TRUNK_NEAR]));
    if (gguf_tensor(g, "rope_freqs.weight"))
        return err_set(ERR_UNSUPPORTED, "model '%s' has frequencies of its own in 'rope_freqs.weight'", gguf_name(g));
    return read_scaling(g, info, s);
}

Err trunk_shape_read(const Gguf *g, const ModelInfo *info, float base_near, TrunkShape *s) {
    char name[128];
    float cap = 0;
    const char *epsilon = s->rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
    s->dim = info->dim;
    s->n_ff = info->n_ff;
    s->n_layers = info->n_layers;
    s->token_scale = 1;
    s->period = 1;
    for (size_t kind = 0; kind < TRUNK_KINDS; kind++) s->before[kind] = s->after[kind] = SIZE_MAX;
    TRY(read_heads(g, info, s));
    TRY(gguf_need(g, model_key(info->arch, epsilon, name)));
    TRY(read_float(g, info, epsilon, 0, 1, &s->epsilon));
    TRY(read_rotation(g, info, base_near, s));
    s->scale = 1.0f / sqrtf((float)s->head_dim);
    TRY(read_float(g, info, "attention.scale", 1e-6f, 1e6f, &s->scale));
    TRY(gguf_get_f32(g, model_key(info->arch, "attn_logit_softcapping", name), &cap));
    if (cap != 0) return err_set(ERR_UNSUPPORTED, "model '%s' caps attention's scores ('%s')", gguf_name(g), name);
    return ERR_OK;
}

Err trunk_window_read(const Gguf *g, const ModelInfo *info, size_t *out) {
    char name[128];
    TRY(gguf_need(g, model_key(info->arch, "attention.sliding_window", name)));
    *out = 1;
    return read_size(g, info, "attention.sliding_window", WINDOW_MAX, out);
}

Err trunk_period_read(const Gguf *g, const ModelInfo *info, size_t fallback, TrunkShape *s) {
    char name[128];
    Str near = {"", 0};
    const GgufKey *key = gguf_key(g, model_key(info->arch, "attention.sliding_window_pattern", name));
    s->period = fallback;
    if (!key || key->type != GGUF_ARRAY)
        return read_size(g, info, "attention.sliding_window_pattern", PERIOD_MAX, &s->period);
    TRY(gguf_get_u8s(g, name, &near));
    if (near.n != s->n_layers)
        return err_set(ERR_CORRUPT, "model '%s': '%s' has %zu flags for %zu layers", gguf_name(g), name, near.n,
                       s->n_layers);
    for (size_t i = 0; i < s->n_layers; i++)
        if ((near.p[i] == 0) != (i % s->period == s->far_at))
            return err_set(ERR_UNSUPPORTED, "model '%s': '%s' says otherwise for layer %zu than every %zu-th sees all",
                           gguf_name(g), name, i, s->period);
    return ERR_OK;
}

Err trunk_causal_read(const Gguf *g, const ModelInfo *info, bool *causal) {
    char name[128];
    return gguf_get_bool(g, model_key(info->arch, "attention.causal", name), causal);
}
