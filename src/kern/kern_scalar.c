/* kern_scalar.c - the table that runs anywhere: 4 floats at a time, which every compiler turns into what the machine
 * has (SSE2, NEON, or four scalars). 16 registers of 4: tiles of 5 x 8 leave room for operands (10 + 2 + 1, and 1 for
 * the product where there is no FMA). */
#define LANES      4
#define TILE_ROWS  5
#define KERN_NAME  "scalar"
#define KERN_TABLE kern_scalar
#define KERN_QUANT quant_scalar

#include "kern/kern_body.h"
