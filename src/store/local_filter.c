/* local_filter.c - from a Filter to the chunks it lets pass, before anything is ranked.
 *
 * The chunks of a document have consecutive ids (schema.sql, invariant 2), so a filter over documents is a walk over
 * the collection's documents and gives ranges of ids: 2,000 files cost a millisecond, whatever they hold. Only `kinds`
 * and `symbols` look at chunks, through an index.
 */
#include "store/local.h"

#include <stdlib.h>

#include "base/glob.h"
#include "base/meta.h"

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

static bool is_negated(Str value) { return value.n && value.p[0] == '!'; }

bool filter_list_passes(const Str *list, size_t n, Str text, bool (*fits)(Str wanted, Str text)) {
    bool any = false, wanted = false;
    for (size_t i = 0; i < n; i++) {
        const bool no = is_negated(list[i]);
        if (no && fits(str_from(list[i], 1), text)) return false;
        if (!no) {
            wanted = true;
            any = any || fits(list[i], text);
        }
    }
    return any || !wanted;
}

/* What a filter looks at of a document. */
typedef struct {
    Str path, lang, meta;
    int64_t changed_ms; /* as it says itself, else its file's mtime */
} Row;

/* mtime in whole milliseconds, rounded down also before 1970. */
static Row row_of(sqlite3_stmt *st) {
    const int64_t mtime_ns = sqlite3_column_int64(st, 4), own_ms = sqlite3_column_int64(st, 5);
    const int64_t mtime_ms = mtime_ns / NS_PER_MS - (mtime_ns % NS_PER_MS < 0);
    return (Row){.path = column_str(st, 2),
                 .lang = column_str(st, 3),
                 .meta = column_str(st, 6),
                 .changed_ms = own_ms ? own_ms : mtime_ms};
}

/* until is inclusive. */
static bool times_pass(const Filter *f, int64_t ms) {
    return (f->since_ms == 0 || ms >= f->since_ms) && (f->until_ms == 0 || ms <= f->until_ms);
}

/* Another value of the same name that is wanted, and is there. */
static bool alternative_passes(const Filter *f, Str wanted, Str meta) {
    Str name, words, other;
    if (!meta_wanted(wanted, &name, &words)) return false;
    for (size_t i = 0; i < f->n_metas; i++)
        if (!is_negated(f->metas[i]) && meta_wanted(f->metas[i], &other, &words) && str_eq_nocase(other, name) &&
            meta_fits(f->metas[i], meta))
            return true;
    return false;
}

static bool metas_pass(const Filter *f, Str meta) {
    for (size_t i = 0; i < f->n_metas; i++) {
        const bool no = is_negated(f->metas[i]);
        if (no ? meta_fits(str_from(f->metas[i], 1), meta) : !alternative_passes(f, f->metas[i], meta)) return false;
    }
    return true;
}

static bool document_passes(const Filter *f, const Row *row) {
    for (; f; f = f->also)
        if (!times_pass(f, row->changed_ms) || !filter_list_passes(f->langs, f->n_langs, row->lang, str_eq_nocase) ||
            !paths_pass(f, row->path) || !filter_list_passes(f->globs, f->n_globs, row->path, glob_match_path) ||
            !metas_pass(f, row->meta))
            return false;
    return true;
}

static Err set_of_documents(LocalStore *l, Arena *a, int64_t collection, const Filter *f, ChunkSet *out) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    Err err = local_use(l, SQL_FILTER_DOCS, &st, SQL_VALUES(sql_int(collection)));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        const Row look = row_of(st);
        const bool pass = document_passes(f, &look);
        const int64_t first = sqlite3_column_int64(st, 0);
        if (pass) err = set_add(out, a, first, first + sqlite3_column_int64(st, 1));
    }
    sql_done(st);
    return err;
}

/* ---- kinds and symbols ---- */

static int id_order(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Which ids one value of a list stands for. */
typedef Err (*Select)(LocalStore *l, int64_t collection, Str value, sqlite3_stmt **st);

static Err select_kind(LocalStore *l, int64_t collection, Str value, sqlite3_stmt **st) {
    return local_use(l, SQL_FILTER_KIND, st, SQL_VALUES(sql_int(collection), sql_text(value)));
}

static Err select_symbol(LocalStore *l, int64_t collection, Str value, sqlite3_stmt **st) {
    const ptrdiff_t dot = str_rfind_char(value, '.');
    const Str name = dot > 0 && (size_t)dot + 1 < value.n ? str_from(value, (size_t)dot + 1) : value;
    return local_use(l, SQL_FILTER_SYMBOL, st, SQL_VALUES(sql_int(collection), sql_text(name), sql_text(value)));
}

/* All ids that the values (those with a '!', or those without) stand for, sorted: int64_t each. */
static Err ids_of(LocalStore *l, int64_t collection, Select select, const Str *values, size_t n, bool negated,
                  Buf *ids) {
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) {
        sqlite3_stmt *st = NULL;
        bool row = false;
        if (is_negated(values[i]) != negated) continue;
        err = select(l, collection, negated ? str_from(values[i], 1) : values[i], &st);
        while (!err && !(err = sql_next(l, st, &row)) && row) {
            const int64_t id = sqlite3_column_int64(st, 0);
            buf_add_bytes(ids, &id, sizeof id);
        }
        sql_done(st);
    }
    if (!err) err = buf_ok(ids);
    if (!err && ids->n) qsort(ids->p, ids->n / sizeof(int64_t), sizeof(int64_t), id_order);
    return err;
}

/* The ids [n], sorted, that are in the set; the same one may stand there twice. */
static Err set_meet(Arena *a, const ChunkSet *set, const int64_t *ids, size_t n, ChunkSet *out) {
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        if ((i == 0 || ids[i] != ids[i - 1]) && chunk_set_has(set, ids[i], &at))
            TRY(set_add(out, a, ids[i], ids[i] + 1));
    return ERR_OK;
}

/* The set without the ids [n], sorted. */
static Err set_minus(Arena *a, const ChunkSet *set, const int64_t *ids, size_t n, ChunkSet *out) {
    size_t i = 0;
    for (size_t r = 0; r < set->n; r++) {
        int64_t from = set->ranges[r].first;
        for (; i < n && ids[i] < set->ranges[r].end; i++) {
            if (ids[i] < from) continue; /* of a gap, or twice there */
            if (ids[i] > from) TRY(set_add(out, a, from, ids[i]));
            from = ids[i] + 1;
        }
        if (from < set->ranges[r].end) TRY(set_add(out, a, from, set->ranges[r].end));
    }
    return ERR_OK;
}

/* Narrows the set to a list of kinds or symbols. */
static Err set_narrow(LocalStore *l, Arena *a, int64_t collection, Select select, const Str *values, size_t n,
                      ChunkSet *set) {
    static const Filter everything;
    size_t negated = 0;
    for (size_t i = 0; i < n; i++) negated += is_negated(values[i]);
    for (int no = 0; no < 2; no++) {
        if ((no ? negated : n - negated) == 0) continue;
        Buf ids = {0};
        ChunkSet next = {0};
        Err err = ids_of(l, collection, select, values, n, no, &ids);
        if (!err && no && set->all) {
            *set = (ChunkSet){0};
            err = set_of_documents(l, a, collection, &everything, set);
        }
        const int64_t *sorted = (const int64_t *)(const void *)ids.p; /* malloc'ed, so aligned */
        const size_t n_ids = ids.n / sizeof *sorted;
        if (!err) err = no ? set_minus(a, set, sorted, n_ids, &next) : set_meet(a, set, sorted, n_ids, &next);
        buf_free(&ids);
        TRY(err);
        *set = next;
    }
    return ERR_OK;
}

/* Does it look at documents, not only at what is in them? */
static bool narrows_documents(const Filter *f) {
    for (; f; f = f->also)
        if (f->n_paths || f->n_globs || f->n_langs || f->n_metas || f->since_ms || f->until_ms) return true;
    return false;
}

Err chunk_set_of(LocalStore *l, Arena *a, int64_t collection, const Filter *filter, ChunkSet *out) {
    *out = (ChunkSet){.all = true};
    if (narrows_documents(filter)) {
        *out = (ChunkSet){0};
        TRY(set_of_documents(l, a, collection, filter, out));
    }
    for (const Filter *f = filter; f; f = f->also) {
        TRY(set_narrow(l, a, collection, select_kind, f->kinds, f->n_kinds, out));
        TRY(set_narrow(l, a, collection, select_symbol, f->symbols, f->n_symbols, out));
    }
    return ERR_OK;
}

Err chunk_set_of_documents(LocalStore *l, Arena *a, int64_t collection, const Filter *filter, ChunkSet *out) {
    *out = (ChunkSet){.all = !narrows_documents(filter)};
    return out->all ? ERR_OK : set_of_documents(l, a, collection, filter, out);
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
