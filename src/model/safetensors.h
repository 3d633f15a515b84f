/* safetensors.h - reading safetensors, the file format of Hugging Face weights.
 *
 * A file is (little-endian; specification: the format's README, version 0.4):
 *
 *     0   u64 n
 *     8   n bytes of JSON: {"name": {"dtype": "F32", "shape": [rows, cols], "data_offsets": [begin, end]}, …,
 *                           "__metadata__": {"key": "value", …}}, padded with spaces
 *     8+n data: the offsets count from here; the tensors cover it without gaps and without overlap
 *
 * The reader trusts nothing: all of that is checked before safetensors_open_* returns. Tensor data is not touched. An
 * error names the file, the tensor and the numbers at fault.
 *
 * Threads: an open Safetensors is immutable.
 */
#ifndef PYTHIA_MODEL_SAFETENSORS_H
#define PYTHIA_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SAFE_HEADER_MAX = 100 << 20, /* bytes; the reference's limit */
    SAFE_TENSORS_MAX = 1 << 16,
    SAFE_DIMS_MAX = 8
};

/* X(name, bytes a number) */
#define SAFE_TYPE_LIST(X)                                                                                              \
    X(BOOL, 1)                                                                                                         \
    X(U8, 1)                                                                                                           \
    X(I8, 1)                                                                                                           \
    X(F8_E5M2, 1)                                                                                                      \
    X(F8_E4M3, 1)                                                                                                      \
    X(I16, 2)                                                                                                          \
    X(U16, 2)                                                                                                          \
    X(F16, 2)                                                                                                          \
    X(BF16, 2)                                                                                                         \
    X(I32, 4)                                                                                                          \
    X(U32, 4)                                                                                                          \
    X(F32, 4)                                                                                                          \
    X(I64, 8)                                                                                                          \
    X(U64, 8)                                                                                                          \
    X(F64, 8)

typedef enum {
#define SAFE_TYPE_ENUM(name, bytes) SAFE_##name,
    SAFE_TYPE_LIST(SAFE_TYPE_ENUM)
#undef SAFE_TYPE_ENUM
        SAFE_TYPE_COUNT
} SafeType;

typedef struct {
    Str name;
    SafeType type;
    uint32_t n_dims;
    uint64_t shape[SAFE_DIMS_MAX]; /* slowest first, as in PyTorch: [rows, cols]; unused ones are 1 */
    uint64_t items;                /* their product */
    Str data;                      /* not necessarily aligned */
} SafeTensor;

typedef struct Safetensors Safetensors;

/* Maps the file and checks it. ERR_IO; ERR_CORRUPT; ERR_LIMIT: over a limit above; ERR_UNSUPPORTED: an unknown
 * dtype. */
MUST_USE Err safetensors_open_path(Safetensors **out, const char *path);
/* The same of bytes in memory, which must outlive it. name is for messages. */
MUST_USE Err safetensors_open_bytes(Safetensors **out, Str bytes, const char *name);
void safetensors_close(Safetensors *s); /* NULL is fine; every Str out of it ends here */

const char *safetensors_name(const Safetensors *s); /* the path, for messages */
size_t safetensors_count(const Safetensors *s);
const SafeTensor *safetensors_at(const Safetensors *s, size_t i);           /* in the order of their data */
const SafeTensor *safetensors_find(const Safetensors *s, const char *name); /* NULL when missing */

const char *safe_type_name(SafeType type); /* "BF16" */

#endif
