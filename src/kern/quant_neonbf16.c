/* quant_neonbf16.c - quant.h for NEON with products of matrices, whose panels of bf16 have four inputs side by side. */
#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
#include <arm_neon.h>

#include "kern/quant_unpack.h"

INLINE int32x4_t quant_sixteen(int32x4_t x, int8x16_t w, int8x16_t a) { return vdotq_s32(x, w, a); }

#include "kern/quant_neon.h"

#define QUANT_NAME       "neonbf16"
#define QUANT_TABLE      quant_neonbf16
#define QUANT_LANES      4
#define QUANT_FLOAT_ROWS 1
#define QUANT_HAS_PANELS 0
#define QUANT_HAS_PACK   0
#define QUANT_PACK_GROUP 4

#include "kern/quant_dots_plain.h"
#endif
