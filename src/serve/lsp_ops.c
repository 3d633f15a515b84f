/* lsp_ops.c - what an editor is answered: symbols as places in files. See lsp.h. */
#include "base/utf8.h"
#include "serve/http_impl.h"
#include "serve/lsp.h"

enum { MEANT_MAX = 50, NAMED_MAX = 50, PLACES_MAX = 1000, TREE_DEPTH_MAX = 24 };

/* ---- the client ---- */

Err lsp_path(Arena *a, Str uri, const char **out) {
    Buf path = {0};
    *out = NULL;
    const Str rest = str_starts(uri, STR("file://")) ? str_from(uri, 7) : (Str){"", 0};
    const bool good = rest.n && rest.p[0] == '/' && url_decode(rest, false, &path) && !path.failed;
    if (good) *out = arena_cstr(a, buf_str(&path));
    buf_free(&path);
    if (good) return *out ? ERR_OK : arena_error();
    return err_set(ERR_USAGE, "'%.*s' is no file:// URI", STR_FMT(str_upto(uri, 200)));
}

/* workspaceFolders' first, else rootUri, else where the server stands. */
static Err root_take(Call *c, LspClient *client) {
    const json_t *folders = json_object_get(c->params, "workspaceFolders");
    const Str first = field_str(json_array_get(folders, 0), "uri", NULL);
    const Str uri = first.p ? first : field_str(c->params, "rootUri", NULL);
    Arena a = {0};
    const char *path = NULL;
    if (!uri.p) return ERR_OK;
    Err err = lsp_path(&a, uri, &path);
    if (!err && strlen(path) >= sizeof client->root) err = err_set(ERR_LIMIT, "the root's path is too long");
    if (!err) memcpy(client->root, path, strlen(path) + 1);
    arena_free(&a);
    return err;
}

static const json_t *capability(const Call *c, const char *part, const char *name) {
    return json_object_get(json_object_get(json_object_get(c->params, "capabilities"), part), name);
}

Err lsp_initialize(Call *c, JsonOut *j) {
    LspClient client = {0};
    const json_t *encodings = capability(c, "general", "positionEncodings");
    for (size_t i = 0; i < json_array_size(encodings); i++) {
        const char *one = json_string_value(json_array_get(encodings, i));
        client.bytes |= one && strcmp(one, "utf-8") == 0;
    }
    client.tree = json_is_true(
        json_object_get(capability(c, "textDocument", "documentSymbol"), "hierarchicalDocumentSymbolSupport"));
    TRY(root_take(c, &client));
    lsp_client_set(lsp_of(c), &client);
    jout_begin(j, '{');
    jout_key(j, "capabilities");
    jout_begin(j, '{');
    jout_kv_z(j, "positionEncoding", client.bytes ? "utf-8" : "utf-16");
    jout_kv_i64(j, "textDocumentSync", 0);
    jout_kv_bool(j, "workspaceSymbolProvider", true);
    jout_kv_bool(j, "documentSymbolProvider", true);
    jout_kv_bool(j, "definitionProvider", true);
    jout_kv_bool(j, "referencesProvider", true);
    jout_end(j, '}');
    jout_key(j, "serverInfo");
    jout_begin(j, '{');
    jout_kv_z(j, "name", "pythia");
    jout_kv_z(j, "version", PYTHIA_VERSION);
    jout_end(j, '}');
    jout_end(j, '}');
    return ERR_OK;
}

/* ---- places ---- */

/* One call's view: the client, and the text of the file that was looked at last. */
typedef struct {
    Call *c;
    LspClient client;
    Str uri, text; /* text "": it cannot be read */
} View;

static View view_open(Call *c) {
    View v = {.c = c, .client = lsp_client(lsp_of(c))};
    const char *root = v.client.root[0] ? arena_cstr(c->arena, str_of(v.client.root)) : NULL;
    pythia_stand(c->engine, root ? root : desk_opts(c->desk)->cwd);
    return v;
}

/* The file's text as it is now; "" where it cannot be had, and places are whole lines then. */
static Err text_of(View *v, Str uri) {
    const char *path = NULL;
    PythiaText text;
    if (str_eq(v->uri, uri)) return ERR_OK;
    v->uri = uri;
    v->text = STR("");
    Err err = lsp_path(v->c->arena, uri, &path);
    if (!err) err = pythia_get(v->c->engine, v->c->arena, STR(""), str_of(path), &text);
    if (err == ERR_NOMEM || err == ERR_INTERRUPT) return err;
    if (!err) v->text = text.content;
    return ERR_OK;
}

/* Line number n, from 0. */
static Str line_of(const View *v, int64_t n) {
    Str rest = v->text, line;
    for (int64_t i = 0; str_line(&rest, &line); i++)
        if (i == n) return line;
    return STR("");
}

/* Bytes of a line as the client counts them. */
static int64_t units(const View *v, Str part) {
    int64_t n = 0;
    if (v->client.bytes) return (int64_t)part.n;
    for (size_t at = 0; at < part.n;) {
        uint32_t cp = 0;
        at += utf8_decode(str_from(part, at), &cp);
        n += cp >= 0x10000 ? 2 : 1;
    }
    return n;
}

/* And back: the byte at which so many units end. */
static size_t byte_at(const View *v, Str line, int64_t wanted) {
    size_t at = 0;
    for (int64_t n = 0; at < line.n && n < wanted;) {
        uint32_t cp = 0;
        const size_t size = utf8_decode(str_from(line, at), &cp);
        n += v->client.bytes ? (int64_t)size : cp >= 0x10000 ? 2 : 1;
        at += size;
    }
    return at;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

/* Where name stands in line as a word of its own; -1. */
static ptrdiff_t word_find(Str line, Str name) {
    for (size_t at = 0; name.n && at + name.n <= line.n; at++) {
        const bool here = memcmp(line.p + at, name.p, name.n) == 0;
        const bool begins = at == 0 || !is_word(line.p[at - 1]);
        const bool ends = at + name.n == line.n || !is_word(line.p[at + name.n]);
        if (here && begins && ends) return (ptrdiff_t)at;
    }
    return -1;
}

static void position(JsonOut *j, const char *key, int64_t line, int64_t character) {
    jout_key(j, key);
    jout_begin(j, '{');
    jout_kv_i64(j, "line", line < 0 ? 0 : line);
    jout_kv_i64(j, "character", character);
    jout_end(j, '}');
}

/* name on its line (from 1) of the text; the line's beginning where it does not stand there. */
static void name_range(const View *v, JsonOut *j, const char *key, int64_t line, Str name) {
    const Str text = line_of(v, line - 1);
    const ptrdiff_t at = word_find(text, name);
    jout_key(j, key);
    jout_begin(j, '{');
    position(j, "start", line - 1, at < 0 ? 0 : units(v, str_upto(text, (size_t)at)));
    position(j, "end", line - 1, at < 0 ? 0 : units(v, str_upto(text, (size_t)at + name.n)));
    jout_end(j, '}');
}

/* Whole lines, both from 1 and inside. */
static void lines_range(const View *v, JsonOut *j, const char *key, int64_t first, int64_t last) {
    jout_key(j, key);
    jout_begin(j, '{');
    position(j, "start", first - 1, 0);
    position(j, "end", last - 1, units(v, line_of(v, last - 1)));
    jout_end(j, '}');
}

static Err location(View *v, JsonOut *j, Str uri, int64_t line, Str name) {
    TRY(text_of(v, uri));
    jout_begin(j, '{');
    jout_kv_str(j, "uri", uri);
    name_range(v, j, "range", line, name);
    jout_end(j, '}');
    return ERR_OK;
}

/* ---- symbols ---- */

/* SymbolKind of the specification. */
static int64_t kind_number(Str kind) {
    static const struct {
        const char *name;
        int number;
    } kinds[] = {{"module", 2},   {"namespace", 3}, {"package", 4},     {"class", 5},     {"method", 6},
                 {"property", 7}, {"field", 8},     {"constructor", 9}, {"enum", 10},     {"interface", 11},
                 {"trait", 11},   {"function", 12}, {"macro", 12},      {"variable", 13}, {"constant", 14},
                 {"section", 15}, {"heading", 15},  {"key", 20},        {"struct", 23},   {"union", 23},
                 {"type", 26}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_is(kind, kinds[i].name)) return kinds[i].number;
    return 13;
}

/* "Backoff" of "Backoff.next"; "": it is in nothing. */
static Str container_of(Str path, Str name) {
    return path.n > name.n + 1 && str_ends(path, name) ? str_upto(path, path.n - name.n - 1) : STR("");
}

static Err symbol_information(View *v, JsonOut *j, Str name, Str path, Str kind, Str uri, int64_t line) {
    const Str in = container_of(path, name);
    jout_begin(j, '{');
    jout_kv_str(j, "name", name);
    jout_kv_i64(j, "kind", kind_number(kind));
    if (in.n) jout_kv_str(j, "containerName", in);
    jout_key(j, "location");
    TRY(location(v, j, uri, line, name));
    jout_end(j, '}');
    return ERR_OK;
}

static bool is_within(const PythiaSymbol *inner, const PythiaSymbol *outer) {
    return inner->path.n > outer->path.n && str_starts(inner->path, outer->path) &&
           inner->path.p[outer->path.n] == '.' && inner->start_line >= outer->start_line &&
           inner->end_line <= outer->end_line;
}

/* Symbol i and what is within it; returns the one behind. */
static size_t tree_write(const View *v, JsonOut *j, const PythiaSymbols *all, size_t i, int depth) {
    const PythiaSymbol *s = &all->symbols[i++];
    jout_begin(j, '{');
    jout_kv_str(j, "name", s->name);
    if (s->signature.n) jout_kv_str(j, "detail", s->signature);
    jout_kv_i64(j, "kind", kind_number(s->kind));
    lines_range(v, j, "range", s->start_line, s->end_line);
    name_range(v, j, "selectionRange", s->line, s->name);
    jout_key(j, "children");
    jout_begin(j, '[');
    while (depth < TREE_DEPTH_MAX && i < all->n && is_within(&all->symbols[i], s))
        i = tree_write(v, j, all, i, depth + 1);
    jout_end(j, ']');
    jout_end(j, '}');
    return i;
}

/* What is not indexed has no symbols: an editor asks for every file it opens. */
static Err symbols_or_none(View *v, const PythiaSymbolsRequest *rq, PythiaSymbols *out) {
    *out = (PythiaSymbols){0};
    const Err err = pythia_symbols(v->c->engine, v->c->arena, rq, out);
    if (err != ERR_NO_DOCUMENT && err != ERR_NO_COLLECTION) return err;
    *out = (PythiaSymbols){0};
    return ERR_OK;
}

static Str document_uri(const Call *c) { return field_str(json_object_get(c->params, "textDocument"), "uri", ""); }

Err lsp_document_symbol(Call *c, JsonOut *j) {
    View v = view_open(c);
    PythiaSymbols all;
    const char *path = NULL;
    const Str uri = document_uri(c);
    TRY(lsp_path(c->arena, uri, &path));
    TRY(symbols_or_none(&v, &(PythiaSymbolsRequest){.what = str_of(path), .limit = PLACES_MAX}, &all));
    TRY(text_of(&v, uri));
    jout_begin(j, '[');
    for (size_t i = 0; i < all.n;) {
        const PythiaSymbol *s = &all.symbols[i];
        if (v.client.tree) {
            i = tree_write(&v, j, &all, i, 0);
        } else {
            TRY(symbol_information(&v, j, s->name, s->path, s->kind, uri, s->line));
            i++;
        }
    }
    jout_end(j, ']');
    return ERR_OK;
}

/* ---- workspace/symbol ---- */

/* A hit's own symbol, unless its name was among the first. */
static Err hit_write(View *v, JsonOut *j, const PythiaHit *h, const PythiaSymbols *named) {
    const ptrdiff_t dot = str_rfind_char(h->symbol, '.');
    const Str name = dot < 0 ? h->symbol : str_from(h->symbol, (size_t)dot + 1);
    if (!name.n || !str_starts(h->uri, STR("file://"))) return ERR_OK;
    for (size_t i = 0; i < named->n; i++)
        if (str_eq(named->symbols[i].path, h->symbol) && str_eq(named->symbols[i].uri, h->uri)) return ERR_OK;
    TRY(text_of(v, h->uri));
    int64_t line = h->start_line; /* the name is below the comments that belong to it */
    for (int64_t at = h->start_line; at <= h->end_line; at++)
        if (word_find(line_of(v, at - 1), name) >= 0) {
            line = at;
            break;
        }
    return symbol_information(v, j, name, h->symbol, h->kind, h->uri, line);
}

/* Names that are what was typed, or begin so, then what means it. */
Err lsp_workspace_symbol(Call *c, JsonOut *j) {
    View v = view_open(c);
    const Str query = str_trim(field_str(c->params, "query", ""));
    PythiaSymbols named = {0};
    PythiaReply meant = {0};
    if (query.n && !memchr(query.p, '/', query.n))
        TRY(symbols_or_none(&v, &(PythiaSymbolsRequest){.what = query, .limit = NAMED_MAX}, &named));
    if (query.n)
        TRY(pythia_search(
            c->engine, c->arena,
            &(PythiaSearch){
                .query = query, .limit = MEANT_MAX, .min_score = -1, .deadline_ms = -1, .rerank = -1, .collapse = -1},
            &meant));
    jout_begin(j, '[');
    for (size_t i = 0; i < named.n; i++) {
        const PythiaSymbol *s = &named.symbols[i];
        TRY(symbol_information(&v, j, s->name, s->path, s->kind, s->uri, s->line));
    }
    for (size_t i = 0; i < meant.n; i++) TRY(hit_write(&v, j, &meant.hits[i], &named));
    jout_end(j, ']');
    return ERR_OK;
}

/* ---- a name at a position ---- */

/* The word that the position is in, or that ends there; "": none. */
static Err word_at(View *v, Str *out) {
    const json_t *at = json_object_get(v->c->params, "position");
    const int64_t line = field_i64(at, "line", -1), character = field_i64(at, "character", -1);
    if (line < 0 || character < 0) return err_set(ERR_USAGE, "'position' must have 'line' and 'character'");
    TRY(text_of(v, document_uri(v->c)));
    const Str text = line_of(v, line);
    size_t from = byte_at(v, text, character), to = from;
    while (from > 0 && is_word(text.p[from - 1])) from--;
    while (to < text.n && is_word(text.p[to])) to++;
    *out = str_make(text.p + from, to - from);
    return ERR_OK;
}

static Err definitions_write(View *v, JsonOut *j, const PythiaSymbols *all, Str here) {
    for (int mine = 1; mine >= 0; mine--)
        for (size_t i = 0; i < all->n; i++) {
            const PythiaSymbol *s = &all->symbols[i];
            if (str_eq(s->uri, here) == (mine == 1)) TRY(location(v, j, s->uri, s->line, s->name));
        }
    return ERR_OK;
}

/* All of that very name; *out is empty where nothing has it. */
static Err look_up(View *v, bool references, Str *word, PythiaSymbols *out) {
    const char *path = NULL;
    *out = (PythiaSymbols){0};
    TRY(lsp_path(v->c->arena, document_uri(v->c), &path));
    TRY(word_at(v, word));
    if (!word->n) return ERR_OK;
    TRY(symbols_or_none(v, &(PythiaSymbolsRequest){.what = *word, .references = references, .limit = PLACES_MAX}, out));
    if (out->how && strcmp(out->how, "name") != 0) out->n = 0; /* names that only begin so */
    return ERR_OK;
}

Err lsp_definition(Call *c, JsonOut *j) {
    View v = view_open(c);
    PythiaSymbols all;
    Str word = {NULL, 0};
    TRY(look_up(&v, false, &word, &all));
    jout_begin(j, '[');
    TRY(definitions_write(&v, j, &all, document_uri(c)));
    jout_end(j, ']');
    return ERR_OK;
}

Err lsp_references(Call *c, JsonOut *j) {
    View v = view_open(c);
    PythiaSymbols all;
    Str word = {NULL, 0};
    const bool declared = field_bool(json_object_get(c->params, "context"), "includeDeclaration", false);
    TRY(look_up(&v, true, &word, &all));
    jout_begin(j, '[');
    if (declared) TRY(definitions_write(&v, j, &all, document_uri(c)));
    for (size_t i = 0; i < all.n_references; i++) {
        const PythiaReference *r = &all.references[i];
        if (r->text.n) TRY(location(&v, j, r->uri, r->line, word)); /* else the line no longer holds it */
    }
    jout_end(j, ']');
    return ERR_OK;
}
