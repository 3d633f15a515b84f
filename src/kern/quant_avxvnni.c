/* quant_avxvnni.c - quant.h for AVX2 with AVX-VNNI (client CPUs without AVX-512). */
#if defined(__AVX2__) && defined(__F16C__) && defined(__AVXVNNI__)
#define QUANT_NAME       "avxvnni"
#define QUANT_TABLE      quant_avxvnni
#define QUANT_LANES      8
#define QUANT_FLOAT_ROWS 1
#define QUANT_HAS_PANELS 1
#define QUANT_HAS_PACK   0
#define QUANT_AVXVNNI    1

#include "kern/quant_avx2.h"
#include "kern/quant_dots.h"
#include "kern/quant_panel_avx2.h"
#include "kern/quant_panel_walk.h"

#include "kern/quant_body.h"
#endif
