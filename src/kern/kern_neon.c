/* kern_neon.c - 64-bit ARM as it began (ARMv8.0: Cortex-A72, Raspberry Pi 4): 32 registers of 4 floats; tiles of 12 x 8
 * use 24 + 2 of them and the rest for inputs, of which a product takes a lane. */
#if defined(__aarch64__)
#define LANES      4
#define TILE_ROWS  12
#define LOW_NEON   1
#define KERN_NAME  "neon"
#define KERN_TABLE kern_neon
#define KERN_QUANT quant_neon

#include "kern/kern_body.h"
#endif
