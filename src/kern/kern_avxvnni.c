/* kern_avxvnni.c - AVX2 with AVX-VNNI (client CPUs without AVX-512): f32 as in kern_avx2.c, int8 by one instruction. */
#if defined(__AVX2__) && defined(__FMA__) && defined(__AVXVNNI__)
#define LANES           8
#define TILE_ROWS       6
#define LOW_HAS_AVXVNNI 1
#define KERN_NAME       "avxvnni"
#define KERN_TABLE      kern_avxvnni
#define KERN_QUANT      quant_avxvnni

#include "kern/kern_body.h"
#endif
