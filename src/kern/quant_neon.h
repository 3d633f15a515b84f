/* quant_neon.h - the product that quant_dots_plain.h asks for, out of quant_sixteen(x, w, a): sixteen products of
 * signed bytes added to the sums x. */

/* Weights but those of Q8_0 are below 128, so they are signed bytes as they stand; those of Q8_0 become so by taking
 * their zero, 128. */
INLINE int32_t quant_product(uint32_t type, const uint8_t *q, const int8_t *a, size_t n, int32_t sum) {
    int32x4_t x = vdupq_n_s32(0);
    for (size_t i = 0; i < n; i += 16) {
        uint8x16_t w = vld1q_u8(q + i);
        if (type == BLOCK_Q8_0) w = veorq_u8(w, vdupq_n_u8(128));
        x = quant_sixteen(x, vreinterpretq_s8_u8(w), vld1q_s8(a + i));
    }
    return vaddvq_s32(x) - (type == BLOCK_Q8_0 ? 0 : quant_zero(type) * sum);
}
