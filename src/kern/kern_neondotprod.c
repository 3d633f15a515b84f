/* kern_neondotprod.c - NEON with products of bytes (ARMv8.2: Cortex-A76, Neoverse N1, Apple M1): f32 as in kern_neon.c,
 * int8 by one instruction. */
#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#define LANES        4
#define TILE_ROWS    12
#define LOW_NEON     1
#define LOW_NEON_DOT 1
#define KERN_NAME    "neondotprod"
#define KERN_TABLE   kern_neondotprod
#define KERN_QUANT   quant_neondotprod

#include "kern/kern_body.h"
#endif
