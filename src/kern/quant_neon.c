/* quant_neon.c - quant.h for NEON without products of bytes into 32 bits: two are summed in 16 (2 * 128 * 127 <
 * 2^15). */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "kern/quant_unpack.h"

INLINE int32x4_t quant_sixteen(int32x4_t x, int8x16_t w, int8x16_t a) {
    return vpadalq_s16(x, vmlal_high_s8(vmull_s8(vget_low_s8(w), vget_low_s8(a)), w, a));
}

#include "kern/quant_neon.h"

#define QUANT_NAME       "neon"
#define QUANT_TABLE      quant_neon
#define QUANT_LANES      4
#define QUANT_FLOAT_ROWS 1
#define QUANT_HAS_PANELS 0
#define QUANT_HAS_PACK   0

#include "kern/quant_dots_plain.h"
#endif
