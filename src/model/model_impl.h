/* model_impl.h - what stands behind Model; private to the room (model.c opens, embed.c runs). */
#ifndef PYTHIA_MODEL_MODEL_IMPL_H
#define PYTHIA_MODEL_MODEL_IMPL_H

#include "model/gguf.h"
#include "model/head.h"
#include "model/model.h"
#include "model/net.h"
#include "model/tok.h"

struct Model {
    Arena arena; /* strings of info */
    Gguf *gguf;
    Tok *tok;
    const NetArch *arch;
    void *net;
    Head *head; /* behind the pooled vector; NULL for most */
    const Kern *kern;
    ModelInfo info;
    struct Remote *remote; /* a service's model: then there is neither gguf, tok, arch nor net */
    size_t max_tokens;     /* texts are cut here: info.max_tokens, or less when the opener wants it */
};

/* Opens a model out of bytes in memory, which must outlive it, with the kernels given: for fuzzing and for tests of
 * each level. info.id stays zero. */
MUST_USE Err model_open_bytes(Model **out, Str bytes, const char *name, const Kern *kern, const ModelOpts *opts);

/* model_open with the kernels given. */
MUST_USE Err model_open_kern(Model **out, const char *path, const Kern *kern, const ModelOpts *opts);

/* What the network makes of each token of a text: hidden [n, dim] before pooling, ids [n]. Called once a text, from
 * whatever thread ran its batch; an error ends the call. */
typedef Err (*TokensTake)(void *ctx, size_t text, const int32_t *ids, const float *hidden, size_t n);

/* model_embed that hands out the tokens as well. ERR_UNSUPPORTED: a service's model. */
MUST_USE Err model_embed_tokens(const Model *m, Pool *pool, const Str *texts, size_t n, const EmbedOpts *opts,
                                float *out, TokensTake take, void *ctx);

#endif
