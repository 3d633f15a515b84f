/* Any bytes as a service's answer: vectors that are finite and of length 1, ranks that are finite, or an error. The
 * first byte is the number of texts, the second the dimension (0: to be learnt). */
#include <math.h>
#include <stdlib.h>

#include "model/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    Arena a = {0};
    size_t n = data[0] % 8u + 1, dim = data[1] % 8u;
    float *v = NULL;
    if (remote_reply_read(&a, str_make((const char *)data + 2, size - 2), n, &dim, &v) == ERR_OK)
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t d = 0; d < dim; d++) sum += (double)v[i * dim + d] * (double)v[i * dim + d];
            if (!(fabs(sum - 1) < 1e-3)) abort();
        }
    float ranks[8];
    if (remote_ranks_read(&a, str_make((const char *)data + 2, size - 2), n, ranks) == ERR_OK) {
        remote_ranks_logits(ranks, n);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(ranks[i])) abort();
    }
    arena_free(&a);
    return 0;
}
