/* attic.c - see attic.h. Plain reads and writes at offsets, not a map: a write to a map of a file on a full disk is a
 * signal, and a read of a truncated one too. */
#include "engine/attic.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum { HEADER = 64, HEADER_SUMMED = 56, BUCKET = 8, KEY = 32 };

struct Attic {
    int fd; /* -1: keeps nothing */
    size_t dim;
    uint64_t rows, stamp;
    char *slot; /* [16 + 4 dim] hash and vector of one slot, as summed */
};

typedef struct {
    uint8_t hash[16];
    uint64_t checksum, stamp;
} Key;

_Static_assert(sizeof(Key) == KEY, "as attic.h says");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is written as memory has it");

static size_t row_bytes(size_t dim) { return BUCKET * (KEY + dim * sizeof(float)); }

/* ---- opening ---- */

static void header_make(const AtticSpec *spec, uint64_t rows, char out[HEADER]) {
    uint32_t dim = (uint32_t)spec->dim, slots = BUCKET;
    static const char magic[8] = {'P', 'Y', 'A', 'T', 'T', 'I', 'C', '1'};
    memcpy(out, magic, sizeof magic);
    memcpy(out + 8, &dim, 4);
    memcpy(out + 12, &slots, 4);
    memcpy(out + 16, &rows, 8);
    memcpy(out + 24, spec->model.bytes, 32);
    uint64_t sum = xxh3_of(str_make(out, HEADER_SUMMED));
    memcpy(out + HEADER_SUMMED, &sum, 8);
}

static bool read_at(int fd, void *to, size_t n, uint64_t at) { return pread(fd, to, n, (off_t)at) == (ssize_t)n; }

/* A file with another header (another size wanted, another model under the same name) begins anew. */
static Err file_ready(const char *path, const char header[HEADER], int *fd) {
    char has[HEADER];
    *fd = open(path, O_RDWR | O_CLOEXEC);
    if (*fd >= 0 && read_at(*fd, has, HEADER, 0) && memcmp(has, header, HEADER) == 0) return ERR_OK;
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
    TRY(file_write_atomic(path, str_make(header, HEADER), 0600));
    *fd = open(path, O_RDWR | O_CLOEXEC);
    return *fd >= 0 ? ERR_OK : err_set(ERR_IO, "cannot open '%s'", path);
}

static Err open_file(Attic *a, const AtticSpec *spec) {
    char header[HEADER], path[1100], name[17];
    hex_write(spec->model.bytes, 8, name);
    int n = snprintf(path, sizeof path, "%s/%s-%zu.vectors", spec->dir, name, spec->dim);
    if (n < 0 || (size_t)n >= sizeof path) return err_set(ERR_LIMIT, "'%s' is too long a path", spec->dir);
    header_make(spec, a->rows, header);
    TRY(file_make_dirs(spec->dir, 0700));
    return file_ready(path, header, &a->fd);
}

Err attic_open(Attic **out, const AtticSpec *spec) {
    *out = NULL;
    Attic *a = calloc(1, sizeof *a);
    if (a) a->slot = malloc(sizeof(ChunkHash) + spec->dim * sizeof(float));
    if (!a || !a->slot) {
        free(a);
        return err_set(ERR_NOMEM, "out of memory for vectors that are kept");
    }
    a->fd = -1;
    a->dim = spec->dim;
    a->stamp = spec->stamp;
    a->rows = spec->max_bytes > HEADER ? (spec->max_bytes - HEADER) / row_bytes(spec->dim) : 0;
    if (a->rows && open_file(a, spec)) LOG(LOG_INFO, "engine", "no vectors are kept: %s", err_text());
    *out = a;
    return ERR_OK;
}

void attic_close(Attic *a) {
    if (!a) return;
    if (a->fd >= 0) (void)close(a->fd);
    free(a->slot);
    free(a);
}

/* ---- slots ---- */

static uint64_t row_of(const Attic *a, const ChunkHash *hash) {
    uint64_t h;
    memcpy(&h, hash->bytes, sizeof h);
    return HEADER + h % a->rows * row_bytes(a->dim);
}

static uint64_t vector_of(const Attic *a, uint64_t row, size_t slot) {
    return row + BUCKET * KEY + slot * a->dim * sizeof(float);
}

static uint64_t slot_sum(Attic *a, const ChunkHash *hash, const float *vector) {
    memcpy(a->slot, hash->bytes, sizeof *hash);
    memcpy(a->slot + sizeof *hash, vector, a->dim * sizeof *vector);
    return xxh3_of(str_make(a->slot, sizeof *hash + a->dim * sizeof *vector));
}

/* What lies behind the file's end has never been written. */
static void keys_read(const Attic *a, uint64_t row, Key keys[BUCKET]) {
    memset(keys, 0, BUCKET * KEY);
    ssize_t n = pread(a->fd, keys, BUCKET * KEY, (off_t)row);
    if (n != BUCKET * KEY) memset(keys, 0, BUCKET * KEY);
}

static bool vector_is_sound(const float *v, size_t dim) {
    float check = 0;
    for (size_t i = 0; i < dim; i++) check += v[i] * 0.0f;
    return check == 0.0f;
}

bool attic_get(Attic *a, const ChunkHash *hash, float *out) {
    Key keys[BUCKET];
    if (a->fd < 0) return false;
    uint64_t row = row_of(a, hash);
    keys_read(a, row, keys);
    for (size_t i = 0; i < BUCKET; i++) {
        if (keys[i].stamp == 0 || memcmp(keys[i].hash, hash->bytes, sizeof *hash) != 0) continue;
        return read_at(a->fd, out, a->dim * sizeof *out, vector_of(a, row, i)) &&
               slot_sum(a, hash, out) == keys[i].checksum && vector_is_sound(out, a->dim);
    }
    return false;
}

void attic_put(Attic *a, const ChunkHash *hash, const float *vector) {
    Key keys[BUCKET];
    size_t at = 0;
    if (a->fd < 0) return;
    uint64_t row = row_of(a, hash);
    keys_read(a, row, keys);
    for (size_t i = 0; i < BUCKET; i++) {
        if (keys[i].stamp && memcmp(keys[i].hash, hash->bytes, sizeof *hash) == 0) {
            at = i;
            break;
        }
        if (keys[i].stamp < keys[at].stamp) at = i;
    }
    Key key = {.checksum = slot_sum(a, hash, vector), .stamp = a->stamp ? a->stamp : 1};
    memcpy(key.hash, hash->bytes, sizeof *hash);
    size_t n = a->dim * sizeof *vector;
    /* A write that fails half way leaves a slot whose sum is wrong. */
    if (pwrite(a->fd, &key, KEY, (off_t)(row + at * KEY)) == KEY)
        (void)!pwrite(a->fd, vector, n, (off_t)vector_of(a, row, at));
}
