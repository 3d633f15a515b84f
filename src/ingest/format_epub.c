/* format_epub.c - books (EPUB 2 and 3): the chapters that the package's spine lists, in its order, each read as a page
 * of HTML. Their headings are the book's; a chapter that has none stands under what the table of contents calls it.
 */
#include "base/file.h"
#include "ingest/format.h"
#include "ingest/format_html.h"
#include "ingest/office.h"

enum { ITEMS_MAX = 20000, ENTRIES_MAX = 20000 };

typedef struct {
    Str id, path;
    bool is_page, is_nav, is_ncx; /* a chapter, perhaps; the table of contents of EPUB 3, of EPUB 2 */
} Item;

/* Of the table of contents. */
typedef struct {
    Str path, title;
} Entry;

typedef struct {
    Flow *f;
    Arena *a;
    Zip zip;
    Str package; /* the path of the OPF */
    Item *items;
    size_t n_items;
    Entry *entries;
    size_t n_entries;
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
    *item = (Item){.id = xml_attr(x, "id"),
                   .is_page = str_find(type, STR("html")) >= 0,
                   .is_nav = str_find(xml_attr(x, "properties"), STR("nav")) >= 0,
                   .is_ncx = str_find(type, STR("dtbncx")) >= 0};
    item->path = href.p ? office_path(e->a, path_dir(e->package), href) : href;
    return item->path.p ? ERR_OK : arena_error();
}

/* ---- the table of contents ---- */

static Err entry_add(Epub *e, Str part, Str href, Str title) {
    if (e->n_entries == ENTRIES_MAX || !href.p) return ERR_OK;
    if (!e->entries && !(e->entries = arena_array(e->a, Entry, ENTRIES_MAX))) return arena_error();
    const Str link = xml_decoded(e->a, href);
    const Entry entry = {link.p ? office_path(e->a, path_dir(part), link) : link, flow_collapse(e->a, title)};
    if (!entry.path.p || !entry.title.p) return arena_error();
    e->entries[e->n_entries++] = entry;
    return ERR_OK;
}

/* <a href="…">title</a> of EPUB 3; <navLabel>title</navLabel> and <content src="…"/> of EPUB 2. */
static Err toc_parse(Epub *e, Str part, Str bytes, Buf *title) {
    Xml x;
    XmlEvent event;
    Str href = {NULL, 0};
    bool within = false;
    TRY(xml_open(e->a, bytes, "table of contents", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return buf_ok(title);
        if (event == XML_TEXT && within) xml_decode(title, x.text, x.literal);
        if (event == XML_TEXT) continue;
        if (str_is(x.name, "a") || str_is(x.name, "navLabel")) {
            within = event == XML_OPEN;
            if (within) buf_clear(title), href = xml_attr(&x, "href");
            if (!within) TRY(entry_add(e, part, href, buf_str(title)));
        }
        if (event == XML_OPEN && str_is(x.name, "content"))
            TRY(entry_add(e, part, xml_attr(&x, "src"), buf_str(title)));
    }
}

/* Without one, or with one that is damaged, chapters have no names but their own. */
static Err toc_read(Epub *e) {
    const Item *toc = NULL;
    Buf title = {0};
    Str bytes;
    for (size_t i = 0; i < e->n_items && !(toc && toc->is_nav); i++)
        if (e->items[i].is_nav || (e->items[i].is_ncx && !toc)) toc = &e->items[i];
    if (!toc || zip_read_named(e->a, &e->zip, toc->path, &bytes) || !bytes.p) return ERR_OK;
    const Err err = toc_parse(e, toc->path, bytes, &title);
    buf_free(&title);
    return err == ERR_NOMEM ? err : ERR_OK;
}

/* "" none */
static Str toc_title(const Epub *e, Str path) {
    for (size_t i = 0; i < e->n_entries; i++)
        if (str_eq(e->entries[i].path, path)) return e->entries[i].title;
    return STR("");
}

static bool has_heading(Str html) {
    for (ptrdiff_t at; (at = str_find_char(html, '<')) >= 0;) {
        html = str_from(html, (size_t)at + 1);
        if (html.n > 1 && (html.p[0] | 0x20) == 'h' && html.p[1] >= '1' && html.p[1] <= '6') return true;
    }
    return false;
}

/* ---- chapters ---- */

static Err chapter_read(Epub *e, const Item *item) {
    Str bytes, text;
    TRY(zip_read_named(e->a, &e->zip, item->path, &bytes));
    if (!bytes.p) return ERR_OK;
    TRY(charset_decode(&e->f->charsets, e->a, bytes, html_declared(bytes), &text));
    flow_heading_end(e->f, 1);
    flow_paragraph(e->f);
    if (!has_heading(text)) flow_under(e->f, 1, toc_title(e, item->path));
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
        if (str_is(x.name, "spine")) TRY(toc_read(e));
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
