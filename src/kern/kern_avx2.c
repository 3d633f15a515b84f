/* kern_avx2.c - AVX2 with FMA: 16 registers of 8 floats; tiles of 6 x 16 use 12 + 2 + 1 of them. */
#if defined(__AVX2__) && defined(__FMA__)
#define LANES      8
#define TILE_ROWS  6
#define KERN_NAME  "avx2"
#define KERN_TABLE kern_avx2
#define KERN_QUANT quant_avx2

#include "kern/kern_body.h"
#endif
