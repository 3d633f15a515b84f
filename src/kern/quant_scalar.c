/* quant_scalar.c - the definition of quant.h's products in plain C, for any CPU: what the other levels are tested
 * against, bit for bit. */
#include "kern/quant_unpack.h"

INLINE int32_t quant_product(uint32_t type, const uint8_t *q, const int8_t *a, size_t n, int32_t sum) {
    int32_t x = 0;
    for (size_t i = 0; i < n; i++) x += (int32_t)q[i] * a[i];
    return x - quant_zero(type) * sum;
}

#define QUANT_NAME       "scalar"
#define QUANT_TABLE      quant_scalar
#define QUANT_LANES      4
#define QUANT_FLOAT_ROWS 1
#define QUANT_HAS_PANELS 0
#define QUANT_HAS_PACK   0

#include "kern/quant_dots_plain.h"
