/* gguf.h - reading and writing GGUF, the file format of models: typed metadata, then tensors.
 *
 * A file is (all little-endian; specification: docs/gguf.md of ggml, versions 2 and 3):
 *
 *     0   "GGUF"  u32 version  u64 tensors  u64 keys
 *     24  keys:    string key, u32 type, value        string = u64 length, bytes
 *                  an array's value = u32 item type, u64 count, items
 *     …   tensors: string name, u32 dims, u64 shape[dims] (fastest first), u32 type, u64 offset
 *     …   zeros up to a multiple of general.alignment (32 when not given)
 *     …   data: each tensor at its offset from here, a multiple of the alignment
 *
 * The reader trusts nothing: all of the above is checked before gguf_open_* returns (counts and lengths against the
 * limits below and the bytes that are left, keys and names unique, tensors inside the file and not over one another),
 * so that the getters cannot read outside. Tensor data is not touched. An error names the file, the byte and the
 * object.
 *
 * Threads: an open Gguf is immutable. A writer is one thread's.
 */
#ifndef PYTHIA_MODEL_GGUF_H
#define PYTHIA_MODEL_GGUF_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "kern/block.h"

enum {
    GGUF_KEYS_MAX = 1 << 16,
    GGUF_TENSORS_MAX = 1 << 16,
    GGUF_KEY_LENGTH_MAX = 65535,      /* bytes; the specification's limit */
    GGUF_NAME_LENGTH_MAX = 64,        /* bytes of a tensor's name; the specification's limit */
    GGUF_STRING_LENGTH_MAX = 1 << 28, /* bytes of a string value: an embedded tokenizer.json has 30 MB */
    GGUF_ITEMS_MAX = 1 << 26,         /* of an array; the largest vocabularies have 2^18 */
    GGUF_DIMS_MAX = 4,
    GGUF_ALIGNMENT = 32, /* of tensor data, when the file does not say; what the writer uses */
    GGUF_ALIGNMENT_MAX = 1 << 16
};

/* X(name, number in the file, bytes of a value; 0: variable) */
#define GGUF_TYPE_LIST(X)                                                                                              \
    X(U8, 0, 1)                                                                                                        \
    X(I8, 1, 1)                                                                                                        \
    X(U16, 2, 2)                                                                                                       \
    X(I16, 3, 2)                                                                                                       \
    X(U32, 4, 4)                                                                                                       \
    X(I32, 5, 4)                                                                                                       \
    X(F32, 6, 4)                                                                                                       \
    X(BOOL, 7, 1)                                                                                                      \
    X(STR, 8, 0)                                                                                                       \
    X(ARRAY, 9, 0)                                                                                                     \
    X(U64, 10, 8)                                                                                                      \
    X(I64, 11, 8)                                                                                                      \
    X(F64, 12, 8)

typedef enum {
#define GGUF_TYPE_ENUM(name, number, bytes) GGUF_##name = (number),
    GGUF_TYPE_LIST(GGUF_TYPE_ENUM)
#undef GGUF_TYPE_ENUM
} GgufType;

typedef struct Gguf Gguf;

typedef struct {
    Str key;
    GgufType type;
    GgufType item_type; /* of an array; else = type */
    uint64_t count;     /* items of an array; else 1 */
    Str bytes;          /* the value (strings: without their length; arrays: the items as they stand in the file) */
    uint64_t at;        /* its first byte in the file */
} GgufKey;

typedef struct {
    Str name;
    const BlockFormat *format;
    uint32_t n_dims;
    uint64_t shape[GGUF_DIMS_MAX]; /* fastest first: a [rows, cols] matrix has shape {cols, rows}; unused ones are 1 */
    uint64_t items;                /* their product */
    Str data;                      /* aligned as the file is mapped */
} GgufTensor;

/* Maps the file and checks it. ERR_NO_MODEL: there is none; ERR_CORRUPT; ERR_LIMIT: over a limit above;
 * ERR_UNSUPPORTED: version 1, big-endian, nested arrays, an unknown tensor type. Cost: the metadata is walked once,
 * ~1 ms for 30,000 vocabulary words; no tensor is read. */
MUST_USE Err gguf_open_path(Gguf **out, const char *path);
/* The same of bytes in memory, which must outlive the Gguf. name is for messages. */
MUST_USE Err gguf_open_bytes(Gguf **out, Str bytes, const char *name);
void gguf_close(Gguf *g); /* NULL is fine; every Str out of it ends here */

const char *gguf_name(const Gguf *g); /* the path, for messages */
uint32_t gguf_version(const Gguf *g);
Str gguf_bytes(const Gguf *g); /* the whole file */

/* ---- metadata ---- */

size_t gguf_keys(const Gguf *g);
const GgufKey *gguf_key_at(const Gguf *g, size_t i);
const GgufKey *gguf_key(const Gguf *g, const char *key); /* NULL when missing */

/* ERR_CORRUPT "model 'x.gguf' has no key 'tokenizer.ggml.model'" when missing. */
MUST_USE Err gguf_need(const Gguf *g, const char *key);

/* Getters: a missing key leaves *out untouched (put the default there, or call gguf_need first); a key of another kind,
 * or a number that does not fit, is ERR_CORRUPT naming key, type and value. Integers may have any integer type in the
 * file, floats F32 or F64. */
MUST_USE Err gguf_get_u32(const Gguf *g, const char *key, uint32_t *out);
MUST_USE Err gguf_get_u64(const Gguf *g, const char *key, uint64_t *out);
MUST_USE Err gguf_get_i64(const Gguf *g, const char *key, int64_t *out);
MUST_USE Err gguf_get_f32(const Gguf *g, const char *key, float *out);
MUST_USE Err gguf_get_bool(const Gguf *g, const char *key, bool *out);
MUST_USE Err gguf_get_str(const Gguf *g, const char *key, Str *out); /* borrowed from the file */

/* Arrays, copied into the arena (the file keeps them unaligned); the strings themselves are borrowed from the file.
 * i32: any integer type, values checked to fit. u8: U8, I8 or BOOL, borrowed, no copy. */
MUST_USE Err gguf_get_strs(const Gguf *g, Arena *a, const char *key, Str **out /* [n] */, size_t *n);
MUST_USE Err gguf_get_i32s(const Gguf *g, Arena *a, const char *key, int32_t **out /* [n] */, size_t *n);
MUST_USE Err gguf_get_f32s(const Gguf *g, Arena *a, const char *key, float **out /* [n] */, size_t *n);
MUST_USE Err gguf_get_u8s(const Gguf *g, const char *key, Str *out);

const char *gguf_type_name(GgufType type); /* "u32" */
size_t gguf_type_bytes(GgufType type);     /* of a value; 0: variable, or no such type */

/* ---- tensors ---- */

size_t gguf_tensors(const Gguf *g);
const GgufTensor *gguf_tensor_at(const Gguf *g, size_t i);
const GgufTensor *gguf_tensor(const Gguf *g, const char *name); /* NULL when missing */

/* The tensor's bytes were used for the last time for now: its pages leave this process's memory (file_map_forget). They
 * are read again when touched. Does nothing to caller's bytes. */
void gguf_forget(const Gguf *g, const GgufTensor *t);

/* All of the file is about to be read over and over, as a model that writes reads it for each token (sys_map_hot). Does
 * nothing to caller's bytes. */
void gguf_hot(const Gguf *g);

/* ---- writing ---- */

typedef struct GgufWriter GgufWriter;

/* Setters cannot fail at once: the first thing that goes wrong (memory, a key twice, a name too long, bytes that do not
 * fit the shape) is kept and told by gguf_writer_write. Keys and strings are copied, tensor data is borrowed until the
 * writing. Keys and tensors stand in the file in the order of setting. */
MUST_USE Err gguf_writer_open(GgufWriter **out);
void gguf_writer_close(GgufWriter *w); /* NULL is fine */

void gguf_set_u8(GgufWriter *w, const char *key, uint8_t v);
void gguf_set_i8(GgufWriter *w, const char *key, int8_t v);
void gguf_set_u16(GgufWriter *w, const char *key, uint16_t v);
void gguf_set_i16(GgufWriter *w, const char *key, int16_t v);
void gguf_set_u32(GgufWriter *w, const char *key, uint32_t v);
void gguf_set_i32(GgufWriter *w, const char *key, int32_t v);
void gguf_set_u64(GgufWriter *w, const char *key, uint64_t v);
void gguf_set_i64(GgufWriter *w, const char *key, int64_t v);
void gguf_set_f32(GgufWriter *w, const char *key, float v);
void gguf_set_f64(GgufWriter *w, const char *key, double v);
void gguf_set_bool(GgufWriter *w, const char *key, bool v);
void gguf_set_str(GgufWriter *w, const char *key, Str v);

void gguf_set_strs(GgufWriter *w, const char *key, const Str *v /* [n] */, size_t n);
/* Any type of fixed size: v is n items of it as they stand in memory (little-endian machine). */
void gguf_set_array(GgufWriter *w, const char *key, GgufType item_type, const void *v, size_t n);
/* A key of another file, as it stands there. */
void gguf_set_copy(GgufWriter *w, const GgufKey *k);

/* shape fastest first, n_dims of them; data must have exactly the bytes that type and shape ask for. */
void gguf_add_tensor(GgufWriter *w, const char *name, BlockType type, const uint64_t *shape /* [n_dims] */,
                     size_t n_dims, Str data);

/* Writes version 3 beside path and renames it over, synced. On failure path is as it was. */
MUST_USE Err gguf_writer_write(GgufWriter *w, const char *path);

/* The same into memory: for tests. */
MUST_USE Err gguf_writer_bytes(GgufWriter *w, Buf *out);

#endif
