/* file.c - reading and writing the index file format; the tables are in file.h.
 *
 * Whatever stands in a file is hostile until its checksum and its bounds were looked at: sizes are compared by
 * subtraction from what is left of the file, products by division, so nothing can wrap.
 */
#include "index/file.h"

#include <assert.h>

#define BYTE_ORDER_MARK  0x01020304u
#define BYTE_ORDER_OTHER 0x04030201u
#define BLOCK_MAGIC      0x4B434C42u /* "BLCK" */

static const uint8_t file_magic[8] = {0x89, 'P', 'Y', 'X', '\r', '\n', 0x1A, '\n'};

typedef struct {
    uint8_t magic[8];
    uint32_t version, byte_order;
    char kind[8];
    uint32_t dim, dtype, item_bytes, zero;
    uint8_t model[32];
    uint64_t generation;
    uint8_t zeros[40];
    uint64_t sum;
} RawHead;
static_assert(sizeof(RawHead) == INDEX_HEAD_BYTES, "the header's table in file.h");

typedef struct {
    uint32_t magic, items;
    uint64_t first, bytes, sum;
    uint8_t zeros[24];
    uint64_t head_sum;
} RawBlock;
static_assert(sizeof(RawBlock) == INDEX_BLOCK_HEAD, "the block's table in file.h");

static uint64_t sum_before(const void *head, size_t n, uint64_t seed) { return xxh3_seeded(str_make(head, n), seed); }

static bool all_zero(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static RawHead head_make(IndexHead *head) {
    RawHead raw = {.version = INDEX_FILE_VERSION,
                   .byte_order = BYTE_ORDER_MARK,
                   .dim = head->dim,
                   .dtype = head->dtype,
                   .item_bytes = head->item_bytes,
                   .generation = head->generation};
    memcpy(raw.magic, file_magic, sizeof raw.magic);
    memcpy(raw.kind, head->kind, sizeof raw.kind);
    memcpy(raw.model, head->model.bytes, sizeof raw.model);
    raw.sum = head->sum = sum_before(&raw, offsetof(RawHead, sum), 0);
    return raw;
}

Err index_file_create(const char *path, IndexHead *head) {
    const RawHead raw = head_make(head);
    return file_write_atomic(path, str_make((const char *)&raw, sizeof raw), 0644);
}

Err index_head_append(FileAppend *f, IndexHead *head) {
    const RawHead raw = head_make(head);
    assert(f->size == 0);
    return file_append(f, &raw, sizeof raw);
}

static Err head_bad(Err code, const char *path, const char *what, size_t at) {
    return err_fix(err_set(code, "index file '%s' %s (byte %zu)", path, what, at), INDEX_FILE_FIX);
}

Err index_head_read(Str file, const char *path, IndexHead *out) {
    RawHead raw;
    if (file.n < sizeof raw) return head_bad(ERR_CORRUPT, path, "ends within its header", file.n);
    memcpy(&raw, file.p, sizeof raw);
    if (memcmp(raw.magic, file_magic, sizeof file_magic) != 0)
        return head_bad(ERR_CORRUPT, path, "does not begin as an index file", 0);
    if (raw.byte_order == BYTE_ORDER_OTHER)
        return head_bad(ERR_FORMAT, path, "was written on a machine of the other byte order", 12);
    if (raw.sum != sum_before(&raw, offsetof(RawHead, sum), 0))
        return head_bad(ERR_CORRUPT, path, "is damaged: its header does not fit its checksum", offsetof(RawHead, sum));
    if (raw.version != INDEX_FILE_VERSION)
        return err_fix(err_set(ERR_FORMAT, "index file '%s' has format version %u, this program reads %d (byte 8)",
                               path, raw.version, INDEX_FILE_VERSION),
                       INDEX_FILE_FIX);
    if (raw.byte_order != BYTE_ORDER_MARK || raw.item_bytes == 0 || raw.zero || !all_zero(raw.zeros, sizeof raw.zeros))
        return head_bad(ERR_CORRUPT, path, "has a header that no version 1 writes", 12);
    *out = (IndexHead){
        .dim = raw.dim, .dtype = raw.dtype, .item_bytes = raw.item_bytes, .generation = raw.generation, .sum = raw.sum};
    memcpy(out->kind, raw.kind, sizeof raw.kind);
    memcpy(out->model.bytes, raw.model, sizeof raw.model);
    return ERR_OK;
}

static Err expect_fix(Err code) { return err_fix(code, INDEX_FILE_FIX); }

Err index_head_expect(const IndexHead *in_file, const IndexHead *want, const char *path) {
    if (strcmp(in_file->kind, want->kind) != 0)
        return expect_fix(
            err_set(ERR_FORMAT, "index file '%s' is of kind '%s', not '%s'", path, in_file->kind, want->kind));
    if (memcmp(in_file->model.bytes, want->model.bytes, sizeof want->model.bytes) != 0) {
        char have_hex[13], want_hex[13];
        hex_write(in_file->model.bytes, 6, have_hex);
        hex_write(want->model.bytes, 6, want_hex);
        return expect_fix(err_set(ERR_MODEL_MISMATCH, "index file '%s' was made with model %s…, not with model %s…",
                                  path, have_hex, want_hex));
    }
    if (in_file->dim != want->dim)
        return expect_fix(err_set(ERR_MODEL_MISMATCH, "index file '%s' has %u dimensions, its collection %u", path,
                                  in_file->dim, want->dim));
    if (in_file->dtype != want->dtype || in_file->item_bytes != want->item_bytes)
        return expect_fix(err_set(ERR_FORMAT, "index file '%s' has items of %u bytes (type %u), not of %u (type %u)",
                                  path, in_file->item_bytes, in_file->dtype, want->item_bytes, want->dtype));
    if (in_file->generation != want->generation)
        return expect_fix(err_set(ERR_FORMAT, "index file '%s' is of generation %llu, its collection of %llu", path,
                                  (unsigned long long)in_file->generation, (unsigned long long)want->generation));
    return ERR_OK;
}

static Err block_bad(const char *path, size_t number, uint64_t at, const char *what) {
    return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: block %zu at byte %llu %s", path, number,
                           (unsigned long long)at, what),
                   INDEX_FILE_FIX);
}

Err index_block_read(Str file, const char *path, const IndexHead *head, size_t number, uint64_t at, uint64_t first,
                     IndexBlock *out) {
    RawBlock raw;
    if (at > file.n || file.n - at < sizeof raw) return block_bad(path, number, at, "is missing: the file ends");
    memcpy(&raw, file.p + at, sizeof raw);
    if (raw.magic != BLOCK_MAGIC) return block_bad(path, number, at, "does not begin as a block");
    if (raw.head_sum != sum_before(&raw, offsetof(RawBlock, head_sum), head->sum))
        return block_bad(path, number, at, "has a header that does not fit its checksum");
    if (raw.items == 0 || raw.bytes / head->item_bytes != raw.items || raw.bytes % head->item_bytes != 0)
        return block_bad(path, number, at, "has a size that does not fit its items");
    if (raw.first != first) return block_bad(path, number, at, "is not the next one");
    uint64_t left = file.n - at - sizeof raw, padding = (64 - raw.bytes % 64) % 64;
    if (raw.bytes > left || padding > left - raw.bytes) return block_bad(path, number, at, "leaves the file");
    *out = (IndexBlock){.at = at, .first = first, .items = raw.items, .padded = raw.bytes + padding, .sum = raw.sum};
    return ERR_OK;
}

Err index_block_verify(Str file, const char *path, size_t number, const IndexBlock *b) {
    assert(index_block_end(b) <= file.n);
    uint64_t sum = xxh3_of(str_make(file.p + b->at + INDEX_BLOCK_HEAD, b->padded));
    return sum == b->sum ? ERR_OK : block_bad(path, number, b->at, "does not fit its checksum");
}

size_t index_block_bytes(size_t items, size_t item_bytes) {
    size_t bytes = items * item_bytes;
    return INDEX_BLOCK_HEAD + bytes + (64 - bytes % 64) % 64;
}

Err index_block_append(FileAppend *f, const IndexHead *head, uint8_t *buffer, uint64_t first, uint32_t items,
                       IndexBlock *out) {
    assert(items > 0 && f->size % 64 == 0);
    size_t bytes = (size_t)items * head->item_bytes, whole = index_block_bytes(items, head->item_bytes);
    size_t padded = whole - INDEX_BLOCK_HEAD;
    memset(buffer + INDEX_BLOCK_HEAD + bytes, 0, padded - bytes);
    RawBlock raw = {.magic = BLOCK_MAGIC, .items = items, .first = first, .bytes = bytes};
    raw.sum = xxh3_of(str_make((const char *)buffer + INDEX_BLOCK_HEAD, padded));
    raw.head_sum = sum_before(&raw, offsetof(RawBlock, head_sum), head->sum);
    memcpy(buffer, &raw, sizeof raw);
    *out = (IndexBlock){.at = (uint64_t)f->size, .first = first, .items = items, .padded = padded, .sum = raw.sum};
    return file_append(f, buffer, whole);
}
