/* collections.c - which collection is meant, its model, its index files, its settings, its chunks' public ids. */
#include "engine/engine.h"

#include <stdio.h>

#include "base/file.h"
#include "base/glob.h"
#include "base/json.h"

Str engine_relative(Str path, Str root) {
    if (str_eq(path, root)) return str_from(path, path.n);
    return str_from(path, root.n + (str_is(root, "/") ? 0 : 1));
}

Err engine_covering(Store *s, Arena *a, Str path, StoreCollection *out) {
    StoreCollection *all = NULL;
    size_t n = 0, best = 0;
    *out = (StoreCollection){0};
    TRY(store_collections(s, a, &all, &n));
    for (size_t i = 0; i < n; i++) {
        if (all[i].root.n == 0 || all[i].root.n < best || !path_within(path, all[i].root)) continue;
        *out = all[i];
        best = all[i].root.n;
    }
    return ERR_OK;
}

Err engine_find_collection(Pythia *p, Store *s, Arena *a, Str name, StoreCollection *out) {
    if (name.n) return store_collection(s, a, name, out);
    const char *cwd = NULL;
    TRY(path_real(a, p->opts.cwd, &cwd));
    TRY(engine_covering(s, a, str_of(cwd), out));
    if (out->id) return ERR_OK;
    return err_fix(err_set(ERR_NO_COLLECTION, "nothing indexed covers '%s'", cwd), "pythia index '%s'", cwd);
}

Err engine_collection_model(Pythia *p, const StoreCollection *c, Model **out) {
    if (engine_is_remote(c->model_name)) /* its dimension is known here: no request only to ask for it */
        TRY(engine_remote_model(p, c->model_name, (size_t)c->dim, out));
    else
        TRY(engine_model_as(p, c->model_name, &c->model_id, out));
    const ModelInfo *info = model_info(*out);
    if (memcmp(&info->id, &c->model_id, sizeof info->id) == 0) return ERR_OK;
    *out = NULL;
    return err_fix(
        err_set(ERR_MODEL_MISMATCH,
                "collection '%.*s' was made with another '%.*s' (%lld dimensions) than '%.*s' (%zu dimensions)",
                STR_FMT(c->name), STR_FMT(c->model_name), (long long)c->dim, STR_FMT(info->path), info->dim),
        "pythia index --collection '%.*s' --model '%.*s' --force", STR_FMT(c->name), STR_FMT(info->path));
}

Err engine_lock_collection(Pythia *p, const StoreCollection *c, int *fd) {
    Arena a = {0};
    const char *dir = path_join(&a, p->opts.home, "locks");
    Err err = dir ? file_make_dirs(dir, 0755) : arena_error();
    Str path = dir ? arena_printf(&a, "%s/%lld.lock", dir, (long long)c->id) : (Str){0};
    if (!err) err = path.p ? file_lock(path.p, fd) : arena_error();
    if (err == ERR_BUSY)
        err = err_fix(err_set(ERR_BUSY, "another pythia is indexing '%.*s'", STR_FMT(c->name)), "pythia runs");
    arena_free(&a);
    return err;
}

const char *engine_index_dir(Pythia *p, Arena *a, const StoreCollection *c) {
    return arena_printf(a, "%s/index/%lld", p->opts.home, (long long)c->id).p;
}

/* A key of [index] that is a count. */
static Err index_count(const Pythia *p, ConfigKey key, int64_t most, uint32_t *out) {
    int64_t value = config_int(p->opts.config, key);
    if (value < 0 || value > most)
        return err_set(ERR_USAGE, "%s.%s cannot be '%lld'; valid: 0 to %lld", config_defs[key].section,
                       config_defs[key].key, (long long)value, (long long)most);
    *out = (uint32_t)value;
    return ERR_OK;
}

Err engine_recompute_most(const Pythia *p, size_t *out) {
    uint32_t most = 0;
    TRY(index_count(p, CONF_INDEX_SEARCH_COMPLEXITY, 1000000, &most));
    *out = most;
    return ERR_OK;
}

Err engine_index_params(const Pythia *p, VecParams *out) {
    *out = (VecParams){.keep_f32 = config_bool(p->opts.config, CONF_INDEX_KEEP_F32)};
    TRY(index_count(p, CONF_INDEX_ASSIGNMENTS, 2, &out->assignments));
    TRY(index_count(p, CONF_INDEX_GRAPH_DEGREE, 128, &out->graph_degree));
    TRY(index_count(p, CONF_INDEX_PARTITIONS, 65536, &out->partitions));
    return index_count(p, CONF_INDEX_SUB_VECTORS, 4096, &out->sub_vectors);
}

Err engine_open_index(Pythia *p, const StoreCollection *c, bool writer, VecIndex **out) {
    Arena a = {0};
    *out = NULL;
    VecSpec spec = {.kind = arena_cstr(&a, c->index_kind),
                    .dir = engine_index_dir(p, &a, c),
                    .dim = (size_t)c->dim,
                    .model = c->model_id,
                    .generation = c->generation,
                    .committed = c->rows,
                    .writer = writer};
    Err err = spec.kind && spec.dir ? engine_index_params(p, &spec.params) : arena_error();
    if (!err) err = vec_open(out, &spec);
    if (err == ERR_NO_INDEX || err == ERR_CORRUPT || err == ERR_FORMAT)
        err = err_fix(err, "pythia index --collection '%.*s' --force", STR_FMT(c->name));
    arena_free(&a);
    return err;
}

/* ---- walking ---- */

/* A path as a glob that matches it alone. */
static Str glob_of_path(Arena *a, Str path) {
    Buf b = {0};
    buf_char(&b, '/');
    for (size_t i = 0; i < path.n; i++) {
        if (strchr("*?[\\", path.p[i]) && path.p[i]) buf_char(&b, '\\');
        buf_char(&b, path.p[i]);
    }
    buf_char(&b, '/');
    const Str out = buf_ok(&b) ? (Str){0} : arena_str(a, buf_str(&b));
    buf_free(&b);
    return out;
}

Err engine_walk_opts(const Pythia *p, Arena *a, Str root, const IndexSettings *s, WalkOpts *out) {
    const char *home = NULL;
    *out = (WalkOpts){.hidden = s->hidden,
                      .no_ignore = s->no_ignore,
                      .keep_noise = s->keep_noise,
                      .global_ignore = engine_global_ignore(p, a)};
    if (path_real(a, p->opts.home, &home)) return ERR_OK; /* not there: nothing to keep out */
    const Str at = str_of(home);
    if (!path_within(at, root) || str_eq(at, root)) return ERR_OK;
    Str *glob = arena_new(a, Str);
    if (!glob) return arena_error();
    *glob = glob_of_path(a, engine_relative(at, root));
    out->exclude = glob;
    out->n_exclude = 1;
    return glob->p ? ERR_OK : arena_error();
}

/* ---- words ---- */

/* One line of the store has both the chunks and the count, so a writer's index that has others is not what it was. (A
 * reader may stand behind a merge that already dropped what a later commit removed.) */
static Err words_fit(const StoreCollection *c, const LexIndex *ix) {
    LexStats stats;
    lex_stats(ix, &stats);
    if ((int64_t)stats.live == c->chunks) return ERR_OK;
    return err_set(ERR_CORRUPT, "the lexical index of collection '%.*s' has %u chunks, its store has %lld",
                   STR_FMT(c->name), stats.live, (long long)c->chunks);
}

Err engine_open_words(Pythia *p, const StoreCollection *c, bool writer, LexIndex **out) {
    Arena a = {0};
    *out = NULL;
    if (c->lex_generation == 0 && c->chunks > 0)
        return err_fix(err_set(ERR_NO_INDEX, "collection '%.*s' has no lexical index yet", STR_FMT(c->name)),
                       "pythia index --collection '%.*s'", STR_FMT(c->name));
    LexSpec spec = {.dir = engine_index_dir(p, &a, c),
                    .generation = c->lex_generation,
                    .committed = c->lex_count,
                    .writer = writer};
    Err err = spec.dir ? lex_open(out, &spec) : arena_error();
    if (!err && writer) err = words_fit(c, *out);
    if (err) {
        lex_close(*out);
        *out = NULL;
    }
    if (err == ERR_NO_INDEX || err == ERR_CORRUPT || err == ERR_FORMAT)
        err = err_fix(err, "pythia index --collection '%.*s' --force", STR_FMT(c->name));
    arena_free(&a);
    return err;
}

/* ---- kept open ---- */

typedef struct {
    Pythia *p;
    const StoreCollection *c;
} Opening;

static Err vec_make(void *ctx, void **thing) {
    const Opening *o = ctx;
    VecIndex *ix = NULL;
    TRY(engine_open_index(o->p, o->c, false, &ix));
    *thing = ix;
    return ERR_OK;
}

static Err lex_make(void *ctx, void **thing) {
    const Opening *o = ctx;
    LexIndex *ix = NULL;
    TRY(engine_open_words(o->p, o->c, false, &ix));
    *thing = ix;
    return ERR_OK;
}

static void vec_unmake(void *thing) { vec_close(thing); }
static void lex_unmake(void *thing) { lex_close(thing); }

/* The stamp is from before the opening, so what changes meanwhile is met by the next search. */
static Err take(Pythia *p, const StoreCollection *c, const char *part, Str version, const ShelfMaker *make,
                ShelfItem **out) {
    Arena a = {0};
    uint64_t stamp = 0;
    const char *dir = engine_index_dir(p, &a, c);
    Err err = dir ? shelf_stamp(dir, &stamp) : arena_error();
    const Str name = arena_printf(&a, "%s/%s", dir ? dir : "", part);
    const Str whole = arena_printf(&a, "%.*s %016llx", STR_FMT(version), (unsigned long long)stamp);
    if (!err && (!name.p || !whole.p)) err = arena_error();
    if (!err) err = shelf_take(core_shelf(p->core), name, whole, make, &(Opening){p, c}, out);
    arena_free(&a);
    return err;
}

Err engine_take_index(Pythia *p, const StoreCollection *c, ShelfItem **out) {
    char version[256], model[2 * sizeof c->model_id.bytes + 1];
    hex_write(c->model_id.bytes, sizeof c->model_id.bytes, model);
    (void)snprintf(version, sizeof version, "%llu %u %lld %.*s %s", (unsigned long long)c->generation, c->rows,
                   (long long)c->dim, STR_FMT(c->index_kind), model);
    return take(p, c, "vec", str_of(version), &(ShelfMaker){vec_make, vec_unmake}, out);
}

Err engine_take_words(Pythia *p, const StoreCollection *c, ShelfItem **out) {
    char version[64];
    (void)snprintf(version, sizeof version, "%llu %u", (unsigned long long)c->lex_generation, c->lex_count);
    return take(p, c, "lex", str_of(version), &(ShelfMaker){lex_make, lex_unmake}, out);
}

void engine_forget_indexes(Pythia *p, const StoreCollection *c) {
    Arena a = {0};
    const char *dir = engine_index_dir(p, &a, c);
    shelf_forget(core_shelf(p->core),
                 dir ? arena_printf(&a, "%s/", dir) : STR("")); /* out of memory: everything, which is allowed too */
    arena_free(&a);
}

LexSettings engine_lex_settings(const Pythia *p) {
    const Config *c = p->opts.config;
    return (LexSettings){.k1 = (float)config_float(c, CONF_LEXICAL_K1),
                         .b = (float)config_float(c, CONF_LEXICAL_B),
                         .weights = {[LEX_SYMBOL] = (float)config_float(c, CONF_LEXICAL_SYMBOL),
                                     [LEX_PATH] = (float)config_float(c, CONF_LEXICAL_PATH),
                                     [LEX_HEADING] = (float)config_float(c, CONF_LEXICAL_HEADING),
                                     [LEX_BODY] = (float)config_float(c, CONF_LEXICAL_BODY)}};
}

/* ---- settings ---- */

Err settings_read(Arena *a, Str text, IndexSettings *out) {
    json_t *v = NULL;
    Err err = ERR_OK;
    *out = (IndexSettings){0};
    if (text.n == 0) return ERR_OK;
    TRY(json_read(text, "collection settings", &v));
    if ((err = json_get_bool(v, "hidden", &out->hidden))) goto done;
    if ((err = json_get_bool(v, "no_ignore", &out->no_ignore))) goto done;
    if ((err = json_get_bool(v, "secrets", &out->secrets))) goto done;
    if ((err = json_get_bool(v, "keep_noise", &out->keep_noise))) goto done;
    if ((err = json_get_bool(v, "auto_kind", &out->auto_kind))) goto done;
    if ((err = json_get_i64(v, "max_file_size", &out->max_file_size))) goto done;
    if ((err = json_get_i64(v, "max_tokens", &out->max_tokens))) goto done;
    if ((err = json_get_str(v, "readers", &out->readers))) goto done;
    out->readers = arena_str(a, out->readers);
    if (!out->readers.p) {
        err = arena_error();
        goto done;
    }
    if ((err = json_get_i64(v, "chunker", &out->chunker))) goto done;
    const json_t *globs = json_object_get(v, "globs");
    size_t n = json_array_size(globs);
    Str *list = arena_array(a, Str, n);
    if (!list) {
        err = arena_error();
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *g = json_array_get(globs, i);
        list[i] = arena_str(a, str_make(json_string_value(g), json_string_length(g)));
    }
    out->globs = list;
    out->n_globs = n;
done:
    json_decref(v);
    return err;
}

Err settings_write(Arena *a, const IndexSettings *s, Str *out) {
    Buf b = {0};
    JsonOut j = jout_to(&b);
    jout_begin(&j, '{');
    jout_kv_bool(&j, "hidden", s->hidden);
    jout_kv_bool(&j, "no_ignore", s->no_ignore);
    jout_kv_bool(&j, "secrets", s->secrets);
    jout_kv_bool(&j, "keep_noise", s->keep_noise);
    jout_kv_bool(&j, "auto_kind", s->auto_kind);
    jout_kv_i64(&j, "max_file_size", s->max_file_size);
    jout_kv_i64(&j, "max_tokens", s->max_tokens);
    jout_kv_str(&j, "readers", s->readers.p ? s->readers : STR(""));
    jout_kv_i64(&j, "chunker", s->chunker);
    jout_key(&j, "globs");
    jout_begin(&j, '[');
    for (size_t i = 0; i < s->n_globs; i++) jout_str(&j, s->globs[i]);
    jout_end(&j, ']');
    jout_end(&j, '}');
    Err err = buf_ok(&b);
    if (!err) {
        *out = arena_str(a, buf_str(&b));
        if (!out->p) err = arena_error();
    }
    buf_free(&b);
    return err;
}

ReadOpts settings_read_opts(const IndexSettings *s) {
    return (ReadOpts){.max_size = s->max_file_size, .noise = {.secrets = s->secrets, .keep = s->keep_noise}};
}

bool settings_exclude(const IndexSettings *s, Str path) {
    bool wanted = true, any_include = false;
    for (size_t i = 0; i < s->n_globs; i++) {
        bool out = str_starts(s->globs[i], STR("!"));
        if (!out && !any_include) any_include = true, wanted = false;
        if (glob_match_path(out ? str_from(s->globs[i], 1) : s->globs[i], path)) wanted = !out;
    }
    return !wanted;
}

Err reason_add(Arena *a, PathReason **list, size_t *n, Str path, Str reason) {
    if ((*n & (*n - 1)) == 0) { /* grows at powers of two */
        PathReason *more = arena_array(a, PathReason, *n ? *n * 2 : 1);
        if (!more) return arena_error();
        if (*n) memcpy(more, *list, *n * sizeof *more);
        *list = more;
    }
    PathReason r = {arena_str(a, path), arena_str(a, reason)};
    if (!r.path.p || !r.reason.p) return arena_error();
    (*list)[(*n)++] = r;
    return ERR_OK;
}

/* ---- public ids ---- */

/* Multiplying by an odd number is a bijection modulo a power of two: 25 bits make five letters, and every ten bits more
 * two further ones. The inverse is found by Newton's iteration (each step doubles the right bits). */
static const char id_letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const uint64_t id_factor = 0x9E3779B97F4A7C15u;

static unsigned id_bits(uint64_t v) {
    unsigned bits = 25;
    while (bits < 60 && v >> bits) bits += 5;
    return bits;
}

void chunk_id_write(int64_t chunk, char out[24]) {
    uint64_t v = (uint64_t)chunk;
    unsigned bits = id_bits(v), at = 0;
    v = v * id_factor & (((uint64_t)1 << bits) - 1);
    out[at++] = 'k';
    for (unsigned shift = bits; shift > 0; shift -= 5) out[at++] = id_letters[v >> (shift - 5) & 31];
    out[at] = 0;
}

bool chunk_id_read(Str s, int64_t *chunk) {
    if (s.n && s.p[0] == '#') s = str_from(s, 1);
    if (s.n < 6 || s.n > 13 || (s.p[0] | 0x20) != 'k') return false;
    uint64_t v = 0;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
        const char *at = c ? strchr(id_letters, c) : NULL;
        if (!at) return false;
        v = v << 5 | (uint64_t)(at - id_letters);
    }
    unsigned bits = (unsigned)(s.n - 1) * 5;
    uint64_t inverse = id_factor;
    for (int i = 0; i < 6; i++) inverse *= 2 - id_factor * inverse;
    v = v * inverse & (((uint64_t)1 << bits) - 1);
    if (id_bits(v) != bits) return false; /* more letters than this id needs: not one of ours */
    *chunk = (int64_t)v;
    return true;
}
