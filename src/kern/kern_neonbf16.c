/* kern_neonbf16.c - NEON with products of matrices of bytes and of bf16 (ARMv8.6: Neoverse V1 and N2, Apple M2): both
 * kinds of low precision by instructions. */
#if defined(__aarch64__) && defined(__ARM_FEATURE_MATMUL_INT8) && defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#define LANES           4
#define TILE_ROWS       12
#define LOW_NEON        1
#define LOW_NEON_MATRIX 1
#define LOW_HAS_BF16    1
#define KERN_NAME       "neonbf16"
#define KERN_TABLE      kern_neonbf16
#define KERN_QUANT      quant_neonbf16

#include "kern/kern_body.h"
#endif
