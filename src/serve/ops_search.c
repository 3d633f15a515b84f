/* ops_search.c - finding and reading. What a caller may read is what was indexed: a path is looked up in the
 * collection's rows before the file is opened, so that an ignored file (".env") or one outside the root is none. */
#include "base/file.h"
#include "serve/metadata.h"
#include "serve/ops_fields.h"
#include "serve/reply.h"

enum { READ_BYTES_MAX = 1 << 20, COLLECTIONS_MAX = 64 };

/* ---- what may be asked ---- */

const Field filter_fields[] = {
    NAMES_FIELD("path", 0, "folders or files, relative to the collection's root"),
    NAMES_FIELD("glob", 0, "such as *.c; with a leading ! not these"),
    NAMES_FIELD("lang", 0, "languages, such as c or python"),
    NAMES_FIELD("kind", 0, "kinds, such as function or section"),
    {.name = "since", .types = FIELD_STR, .max_bytes = 40, .help = "2026-11-21, 7d: changed then or later"},
    {.name = "until", .types = FIELD_STR, .max_bytes = 40, .help = "2026-11: changed then or before"},
    {.name = "metadata",
     .types = FIELD_ANY,
     .help = "what documents say of themselves: {\"author\": \"berg\"} or several of a name in an array"},
    {0}};
const Field search_fields[] = {
    {.name = "query",
     .types = FIELD_STR,
     .flags = FIELD_REQUIRED | FIELD_TOOL,
     .alias = "q",
     .max_bytes = 64 << 10,
     .help = "what to find, in words or as a question"},
    LIMIT_FIELD(FIELD_TOOL, 1000, "10", "hits at most"),
    MIN_SCORE_FIELD,
    {.name = "mode",
     .types = FIELD_STR,
     .flags = FIELD_TOOL,
     .values = "hybrid|semantic|lexical|symbol|regex",
     .standard = "\"hybrid\"",
     .help = "how: by both, by meaning, by words, by names of definitions"},
    COLLECTIONS_FIELD(FIELD_TOOL, "names; default: all"),
    NAMES_FIELD("path", FIELD_TOOL, "only these folders or files"),
    NAMES_FIELD("lang", FIELD_TOOL, "only these languages"),
    FILTERS_FIELD("what the search is narrowed to"),
    SWITCH_FIELD("explain", "how each score came about"),
    {.name = "rerank",
     .types = FIELD_BOOL,
     .flags = FIELD_TOOL,
     .help = "read the first hits once more with the reranker: slower; default: as configured"},
    {.name = "collapse",
     .types = FIELD_BOOL,
     .flags = FIELD_TOOL,
     .help = "false: copies of a hit's text are hits, too; default: as configured"},
    DEADLINE_FIELD,
    {0}};

const Field similar_fields[] = {HIT_ID_FIELD,
                                ONE_PATH_FIELD("instead of id: a document's path"),
                                {.name = "line",
                                 .types = FIELD_INT,
                                 .flags = FIELD_TOOL,
                                 .min = 1,
                                 .max = 1e9,
                                 .help = "with path: the place in it"},
                                COLLECTION_FIELD(0),
                                LIMIT_FIELD(FIELD_TOOL, 1000, "10", "hits at most"),
                                MIN_SCORE_FIELD,
                                FILTERS_FIELD("what the search is narrowed to"),
                                SWITCH_FIELD("explain", "how each score came about"),
                                {0}};

/* ---- search ---- */

/* Lists of the request itself and of its filters, one behind the other. */
static Err list_of(Call *c, const char *outer, const char *inner, const Str **out, size_t *n) {
    const json_t *filters = json_object_get(c->params, "filters");
    const Str *a = NULL, *b = NULL;
    size_t na = 0, nb = 0;
    if (outer) TRY(field_strs(c->arena, c->params, outer, &a, &na));
    TRY(field_strs(c->arena, filters, inner, &b, &nb));
    *out = na ? a : b;
    *n = na + nb;
    if (!na || !nb) return ERR_OK;
    Str *both = arena_array(c->arena, Str, na + nb);
    if (!both) return arena_error();
    memcpy(both, a, na * sizeof *a);
    memcpy(both + na, b, nb * sizeof *b);
    *out = both;
    return ERR_OK;
}

static Err date_of(const json_t *filters, const char *name, bool until, int64_t *out) {
    Str text = field_str(filters, name, NULL);
    if (!text.p) return ERR_OK;
    int64_t now = clock_wall_ms();
    Err err = until ? clock_parse_until(text, now, out) : clock_parse(text, now, out);
    if (err == ERR_USAGE)
        return err_set(err,
                       "'filters.%s' cannot be '%.*s'; valid: 2026, 2026-11, 2026-11-21, 2026-11-21T04:45Z, 12h, 7d",
                       name, STR_FMT(text));
    return err;
}

/* No collection named: the one of the caller's folder, or all there are. */
static Err all_collections(Call *c, const Str **out, size_t *n) {
    PythiaCollection *list = NULL, here;
    Err err =
        desk_opts(c->desk)->own_folder ? pythia_collection(c->engine, c->arena, STR(""), &here) : ERR_NO_COLLECTION;
    if (err && err != ERR_NO_COLLECTION) return err;
    if (!err) {
        Str *one = arena_new(c->arena, Str);
        if (!one) return arena_error();
        *one = here.name;
        *out = one;
        *n = 1;
        return ERR_OK;
    }
    TRY(pythia_collections(c->engine, c->arena, &list, n));
    if (*n == 0) return err_fix(err_set(ERR_NO_COLLECTION, "nothing is indexed yet"), "pythia index");
    if (*n > COLLECTIONS_MAX)
        return err_set(ERR_USAGE, "there are %zu collections; name at most %d in 'collections'", *n, COLLECTIONS_MAX);
    Str *names = arena_array(c->arena, Str, *n);
    if (!names) return arena_error();
    for (size_t i = 0; i < *n; i++) names[i] = list[i].name;
    *out = names;
    return ERR_OK;
}

/* 1 true, -1 false, 0 not said. */
static int32_t field_wish(const json_t *p, const char *name) {
    return field_bool(p, name, false) ? 1 : field_bool(p, name, true) ? 0 : -1;
}

Err call_search(Call *c, const char *query, PythiaSearch *rq) {
    const json_t *p = c->params, *filters = json_object_get(p, "filters");
    const Config *config = desk_opts(c->desk)->config;
    *rq = (PythiaSearch){.query = field_str(p, query, ""),
                         .limit = (size_t)field_i64(p, "limit", config_int(config, CONF_SEARCH_LIMIT)),
                         .min_score = field_f64(p, "min_score", -1),
                         .deadline_ms = field_i64(p, "deadline_ms", -1),
                         .rerank = field_wish(p, "rerank"),
                         .collapse = field_wish(p, "collapse")};
    rq->mode = arena_cstr(c->arena, field_str(p, "mode", config_text(config, CONF_SEARCH_MODE).p));
    if (!rq->mode) return arena_error();
    TRY(field_strs(c->arena, p, "collections", &rq->collections, &rq->n_collections));
    TRY(list_of(c, "path", "path", &rq->paths, &rq->n_paths));
    TRY(list_of(c, "lang", "lang", &rq->langs, &rq->n_langs));
    TRY(list_of(c, NULL, "glob", &rq->globs, &rq->n_globs));
    TRY(list_of(c, NULL, "kind", &rq->kinds, &rq->n_kinds));
    TRY(metadata_filter(c->arena, json_object_get(filters, "metadata"), "filters.metadata", &rq->metas, &rq->n_metas));
    TRY(date_of(filters, "since", false, &rq->since_ms));
    TRY(date_of(filters, "until", true, &rq->until_ms));
    return rq->n_collections ? ERR_OK : all_collections(c, &rq->collections, &rq->n_collections);
}

Err op_search(Call *c, JsonOut *j) {
    PythiaSearch rq;
    PythiaReply reply;
    TRY(call_search(c, "query", &rq));
    TRY(pythia_search(c->engine, c->arena, &rq, &reply));
    metrics_search(desk_metrics(c->desk), &reply);
    return reply_search(j, &reply, field_bool(c->params, "explain", false));
}

/* ---- read ---- */

/* The collection's name and the path in it. A path may also be absolute or a file:// URI below a collection's root. */
static Err place_find(Call *c, Str path, Str *collection, Str *relative) {
    PythiaCollection *list = NULL;
    PythiaDocument doc;
    size_t n = 0;
    Str wanted = *collection;
    if (str_starts(path, STR("file://"))) path = str_from(path, 7);
    TRY(pythia_collections(c->engine, c->arena, &list, &n));
    for (size_t i = 0; i < n; i++) {
        if (wanted.n && !str_eq(list[i].name, wanted)) continue;
        bool below = path.n && path.p[0] == '/' && list[i].root.n && path_within(path, list[i].root);
        *relative = below ? str_from(path, list[i].root.n + (list[i].root.n > 1)) : path;
        Err err = pythia_document(c->engine, c->arena, list[i].name, *relative, &doc);
        if (err == ERR_NO_DOCUMENT) continue;
        TRY(err);
        if (strcmp(doc.state, "active") != 0) continue;
        *collection = list[i].name;
        return ERR_OK;
    }
    if (wanted.n) {
        PythiaCollection one;
        TRY(pythia_collection(c->engine, c->arena, wanted, &one)); /* ERR_NO_COLLECTION names those there are */
    }
    return err_set(ERR_NO_DOCUMENT, "no indexed document is called '%.*s'", STR_FMT(str_upto(path, 500)));
}

/* Lines [first, first + count) of the text; count 0: to the end. */
static Err lines_cut(PythiaText *t, int64_t first, int64_t count) {
    Str rest = t->content, line;
    int64_t number = t->start_line > 0 ? t->start_line : 1, last = number;
    const char *from = NULL, *to = t->content.p + t->content.n;
    for (; str_line(&rest, &line); number++) {
        if (number == first) from = line.p;
        last = number;
        if (count && number == first + count - 1) {
            to = rest.p;
            break;
        }
    }
    if (!from)
        return err_set(ERR_NO_DOCUMENT, "'%.*s' has no line %lld here (last: %lld)", STR_FMT(t->path), (long long)first,
                       (long long)last);
    t->content = str_make(from, (size_t)(to - from));
    t->start_line = (int32_t)first;
    t->end_line = (int32_t)last;
    return ERR_OK;
}

/* At most READ_BYTES_MAX, whole lines. */
static bool text_limit(PythiaText *t) {
    if (t->content.n <= READ_BYTES_MAX) return false;
    Str kept = str_upto(t->content, READ_BYTES_MAX);
    ptrdiff_t end = str_rfind_char(kept, '\n');
    if (end > 0) kept = str_upto(kept, (size_t)end + 1);
    int32_t lines = 0;
    for (size_t i = 0; i < kept.n; i++) lines += kept.p[i] == '\n';
    t->content = kept;
    if (t->start_line > 0 && lines > 0) t->end_line = t->start_line + lines - 1;
    return true;
}

Err op_read(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    Str id = field_str(p, "id", ""), path = field_str(p, "path", ""), symbol = field_str(p, "symbol", "");
    Str collection = field_str(p, "collection", ""), relative = {NULL, 0}, what = id;
    int64_t first = field_i64(p, "start_line", 0), count = field_i64(p, "lines", 0);
    PythiaText text;
    if ((id.n > 0) == (path.n > 0)) return err_set(ERR_USAGE, "give either 'id' or 'path'");
    if (id.n && memchr(id.p, '/', id.n)) return err_set(ERR_USAGE, "'id' is a hit's, such as k3f9a2; give 'path'");
    if (path.n) {
        TRY(place_find(c, path, &collection, &relative));
        what = symbol.n ? arena_printf(c->arena, "%.*s#%.*s", (int)relative.n, relative.p, (int)symbol.n, symbol.p)
                        : relative;
        if (!what.p) return arena_error();
    }
    TRY(pythia_get(c->engine, c->arena, collection, what, &text));
    if (first || count) TRY(lines_cut(&text, first ? first : text.start_line > 0 ? text.start_line : 1, count));
    bool cut = text_limit(&text);
    jout_key(j, "results");
    jout_begin(j, '[');
    reply_text(j, &text);
    jout_end(j, ']');
    jout_kv_bool(j, "truncated", cut);
    return ERR_OK;
}

/* ---- similar ---- */

/* Where a place is told by path: "PATH" or "PATH:LINE" in its collection. */
static Err place_text(Call *c, Str *collection, Str *what) {
    const Str path = field_str(c->params, "path", "");
    const int64_t line = field_i64(c->params, "line", 0);
    Str relative = {NULL, 0};
    TRY(place_find(c, path, collection, &relative));
    *what = arena_printf(c->arena, "%.*s:%lld", (int)relative.n, relative.p, (long long)(line ? line : 1));
    return what->p ? ERR_OK : arena_error();
}

Err op_similar(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    PythiaSearch rq;
    PythiaReply reply;
    Str id = field_str(p, "id", ""), path = field_str(p, "path", ""), collection = field_str(p, "collection", "");
    if ((id.n > 0) == (path.n > 0)) return err_set(ERR_USAGE, "give either 'id' or 'path'");
    if (id.n && memchr(id.p, '/', id.n)) return err_set(ERR_USAGE, "'id' is a hit's, such as k3f9a2; give 'path'");
    TRY(call_search(c, "id", &rq));
    rq.like = id;
    TRY(list_of(c, NULL, "path", &rq.paths, &rq.n_paths)); /* of the filters: the request's own is the place */
    if (path.n) TRY(place_text(c, &collection, &rq.like));
    rq.collections = &collection;
    rq.n_collections = collection.n ? 1 : 0; /* of an id: its own */
    TRY(pythia_search(c->engine, c->arena, &rq, &reply));
    return reply_search(j, &reply, field_bool(p, "explain", false));
}

/* ---- symbols ---- */

Err op_symbols(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    Str name = field_str(p, "name", ""), path = field_str(p, "path", ""), collection = {"", 0};
    PythiaSymbols reply;
    PythiaSymbolsRequest rq = {.what = name,
                               .references = field_bool(p, "references", false),
                               .usages = field_bool(p, "usages", false),
                               .limit = (size_t)field_i64(p, "limit", 0)};
    if ((name.n > 0) == (path.n > 0)) return err_set(ERR_USAGE, "give either 'name' or 'path'");
    if (path.n && (rq.references || rq.usages)) return err_set(ERR_USAGE, "'references' and 'usages' are of a 'name'");
    if (!rq.usages && memchr(name.p, '/', name.n))
        return err_set(ERR_USAGE, "'name' is a definition's, such as Backoff.next; give 'path'");
    TRY(field_strs(c->arena, p, "collections", &rq.collections, &rq.n_collections));
    TRY(field_strs(c->arena, p, "lang", &rq.langs, &rq.n_langs));
    TRY(field_strs(c->arena, p, "kind", &rq.kinds, &rq.n_kinds));
    if (path.n) {
        if (rq.n_collections) collection = rq.collections[0];
        TRY(place_find(c, path, &collection, &rq.what));
        rq.collections = &collection;
        rq.n_collections = 1;
    }
    if (!rq.n_collections) TRY(all_collections(c, &rq.collections, &rq.n_collections));
    TRY(pythia_symbols(c->engine, c->arena, &rq, &reply));
    reply_symbols_members(j, &rq, &reply);
    return ERR_OK;
}
