/* quant_panel.h - many activation rows on x86: 32 weight rows unpacked into a panel in scratch, tiles of activation
 * rows run over it. What the files of the levels (quant_panel_<level>.h) share.
 *
 * A panel in scratch, for every group of 256 inputs:
 *   bytes   [64][32][4]: four inputs of an output side by side, as the product takes them
 *   scales  blocks of 32: float [8][2][32], scales and minimums; K formats: int32 [8 or 16][32]
 *   mins    Q4_K, Q5_K: int16 [4][32][2], minimums of two sub-blocks side by side
 *   halves  K formats: float [2][32], d and dmin
 *
 * A level defines panel_unpack (bytes and all), TILE_MANY and TILE_FEW (rows of its two tiles), tile32 and tile256, and
 * then includes quant_panel_walk.h.
 */
#ifndef PYTHIA_KERN_QUANT_PANEL_H
#define PYTHIA_KERN_QUANT_PANEL_H

#include "kern/quant_unpack.h"

typedef struct {
    uint32_t type;
    size_t k;
    uint8_t *bytes;
    void *scales;
    int16_t *mins;
    float *halves;
} Panel;

static Panel panel_at(uint32_t type, size_t k, void *scratch) {
    size_t groups = quant_groups(k);
    char *p = scratch;
    Panel panel = {type, k, scratch, p + groups * QUANT_GROUP * QUANT_PANEL, NULL, NULL};
    p = (char *)panel.scales + groups * 16 * QUANT_PANEL * sizeof(int32_t);
    panel.mins = (void *)p;
    panel.halves = (void *)(p + groups * 8 * QUANT_PANEL * sizeof(int16_t));
    return panel;
}

/* Scales and minimums of one row's blocks of 32. */
INLINE void panel_scales32(const Panel *panel, uint32_t type, const uint8_t *p, size_t r) {
    float *scale = (float *)panel->scales + r;
    for (size_t b = 0; b < panel->k / QUANT_BLOCK; b++, p += quant_block_bytes(type), scale += 2 * QUANT_PANEL) {
        scale[0] = quant_half(p);
        if (quant_has_min(type)) scale[QUANT_PANEL] = quant_half(p + 2);
    }
}

/* Scales, minimums and halves of one row's block of 256. */
INLINE void panel_scales256(const Panel *panel, uint32_t type, const uint8_t *p, size_t group, size_t r) {
    float *halves = panel->halves + group * 2 * QUANT_PANEL + r;
    int32_t *scales = (int32_t *)panel->scales + group * (type == BLOCK_Q6_K ? 16 : 8) * QUANT_PANEL + r;
    if (type == BLOCK_Q6_K) {
        halves[0] = quant_half(p + 208);
        for (size_t j = 0; j < 16; j++) scales[j * QUANT_PANEL] = (int8_t)p[192 + j];
        return;
    }
    uint64_t few, mins;
    quant_unpack_scales(p + 4, &few, &mins);
    halves[0] = quant_half(p);
    halves[QUANT_PANEL] = quant_half(p + 2);
    int16_t *min = panel->mins + (group * 4 * QUANT_PANEL + r) * 2;
    for (size_t j = 0; j < 8; j++) {
        scales[j * QUANT_PANEL] = (int32_t)(few >> 8 * j & 0xFF);
        min[j / 2 * 2 * QUANT_PANEL + j % 2] = (int16_t)(mins >> 8 * j & 0xFF);
    }
}

#endif
