/* format_epub.c - books (EPUB 2 and 3): the chapters that the package's spine lists, in its order, each read as a page of
 * HTML. Their headings are the book's.
 */
#include "base/file.h"
#include "ingest/format.h"
#include "ingest/format_html.h"
#include "ingest/office.h"

enum { ITEMS_MAX = 20000 };

typedef struct {
    Str id, path;
    bool is_page;
} Item;

typedef struct {
    Flow *f;
    Arena *a;
    Zip zip;
    Str package; /* the path of the OPF */
    Item *items;
    size_t n_items;
    size_t chapters;
} Epub;

/* META-INF/container.xml says where the package is. */
static Err package_find(Epub *e) {
    Str bytes;
    Xml x;
    XmlEvent event;
    TRY(office_part(e->a, &e->zip, "META-INF/container.xml", &bytes));
    TRY(xml_open(e->a, bytes, "META-INF/container.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return err_set(ERR_CORRUPT, "its container names no package");
        if (event != XML_OPEN || !str_is(x.name, "rootfile")) continue;
        const Str path = xml_decoded(e->a, xml_attr(&x, "full-path"));
        e->package = path.p ? office_path(e->a, STR(""), path) : path;
        return e->package.p ? ERR_OK : arena_error();
    }
}

static Err item_add(Epub *e, const Xml *x) {
    if (e->n_items == ITEMS_MAX) return ERR_OK;
    if (!e->items && !(e->items = arena_array(e->a, Item, ITEMS_MAX))) return arena_error();
    const Str href = xml_decoded(e->a, xml_attr(x, "href")), type = xml_attr(x, "media-type");
    Item *item = &e->items[e->n_items++];
    *item = (Item){.id = xml_attr(x, "id"), .is_page = str_find(type, STR("html")) >= 0};
    item->path = href.p ? office_path(e->a, path_dir(e->package), href) : href;
    return item->path.p ? ERR_OK : arena_error();
}

static Err chapter_read(Epub *e, const Item *item) {
    Str bytes, text;
    TRY(zip_read_named(e->a, &e->zip, item->path, &bytes));
    if (!bytes.p) return ERR_OK;
    TRY(charset_decode(&e->f->charsets, e->a, bytes, html_declared(bytes), &text));
    flow_heading_end(e->f, 1);
    flow_paragraph(e->f);
    e->chapters++;
    return html_read(e->f, text);
}

static Err spine_item(Epub *e, Str id) {
    for (size_t i = 0; i < e->n_items; i++)
        if (id.n && str_eq(e->items[i].id, id)) return e->items[i].is_page ? chapter_read(e, &e->items[i]) : ERR_OK;
    return ERR_OK;
}

static const OfficeAbout about[] = {{"title", NULL},
                                    {"creator", "author"},
                                    {"subject", "subject"},
                                    {"date", "created"},
                                    {"dcterms:modified", "modified"},
                                    {NULL, NULL}};

static Err package_read(Epub *e) {
    Str bytes;
    Xml x;
    XmlEvent event;
    const char *part = arena_cstr(e->a, e->package);
    if (!part) return arena_error();
    office_about(e->f, &e->zip, part, about);
    TRY(office_part(e->a, &e->zip, part, &bytes));
    TRY(xml_open(e->a, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return ERR_OK;
        if (event != XML_OPEN) continue;
        if (str_is(x.name, "item")) TRY(item_add(e, &x));
        if (str_is(x.name, "itemref")) TRY(spine_item(e, xml_attr(&x, "idref")));
    }
}

/* Fonts are often scrambled; when pages are, somebody sold the book. */
static Err protection_check(Epub *e) {
    Str bytes;
    TRY(zip_read_named(e->a, &e->zip, STR("META-INF/encryption.xml"), &bytes));
    if (bytes.p && (str_find(bytes, STR("html\"")) >= 0 || zip_find(&e->zip, STR("META-INF/rights.xml"))))
        return err_set(ERR_UNSUPPORTED, "encrypted: protected against copying");
    return ERR_OK;
}

Err format_epub(Flow *f, Str bytes) {
    Epub e = {.f = f, .a = f->arena};
    TRY(office_open(e.a, bytes, &e.zip));
    TRY(protection_check(&e));
    TRY(package_find(&e));
    TRY(package_read(&e));
    return e.chapters ? ERR_OK : err_set(ERR_CORRUPT, "its spine lists no chapter that is there");
}
