/* local_symbols.c - definitions and references: which document defines a name, and on which lines one is named.
 *
 * A definition is a row of `symbols`. References are many (a name a few times on most lines) and asked for rarely, so
 * that a row each would be half of the database: a document's are one text, compressed, "name<tab>line
 * +lines…<newline>" by name. To find those of a name the texts of all documents are looked through.
 */
#include "store/local.h"

/* ---- writing ---- */

static bool can_be_line(Str name) {
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ') return false;
    return name.n > 0;
}

static Err references_pack(LocalStore *l, const StorePut *put) {
    buf_clear(&l->text);
    for (size_t i = 0; i < put->n_references;) {
        const Str name = put->references[i].name;
        int32_t before = 0;
        const bool kept = can_be_line(name);
        if (kept) {
            buf_add(&l->text, name);
            buf_char(&l->text, '\t');
        }
        for (; i < put->n_references && str_eq(put->references[i].name, name); i++) {
            if (kept) buf_printf(&l->text, before ? " %d" : "%d", put->references[i].line - before);
            before = put->references[i].line;
        }
        if (kept) buf_char(&l->text, '\n');
    }
    return buf_ok(&l->text);
}

Err symbols_write(LocalStore *l, const StorePut *put, int64_t doc) {
    for (size_t i = 0; i < put->n_symbols; i++) {
        const Symbol *s = &put->symbols[i];
        TRY(local_run(l, SQL_SYMBOL_INSERT,
                      SQL_VALUES(sql_int(doc), sql_int((int64_t)i), sql_int(put->collection), sql_text(s->name),
                                 sql_text(s->path), sql_text(s->kind), sql_text(s->signature), sql_int(s->start),
                                 sql_int(s->end), sql_int(s->line), sql_int(s->start_line), sql_int(s->end_line))));
    }
    if (put->n_references == 0) return ERR_OK;
    TRY(references_pack(l, put));
    if (l->text.n == 0) return ERR_OK;
    const int64_t size = (int64_t)l->text.n;
    TRY(local_pack(l, buf_str(&l->text)));
    return local_run(l, SQL_REFERENCES_PUT,
                     SQL_VALUES(sql_int(doc), sql_int(size), sql_blob(l->packed.p, l->packed.n)));
}

Err symbols_clear(LocalStore *l, int64_t doc) {
    TRY(local_run(l, SQL_SYMBOLS_DELETE, SQL_VALUES(sql_int(doc))));
    return local_run(l, SQL_REFERENCES_DELETE, SQL_VALUES(sql_int(doc)));
}

/* ---- reading ---- */

/* Columns from `at` on, as SQL_SYMBOL_COLUMNS has them. */
static Err symbol_of_row(LocalStore *l, Arena *a, sqlite3_stmt *st, int at, Symbol *out) {
    const int64_t name_bytes = sqlite3_column_int64(st, at + 1);
    *out = (Symbol){.path = column_str_in(st, at, a),
                    .kind = column_str_in(st, at + 2, a),
                    .signature = column_str_in(st, at + 3, a),
                    .start = sqlite3_column_int64(st, at + 4),
                    .end = sqlite3_column_int64(st, at + 5),
                    .line = sqlite3_column_int(st, at + 6),
                    .start_line = sqlite3_column_int(st, at + 7),
                    .end_line = sqlite3_column_int(st, at + 8)};
    if (!out->path.p || !out->kind.p || !out->signature.p) return arena_error();
    if (name_bytes < 0 || (uint64_t)name_bytes > out->path.n || out->start < 0 || out->end < out->start)
        return local_damaged(l, "symbol '%.*s' has a span that cannot be", STR_FMT(out->path));
    out->name = str_from(out->path, out->path.n - (size_t)name_bytes);
    return ERR_OK;
}

Err local_symbols_of(Store *s, Arena *a, int64_t doc, Symbol **out, size_t *n) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    Buf list = {0};
    bool row = false;
    TRY(local_use(l, SQL_SYMBOLS_OF, &st, SQL_VALUES(sql_int(doc))));
    Err err = ERR_OK;
    while (!(err = sql_next(l, st, &row)) && row) {
        Symbol symbol;
        if ((err = symbol_of_row(l, a, st, 0, &symbol))) break;
        buf_add_bytes(&list, &symbol, sizeof symbol);
    }
    sql_done(st);
    if (!err) err = buf_ok(&list);
    *n = err ? 0 : list.n / sizeof **out;
    *out = arena_array(a, Symbol, *n);
    if (!err && !*out) err = arena_error();
    if (*n) memcpy(*out, list.p, list.n);
    buf_free(&list);
    return err;
}

/* Which documents and kinds a filter lets pass. */
typedef struct {
    ChunkSet documents;
    const Filter *filter;
} Pass;

static Err pass_make(LocalStore *l, Arena *a, int64_t collection, const Filter *f, Pass *out) {
    *out = (Pass){.filter = f};
    return chunk_set_of_documents(l, a, collection, f, &out->documents); /* a symbol has a kind of its own */
}

static bool passes_symbol(const Pass *p, Str path, Str kind) {
    for (const Filter *f = p->filter; f; f = f->also)
        if (!filter_list_passes(f->kinds, f->n_kinds, kind, str_eq) ||
            !filter_list_passes(f->symbols, f->n_symbols, path, symbol_is_named))
            return false;
    return true;
}

static bool passes_document(const Pass *p, int64_t first_chunk) {
    size_t at = 0;
    return p->documents.all || chunk_set_has(&p->documents, first_chunk, &at);
}

static Err store_symbol_of_row(LocalStore *l, Arena *a, sqlite3_stmt *st, StoreSymbol *out) {
    out->doc_id = sqlite3_column_int64(st, 0);
    out->place = sqlite3_column_int64(st, 1);
    out->doc_path = column_str_in(st, 3, a);
    out->uri = column_str_in(st, 4, a);
    out->lang = column_str_in(st, 5, a);
    if (!out->doc_path.p || !out->uri.p || !out->lang.p) return arena_error();
    return symbol_of_row(l, a, st, 6, &out->symbol);
}

static Err named_collect(LocalStore *l, Arena *a, sqlite3_stmt *st, const Pass *pass, size_t cap, Buf *list) {
    bool row = false;
    Err err = ERR_OK;
    while (list->n / sizeof(StoreSymbol) < cap && !(err = sql_next(l, st, &row)) && row) {
        StoreSymbol symbol;
        if (!passes_document(pass, sqlite3_column_int64(st, 2)) ||
            !passes_symbol(pass, column_str(st, 6), column_str(st, 8)))
            continue;
        if ((err = store_symbol_of_row(l, a, st, &symbol))) break;
        buf_add_bytes(list, &symbol, sizeof symbol);
    }
    sql_done(st);
    return err ? err : buf_ok(list);
}

Err local_symbols_named(Store *s, Arena *a, int64_t collection, Str text, StoreSymbolMatch match, const Filter *filter,
                        size_t cap, StoreSymbol **out, size_t *n) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    Buf list = {0}, behind = {0};
    Pass pass;
    TRY(pass_make(l, a, collection, filter, &pass));
    /* The first text behind all that start so; names are UTF-8, which has no byte 0xFF. */
    buf_add(&behind, text);
    buf_char(&behind, '\xff');
    Err err = buf_ok(&behind);
    if (!err && match == SYMBOLS_NAMED)
        err = local_use(l, SQL_SYMBOLS_NAMED, &st, SQL_VALUES(sql_int(collection), sql_text(text)));
    else if (!err)
        err = local_use(l, SQL_SYMBOLS_STARTING, &st,
                        SQL_VALUES(sql_int(collection), sql_text(text), sql_text(buf_str(&behind))));
    if (!err) err = named_collect(l, a, st, &pass, cap, &list);
    *n = err ? 0 : list.n / sizeof **out;
    *out = arena_array(a, StoreSymbol, *n);
    if (!err && !*out) err = arena_error();
    if (*n) memcpy(*out, list.p, list.n);
    buf_free(&list);
    buf_free(&behind);
    return err;
}

Err local_symbols_each(Store *s, int64_t collection, const Filter *filter, StoreSymbolSink sink, void *ctx) {
    LocalStore *l = local_of(s);
    Arena scratch = {0};
    Pass pass;
    sqlite3_stmt *st = NULL;
    bool row = false;
    Err err = pass_make(l, &scratch, collection, filter, &pass);
    if (!err) err = local_use(l, SQL_SYMBOLS_EACH, &st, SQL_VALUES(sql_int(collection)));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        const Str path = column_str(st, 3), kind = column_str(st, 4);
        if (!passes_document(&pass, sqlite3_column_int64(st, 2)) || !passes_symbol(&pass, path, kind)) continue;
        err = sink(ctx, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1), path, kind);
    }
    sql_done(st);
    arena_free(&scratch);
    return err;
}

Err local_symbol(Store *s, Arena *a, int64_t doc, int64_t place, StoreSymbol *out) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_SYMBOL_GET, &st, SQL_VALUES(sql_int(doc), sql_int(place))));
    TRY(sql_next(l, st, &row));
    if (!row) return err_set(ERR_NO_DOCUMENT, "document %lld has no symbol %lld", (long long)doc, (long long)place);
    const Err err = store_symbol_of_row(l, a, st, out);
    sql_done(st);
    return err;
}

/* ---- references ---- */

/* The numbers of the line "name<tab>3 4 1" in a packed text; empty when the name is not in it. */
static Str lines_of_name(Str text, Str key /* "\nname\t" */) {
    const Str first = str_from(key, 1);
    Str line = {"", 0}, rest = text;
    if (str_starts(text, first)) {
        rest = str_from(text, first.n);
    } else {
        const ptrdiff_t at = str_find(text, key);
        if (at < 0) return line;
        rest = str_from(text, (size_t)at + key.n);
    }
    (void)str_cut(&rest, '\n', &line);
    return line;
}

typedef struct {
    Buf list; /* StoreReference[] */
    size_t cap, total;
} Found;

static Err references_take(LocalStore *l, Arena *a, sqlite3_stmt *st, Str lines, Found *f) {
    StoreReference r = {.doc_id = sqlite3_column_int64(st, 0)};
    Str number;
    while (str_cut(&lines, ' ', &number)) {
        int64_t more = 0;
        if (!str_to_i64(number, &more) || more < 1 || more > INT32_MAX - r.line)
            return local_damaged(l, "the references of document %lld are not lines", (long long)r.doc_id);
        r.line += (int32_t)more;
        f->total++;
        if (f->list.n / sizeof r >= f->cap) continue;
        if (!r.doc_path.p) {
            r.doc_path = column_str_in(st, 2, a);
            r.lang = column_str_in(st, 3, a);
            if (!r.doc_path.p || !r.lang.p) return arena_error();
        }
        buf_add_bytes(&f->list, &r, sizeof r);
    }
    return buf_ok(&f->list);
}

static Err references_find(LocalStore *l, Arena *a, int64_t collection, Str key, const Pass *pass, Found *f) {
    sqlite3_stmt *st = NULL;
    Buf text = {0};
    bool row = false;
    Err err = local_use(l, SQL_REFERENCES_EACH, &st, SQL_VALUES(sql_int(collection)));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        if (!passes_document(pass, sqlite3_column_int64(st, 1))) continue;
        buf_clear(&text);
        err = local_unpack(l, column_str(st, 5), sqlite3_column_int64(st, 4), &text);
        if (!err) err = references_take(l, a, st, lines_of_name(buf_str(&text), key), f);
    }
    sql_done(st);
    buf_free(&text);
    return err;
}

Err local_references(Store *s, Arena *a, int64_t collection, Str name, const Filter *filter, size_t cap,
                     StoreReference **out, size_t *n, size_t *total) {
    LocalStore *l = local_of(s);
    Found f = {.cap = cap};
    Buf key = {0};
    Pass pass;
    TRY(pass_make(l, a, collection, filter, &pass));
    buf_char(&key, '\n');
    buf_add(&key, name);
    buf_char(&key, '\t');
    Err err = buf_ok(&key);
    if (!err && can_be_line(name)) err = references_find(l, a, collection, buf_str(&key), &pass, &f);
    *total = f.total;
    *n = err ? 0 : f.list.n / sizeof **out;
    *out = arena_array(a, StoreReference, *n);
    if (!err && !*out) err = arena_error();
    if (*n) memcpy(*out, f.list.p, f.list.n);
    buf_free(&f.list);
    buf_free(&key);
    return err;
}
