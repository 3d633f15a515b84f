/* scan_levels.h - the tables that exist; private to the room. */
#ifndef PYTHIA_KERN_SCAN_LEVELS_H
#define PYTHIA_KERN_SCAN_LEVELS_H

#include "kern/scan.h"

extern const KernScan scan_scalar, scan_avx2, scan_avx512, scan_neon;

#endif
