/* symbols.c - pythia_symbols: the outline of a file, the definitions of a name, and where it is used. */
#include "base/file.h"
#include "chunk/chunk.h"
#include "chunk/usage.h"
#include "engine/managed_job.h"
#include "engine/usages.h"
#include "ingest/read.h"
#include "search/fresh.h"

enum { SYMBOLS_LIMIT = 1000, REFERENCES_LIMIT = 1000, USAGES_LIMIT = 50 }; /* when the caller sets none */
enum { USAGES_READ = 20000 }; /* lines that are looked at for usages, at most */

typedef struct {
    Pythia *p;
    Arena *a;
    const PythiaSymbolsRequest *rq;
    Store *store;
    StoreCollection *collections; /* [n] that are looked in */
    size_t n, limit;
    Filter filter;
    Usages usages; /* where they are wanted */
    PythiaSymbols *out;
} Look;

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Room for `more` further symbols. */
static Err symbols_room(Look *k, size_t more) {
    PythiaSymbols *out = k->out;
    PythiaSymbol *grown = arena_array(k->a, PythiaSymbol, out->n + more);
    if (!grown) return arena_error();
    if (out->n) memcpy(grown, out->symbols, out->n * sizeof *grown);
    out->symbols = grown;
    return ERR_OK;
}

static void symbol_add(Look *k, const StoreCollection *c, const Symbol *s, Str file, Str uri, Str lang) {
    k->out->symbols[k->out->n++] = (PythiaSymbol){.path = s->path,
                                                  .name = s->name,
                                                  .kind = s->kind,
                                                  .signature = s->signature,
                                                  .file = file,
                                                  .uri = uri,
                                                  .collection = c->name,
                                                  .root = c->root,
                                                  .lang = lang,
                                                  .line = s->line,
                                                  .start_line = s->start_line,
                                                  .end_line = s->end_line};
}

/* ---- a file ---- */

static bool kind_wanted(const Look *k, Str kind) {
    for (size_t i = 0; i < k->rq->n_kinds; i++)
        if (str_eq(k->rq->kinds[i], kind)) return true;
    return k->rq->n_kinds == 0;
}

static Err symbols_add(Look *k, const StoreCollection *c, const StoreDoc *doc, const Symbol *symbols, size_t n) {
    k->out->how = "file";
    TRY(symbols_room(k, n));
    for (size_t i = 0; i < n; i++)
        if (kind_wanted(k, symbols[i].kind)) symbol_add(k, c, &symbols[i], doc->path, doc->uri, doc->lang);
    k->out->total = (int64_t)k->out->n;
    return ERR_OK;
}

static Err look_document(Look *k, const StoreCollection *c, const StoreDoc *doc) {
    Symbol *symbols = NULL;
    size_t n = 0;
    TRY(store_symbols_of(k->store, k->a, doc->id, &symbols, &n));
    return symbols_add(k, c, doc, symbols, n);
}

/* A file that was only skimmed so far has no symbols yet: it is read now, as it is now. */
static Err look_skimmed(Look *k, const StoreCollection *c, const StoreDoc *doc) {
    IndexSettings settings;
    Doc now;
    Str skip;
    DocChunks cut;
    const Deadline stop = engine_deadline(k->p, 0);
    const char *root = arena_cstr(k->a, c->root);
    TRY(settings_read(k->a, c->settings, &settings));
    if (!root) return arena_error();
    const ReadOpts opts = engine_read_opts(k->p, &settings, &stop);
    TRY(doc_read(k->a, root, doc->path, &opts, &now, &skip));
    if (skip.n)
        return err_set(ERR_NO_DOCUMENT, "'%.*s' is not to be read any more: %.*s", STR_FMT(doc->path), STR_FMT(skip));
    const ChunkOpts how = {.max_tokens = (size_t)settings.max_tokens, .count_tokens = engine_rough_tokens};
    TRY(chunk_doc(k->a, &now, &how, &cut));
    k->out->stale = false;
    return symbols_add(k, c, doc, cut.symbols, cut.n_symbols);
}

static Err look_file(Look *k, const StoreCollection *c, const char *real) {
    StoreDoc doc;
    FileInfo info;
    Err err = store_document(k->store, k->a, c->id, engine_relative(str_of(real), c->root), &doc);
    if (err == ERR_NO_DOCUMENT || (!err && doc.state != DOC_ACTIVE))
        return err_fix(err_set(ERR_NO_DOCUMENT, "'%s' is not indexed", real), "pythia why '%s'", real);
    TRY(err);
    TRY(file_info(real, true, &info));
    k->out->stale = info.size != doc.size || info.mtime_ns != doc.mtime_ns;
    return doc.cut == DOC_SKIMMED ? look_skimmed(k, c, &doc) : look_document(k, c, &doc);
}

/* A document that no file has, in the collections that were named. *found false: there is none. */
static Err look_managed(Look *k, bool *found) {
    *found = false;
    for (size_t i = 0; !*found && i < k->rq->n_collections; i++) {
        StoreCollection c;
        StoreDoc doc;
        TRY(store_collection(k->store, k->a, k->rq->collections[i], &c));
        if (c.root.n) continue;
        const Err err = managed_document(k->store, k->a, c.id, k->rq->what, &doc);
        if (err == ERR_NO_DOCUMENT) continue;
        TRY(err);
        *found = true;
        TRY(look_document(k, &c, &doc));
    }
    return ERR_OK;
}

/* ---- a name ---- */

/* "Backoff::next" and "Backoff.next" are the name "next" in something called Backoff. */
Str engine_symbol_path(Arena *a, Str what) {
    Buf path = {0};
    for (size_t i = 0; i < what.n; i++) {
        const bool parts = what.p[i] == ':' && i + 1 < what.n && what.p[i + 1] == ':' && path.n;
        buf_char(&path, parts ? '.' : what.p[i]);
        i += parts;
    }
    const Str s = path.failed ? (Str){NULL, 0} : arena_str(a, buf_str(&path));
    buf_free(&path);
    return s;
}

static Str last_part(Str path) {
    const ptrdiff_t dot = str_rfind_char(path, '.');
    return dot > 0 && (size_t)dot + 1 < path.n ? str_from(path, (size_t)dot + 1) : path;
}

/* True when path is what was asked for, or ends with it. */
static bool path_fits(Str path, Str wanted) {
    if (str_eq(path, wanted)) return true;
    return str_ends(path, wanted) && path.n > wanted.n && strchr(". ", path.p[path.n - wanted.n - 1]);
}

static Err look_named(Look *k, Str wanted, StoreSymbolMatch match) {
    const Str name = last_part(wanted);
    for (size_t i = 0; i < k->n; i++) {
        StoreSymbol *found = NULL;
        size_t n = 0;
        TRY(store_symbols_named(k->store, k->a, k->collections[i].id, name, match, &k->filter, k->limit, &found, &n));
        TRY(symbols_room(k, n));
        for (size_t j = 0; j < n && k->out->n < k->limit; j++)
            if (match == SYMBOLS_STARTING || path_fits(found[j].symbol.path, wanted))
                symbol_add(k, &k->collections[i], &found[j].symbol, found[j].doc_path, found[j].uri, found[j].lang);
    }
    k->out->total = (int64_t)k->out->n;
    return ERR_OK;
}

/* ---- references ---- */

/* The line as it is now, when it still holds the name; *start: its first byte in the text. */
static Str line_holding(Arena *a, Str text, int32_t number, Str name, size_t *start) {
    Str line = {"", 0}, rest = text;
    for (int32_t i = 0; i < number; i++) {
        *start = text.n - rest.n;
        if (!str_line(&rest, &line)) return STR("");
    }
    line = str_trim(line);
    return str_find(line, name) >= 0 ? arena_str(a, line) : STR("");
}

/* References [from, to) are of one document: reads it once. */
static Err lines_read(Look *k, const StoreCollection *c, const StoreReference *refs, size_t from, size_t to, Str name) {
    StoreChunk *chunks = NULL;
    size_t n = 0;
    Arena scratch = {0};
    LiveText live = {.text = {"", 0}};
    TRY(store_chunks_of(k->store, k->a, refs[from].doc_id, &chunks, &n));
    Err err = n ? live_read(&scratch, k->store, c->root, &chunks[0], &live) : ERR_OK;
    for (size_t i = from; !err && i < to; i++) {
        size_t start = 0;
        const Str line = live.readable ? line_holding(k->a, live.text, refs[i].line, name, &start) : STR("");
        if (!line.p) err = arena_error();
        k->out->references[k->out->n_references++] = (PythiaReference){.file = refs[i].doc_path,
                                                                       .uri = n ? chunks[0].uri : STR(""),
                                                                       .collection = c->name,
                                                                       .lang = refs[i].lang,
                                                                       .line = refs[i].line,
                                                                       .text = line};
        const PythiaReference *ref = &k->out->references[k->out->n_references - 1];
        if (!err && line.n && k->rq->usages) err = usages_add(&k->usages, live.text, start, ref);
    }
    arena_free(&scratch);
    return err;
}

static Err look_references(Look *k, Str name) {
    const size_t most = k->rq->usages ? USAGES_READ : k->rq->limit ? k->rq->limit : REFERENCES_LIMIT;
    k->out->references = arena_array(k->a, PythiaReference, most);
    if (!k->out->references) return arena_error();
    for (size_t i = 0; i < k->n; i++) {
        StoreReference *refs = NULL;
        size_t n = 0, total = 0;
        TRY(store_references(k->store, k->a, k->collections[i].id, name, &k->filter, most - k->out->n_references, &refs,
                             &n, &total));
        k->out->total_references += (int64_t)total;
        for (size_t from = 0, to; from < n; from = to) {
            for (to = from + 1; to < n && refs[to].doc_id == refs[from].doc_id;) to++;
            TRY(lines_read(k, &k->collections[i], refs, from, to, name));
        }
    }
    return ERR_OK;
}

/* The shapes in which a name is used, in the calls that a signature asks for. */
static Err look_usages(Look *k, Str name, int args) {
    const size_t most = k->rq->limit ? k->rq->limit : USAGES_LIMIT;
    k->usages = (Usages){.a = k->a, .name = name, .args = args};
    const Err err = look_references(k, name);
    usages_end(&k->usages);
    TRY(err);
    k->out->usages = k->usages.usages;
    k->out->total_usages = (int64_t)k->usages.n;
    k->out->n_usages = k->usages.n < most ? k->usages.n : most;
    k->out->n_references = 0; /* they are the examples */
    return ERR_OK;
}

static Err look_name(Look *k) {
    int args = USAGE_ARGS_NONE;
    Str asked = k->rq->what;
    if (k->rq->usages) usage_wanted(k->rq->what, &asked, &args);
    if (asked.n == 0) return err_set(ERR_USAGE, "'%.*s' has no name before its brackets", STR_FMT(k->rq->what));
    const Str wanted = engine_symbol_path(k->a, asked);
    if (!wanted.p) return arena_error();
    k->out->how = "name";
    TRY(look_named(k, wanted, SYMBOLS_NAMED));
    const bool qualified = last_part(wanted).n < wanted.n;
    const bool uses = k->rq->references || k->rq->usages;
    if (k->out->n == 0 && !uses && !qualified) {
        k->out->how = "prefix";
        TRY(look_named(k, wanted, SYMBOLS_STARTING));
    }
    if (k->rq->usages) return look_usages(k, last_part(wanted), args);
    return uses ? look_references(k, last_part(wanted)) : ERR_OK;
}

/* ---- which collections ---- */

static Err choose_collections(Look *k) {
    const PythiaSymbolsRequest *rq = k->rq;
    k->collections = arena_array(k->a, StoreCollection, larger(rq->n_collections, 1));
    if (!k->collections) return arena_error();
    for (size_t i = 0; i < rq->n_collections; i++)
        TRY(store_collection(k->store, k->a, rq->collections[i], &k->collections[k->n++]));
    if (k->n) return ERR_OK;
    TRY(engine_find_collection(k->p, k->store, k->a, STR(""), &k->collections[0]));
    k->n = 1;
    return ERR_OK;
}

static Err look(Look *k) {
    const PythiaSymbolsRequest *rq = k->rq;
    StoreCollection c;
    const char *real = NULL;
    TRY(engine_store(k->p, false, &k->store));
    if (str_trim(rq->what).n == 0) return err_set(ERR_USAGE, "give a file or a name");
    Str *langs = arena_array(k->a, Str, rq->n_langs);
    if (!langs) return arena_error();
    for (size_t i = 0; i < rq->n_langs; i++) TRY(lang_canonical(rq->langs[i], &langs[i]));
    k->filter = (Filter){.langs = langs, .n_langs = rq->n_langs, .kinds = rq->kinds, .n_kinds = rq->n_kinds};
    bool found = false;
    const bool uses = rq->references || rq->usages;
    if (!uses) TRY(look_managed(k, &found));
    if (found) return ERR_OK;
    const Str in = rq->n_collections ? rq->collections[0] : STR("");
    const Err err = uses ? ERR_NO_DOCUMENT : engine_find_file(k->p, k->a, in, rq->what, &c, &real);
    if (!err) return look_file(k, &c, real);
    /* What looks like a file and is none is no name either. */
    if (err != ERR_NO_DOCUMENT || str_find_char(rq->what, '/') >= 0) return err;
    TRY(choose_collections(k));
    return look_name(k);
}

Err pythia_symbols(Pythia *p, Arena *a, const PythiaSymbolsRequest *rq, PythiaSymbols *out) {
    const int64_t start = clock_mono_ns();
    *out = (PythiaSymbols){.how = ""};
    Look k = {.p = p, .a = a, .rq = rq, .out = out, .limit = rq->limit ? rq->limit : SYMBOLS_LIMIT};
    const Err err = look(&k);
    out->took_ms = clock_ms_since(start);
    return err;
}
