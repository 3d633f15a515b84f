/* low_attention_neon.h - what low_attention_bf16.h asks of NEON with products of matrices: powers of two, keys and
 * values as panels of four inputs side by side.
 */

/* 2^x for x <= 0, 7.5e-5 relative: a fifth of what rounding to bf16 takes away; 0 below 2^-126. x less its floor, a
 * polynomial on [0, 1] (tools/fit_polynomials.py), the floor into the exponent. */
INLINE Vec low_exp2(Vec x) {
    Vec floor = (Vec)vrndmq_f32((float32x4_t)low_max(x, vec_all(-126.0f))), r = x - floor;
    Vec p = r * 0x1.3f96a0p-4f + 0x1.cefc52p-3f;
    p = p * r + 0x1.64444ap-1f;
    p = p * r + 0x1.fff632p-1f;
    VecInt power = (VecInt)p + (__builtin_convertvector(floor, VecInt) << 23);
    return (Vec)(power & (VecInt)(x >= vec_all(-126.0f)));
}

/* Keys [tokens, head_dim] as panels of 32 tokens: [wide / 32][head_dim / 4][32][4]; zeros behind the last token. */
static void low_pack_keys(const LowAttention *a, Bf16 *out) {
    size_t groups = a->head_dim / 4;
    for (size_t t = 0; t < low_wide(a->tokens); t++) {
        Bf16 *to = out + t / LOW_WIDE * LOW_WIDE * a->head_dim + t % LOW_WIDE * 4;
        for (size_t g = 0; g < groups; g++)
            vst1_u16(to + g * 4 * LOW_WIDE, t < a->tokens ? vld1_u16(a->k + t * a->stride + 4 * g) : vdup_n_u16(0));
    }
}

/* Up to 8 of the values of four tokens, dimension by dimension: [8][4]; zeros where tokens or dimensions end. */
INLINE void low_pack_eight(const LowAttention *a, size_t token, size_t d, Bf16 *out) {
    size_t n = a->head_dim - d < 8 ? a->head_dim - d : 8;
    Bf16 rows[4][8] = {{0}};
    for (size_t r = 0; r < 4 && token + r < a->tokens; r++)
        memcpy(rows[r], a->v + (token + r) * a->stride + d, n * sizeof(Bf16));
    vst4q_u16(out, (uint16x8x4_t){{vld1q_u16(rows[0]), vld1q_u16(rows[1]), vld1q_u16(rows[2]), vld1q_u16(rows[3])}});
}

/* Values as panels of 32 dimensions, four tokens side by side: [wide(head_dim) / 32][tokens / 4, up][32][4]. */
static void low_pack_values(const LowAttention *a, Bf16 *out) {
    for (size_t d0 = 0; d0 < a->head_dim; d0 += LOW_WIDE)
        for (size_t t = 0; t < a->tokens; t += 4)
            for (size_t d = d0; d < d0 + LOW_WIDE; d += 8, out += 32) {
                const Bf16 *v = a->v + t * a->stride + d;
                if (t + 4 <= a->tokens && d + 8 <= a->head_dim)
                    vst4q_u16(out, (uint16x8x4_t){{vld1q_u16(v), vld1q_u16(v + a->stride), vld1q_u16(v + 2 * a->stride),
                                                   vld1q_u16(v + 3 * a->stride)}});
                else if (d < a->head_dim)
                    low_pack_eight(a, t, d, out);
                else
                    memset(out, 0, 32 * sizeof *out);
            }
}
