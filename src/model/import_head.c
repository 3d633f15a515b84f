/* import_head.c - what stands behind the network: the dense layers of a sentence model (embeddinggemma's 2_Dense and
 * 3_Dense), the classifier of a reranker. Names are llama.cpp's; head.c runs them.
 */
#include <stdio.h>

#include "base/file.h"

#include "model/import.h"

static Err dense_add(Import *im, size_t i, uint64_t *width, bool last) {
    char file[256], name[32], key[64];
    json_t *config = NULL;
    int64_t in = 0, out = 0;
    (void)snprintf(file, sizeof file, "%.*s/config.json", STR_FMT(im->dense[i]));
    TRY(import_json(im, file, true, &config));
    Err err = import_need_int(file, config, "in_features", 1, IMPORT_HIDDEN_MAX, &in);
    if (!err) err = import_need_int(file, config, "out_features", 1, IMPORT_HIDDEN_MAX, &out);
    json_decref(config);
    TRY(err);
    if ((uint64_t)in != *width || (last && (uint64_t)out != im->sizes[SIZE_HIDDEN]))
        return err_set(ERR_UNSUPPORTED, "%s leads from %lld dimensions to %lld; %llu come in%s", file, (long long)in,
                       (long long)out, (unsigned long long)*width,
                       last ? " and the network's width must come out" : "");
    /* The layer's weights, as a folder of their own. */
    Import part = *im;
    part.weights = (ImportWeights){0};
    part.hf_prefix = "";
    part.dir = path_join(im->arena, im->dir, arena_cstr(im->arena, im->dense[i]));
    part.sizes[SIZE_QUERY] = (uint64_t)out;
    part.sizes[SIZE_KEY] = *width;
    if (!part.dir) return arena_error();
    (void)snprintf(name, sizeof name, "dense_%zu", i + 2);
    err = import_weights_open(&part);
    if (!err) {
        const ImportTensor layer = {"linear", name, SIZE_QUERY, SIZE_KEY, TENSOR_BIAS_MAYBE};
        err = import_tensors(&part, &layer, 1, "", "");
    }
    if (!err) err = import_leftovers(&part, "", "a dense layer");
    im->dense_weights[i] = part.weights; /* stays open: the writer borrows its bytes */
    (void)snprintf(key, sizeof key, "%s_feat_in", name);
    import_key_u32(im, key, in);
    (void)snprintf(key, sizeof key, "%s_feat_out", name);
    import_key_u32(im, key, out);
    *width = (uint64_t)out;
    return err;
}

Err import_dense(Import *im) {
    uint64_t width = im->sizes[SIZE_HIDDEN];
    if (im->n_dense && im->reranker)
        return err_set(ERR_UNSUPPORTED, "modules.json: a reranker with dense layers behind it");
    for (size_t i = 0; i < im->n_dense; i++) TRY(dense_add(im, i, &width, i + 1 == im->n_dense));
    return ERR_OK;
}

/* id2label has as many members as there are labels. */
static Err labels_check(const Import *im) {
    int64_t labels = 2; /* as transformers has it when nothing is said */
    const json_t *names = import_member(im->config, "id2label");
    if (json_is_object(names)) labels = (int64_t)json_object_size(names);
    TRY(import_int("config.json", im->config, "num_labels", 1, 1 << 20, &labels));
    if (labels == 1) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "'%s' classifies into %lld labels; a reranker has 1", im->dir, (long long)labels);
}

Err import_classifier(Import *im, const ImportTensor *tensors, size_t n) {
    const char *prefix = im->hf_prefix;
    if (!im->reranker) return ERR_OK;
    TRY(labels_check(im));
    im->hf_prefix = ""; /* the classifier stands beside the network */
    Err err = import_tensors(im, tensors, n, "", "");
    im->hf_prefix = prefix;
    return err;
}
