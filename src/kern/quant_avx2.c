/* quant_avx2.c - quant.h for AVX2. */
#if defined(__AVX2__) && defined(__F16C__)
#define QUANT_NAME       "avx2"
#define QUANT_TABLE      quant_avx2
#define QUANT_LANES      8
#define QUANT_FLOAT_ROWS 1
#define QUANT_HAS_PANELS 1
#define QUANT_HAS_PACK   0
#define QUANT_AVXVNNI    0

#include "kern/quant_avx2.h"
#include "kern/quant_dots.h"
#include "kern/quant_panel_avx2.h"
#include "kern/quant_panel_walk.h"

#include "kern/quant_body.h"
#endif
