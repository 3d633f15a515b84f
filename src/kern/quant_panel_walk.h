/* quant_panel_walk.h - quant_panel for quant_body.h, by the pieces that quant_panel.h tells of. */
/* The last tile may take rows that were done already with it: their outputs get the same bits again. */
static void quant_panel(const QuantMatrix *w, size_t j, size_t n, const void *rows, size_t m, float *out, size_t ldo,
                        void *scratch) {
    const Panel panel = panel_at(w->type, w->k, scratch);
    QuantKind kind = quant_kind(w->type);
    size_t lda = quant_kind_bytes(kind, w->k);
    const uint8_t *p[QUANT_PANEL];
    for (size_t r = 0; r < QUANT_PANEL; r++) /* behind the last row: that row, for nobody */
        p[r] = (const uint8_t *)w->rows + (j + (r < n ? r : n - 1)) * w->row_bytes;
    panel_unpack(&panel, p);
    for (size_t r = 0; r < m;) {
        size_t tile = m < TILE_MANY || m - r <= TILE_FEW ? TILE_FEW : TILE_MANY;
        size_t first = m - r < tile ? m - tile : r;
        (kind == QUANT_BLOCKS32 ? tile32 : tile256)(&panel, tile, (const char *)rows + first * lda, lda, n,
                                                    out + first * ldo + j, ldo);
        r = first + tile;
    }
}
