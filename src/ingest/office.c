/* office.c - see office.h. */
#include "ingest/office.h"

#include "base/file.h"

enum {
    HEADER_BYTES = 80, /* a cell that names a column is no longer */
    RELATIONS_MAX = 20000,
};

Err office_open(Arena *a, Str bytes, Zip *out) {
    if (str_starts(bytes, STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")))
        return err_set(ERR_UNSUPPORTED, "encrypted, or of Office 97");
    return zip_open(a, bytes, out);
}

Err office_part(Arena *a, Zip *z, const char *part, Str *out) {
    TRY(zip_read_named(a, z, str_of(part), out));
    return out->p ? ERR_OK : err_set(ERR_CORRUPT, "it has no '%s'", part);
}

/* ---- what it says of itself ---- */

const OfficeAbout office_about_core[] = {{"title", NULL},
                                         {"creator", "author"},
                                         {"created", "created"},
                                         {"modified", "modified"},
                                         {"subject", "subject"},
                                         {"keywords", "keywords"},
                                         {NULL, NULL}};

static void about_take(Flow *f, const OfficeAbout *means, Str element, Str value) {
    while (means->element && !str_is(element, means->element)) means++;
    if (!means->element) return;
    if (means->name)
        flow_meta(f, means->name, value);
    else if (!f->title.n)
        f->title = value;
}

/* The element whose text comes next: a property of the books' package is told by an attribute. */
static Str about_element(const Xml *x) {
    const Str property = str_is(x->name, "meta") ? xml_attr(x, "property") : (Str){NULL, 0};
    return property.p ? property : x->name;
}

static Err about_read(Flow *f, Zip *z, const char *part, const OfficeAbout *means) {
    Str bytes, element = STR("");
    Xml x;
    XmlEvent event;
    TRY(zip_read_named(f->arena, z, str_of(part), &bytes));
    if (!bytes.p) return ERR_OK;
    TRY(xml_open(f->arena, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return ERR_OK;
        if (event == XML_TEXT && element.n) {
            const Str value = flow_collapse(f->arena, xml_decoded(f->arena, x.text));
            if (!value.p) return arena_error();
            about_take(f, means, element, value);
        }
        element = event == XML_OPEN ? about_element(&x) : STR("");
    }
}

void office_about(Flow *f, Zip *z, const char *part, const OfficeAbout *means) {
    if (about_read(f, z, part, means) == ERR_NOMEM) f->failed = ERR_NOMEM;
}

/* ---- relations ---- */

/* Takes the last part off. */
static void path_up(char *path, size_t *n) {
    while (*n && path[*n - 1] != '/') (*n)--;
    if (*n) (*n)--;
}

Str office_path(Arena *a, Str folder, Str path) {
    const ptrdiff_t hash = str_find_char(path, '#');
    if (hash >= 0) path = str_upto(path, (size_t)hash);
    if (str_starts(path, STR("/"))) folder = STR("");
    char *out = arena_alloc(a, folder.n + path.n + 2);
    if (!out) return (Str){NULL, 0};
    size_t n = folder.n;
    memcpy(out, folder.p, n);
    for (Str rest = path, part; str_cut(&rest, '/', &part);) {
        if (part.n == 0 || str_is(part, ".")) continue;
        if (str_is(part, "..")) {
            path_up(out, &n);
            continue;
        }
        if (n) out[n++] = '/';
        for (size_t i = 0; i < part.n; i++) {
            const int high = part.p[i] == '%' && part.n - i > 2 ? hex_value(part.p[i + 1]) : -1;
            const int low = high >= 0 ? hex_value(part.p[i + 2]) : -1;
            out[n++] = (char)(low >= 0 ? high << 4 | low : part.p[i]);
            if (low >= 0) i += 2;
        }
    }
    return str_make(out, n);
}

Err office_relations(Arena *a, Zip *z, Str part, OfficeRelation **out, size_t *n) {
    const Str folder = path_dir(part), base = path_base(part);
    Str bytes;
    Xml x;
    XmlEvent event;
    *n = 0;
    const Str name = arena_printf(a, "%.*s%s_rels/%.*s.rels", STR_FMT(folder), folder.n ? "/" : "", STR_FMT(base));
    *out = arena_array(a, OfficeRelation, 1);
    if (!name.p || !*out) return arena_error();
    TRY(zip_read_named(a, z, name, &bytes));
    if (!bytes.p) return ERR_OK;
    TRY(xml_open(a, bytes, name.p, &x));
    size_t capacity = 1;
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END || *n == RELATIONS_MAX) return ERR_OK;
        if (event != XML_OPEN || !str_is(x.name, "Relationship")) continue;
        if (*n == capacity) {
            OfficeRelation *more = arena_array(a, OfficeRelation, capacity *= 2);
            if (!more) return arena_error();
            memcpy(more, *out, *n * sizeof *more);
            *out = more;
        }
        OfficeRelation *r = &(*out)[(*n)++];
        *r = (OfficeRelation){.id = xml_attr(&x, "Id"), .type = xml_attr(&x, "Type")};
        const Str target = xml_decoded(a, xml_attr(&x, "Target"));
        r->path = target.p ? office_path(a, folder, target) : (Str){NULL, 0};
        if (!r->path.p) return arena_error();
    }
}

Str office_related(const OfficeRelation *all, size_t n, Str id) {
    for (size_t i = 0; i < n; i++)
        if (id.n && str_eq(all[i].id, id)) return all[i].path;
    return (Str){NULL, 0};
}

Str office_related_by_type(const OfficeRelation *all, size_t n, const char *type_end) {
    for (size_t i = 0; i < n; i++)
        if (str_ends(all[i].type, str_of(type_end))) return all[i].path;
    return (Str){NULL, 0};
}

/* ---- tables ---- */

void office_table_begin(OfficeTable *t, Flow *f) {
    t->f = f;
    t->n = t->n_headers = t->rows = 0;
    flow_paragraph(f);
}

void office_cell(OfficeTable *t, Str text) {
    if (t->n == FLOW_COLUMNS_MAX) return;
    const Str copy = text.n ? flow_collapse(t->f->arena, text) : STR("");
    if (!copy.p) t->f->failed = ERR_NOMEM;
    t->cells[t->n++] = copy.p ? copy : STR("");
}

static bool names_columns(const OfficeTable *t) {
    for (size_t i = 0; i < t->n; i++)
        if (t->cells[i].n == 0 || t->cells[i].n > HEADER_BYTES) return false;
    return t->n > 1;
}

void office_row(OfficeTable *t, bool header, bool maybe) {
    while (t->n && t->cells[t->n - 1].n == 0) t->n--;
    if (t->n == 0) return;
    flow_row(t->f, t->headers, t->n_headers, t->cells, t->n);
    if (t->rows++ == 0 && (header || (maybe && names_columns(t)))) {
        t->headers = arena_array(t->f->arena, Str, t->n);
        if (!t->headers) t->f->failed = ERR_NOMEM;
        if (t->headers) memcpy(t->headers, t->cells, t->n * sizeof *t->cells);
        t->n_headers = t->headers ? t->n : 0;
    }
    t->n = 0;
}
