/* block.h - the number formats of GGUF tensors: how many numbers stand in a block of how many bytes, and what they
 * mean.
 *
 * A row of a quantised tensor is cut into blocks of 32 or 256 numbers that share scales. Names, numbers and layouts are
 * those of ggml (specification: ggml-common.h and docs/gguf.md there); all fields are little-endian.
 *
 * Threads: everything here is immutable.
 */
#ifndef PYTHIA_KERN_BLOCK_H
#define PYTHIA_KERN_BLOCK_H

#include <stddef.h>
#include <stdint.h>

/* X(name, number in the file, numbers a block, bytes a block, decoder or NULL when this build does not read it) */
#define BLOCK_LIST(X)                                                                                                  \
    X(F32, 0, 1, 4, block_decode_f32)                                                                                  \
    X(F16, 1, 1, 2, block_decode_f16)                                                                                  \
    X(Q4_0, 2, 32, 18, block_decode_q4_0)                                                                              \
    X(Q4_1, 3, 32, 20, block_decode_q4_1)                                                                              \
    X(Q5_0, 6, 32, 22, block_decode_q5_0)                                                                              \
    X(Q5_1, 7, 32, 24, block_decode_q5_1)                                                                              \
    X(Q8_0, 8, 32, 34, block_decode_q8_0)                                                                              \
    X(Q8_1, 9, 32, 36, NULL)                                                                                           \
    X(Q2_K, 10, 256, 84, NULL)                                                                                         \
    X(Q3_K, 11, 256, 110, NULL)                                                                                        \
    X(Q4_K, 12, 256, 144, block_decode_q4_k)                                                                           \
    X(Q5_K, 13, 256, 176, block_decode_q5_k)                                                                           \
    X(Q6_K, 14, 256, 210, block_decode_q6_k)                                                                           \
    X(Q8_K, 15, 256, 292, NULL)                                                                                        \
    X(IQ2_XXS, 16, 256, 66, NULL)                                                                                      \
    X(IQ2_XS, 17, 256, 74, NULL)                                                                                       \
    X(IQ3_XXS, 18, 256, 98, NULL)                                                                                      \
    X(IQ1_S, 19, 256, 50, NULL)                                                                                        \
    X(IQ4_NL, 20, 32, 18, NULL)                                                                                        \
    X(IQ3_S, 21, 256, 110, NULL)                                                                                       \
    X(IQ2_S, 22, 256, 82, NULL)                                                                                        \
    X(IQ4_XS, 23, 256, 136, NULL)                                                                                      \
    X(I8, 24, 1, 1, NULL)                                                                                              \
    X(I16, 25, 1, 2, NULL)                                                                                             \
    X(I32, 26, 1, 4, NULL)                                                                                             \
    X(I64, 27, 1, 8, NULL)                                                                                             \
    X(F64, 28, 1, 8, NULL)                                                                                             \
    X(IQ1_M, 29, 256, 56, NULL)                                                                                        \
    X(BF16, 30, 1, 2, block_decode_bf16)                                                                               \
    X(TQ1_0, 34, 256, 54, NULL)                                                                                        \
    X(TQ2_0, 35, 256, 66, NULL)                                                                                        \
    X(MXFP4, 39, 32, 17, NULL)                                                                                         \
    X(NVFP4, 40, 64, 36, NULL)

typedef enum {
#define BLOCK_ENUM(name, number, items, bytes, decode) BLOCK_##name = (number),
    BLOCK_LIST(BLOCK_ENUM)
#undef BLOCK_ENUM
} BlockType;

typedef struct {
    const char *name; /* "Q8_0" */
    uint32_t type;    /* BlockType */
    uint32_t items;   /* numbers a block */
    uint32_t bytes;   /* bytes a block */
    /* Turns n numbers (whole blocks) into floats. src need not be aligned. NULL: this build cannot read the format. */
    void (*decode)(const void *src, size_t n, float *dst /* [n] */);
} BlockFormat;

/* The format of a type number out of a file, NULL when there is none of that number. */
const BlockFormat *block_format(uint32_t type);

/* "F32, F16, Q4_0, …": what can be decoded, for messages. */
const char *block_readable_names(void);

#endif
