/* kern_avx512.c - AVX-512: 32 registers of 16 floats; tiles of 14 x 32 use 28 + 2 + 1 of them. */
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define LANES      16
#define TILE_ROWS  14
#define KERN_NAME  "avx512"
#define KERN_TABLE kern_avx512
#define KERN_QUANT quant_avx2

#include "kern/kern_body.h"
#endif
