/* Hostile safetensors files: whatever opens can be read to its last byte. */
#include <stdlib.h>

#include "base/arena.h"
#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char sum; /* keeps the reads */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Safetensors *s = NULL;
    if (safetensors_open_bytes(&s, str_make((const char *)data, size), "fuzz")) return 0;
    size_t bytes = 0;
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const SafeTensor *t = safetensors_at(s, i);
        uint64_t items = 1;
        for (uint32_t d = 0; d < SAFE_DIMS_MAX; d++) items *= t->shape[d];
        if (items != t->items || t->n_dims > SAFE_DIMS_MAX || t->type >= SAFE_TYPE_COUNT) abort();
        for (size_t k = 0; k < t->data.n; k++) sum ^= (unsigned char)t->data.p[k];
        bytes += t->data.n;
        Arena a = {0};
        const char *name = arena_cstr(&a, t->name);
        if (!name || safetensors_find(s, name) != t) abort();
        arena_free(&a);
    }
    if (bytes > size) abort(); /* no byte twice */
    safetensors_close(s);
    return 0;
}
