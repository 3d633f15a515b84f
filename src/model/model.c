/* model.c - opening a model: metadata, tokenizer and network out of one GGUF, checked against each other.
 *
 * Order: what is cheap and likely to be wrong comes first (metadata, architecture, pooling), then the tokenizer, then
 * the weights, which are packed by all cores: some 20 ms for MiniLM in f32.
 */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "model/info.h"
#include "model/model_impl.h"
#include "model/remote.h"

/* Packing is bound by memory: more threads than this only cost their start. */
enum { OPEN_THREADS_MAX = 4 };

static Err check_pooling(const Model *m, const ModelOpts *opts) {
    bool reranker = opts && opts->reranker;
    if (opts && opts->generator && m->arch->decodes) return ERR_OK;
    if (reranker && m->info.pooling == POOL_RANK) return ERR_OK;
    if (reranker) return err_set(ERR_UNSUPPORTED, "model '%s' is not a reranker", gguf_name(m->gguf));
    switch (m->info.pooling) {
    case POOL_MEAN:
    case POOL_CLS:
    case POOL_LAST:
        return ERR_OK;
    case POOL_NONE:
        return err_set(ERR_UNSUPPORTED, "model '%s' does not say how token vectors are pooled ('%.*s.pooling_type')",
                       gguf_name(m->gguf), STR_FMT(m->info.arch));
    case POOL_RANK:
        break;
    }
    return err_set(ERR_UNSUPPORTED, "model '%s' is a reranker, it cannot embed", gguf_name(m->gguf));
}

static Err choose_limit(Model *m, const ModelOpts *opts) {
    m->max_tokens = m->info.max_tokens;
    if (!opts || opts->max_tokens == 0) return ERR_OK;
    if (opts->max_tokens > m->info.max_tokens || opts->max_tokens < 3)
        return err_set(ERR_LIMIT, "max_tokens %zu is not possible: model '%s' takes 3 to %zu", opts->max_tokens,
                       gguf_name(m->gguf), m->info.max_tokens);
    m->max_tokens = opts->max_tokens;
    return ERR_OK;
}

/* Which network: the architecture's own, or its twin in low precision. */
static Err choose_precision(Model *m, const ModelOpts *opts) {
    ModelPrecision wish = opts ? opts->precision : MODEL_F32;
    const NetArch *low = m->info.pooling == POOL_RANK ? NULL : m->arch->low; /* which knows no pairs */
    m->info.fast_pays = low && m->kern->low->fast_int8 && m->arch->fast_pays && m->arch->fast_pays(&m->info);
    if (wish == MODEL_AUTO) wish = m->info.fast_pays ? MODEL_FAST : MODEL_EXACT;
    if (wish == MODEL_EXACT && !(m->kern->low->fast_bf16 && low)) wish = MODEL_F32;
    m->info.precision = wish;
    if (wish == MODEL_F32) return ERR_OK;
    if (!low)
        return err_fix(err_set(ERR_UNSUPPORTED, "model '%s': %s '%s' have no fast precision", gguf_name(m->gguf),
                               m->arch->low ? "rerankers of" : "networks of", m->arch->name),
                       "pythia config set model.precision exact");
    m->arch = low;
    return ERR_OK;
}

static Err open_net(Model *m, const char *cache_of) {
    Pool *pool = NULL;
    size_t cores = pool_cores();
    /* Without threads it is only slower. */
    if (gguf_bytes(m->gguf).n > (1u << 20) && pool_open(&pool, cores < OPEN_THREADS_MAX ? cores : OPEN_THREADS_MAX))
        pool = NULL;
    LowCacheKey key = {.type = m->info.precision == MODEL_FAST ? LOW_INT8 : LOW_BF16, .level = m->kern->name};
    NetOpen o = {m->gguf, m->kern, pool, &m->info, key.type, NULL};
    Arena a = {0};
    if (cache_of && m->info.precision != MODEL_F32) {
        key.model = m->info.id;
        key.path = low_cache_path(&a, cache_of, &key);
        o.cache = &key;
    }
    Err err = m->arch->open(&m->net, &o);
    if (!err) err = head_open(&m->head, &o);
    arena_free(&a);
    pool_close(pool);
    if (err) return err;
    if (tok_vocab_size(m->tok) > m->arch->n_tokens(m->net))
        return err_set(ERR_CORRUPT, "model '%s' has %zu tokens in its vocabulary, but vectors for %zu",
                       gguf_name(m->gguf), tok_vocab_size(m->tok), m->arch->n_tokens(m->net));
    return ERR_OK;
}

/* Takes g over in any case. on_disk: path is the file's, and its hash is wanted. */
static Err open_gguf(Model **out, Gguf *g, const char *path, bool on_disk, const Kern *kern, const ModelOpts *opts) {
    Err err = ERR_OK;
    Model *m = calloc(1, sizeof *m);
    if (!m) {
        gguf_close(g);
        return err_set(ERR_NOMEM, "out of memory for model '%s'", path);
    }
    m->gguf = g;
    m->kern = kern;
    if ((err = model_info_read(g, &m->arena, path, &m->info))) goto done;
    if ((err = net_arch_find(g, m->info.arch, &m->arch))) goto done;
    if ((err = check_pooling(m, opts))) goto done;
    if ((err = choose_limit(m, opts))) goto done;
    m->info.generates = opts && opts->generator;
    if (opts && opts->generator) gguf_hot(g); /* Gemma 3 270M: 70 tokens a second on huge pages, 53 on small ones */
    if ((err = choose_precision(m, opts))) goto done;
    if (on_disk && (err = model_file_id(path, &m->info.id))) goto done;
    if (on_disk) m->info.id = model_id_with(&m->info.id, m->info.precision);
    if ((err = tok_open(&m->tok, g))) goto done;
    m->info.n_vocab = tok_vocab_size(m->tok);
    err = open_net(m, on_disk && !(opts && opts->no_cache) ? path : NULL);
done:
    if (err) {
        model_close(m);
        m = NULL;
    }
    *out = m;
    return err;
}

Err model_open_bytes(Model **out, Str bytes, const char *name, const Kern *kern, const ModelOpts *opts) {
    Gguf *g = NULL;
    *out = NULL;
    TRY(gguf_open_bytes(&g, bytes, name));
    return open_gguf(out, g, name, false, kern, opts);
}

Err model_open_kern(Model **out, const char *path, const Kern *kern, const ModelOpts *opts) {
    Gguf *g = NULL;
    *out = NULL;
    TRY(gguf_open_path(&g, path));
    return open_gguf(out, g, path, true, kern, opts);
}

Err model_open(Model **out, const char *path, const ModelOpts *opts) {
    *out = NULL;
    TRY(kern_init());
    return model_open_kern(out, path, kern_table(), opts);
}

Err model_open_remote(Model **out, const ModelRemoteOpts *opts) {
    *out = NULL;
    Model *m = calloc(1, sizeof *m);
    if (!m) return err_set(ERR_NOMEM, "out of memory for model '%s'", opts->model);
    Err err = remote_open(&m->remote, &m->arena, opts, &m->info);
    m->max_tokens = m->info.max_tokens;
    if (err)
        model_close(m);
    else
        *out = m;
    return err;
}

Sha256 model_id_with(const Sha256 *file, ModelPrecision precision) {
    if (precision != MODEL_FAST) return *file;
    static const char fast[] = "int8, rows scaled one by one, smoothed";
    char both[sizeof *file + sizeof fast];
    memcpy(both, file, sizeof *file);
    memcpy(both + sizeof *file, fast, sizeof fast);
    return sha256_of(str_make(both, sizeof both));
}

void model_close(Model *m) {
    if (!m) return;
    if (m->arch) m->arch->close(m->net);
    remote_close(m->remote);
    head_close(m->head);
    tok_close(m->tok);
    gguf_close(m->gguf);
    arena_free(&m->arena);
    free(m);
}

const ModelInfo *model_info(const Model *m) { return &m->info; }

size_t model_count_tokens(const void *model, Str text) {
    const Model *m = model;
    return m->remote ? remote_count_tokens(m->remote, text) : tok_count(m->tok, text);
}

Err model_tokenize(const Model *m, Str text, bool special, int32_t *ids, size_t cap, size_t *n) {
    if (m->remote) return remote_tokenize(m->remote, &m->info, text, special, ids, cap, n);
    return tok_encode(m->tok, text, special, ids, cap, n);
}
