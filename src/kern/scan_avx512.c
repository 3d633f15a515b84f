/* scan_avx512.c - the loops of scan.h for every CPU with AVX-512. */
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
#define SCAN_NAME  "avx512"
#define SCAN_TABLE scan_avx512

#include "kern/scan_avx512_body.h"
#endif
