/* quant_avx512vnni.c - quant.h for AVX-512 with VNNI (Ice Lake, Zen 4 and their successors). */
#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VNNI__)
#define QUANT_NAME       "avx512vnni"
#define QUANT_TABLE      quant_avx512vnni
#define QUANT_LANES      16
#define QUANT_FLOAT_ROWS 4
#define QUANT_HAS_PANELS 1
#define QUANT_HAS_PACK   1

#include "kern/quant_avx512.h"
#include "kern/quant_dots.h"
#include "kern/quant_panel_avx512.h"
#include "kern/quant_panel_walk.h"

#include "kern/quant_body.h"
#endif
