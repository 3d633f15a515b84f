/* get.c - pythia_get: a hit's id, a file's lines, or a symbol, as text. */
#include "base/file.h"
#include "engine/managed_job.h"
#include "ingest/read.h"
#include "search/fresh.h"

enum { GET_FILE_MAX = 64 << 20 };

static Err get_chunk(Pythia *p, Arena *a, int64_t id, Str what, PythiaText *out) {
    Store *s = NULL;
    StoreChunk c;
    StoreCollection *all = NULL;
    size_t n = 0;
    int64_t collection = 0;
    Freshness fresh = FRESH;
    Str root = {"", 0}, name = {"", 0};
    TRY(engine_store(p, false, &s));
    Err err = store_chunk(s, a, id, &collection, &c);
    if (err == ERR_NO_DOCUMENT)
        return err_fix(
            err_set(err, "no chunk has the id '%.*s' (ids change when a file is indexed anew)", STR_FMT(what)),
            "pythia search …");
    TRY(err);
    TRY(store_collections(s, a, &all, &n));
    for (size_t i = 0; i < n; i++)
        if (all[i].id == collection) root = all[i].root, name = all[i].name;
    TRY(chunk_live(a, s, root, &c, &fresh, &out->content));
    char public_id[24];
    chunk_id_write(id, public_id);
    out->id = arena_str(a, str_of(public_id));
    out->uri = c.uri;
    out->path = c.path;
    out->collection = name;
    out->start_line = c.start_line;
    out->end_line = c.end_line;
    out->freshness = freshness_name(fresh);
    out->symbol = c.symbol;
    out->kind = c.kind;
    out->lang = c.lang;
    out->title = c.title;
    out->meta = c.meta;
    if (fresh == FRESH_GONE)
        return err_fix(err_set(ERR_NO_DOCUMENT, "'%.*s' is gone since it was indexed", STR_FMT(c.path)),
                       "pythia index '%.*s'", STR_FMT(root));
    return out->id.p ? ERR_OK : arena_error();
}

/* Lines [first, first + count) of text; count 0: to the end. */
static Str lines_of(Str text, int64_t first, int64_t count, int32_t *last) {
    Str rest = text, line;
    const char *start = NULL, *end = text.p + text.n;
    int64_t number = 0;
    while (str_line(&rest, &line)) {
        number++;
        if (number == first) start = line.p;
        if (count && number == first + count - 1) {
            end = rest.p;
            break;
        }
    }
    *last = (int32_t)number;
    return start ? str_make(start, (size_t)(end - start)) : (Str){NULL, 0};
}

/* "PATH:LINE:COUNT" from the right; a file that exists under the full text wins over its parts. */
void engine_split_place(Str *path, int64_t *line, int64_t *count) {
    int64_t a = 0, b = 0;
    ptrdiff_t at = str_rfind_char(*path, ':');
    *line = 0, *count = 0;
    if (at <= 0 || !str_to_i64(str_from(*path, (size_t)at + 1), &b) || b < 1) return;
    Str head = str_upto(*path, (size_t)at);
    ptrdiff_t before = str_rfind_char(head, ':');
    if (before > 0 && str_to_i64(str_from(head, (size_t)before + 1), &a) && a >= 1) {
        *path = str_upto(head, (size_t)before);
        *line = a, *count = b;
        return;
    }
    *path = head;
    *line = b, *count = 1;
}

/* The definition that a user means by "next", "Backoff.next" or "Backoff::next": the first that ends so. */
static const Symbol *symbol_meant(const Symbol *symbols, size_t n, Str wanted) {
    for (size_t i = 0; i < n; i++) {
        const Str path = symbols[i].path;
        if (!str_ends(path, wanted)) continue;
        if (path.n == wanted.n || strchr(". ", path.p[path.n - wanted.n - 1])) return &symbols[i];
    }
    return NULL;
}

/* A symbol or a section whole, as it is now: found by the chunk in which it begins. */
static Err get_whole(Pythia *p, Arena *a, Store *s, const StoreCollection *c, StoreChunk *chunk, const Symbol *symbol,
                     PythiaText *out) {
    SearchHit hit = {.collection = c, .chunk = *chunk};
    const SearchSource source = {.store = s, .collection = c};
    const uint32_t source_of = 0;
    (void)p;
    if (symbol) hit.chunk.symbol = symbol->path, hit.chunk.kind = symbol->kind;
    TRY(fresh_fill(a, &source, &source_of, &hit, 1, symbol ? FILL_SYMBOL : FILL_WHOLE));
    if (hit.freshness == FRESH_GONE)
        return err_fix(err_set(ERR_NO_DOCUMENT, "'%.*s' is gone since it was indexed", STR_FMT(chunk->path)),
                       "pythia index '%.*s'", STR_FMT(c->root));
    char public_id[24];
    chunk_id_write(chunk->chunk_id, public_id);
    *out = (PythiaText){.id = arena_str(a, str_of(public_id)),
                        .uri = chunk->uri,
                        .path = chunk->path,
                        .collection = c->name,
                        .start_line = hit.chunk.start_line,
                        .end_line = hit.chunk.end_line,
                        .freshness = freshness_name(hit.freshness),
                        .symbol = hit.chunk.symbol,
                        .kind = hit.chunk.kind,
                        .lang = chunk->lang,
                        .title = chunk->title,
                        .meta = chunk->meta,
                        .content = hit.content};
    return out->id.p ? ERR_OK : arena_error();
}

/* PATH#SYMBOL: the definition of that file, else the section under that heading. */
static Err get_symbol(Pythia *p, Arena *a, const StoreCollection *c, Str relative, Str wanted, PythiaText *out) {
    Store *s = NULL;
    StoreDoc doc;
    StoreChunk *chunks = NULL;
    Symbol *symbols = NULL;
    size_t n = 0, n_symbols = 0;
    TRY(engine_store(p, false, &s));
    TRY(store_document(s, a, c->id, relative, &doc));
    TRY(store_symbols_of(s, a, doc.id, &symbols, &n_symbols));
    TRY(store_chunks_of(s, a, doc.id, &chunks, &n));
    const Str plain = engine_symbol_path(a, wanted);
    if (!plain.p) return arena_error();
    const Symbol *symbol = symbol_meant(symbols, n_symbols, plain);
    for (size_t i = 0; i < n; i++) {
        if (symbol ? symbol->start < chunks[i].end : str_eq(chunks[i].heading, wanted))
            return get_whole(p, a, s, c, &chunks[i], symbol, out);
    }
    return err_fix(
        err_set(ERR_NO_DOCUMENT, "'%.*s' has no symbol or heading '%.*s'", STR_FMT(relative), STR_FMT(wanted)),
        "pythia symbols '%.*s'", STR_FMT(relative));
}

/* Files are read from where they lie, but only inside a collection: get must not become a way to read anything. */
Err engine_find_file(Pythia *p, Arena *a, Str collection, Str path, StoreCollection *c, const char **real) {
    Store *s = NULL;
    TRY(engine_store(p, false, &s));
    const char *z = arena_cstr(a, path);
    if (!z) return arena_error();
    const char *base = p->opts.cwd;
    if (collection.n) {
        TRY(store_collection(s, a, collection, c));
        base = arena_cstr(a, c->root);
    }
    const char *full = base ? path_join(a, base, z) : NULL;
    if (!full) return arena_error();
    FileInfo info;
    TRY(file_info(full, true, &info));
    if (info.type == FILE_NONE && !collection.n) {
        /* A hit's path is relative to its collection's root: try the one that covers the working folder. */
        StoreCollection here;
        const char *cwd = NULL;
        TRY(path_real(a, p->opts.cwd, &cwd));
        TRY(engine_covering(s, a, str_of(cwd), &here));
        const char *root = here.id ? arena_cstr(a, here.root) : NULL;
        const char *there = root ? path_join(a, root, z) : NULL;
        if (there) TRY(file_info(there, true, &info));
        if (info.type != FILE_NONE) full = there;
    }
    if (info.type == FILE_NONE)
        return err_fix(err_set(ERR_NO_DOCUMENT, "there is no '%.*s'", STR_FMT(path)), "pythia search -l …");
    if (info.type != FILE_REGULAR) return err_set(ERR_NO_DOCUMENT, "'%.*s' is not a file", STR_FMT(path));
    TRY(path_real(a, full, real));
    TRY(engine_covering(s, a, str_of(*real), c));
    if (c->id) return ERR_OK;
    return err_fix(err_set(ERR_NO_COLLECTION, "'%s' lies in no collection", *real), "pythia index '%.*s'",
                   STR_FMT(path_dir(str_of(*real))));
}

/* The text of a file: the one that was made from it (a PDF's) where the store keeps that, else its own; and what the
 * store knows of it. */
static Err text_of_file(Pythia *p, Arena *a, const StoreCollection *c, Str relative, const char *real, PythiaText *out,
                        Str *text) {
    Store *s = NULL;
    StoreDoc doc;
    TRY(engine_store(p, false, &s));
    Err err = store_document(s, a, c->id, relative, &doc);
    if (!err) {
        out->title = doc.title;
        out->meta = doc.meta;
        err = store_text(s, a, doc.id, text);
    }
    return err == ERR_NO_DOCUMENT ? file_read(a, real, GET_FILE_MAX, text) : err;
}

static bool exists_here(Pythia *p, Arena *a, Str path) {
    FileInfo info;
    const char *z = arena_cstr(a, path), *full = z ? path_join(a, p->opts.cwd, z) : NULL;
    return full && file_info(full, true, &info) == ERR_OK && info.type == FILE_REGULAR;
}

/* A document of a managed collection has no file: its text is kept. *found false: it is none such. */
static Err get_kept(Pythia *p, Arena *a, Str collection, Str what, PythiaText *out, bool *found) {
    Store *s = NULL;
    StoreCollection c;
    StoreDoc doc;
    Str path = what, text;
    int64_t line = 0, count = 0;
    *found = false;
    if (collection.n == 0) return ERR_OK;
    TRY(engine_store(p, false, &s));
    TRY(store_collection(s, a, collection, &c));
    if (c.root.n) return ERR_OK;
    Err err = managed_document(s, a, c.id, path, &doc);
    if (err == ERR_NO_DOCUMENT) {
        engine_split_place(&path, &line, &count);
        err = store_document(s, a, c.id, path, &doc);
    }
    const ptrdiff_t hash = str_rfind_char(what, '#');
    if (err == ERR_NO_DOCUMENT && hash > 0) {
        path = str_upto(what, (size_t)hash);
        err = store_document(s, a, c.id, path, &doc);
        *found = !err;
        if (!err) return get_symbol(p, a, &c, path, str_from(what, (size_t)hash + 1), out);
    }
    if (err == ERR_NO_DOCUMENT) return ERR_OK; /* perhaps a hit's id */
    TRY(err);
    TRY(store_text(s, a, doc.id, &text));
    *out = (PythiaText){.uri = doc.uri,
                        .path = doc.path,
                        .collection = c.name,
                        .lang = doc.lang,
                        .title = doc.title,
                        .meta = doc.meta,
                        .freshness = freshness_name(FRESH),
                        .start_line = line ? (int32_t)line : 1};
    out->content = lines_of(text, line ? line : 1, count, &out->end_line);
    if (!out->content.p && line)
        return err_set(ERR_NO_DOCUMENT, "'%.*s' has %d lines, not %lld", STR_FMT(path), out->end_line, (long long)line);
    if (!out->content.p) out->content = STR("");
    *found = true;
    return ERR_OK;
}

Err pythia_get(Pythia *p, Arena *a, Str collection, Str what, PythiaText *out) {
    int64_t id = 0, line = 0, count = 0;
    StoreCollection c;
    const char *real = NULL;
    Str path = what, text, symbol = {NULL, 0};
    *out = (PythiaText){0};
    if (what.n == 0)
        return err_set(ERR_USAGE, "nothing to get: give an id, PATH, PATH:LINE, PATH:LINE:COUNT or PATH#SYMBOL");
    bool kept = false;
    TRY(get_kept(p, a, collection, what, out, &kept));
    if (kept) return ERR_OK;
    bool is_file = exists_here(p, a, what);
    if (!is_file && chunk_id_read(what, &id)) return get_chunk(p, a, id, what, out);
    if (!is_file) {
        ptrdiff_t hash = str_rfind_char(what, '#');
        if (hash > 0)
            path = str_upto(what, (size_t)hash), symbol = str_from(what, (size_t)hash + 1);
        else
            engine_split_place(&path, &line, &count);
    }
    TRY(engine_find_file(p, a, collection, path, &c, &real));
    Str relative = engine_relative(str_of(real), c.root);
    if (symbol.p) return get_symbol(p, a, &c, relative, symbol, out);
    TRY(text_of_file(p, a, &c, relative, real, out, &text));
    out->content = lines_of(text, line ? line : 1, count, &out->end_line);
    out->start_line = line ? (int32_t)line : 1;
    if (!out->content.p && line)
        return err_set(ERR_NO_DOCUMENT, "'%.*s' has %d lines, not %lld", STR_FMT(path), out->end_line, (long long)line);
    if (!out->content.p) out->content = STR("");
    out->path = relative;
    out->collection = c.name;
    out->lang = lang_of(relative, text);
    out->uri = uri_of_path(a, real);
    return out->uri.p ? ERR_OK : arena_error();
}
