/* kern_levels.h - the tables that exist; private to the room. */
#ifndef PYTHIA_KERN_KERN_LEVELS_H
#define PYTHIA_KERN_KERN_LEVELS_H

#include "kern/kern.h"

extern const Kern kern_scalar;
extern const Kern kern_avx2;
extern const Kern kern_avxvnni;
extern const Kern kern_avx512;
extern const Kern kern_avx512vnni;
extern const Kern kern_avx512bf16;
extern const Kern kern_neon;
extern const Kern kern_neondotprod;
extern const Kern kern_neonbf16;

extern const KernQuant quant_scalar;
extern const KernQuant quant_avx2;
extern const KernQuant quant_avxvnni;
extern const KernQuant quant_avx512vnni;
extern const KernQuant quant_neon;
extern const KernQuant quant_neondotprod;
extern const KernQuant quant_neonbf16;

#endif
