/* local_filter.c - from a Filter to the chunks it lets pass, before anything is ranked.
 *
 * The chunks of a document have consecutive ids (schema.sql, invariant 2), so a filter over documents is a walk over
 * the collection's documents and gives ranges of ids: 2,000 files cost a millisecond, whatever they hold. Only `kinds`
 * looks at chunks, through their index.
 */
#include "store/local.h"

#include <stdlib.h>

#include "base/glob.h"

static const int64_t NS_PER_MS = 1000000;

static Err set_add(ChunkSet *set, Arena *a, int64_t first, int64_t end) {
    if (set->n && set->ranges[set->n - 1].end == first) {
        set->ranges[set->n - 1].end = end;
        return ERR_OK;
    }
    if (set->n == set->cap) {
        const size_t cap = set->cap ? 2 * set->cap : 64;
        ChunkRange *grown = arena_array(a, ChunkRange, cap);
        if (!grown) return arena_error();
        if (set->n) memcpy(grown, set->ranges, set->n * sizeof *grown);
        set->ranges = grown;
        set->cap = cap;
    }
    set->ranges[set->n++] = (ChunkRange){first, end};
    return ERR_OK;
}

bool chunk_set_has(const ChunkSet *set, int64_t chunk, size_t *at) {
    if (set->all) return true;
    while (*at < set->n && set->ranges[*at].end <= chunk) ++*at;
    return *at < set->n && set->ranges[*at].first <= chunk;
}

/* ---- documents ---- */

/* "./src/net/" as "src/net"; "." and "/" as "". */
static Str path_plain(Str path) {
    while (str_starts(path, STR("./"))) path = str_from(path, 2);
    while (path.n && path.p[0] == '/') path = str_from(path, 1);
    while (path.n && path.p[path.n - 1] == '/') path.n--;
    return str_is(path, ".") ? str_upto(path, 0) : path;
}

static bool paths_pass(const Filter *f, Str path) {
    for (size_t i = 0; i < f->n_paths; i++) {
        const Str want = path_plain(f->paths[i]);
        if (want.n == 0) return true;
        if (str_starts(path, want) && (path.n == want.n || path.p[want.n] == '/')) return true;
    }
    return f->n_paths == 0;
}

static bool globs_pass(const Filter *f, Str path) {
    bool any = false, wanted = false;
    for (size_t i = 0; i < f->n_globs; i++) {
        const Str glob = f->globs[i];
        if (glob.n && glob.p[0] == '!') {
            if (glob_match_path(str_from(glob, 1), path)) return false;
        } else {
            wanted = true;
            any = any || glob_match_path(glob, path);
        }
    }
    return any || !wanted;
}

static bool langs_pass(const Filter *f, Str lang) {
    for (size_t i = 0; i < f->n_langs; i++)
        if (str_eq_nocase(f->langs[i], lang)) return true;
    return f->n_langs == 0;
}

/* mtime in whole milliseconds, rounded down also before 1970; until is inclusive. */
static bool times_pass(const Filter *f, int64_t mtime_ns) {
    int64_t ms = mtime_ns / NS_PER_MS;
    if (mtime_ns % NS_PER_MS < 0) ms--;
    return (f->since_ms == 0 || ms >= f->since_ms) && (f->until_ms == 0 || ms <= f->until_ms);
}

static Err set_of_documents(LocalStore *l, Arena *a, int64_t collection, const Filter *f, ChunkSet *out) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    Err err = local_use(l, SQL_FILTER_DOCS, &st, SQL_VALUES(sql_int(collection)));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        const Str path = column_str(st, 2);
        const bool pass = times_pass(f, sqlite3_column_int64(st, 4)) && langs_pass(f, column_str(st, 3)) &&
                          paths_pass(f, path) && globs_pass(f, path);
        const int64_t first = sqlite3_column_int64(st, 0);
        if (pass) err = set_add(out, a, first, first + sqlite3_column_int64(st, 1));
    }
    sql_done(st);
    return err;
}

/* ---- kinds ---- */

static int id_order(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The chunks of these kinds that are in `within`. */
static Err set_of_kinds(LocalStore *l, Arena *a, int64_t collection, const Filter *f, const ChunkSet *within,
                        ChunkSet *out) {
    Buf ids = {0}; /* int64_t each */
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < f->n_kinds; i++) {
        sqlite3_stmt *st = NULL;
        bool row = false;
        err = local_use(l, SQL_FILTER_KIND, &st, SQL_VALUES(sql_int(collection), sql_text(f->kinds[i])));
        while (!err && !(err = sql_next(l, st, &row)) && row) {
            const int64_t id = sqlite3_column_int64(st, 0);
            buf_add_bytes(&ids, &id, sizeof id);
        }
        sql_done(st);
    }
    if (!err) err = buf_ok(&ids);
    if (!err && ids.n) {
        int64_t *sorted = (int64_t *)(void *)ids.p; /* malloc'ed, so aligned */
        const size_t n = ids.n / sizeof *sorted;
        qsort(sorted, n, sizeof *sorted, id_order);
        size_t at = 0;
        int64_t last = -1; /* the same kind may be asked for twice */
        for (size_t i = 0; !err && i < n; i++) {
            if (sorted[i] != last && chunk_set_has(within, sorted[i], &at))
                err = set_add(out, a, sorted[i], sorted[i] + 1);
            last = sorted[i];
        }
    }
    buf_free(&ids);
    return err;
}

Err chunk_set_of(LocalStore *l, Arena *a, int64_t collection, const Filter *filter, ChunkSet *out) {
    *out = (ChunkSet){.all = filter_is_empty(filter)};
    if (out->all) return ERR_OK;
    ChunkSet documents = {0};
    const bool any_document =
        !filter->n_paths && !filter->n_globs && !filter->n_langs && !filter->since_ms && !filter->until_ms;
    if (any_document)
        documents.all = true;
    else
        TRY(set_of_documents(l, a, collection, filter, &documents));
    if (!filter->n_kinds) {
        *out = documents;
        return ERR_OK;
    }
    return set_of_kinds(l, a, collection, filter, &documents, out);
}

Err local_ranges(Store *s, Arena *a, int64_t collection, const Filter *filter, ChunkRange **out, size_t *n) {
    LocalStore *l = local_of(s);
    static const Filter everything;
    ChunkSet set = {0};
    bool own = false;
    TRY(local_read_begin(l, &own));
    const Err err = filter_is_empty(filter) ? set_of_documents(l, a, collection, &everything, &set)
                                            : chunk_set_of(l, a, collection, filter, &set);
    local_read_end(l, own);
    *out = set.ranges;
    *n = set.n;
    return err;
}
