/* low_cache.c - see low_cache.h. */
#include "model/low_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { BLOCK_AT = 128, HEAD_USED = 88, HEAD_CHECKED = 80 };
static const char magic[8] = "PYTHLOW";

typedef struct {
    char magic[8];
    uint32_t version, type;
    char level[16];
    uint8_t model[32];
    uint64_t bytes, block_hash, head_hash;
} Head;
_Static_assert(sizeof(Head) == HEAD_USED, "as low_cache.h says");

static const char *type_name(LowType type) { return type == LOW_INT8 ? "int8" : "bf16"; }

const char *low_cache_path(Arena *a, const char *model_path, const LowCacheKey *key) {
    const char *type = type_name(key->type), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char hex[65];
    Str dir = path_dir(str_of(model_path));
    const char *folder = dir.n ? arena_cstr(a, dir) : ".";
    if (!folder) return NULL;
    if (access(folder, W_OK) == 0) return arena_printf(a, "%s.%s-%s.packed", model_path, key->level, type).p;
    hex_write(key->model.bytes, sizeof key->model.bytes, hex);
    if (cache && cache[0] == '/') return arena_printf(a, "%s/pythia/%s.%s-%s.packed", cache, hex, key->level, type).p;
    if (home && home[0] == '/')
        return arena_printf(a, "%s/.cache/pythia/%s.%s-%s.packed", home, hex, key->level, type).p;
    return NULL;
}

/* All but the block's hash. */
static Head head_of(const LowCacheKey *key, size_t bytes) {
    Head h = {.version = LOW_CACHE_VERSION, .type = (uint32_t)key->type, .bytes = bytes};
    memcpy(h.magic, magic, sizeof h.magic);
    (void)snprintf(h.level, sizeof h.level, "%s", key->level);
    memcpy(h.model, key->model.bytes, sizeof h.model);
    return h;
}

/* NULL when file is what is wanted; else why not. *stale: it is whole, but of another model, version or size. */
static const char *check(const LowCacheKey *key, size_t bytes, Str file, bool *stale) {
    Head have, want = head_of(key, bytes);
    *stale = false;
    if (file.n < BLOCK_AT) return "is too short";
    memcpy(&have, file.p, sizeof have);
    if (xxh3_of(str_make(file.p, HEAD_CHECKED)) != have.head_hash) return "has a damaged head";
    want.block_hash = have.block_hash;
    *stale = true;
    if (memcmp(&have, &want, HEAD_CHECKED) != 0) return "is of another model or version";
    *stale = false;
    if (file.n - BLOCK_AT != bytes) return "is of the wrong length";
    if (xxh3_of(str_from(file, BLOCK_AT)) != have.block_hash) return "is damaged";
    return NULL;
}

void low_cache_open(const LowCacheKey *key, size_t bytes, FileMap *map, Str *block) {
    FileInfo info;
    bool stale = false;
    *block = (Str){NULL, 0};
    *map = (FileMap){0};
    if (!key->path || file_info(key->path, true, &info) || info.type != FILE_REGULAR) return;
    if (file_map(key->path, map)) {
        LOG(LOG_WARN, "model", "%s; the weights are packed again", err_text());
        return;
    }
    const char *why = check(key, bytes, map->bytes, &stale);
    if (!why) {
        *block = str_from(map->bytes, BLOCK_AT);
        return;
    }
    LOG(stale ? LOG_INFO : LOG_WARN, "model", "packed weights '%s': the file %s; it is made again", key->path, why);
    file_unmap(map);
}

void low_cache_keep(const LowCacheKey *key, Str block) {
    if (!key->path) return;
    Arena a = {0};
    Head head = head_of(key, block.n);
    head.block_hash = xxh3_of(block);
    head.head_hash = xxh3_of(str_make((const char *)&head, HEAD_CHECKED));
    const char *dir = arena_cstr(&a, path_dir(str_of(key->path)));
    char *file = block.n < SIZE_MAX - BLOCK_AT ? malloc(block.n + BLOCK_AT) : NULL;
    Err err = dir && file ? ERR_OK : err_set(ERR_NOMEM, "out of memory for packed weights");
    if (!err && *dir) err = file_make_dirs(dir, 0755);
    if (!err) {
        memset(file, 0, BLOCK_AT);
        memcpy(file, &head, sizeof head);
        memcpy(file + BLOCK_AT, block.p, block.n);
        err = file_write_atomic(key->path, str_make(file, block.n + BLOCK_AT), 0644);
    }
    if (err) LOG(LOG_INFO, "model", "packed weights are not kept: %s", err_text());
    free(file);
    arena_free(&a);
}
