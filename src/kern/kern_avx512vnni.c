/* kern_avx512vnni.c - AVX-512 with VNNI (Ice Lake and its successors): int8 by one instruction. */
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VNNI__)
#define LANES       16
#define TILE_ROWS   14
#define LOW_VNNI512 1
#define KERN_NAME   "avx512vnni"
#define KERN_TABLE  kern_avx512vnni
#define KERN_QUANT  quant_avx512vnni

#include "kern/kern_body.h"
#endif
