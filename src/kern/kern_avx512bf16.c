/* kern_avx512bf16.c - AVX-512 with VNNI and BF16 (Zen 4, Sapphire Rapids): both kinds of low precision by
 * instructions. */
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VNNI__) && defined(__AVX512BF16__)
#define LANES        16
#define TILE_ROWS    14
#define LOW_VNNI512  1
#define LOW_HAS_BF16 1
#define KERN_NAME    "avx512bf16"
#define KERN_TABLE   kern_avx512bf16
#define KERN_QUANT   quant_avx512vnni

#include "kern/kern_body.h"
#endif
