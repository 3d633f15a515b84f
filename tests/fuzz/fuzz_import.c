/* Hostile Hugging Face folders: an import is refused with a text, or what it writes is a sound GGUF that opens for what
 * it is or says why not, and runs.
 *
 * A folder is one input: "=== name", a line feed, bytes; names are taken from a list, so that nothing is written
 * elsewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
    "3_Dense/config.json",
    "3_Dense/model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-00001-of-00003.safetensors",
    "model-00002-of-00003.safetensors",
    "model-00003-of-00003.safetensors",
};
enum { NAMES = sizeof names / sizeof *names };

static char folder[256], gguf[300];

/* In memory where the system has such a folder: an input is a dozen files. */
static void folder_make(void) {
    static const char *const places[] = {"/dev/shm/pythia-fuzz-XXXXXX", "/tmp/pythia-fuzz-XXXXXX"};
    for (size_t i = 0; !folder[0] && i < 2; i++) {
        (void)snprintf(folder, sizeof folder, "%s", places[i]);
        if (!mkdtemp(folder)) folder[0] = 0;
    }
    if (!folder[0]) abort();
    (void)snprintf(gguf, sizeof gguf, "%s/out.gguf", folder);
}

static void file_put(Arena *a, Str name, Str bytes) {
    for (size_t i = 0; i < NAMES; i++) {
        if (!str_is(name, names[i])) continue;
        const char *path = path_join(a, folder, names[i]);
        FILE *f = path ? fopen(path, "wb") : NULL;
        if (!f) abort();
        (void)fwrite(bytes.p, 1, bytes.n, f);
        (void)fclose(f);
    }
}

static void folder_fill(Arena *a, Str rest) {
    static const char *const dirs[] = {"1_Pooling", "2_Dense", "3_Dense"};
    for (size_t i = 0; i < 3; i++)
        if (file_make_dirs(path_join(a, folder, dirs[i]), 0700)) abort();
    if (!str_starts(rest, STR("=== "))) return;
    rest = str_from(rest, 4);
    while (rest.n) {
        ptrdiff_t line = str_find_char(rest, '\n');
        if (line < 0) return;
        Str name = str_upto(rest, (size_t)line);
        rest = str_from(rest, (size_t)line + 1);
        ptrdiff_t end = str_find(rest, STR("\n=== "));
        file_put(a, name, end < 0 ? rest : str_upto(rest, (size_t)end));
        rest = end < 0 ? (Str){"", 0} : str_from(rest, (size_t)end + 5);
    }
}

static void model_use(Arena *a) {
    static const Str text = {"the file \xE6\x97\xA5 [MASK]", 19};
    ModelInfo info;
    Buf report = {0};
    if (model_describe(a, gguf, &info)) abort(); /* we wrote it */
    Err sound = model_verify(gguf, &report);     /* weights may be NaN */
    (void)sound;
    buf_free(&report);
    const ModelOpts opts = {.precision = MODEL_F32, .reranker = info.pooling == POOL_RANK, .no_cache = true};
    Model *m = NULL;
    if (model_open(&m, gguf, &opts)) return;
    float *out = malloc(info.dim * sizeof *out);
    if (!out) abort();
    Err err = opts.reranker ? model_rerank(m, NULL, text, &text, 1, NULL, out, NULL)
                            : model_embed(m, NULL, &text, 1, NULL, out, NULL);
    (void)err;
    free(out);
    model_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a = {0};
    folder_make();
    folder_fill(&a, str_make((const char *)data, size));
    if (model_import(folder, gguf, "fuzz"))
        (void)err_text();
    else
        model_use(&a);
    if (file_remove_tree(folder)) abort();
    folder[0] = 0;
    arena_free(&a);
    return 0;
}
