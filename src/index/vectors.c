/* vectors.c - see vectors.h. */
#include "index/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "index/vec.h"
#include "kern/kern.h"

static Err unfit(const char *path, const char *what) { return err_set(ERR_INPUT, "'%s' %s", path, what); }

static Err rows_own(VectorFile *v, const char *path) {
    if (v->n == 0 || v->dim == 0) return unfit(path, "has no vectors");
    if (v->dim > VEC_DIM_MAX)
        return err_set(ERR_LIMIT, "'%s' has vectors of %zu numbers, an index takes up to %d", path, v->dim,
                       VEC_DIM_MAX);
    if (v->n > SIZE_MAX / v->dim / sizeof(float)) return unfit(path, "has more vectors than memory can hold");
    v->owned = malloc(v->n * v->dim * sizeof *v->owned);
    if (!v->owned) return err_set(ERR_NOMEM, "out of memory for %zu vectors of '%s'", v->n, path);
    v->rows = v->owned;
    return ERR_OK;
}

/* ---- .npy ---- */

/* The value behind 'key': in the header's Python dictionary, up to the comma that ends it; empty when it is not
 * there. */
static Str header_value(Str header, const char *key) {
    Buf quoted = {0};
    buf_printf(&quoted, "'%s'", key);
    ptrdiff_t at = quoted.p ? str_find(header, buf_str(&quoted)) : -1;
    size_t skip = quoted.n;
    buf_free(&quoted);
    if (at < 0) return STR("");
    Str rest = str_trim(str_from(header, (size_t)at + skip));
    if (rest.n == 0 || rest.p[0] != ':') return STR("");
    rest = str_trim(str_from(rest, 1));
    char last = rest.n && rest.p[0] == '(' ? ')' : ',';
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] == last || rest.p[i] == '}') return str_trim((Str){rest.p, i});
    return STR("");
}

static bool number_take(Str *s, size_t *out) {
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') n++;
    int64_t value = 0;
    if (n == 0 || !str_to_i64((Str){s->p, n}, &value)) return false;
    *out = (size_t)value;
    *s = str_trim(str_from(*s, n));
    return true;
}

/* "(rows, dim" */
static bool shape_read(Str s, size_t *n, size_t *dim) {
    if (s.n == 0 || s.p[0] != '(') return false;
    s = str_trim(str_from(s, 1));
    if (!number_take(&s, n) || s.n == 0 || s.p[0] != ',') return false;
    s = str_trim(str_from(s, 1));
    if (!number_take(&s, dim)) return false;
    return s.n == 0 || (s.n == 1 && s.p[0] == ',');
}

static Err npy_copy(VectorFile *v, Str body, size_t each, const char *path) {
    TRY(rows_own(v, path));
    for (size_t i = 0; each == 8 && i < v->n * v->dim; i++) {
        double x;
        memcpy(&x, body.p + i * 8, sizeof x);
        v->owned[i] = (float)x;
    }
    if (each == 4) memcpy(v->owned, body.p, v->n * v->dim * 4);
    if (each == 2) kern_table()->decode_f16(body.p, v->n * v->dim, v->owned);
    return ERR_OK;
}

static Err npy_read(VectorFile *v, Str file, const char *path) {
    const uint8_t *b = (const uint8_t *)file.p;
    if (file.n < 12 || memcmp(b, "\x93NUMPY", 6) != 0) return unfit(path, "is no .npy file: its first bytes differ");
    if (b[6] < 1 || b[6] > 3) return err_set(ERR_INPUT, "'%s' is .npy version %d, known are 1 to 3", path, b[6]);
    size_t wide = b[6] == 1 ? 2 : 4, start = 8 + wide, length = b[8] | (size_t)b[9] << 8;
    if (wide == 4) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > file.n - start) return unfit(path, "ends inside its header");
    Str header = {file.p + start, length}, body = str_from(file, start + length), type = header_value(header, "descr");
    size_t each = str_is(type, "'<f4'") ? 4 : str_is(type, "'<f2'") ? 2 : str_is(type, "'<f8'") ? 8 : 0;
    if (!each)
        return err_set(ERR_INPUT, "'%s' has numbers of type %.*s; '<f4', '<f2' and '<f8' are read", path,
                       STR_FMT(type));
    if (!str_is(header_value(header, "fortran_order"), "False")) return unfit(path, "is not in C order");
    if (!shape_read(header_value(header, "shape"), &v->n, &v->dim)) return unfit(path, "has not two dimensions");
    if (v->n == 0 || v->dim == 0 || v->n > SIZE_MAX / v->dim || body.n / each != v->n * v->dim || body.n % each)
        return err_set(ERR_INPUT, "'%s' has %zu bytes of numbers, its shape (%zu, %zu) says otherwise", path, body.n,
                       v->n, v->dim);
    if (each != 4 || (uintptr_t)body.p % sizeof(float) || v->dim > VEC_DIM_MAX) return npy_copy(v, body, each, path);
    v->rows = (const float *)(const void *)body.p;
    return ERR_OK;
}

/* ---- .fvecs ---- */

static Err fvecs_read(VectorFile *v, Str file, const char *path) {
    uint32_t dim = 0;
    if (file.n < 4) return unfit(path, "has no vectors");
    memcpy(&dim, file.p, sizeof dim);
    size_t bytes = 4 + (size_t)dim * 4;
    if (dim == 0 || file.n % bytes)
        return err_set(ERR_INPUT, "'%s' is no .fvecs file: %zu bytes are no whole rows of %u numbers", path, file.n,
                       dim);
    v->dim = dim;
    v->n = file.n / bytes;
    TRY(rows_own(v, path));
    for (size_t i = 0; i < v->n; i++) {
        uint32_t own;
        memcpy(&own, file.p + i * bytes, sizeof own);
        if (own != dim) return err_set(ERR_INPUT, "'%s': row %zu has %u numbers, the first has %u", path, i, own, dim);
        memcpy(v->owned + i * dim, file.p + i * bytes + 4, bytes - 4);
    }
    return ERR_OK;
}

Err vectors_read(VectorFile *out, Str bytes, bool npy, const char *path) {
    *out = (VectorFile){.map.bytes = STR("")};
    Err err = npy ? npy_read(out, bytes, path) : fvecs_read(out, bytes, path);
    if (!err) return ERR_OK;
    free(out->owned);
    out->owned = NULL;
    return err;
}

Err vectors_open(VectorFile *out, const char *path) {
    FileMap map = {STR(""), NULL};
    Str name = str_of(path);
    bool npy = str_ends(name, STR(".npy"));
    *out = (VectorFile){.map.bytes = STR("")};
    if (!npy && !str_ends(name, STR(".fvecs"))) return err_set(ERR_INPUT, "'%s' is neither .npy nor .fvecs", path);
    TRY(file_map(path, &map));
    Err err = vectors_read(out, map.bytes, npy, path);
    if (err || out->owned)
        file_unmap(&map);
    else
        out->map = map;
    return err;
}

void vectors_close(VectorFile *v) {
    file_unmap(&v->map);
    free(v->owned);
}
