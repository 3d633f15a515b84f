/* scan_avx512vbmi.c - the loops of scan.h for AVX-512 with VBMI and VNNI: Ice Lake, Zen 4 and later. */
#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__) && defined(__AVX512BW__)
#define SCAN_NAME  "avx512vbmi"
#define SCAN_TABLE scan_avx512vbmi

#include "kern/scan_avx512_body.h"
#endif
