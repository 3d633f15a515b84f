/* registry.c - models as files: which there are, which one a name means, what one is known by, whether it is sound.
 *
 * A model's identity is the SHA-256 of its file. Hashing 90 MB takes a quarter of a second, so the hash is kept in a
 * side file, `<path>.sha256`, one line: hex, size in bytes, mtime in ns. It counts as long as size and mtime agree.
 *
 * Threads: any; two processes may write the same side file, each atomically and the same.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/map.h"
#include "base/utf8.h"
#include "model/gguf.h"
#include "model/info.h"
#include "model/model.h"
#include "model/tok.h"

enum { SIDE_FILE_MAX = 4096, LIST_MAX = 4096, NUMBERS_A_STEP = 1 << 14 };

/* ---- identity ---- */

typedef struct {
    Sha256 id;
    int64_t size, mtime_ns;
} Side;

static Err side_path(Arena *a, const char *path, const char **out) {
    *out = arena_printf(a, "%s.sha256", path).p;
    return *out ? ERR_OK : arena_error();
}

/* False when there is none or it cannot be read: the hash is then computed. */
static bool side_read(Arena *a, const char *path, Side *out) {
    const char *side = NULL;
    Str text, hex, size, mtime;
    FileInfo info;
    if (side_path(a, path, &side) || file_info(side, true, &info) || info.type != FILE_REGULAR) return false;
    if (file_read(a, side, SIDE_FILE_MAX, &text)) return false;
    text = str_trim(text);
    return str_cut(&text, ' ', &hex) && str_cut(&text, ' ', &size) && str_cut(&text, ' ', &mtime) &&
           hex_read(hex, out->id.bytes, sizeof out->id.bytes) && str_to_i64(size, &out->size) &&
           str_to_i64(mtime, &out->mtime_ns);
}

static void side_write(Arena *a, const char *path, const Side *side) {
    char hex[2 * sizeof side->id.bytes + 1];
    hex_write(side->id.bytes, sizeof side->id.bytes, hex);
    Str text = arena_printf(a, "%s %lld %lld\n", hex, (long long)side->size, (long long)side->mtime_ns);
    const char *to = NULL;
    if (!text.p || side_path(a, path, &to)) return;
    Err unkept = file_write_atomic(to, text, 0644); /* a read-only folder: hashed again next time */
    (void)unkept;
}

static Err model_info_of(const char *path, FileInfo *info) {
    TRY(file_info(path, true, info));
    if (info->type == FILE_NONE)
        return err_fix(err_set(ERR_NO_MODEL, "there is no model '%s'", path), "pythia model list");
    if (info->type != FILE_REGULAR) return err_set(ERR_NO_MODEL, "'%s' is not a file", path);
    return ERR_OK;
}

static Err file_id(Arena *a, const char *path, Sha256 *out) {
    FileInfo before, after;
    Side side;
    TRY(model_info_of(path, &before));
    if (side_read(a, path, &side) && side.size == before.size && side.mtime_ns == before.mtime_ns) {
        *out = side.id;
        return ERR_OK;
    }
    TRY(sha256_file(path, out));
    TRY(file_info(path, true, &after));
    if (after.size == before.size && after.mtime_ns == before.mtime_ns) {
        side = (Side){.id = *out, .size = after.size, .mtime_ns = after.mtime_ns};
        side_write(a, path, &side);
    }
    return ERR_OK;
}

Err model_file_id(const char *path, Sha256 *out) {
    Arena arena = {0};
    Err err = file_id(&arena, path, out);
    arena_free(&arena);
    return err;
}

Err model_file_id_keep(const char *path, const Sha256 *id) {
    Arena arena = {0};
    FileInfo info;
    Err err = model_info_of(path, &info);
    if (!err) {
        Side side = {.id = *id, .size = info.size, .mtime_ns = info.mtime_ns};
        side_write(&arena, path, &side);
    }
    arena_free(&arena);
    return err;
}

/* ---- what there is ---- */

Err model_describe(Arena *a, const char *path, ModelInfo *out) {
    Gguf *g = NULL;
    *out = (ModelInfo){0};
    Err err = gguf_open_path(&g, path);
    if (!err) err = model_info_read(g, a, path, out);
    gguf_close(g);
    return err;
}

/* A file that cannot be read stays in the list, with the reason. */
static Err entry_fill(Arena *a, ModelEntry *e) {
    FileInfo info;
    Err err = file_info(e->path, true, &info);
    if (!err) {
        e->bytes = info.size;
        err = model_describe(a, e->path, &e->info);
    }
    Side side;
    if (!err && side_read(a, e->path, &side) && side.size == info.size && side.mtime_ns == info.mtime_ns)
        e->info.id = side.id; /* zeros otherwise: a list does not hash */
    if (!err) return ERR_OK;
    if (err == ERR_NOMEM) return err;
    e->broken = true;
    e->problem = arena_cstr(a, str_of(err_text()));
    return e->problem ? ERR_OK : arena_error();
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ModelEntry *)a)->name, ((const ModelEntry *)b)->name);
}

/* The files "*.gguf" of an open folder; out NULL: only counted. */
static Err folder_read(Arena *a, DIR *d, const char *dir, ModelEntry *out, size_t cap, size_t *n) {
    *n = 0;
    rewinddir(d);
    for (const struct dirent *entry; (entry = readdir(d));) {
        Str file = str_of(entry->d_name);
        if (file.n <= 5 || file.p[0] == '.' || !str_ends(file, STR(".gguf"))) continue;
        if (out && *n < cap) {
            ModelEntry *e = &out[*n];
            e->name = arena_cstr(a, str_upto(file, file.n - 5));
            e->path = path_join(a, dir, entry->d_name);
            if (!e->name || !e->path) return arena_error();
        }
        if (++*n > LIST_MAX) return err_set(ERR_LIMIT, "'%s' holds more than %d models", dir, LIST_MAX);
    }
    return ERR_OK;
}

Err model_list(Arena *a, const char *dir, ModelEntry **out, size_t *n) {
    *out = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d && (errno == ENOENT || errno == ENOTDIR)) return ERR_OK;
    if (!d) return err_set(ERR_IO, "cannot read folder '%s': %s", dir, strerror(errno));
    size_t cap = 0, found = 0;
    Err err = folder_read(a, d, dir, NULL, 0, &cap);
    ModelEntry *list = NULL;
    if (!err && !(list = arena_array(a, ModelEntry, cap))) err = arena_error();
    if (!err) err = folder_read(a, d, dir, list, cap, &found);
    (void)closedir(d);
    if (found > cap) found = cap; /* came while we looked */
    if (!err && found) qsort(list, found, sizeof *list, by_name);
    for (size_t i = 0; !err && i < found; i++) err = entry_fill(a, &list[i]);
    if (err) return err;
    *out = list;
    *n = found;
    return ERR_OK;
}

/* ---- a name ---- */

static Err unknown_model(Arena *a, const char *dir, Str name) {
    DIR *d = opendir(dir);
    size_t n = 0;
    ModelEntry *list = d ? arena_array(a, ModelEntry, 16) : NULL;
    Err err = list ? folder_read(a, d, dir, list, 16, &n) : ERR_OK;
    if (d) (void)closedir(d);
    if (err) n = 0;
    if (n > 16) n = 16;
    if (n) qsort(list, n, sizeof *list, by_name);
    char have[768] = "none";
    for (size_t i = 0, at = 0; i < n && at < sizeof have; i++)
        at += (size_t)snprintf(have + at, sizeof have - at, "%s%s", i ? ", " : "", list[i].name);
    return err_fix(err_set(ERR_NO_MODEL, "there is no model '%.*s' in '%s'; there: %s", STR_FMT(name), dir, have),
                   "pythia model import DIR --name %.*s", STR_FMT(name));
}

static Err is_file(const char *path, bool *out) {
    FileInfo info;
    TRY(file_info(path, true, &info));
    *out = info.type == FILE_REGULAR;
    return ERR_OK;
}

Err model_resolve(Arena *a, const char *dir, Str name_or_path, const char **out) {
    *out = NULL;
    bool found = false;
    if (name_or_path.n == 0 || memchr(name_or_path.p, 0, name_or_path.n))
        return err_fix(err_set(ERR_USAGE, "a model's name is wanted"), "pythia model list");
    const char *text = arena_cstr(a, name_or_path);
    if (!text) return arena_error();
    bool has_folder = str_find_char(name_or_path, '/') >= 0, has_end = str_ends(name_or_path, STR(".gguf"));
    if (has_folder || has_end) {
        TRY(is_file(text, &found));
        if (found) {
            *out = text;
            return ERR_OK;
        }
        if (has_folder) {
            FileInfo info;
            TRY(model_info_of(text, &info));
        }
    }
    const char *path = path_join(a, dir, has_end ? text : arena_printf(a, "%s.gguf", text).p);
    if (!path) return arena_error();
    TRY(is_file(path, &found));
    if (!found) return unknown_model(a, dir, name_or_path);
    *out = path;
    return ERR_OK;
}

/* ---- going ---- */

/* The files "<name>.gguf.*" of an open folder. */
static Err beside_remove(Arena *a, DIR *d, const char *dir, Str file, int64_t *bytes) {
    Err err = ERR_OK;
    for (const struct dirent *entry; !err && (entry = readdir(d));) {
        const Str name = str_of(entry->d_name);
        FileInfo info;
        if (name.n <= file.n + 1 || !str_starts(name, file) || name.p[file.n] != '.') continue;
        const char *path = path_join(a, dir, entry->d_name);
        if (!path) return arena_error();
        if (!(err = file_info(path, false, &info)) && info.type == FILE_REGULAR) *bytes += info.size;
        if (!err) err = file_remove(path);
    }
    return err;
}

Err model_remove(Arena *a, const char *dir, Str name, Str *left, int64_t *bytes) {
    const Str file = arena_printf(a, "%.*s.gguf", STR_FMT(name));
    const char *path = file.p ? path_join(a, dir, file.p) : NULL, *real = NULL;
    FileInfo info;
    *left = STR("");
    *bytes = 0;
    if (!path) return arena_error();
    TRY(file_info(path, false, &info));
    if (info.type != FILE_REGULAR && info.type != FILE_LINK) return unknown_model(a, dir, name);
    if (info.type == FILE_REGULAR) *bytes = info.size;
    if (info.type == FILE_LINK && !path_real(a, path, &real)) *left = str_of(real); /* else it leads nowhere */
    TRY(file_remove(path));
    DIR *d = opendir(dir);
    if (!d) return err_set(ERR_IO, "cannot read folder '%s': %s", dir, strerror(errno));
    const Err err = beside_remove(a, d, dir, file, bytes);
    (void)closedir(d);
    return err;
}

/* ---- soundness ---- */

typedef struct {
    Arena arena;
    Buf *report;
    const char *path;
    size_t findings;
} Verify;

static void finding(Verify *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void finding(Verify *v, const char *fmt, ...) {
    Str file = path_base(str_of(v->path));
    buf_printf(v->report, "%.*s: ", STR_FMT(file));
    va_list args;
    va_start(args, fmt);
    buf_vprintf(v->report, fmt, args);
    va_end(args);
    buf_char(v->report, '\n');
    v->findings++;
}

/* Against the hash kept, whatever the file's time says; the side file is not renewed here. */
static Err checksum_check(Verify *v) {
    Side side;
    if (!side_read(&v->arena, v->path, &side)) return ERR_OK;
    Sha256 now;
    TRY(sha256_file(v->path, &now));
    if (memcmp(&now, &side.id, sizeof now) == 0) return ERR_OK;
    char got[65], kept[65];
    hex_write(now.bytes, sizeof now.bytes, got);
    hex_write(side.id.bytes, sizeof side.id.bytes, kept);
    finding(v, "the file's SHA-256 is %s, '%s.sha256' says %s", got, v->path, kept);
    return ERR_OK;
}

static Err tensor_check(Verify *v, const GgufTensor *t, float *numbers /* [NUMBERS_A_STEP] */) {
    if (!t->format->decode) {
        finding(v, "tensor '%.*s' is %s, which cannot be read", STR_FMT(t->name), t->format->name);
        return ERR_OK;
    }
    uint64_t bad = 0, first = 0, per_step = NUMBERS_A_STEP / t->format->items * t->format->items;
    for (uint64_t at = 0; at < t->items; at += per_step) {
        uint64_t n = t->items - at < per_step ? t->items - at : per_step;
        t->format->decode(t->data.p + at / t->format->items * t->format->bytes, (size_t)n, numbers);
        for (uint64_t i = 0; i < n; i++)
            if (!isfinite(numbers[i]) && bad++ == 0) first = at + i;
    }
    if (bad)
        finding(v, "tensor '%.*s' has %llu numbers that are not finite, the first at %llu", STR_FMT(t->name),
                (unsigned long long)bad, (unsigned long long)first);
    return ERR_OK;
}

static Err weights_check(Verify *v, const Gguf *g) {
    float *numbers = arena_array(&v->arena, float, NUMBERS_A_STEP);
    if (!numbers) return arena_error();
    for (size_t i = 0; i < gguf_tensors(g); i++) TRY(tensor_check(v, gguf_tensor_at(g, i), numbers));
    return ERR_OK;
}

static Err vocabulary_check(Verify *v, const Gguf *g) {
    Tok *t = NULL;
    Map seen = {0};
    Err err = tok_open(&t, g);
    if (err == ERR_NOMEM) return err;
    if (err) {
        finding(v, "%s", err_text());
        return ERR_OK;
    }
    size_t n = tok_vocab_size(t);
    const GgufTensor *rows = gguf_tensor(g, "token_embd.weight");
    if (rows && rows->shape[1] != n)
        finding(v, "the vocabulary has %zu tokens, 'token_embd.weight' %llu rows", n,
                (unsigned long long)rows->shape[1]);
    for (size_t i = 0; !err && i < n; i++) {
        Str text = tok_text(t, (int32_t)i);
        if (!utf8_valid(text)) finding(v, "token %zu is not UTF-8", i);
        const uint64_t *before = map_get(&seen, text);
        if (before)
            finding(v, "tokens %llu and %zu are both '%.*s'", (unsigned long long)*before, i, STR_FMT(text));
        else
            err = map_put(&seen, text, i);
    }
    map_free(&seen);
    tok_close(t);
    return err;
}

/* Opening checks what the architecture asks for: keys, tensors, shapes. */
static Err network_check(Verify *v) {
    Model *m = NULL;
    Err err = model_open(&m, v->path, NULL);
    model_close(m);
    if (!err || err == ERR_NOMEM) return err;
    finding(v, "%s", err_text());
    return ERR_OK;
}

static Err verify_all(Verify *v) {
    FileInfo info;
    Gguf *g = NULL;
    TRY(model_info_of(v->path, &info));
    TRY(gguf_open_path(&g, v->path));
    Err err = checksum_check(v);
    if (!err) err = vocabulary_check(v, g);
    if (!err) err = weights_check(v, g);
    gguf_close(g);
    if (!err) err = network_check(v);
    TRY(err);
    TRY(buf_ok(v->report));
    if (v->findings)
        return err_set(ERR_CORRUPT, "model '%s' has %zu fault%s", v->path, v->findings, v->findings == 1 ? "" : "s");
    return ERR_OK;
}

Err model_verify(const char *path, Buf *report) {
    Verify v = {.report = report, .path = path};
    Err err = verify_all(&v);
    arena_free(&v.arena);
    return err;
}
