/* rotate.c - see rotate.h. */
#include "index/rotate.h"

#include <math.h>
#include <string.h>

#include "index/random.h"
#include "kern/scan.h"

enum { ROUNDS = 4 };

typedef float F4 __attribute__((vector_size(16)));

Err rotation_make(Arena *a, size_t dim, uint64_t seed, Rotation *out) {
    Random random = {seed};
    *out = (Rotation){.dim = dim, .wide = (dim + 15) / 16 * 16, .power = 16};
    while (out->power * 2 <= out->wide) out->power *= 2;
    out->signs = arena_array(a, float, ROUNDS * out->wide);
    if (!out->signs) return arena_error();
    float scale = 1.0f / sqrtf((float)out->power);
    for (size_t i = 0; i < ROUNDS * out->wide; i++) {
        size_t round = i / out->wide, at = i % out->wide, from = round % 2 ? out->wide - out->power : 0;
        bool turned = at >= from && at < from + out->power;
        float sign = random_next(&random) >> 63 ? -1.0f : 1.0f;
        out->signs[i] = turned ? sign * scale : sign;
    }
    return ERR_OK;
}

void rotate(const Rotation *r, const float *in, float *out) {
    const KernScan *scan = scan_table();
    memcpy(out, in, r->dim * sizeof *out);
    memset(out + r->dim, 0, (r->wide - r->dim) * sizeof *out);
    for (size_t round = 0; round < ROUNDS; round++) {
        const float *signs = r->signs + round * r->wide;
        for (size_t i = 0; i < r->wide; i += 4) { /* wide is a multiple of 16; one at a time it was 2 us */
            F4 x, sign;
            memcpy(&x, out + i, sizeof x);
            memcpy(&sign, signs + i, sizeof sign);
            x *= sign;
            memcpy(out + i, &x, sizeof x);
        }
        scan->hadamard(out + (round % 2 ? r->wide - r->power : 0), r->power);
    }
}
