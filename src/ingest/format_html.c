/* format_html.c - what somebody reads on a page: gumbo's HTML5 tree walked once, in order and without recursion (a page
 * may be nested up to DEPTH_MAX deep).
 *
 * Scripts, styles and templates are no text. h1 to h6 are headings. A table is rows of cells unless it holds headings,
 * lists or tables of its own: then it only lays out a page, and is read as running text. Books' chapters (EPUB) and
 * mails are read by the same functions.
 *
 * Memory: gumbo takes it from the arena, so that a deep tree need not be freed by its recursion.
 */
#include "ingest/format_html.h"

#include <gumbo.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "ingest/about.h"

enum { DEPTH_MAX = 20000, NAME_MAX_BYTES = 10 };

typedef struct {
    Flow *f;
    Arena *a;
    bool verbatim; /* within <pre> */
    bool item_due; /* a list item began: a dash before its first word */
    Str *headers;  /* of the table that is read */
    size_t n_headers;
} Page;

static void *take(void *arena, size_t n) {
    void *p = arena_alloc(arena, n);
    if (!p) abort(); /* gumbo knows no failure; the child ends and the document is told as one that did it */
    return p;
}

static void leave(void *arena, void *p) { (void)arena, (void)p; }

/* ---- the tree ---- */

static const GumboVector *children_of(const GumboNode *n) {
    if (n->type == GUMBO_NODE_DOCUMENT) return &n->v.document.children;
    return n->type == GUMBO_NODE_ELEMENT || n->type == GUMBO_NODE_TEMPLATE ? &n->v.element.children : NULL;
}

static const GumboNode *first_child(const GumboNode *n) {
    const GumboVector *v = children_of(n);
    return v && v->length ? v->data[0] : NULL;
}

/* The node behind n and all in it, at the same level. */
static const GumboNode *sibling(const GumboNode *n) {
    const GumboVector *v = n->parent ? children_of(n->parent) : NULL;
    const size_t next = n->index_within_parent + 1;
    return v && next < v->length ? v->data[next] : NULL;
}

static GumboTag tag_of(const GumboNode *n) {
    return n->type == GUMBO_NODE_ELEMENT ? n->v.element.tag : GUMBO_TAG_UNKNOWN;
}

static bool is_text(const GumboNode *n) {
    return n->type == GUMBO_NODE_TEXT || n->type == GUMBO_NODE_CDATA || n->type == GUMBO_NODE_WHITESPACE;
}

static Str attribute(const GumboNode *n, const char *name) {
    if (n->type != GUMBO_NODE_ELEMENT) return (Str){NULL, 0};
    const GumboAttribute *at = gumbo_get_attribute(&n->v.element.attributes, name);
    return at ? str_of(at->value) : (Str){NULL, 0};
}

/* Nobody sees it. */
static bool is_unseen(const GumboNode *n) {
    if (n->type == GUMBO_NODE_COMMENT || n->type == GUMBO_NODE_TEMPLATE) return true;
    switch (tag_of(n)) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_DATALIST:
        return true;
    default:
        return n->type == GUMBO_NODE_ELEMENT && attribute(n, "hidden").p != NULL;
    }
}

/* The next node in the document's order within root: into n's children where `into`, else behind it. */
static const GumboNode *following(const GumboNode *n, const GumboNode *root, bool into) {
    const GumboNode *next = into ? first_child(n) : NULL;
    for (; !next && n != root; n = n->parent) next = sibling(n);
    return next;
}

/* ---- what parts lines ---- */

typedef enum { INLINE, LINE, PARAGRAPH } Block;

static Block block_of(GumboTag tag) {
    switch (tag) {
    case GUMBO_TAG_P:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_BODY:
        return PARAGRAPH;
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_LEGEND:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_OPTION:
    case GUMBO_TAG_BR:
        return LINE;
    default:
        return INLINE;
    }
}

static bool parts_words(GumboTag tag) { return block_of(tag) != INLINE; }

/* ---- text of a part ---- */

static void part_text(const GumboNode *root, Buf *out) {
    for (const GumboNode *n = first_child(root); n; n = following(n, root, !is_unseen(n))) {
        if (is_text(n)) buf_add_z(out, n->v.text.text);
        if (parts_words(tag_of(n))) buf_char(out, ' ');
        if (tag_of(n) == GUMBO_TAG_IMG && attribute(n, "alt").n) {
            buf_char(out, ' ');
            buf_add(out, attribute(n, "alt"));
            buf_char(out, ' ');
        }
    }
}

static Str text_of(Page *p, const GumboNode *n) {
    Buf b = {0};
    part_text(n, &b);
    const Str s = b.failed ? (Str){NULL, 0} : flow_collapse(p->a, buf_str(&b));
    buf_free(&b);
    if (!s.p) p->f->failed = ERR_NOMEM;
    return s.p ? s : STR("");
}

/* ---- tables ---- */

/* True for a table of data: nothing in it that only a page has. */
static bool is_data(const GumboNode *table) {
    for (const GumboNode *n = first_child(table); n; n = following(n, table, true)) {
        switch (tag_of(n)) {
        case GUMBO_TAG_TABLE:
        case GUMBO_TAG_H1:
        case GUMBO_TAG_H2:
        case GUMBO_TAG_H3:
        case GUMBO_TAG_H4:
        case GUMBO_TAG_UL:
        case GUMBO_TAG_OL:
        case GUMBO_TAG_DL:
        case GUMBO_TAG_PRE:
        case GUMBO_TAG_BLOCKQUOTE:
        case GUMBO_TAG_HR:
        case GUMBO_TAG_FORM:
        case GUMBO_TAG_ARTICLE:
        case GUMBO_TAG_SECTION:
            return false;
        default:
            break;
        }
    }
    return true;
}

static void row_read(Page *p, const GumboNode *row) {
    Str cells[FLOW_COLUMNS_MAX];
    size_t n = 0;
    const bool in_head = row->parent && tag_of(row->parent) == GUMBO_TAG_THEAD; /* LibreOffice puts no <th> there */
    bool all_headers = true;
    for (const GumboNode *c = first_child(row); c; c = sibling(c)) {
        const GumboTag tag = tag_of(c);
        if ((tag != GUMBO_TAG_TD && tag != GUMBO_TAG_TH) || n == FLOW_COLUMNS_MAX) continue;
        all_headers &= tag == GUMBO_TAG_TH;
        const Str span = attribute(c, "colspan");
        int64_t columns = 1;
        if (span.p && (!str_to_i64(span, &columns) || columns < 1)) columns = 1;
        cells[n++] = text_of(p, c);
        while (--columns > 0 && n < FLOW_COLUMNS_MAX) cells[n++] = STR("");
    }
    if ((all_headers || in_head) && n > 1 && p->n_headers == 0) {
        p->headers = arena_array(p->a, Str, n);
        if (!p->headers) return (void)(p->f->failed = ERR_NOMEM);
        memcpy(p->headers, cells, n * sizeof *cells);
        p->n_headers = n;
        flow_row(p->f, NULL, 0, cells, n);
        return;
    }
    flow_row(p->f, p->headers, p->n_headers, cells, n);
}

static void table_read(Page *p, const GumboNode *table) {
    flow_paragraph(p->f);
    p->n_headers = 0;
    for (const GumboNode *n = first_child(table); n;) {
        const GumboTag tag = tag_of(n);
        if (tag == GUMBO_TAG_CAPTION) {
            flow_text(p->f, text_of(p, n));
            flow_line(p->f);
        }
        if (tag == GUMBO_TAG_TR) row_read(p, n);
        n = following(n, table, tag == GUMBO_TAG_TBODY || tag == GUMBO_TAG_THEAD || tag == GUMBO_TAG_TFOOT);
    }
    flow_paragraph(p->f);
}

/* ---- the page ---- */

static int heading_level(GumboTag tag) {
    switch (tag) {
    case GUMBO_TAG_H1:
        return 1;
    case GUMBO_TAG_H2:
        return 2;
    case GUMBO_TAG_H3:
        return 3;
    case GUMBO_TAG_H4:
        return 4;
    case GUMBO_TAG_H5:
        return 5;
    case GUMBO_TAG_H6:
        return 6;
    default:
        return 0;
    }
}

static void block_border(Page *p, const GumboNode *n) {
    const Block block = block_of(tag_of(n));
    if (block == LINE) flow_line(p->f);
    if (block == PARAGRAPH) flow_paragraph(p->f);
}

/* Into n; false when n was read as a whole. */
static bool enter(Page *p, const GumboNode *n) {
    const GumboTag tag = tag_of(n);
    const int level = heading_level(tag);
    if (is_unseen(n)) return false;
    if (is_text(n)) {
        const Str text = str_of(n->v.text.text);
        if (p->item_due && str_trim(text).n) {
            flow_text(p->f, STR("- "));
            p->item_due = false;
        }
        p->verbatim ? flow_verbatim(p->f, text) : flow_text(p->f, text);
        return false;
    }
    if (level) {
        flow_heading(p->f, level, text_of(p, n));
        return false;
    }
    if (tag == GUMBO_TAG_TABLE && is_data(n)) {
        table_read(p, n);
        return false;
    }
    block_border(p, n);
    if (tag == GUMBO_TAG_LI) p->item_due = true;
    if (tag == GUMBO_TAG_PRE) p->verbatim = true;
    if (tag == GUMBO_TAG_IMG && attribute(n, "alt").n) {
        flow_text(p->f, STR(" "));
        flow_text(p->f, attribute(n, "alt"));
        flow_text(p->f, STR(" "));
    }
    return true;
}

static void depart(Page *p, const GumboNode *n) {
    block_border(p, n);
    if (tag_of(n) == GUMBO_TAG_PRE) p->verbatim = false;
}

static void page_walk(Page *p, const GumboNode *root) {
    for (const GumboNode *n = root; n;) {
        const GumboNode *down = enter(p, n) ? first_child(n) : NULL;
        if (down) {
            n = down;
            continue;
        }
        depart(p, n);
        const GumboNode *next = NULL;
        while (n != root && !(next = sibling(n))) {
            n = n->parent;
            depart(p, n);
        }
        n = n == root ? NULL : next;
    }
}

/* Elements that stay open until their end tag. */
static bool nests(Str name) {
    static const char *const names[] = {"div",    "span",   "section", "article", "aside", "main",      "nav",
                                        "header", "footer", "table",   "ul",      "ol",    "dl",        "a",
                                        "b",      "i",      "u",       "em",      "font",  "big",       "small",
                                        "strong", "code",   "form",    "center",  "label", "blockquote"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return false;
}

/* gumbo looks through all that is open at each tag: for 200,000 <div> within one another it took a minute. */
static Err depth_check(Str html) {
    size_t depth = 0;
    for (ptrdiff_t at; (at = str_find_char(html, '<')) >= 0;) {
        html = str_from(html, (size_t)at + 1);
        const bool closes = html.n && html.p[0] == '/';
        const Str from = str_from(html, closes);
        size_t n = 0;
        while (n < from.n && n <= NAME_MAX_BYTES && is_lower(lower(from.p[n]))) n++;
        if (!nests(str_upto(from, n))) continue;
        depth = closes ? depth - (depth > 0) : depth + 1;
        if (depth > DEPTH_MAX) return err_set(ERR_LIMIT, "nested over %d deep", DEPTH_MAX);
    }
    return ERR_OK;
}

static Err parse(Flow *f, Str utf8, const GumboNode **out) {
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = take;
    options.deallocator = leave;
    options.userdata = f->arena;
    options.max_errors = 0;
    TRY(depth_check(utf8));
    *out = gumbo_parse_with_options(&options, utf8.n ? utf8.p : "", utf8.n)->document;
    return ERR_OK;
}

static Err body_read(Flow *f, const GumboNode *document) {
    Page p = {.f = f, .a = f->arena};
    page_walk(&p, document);
    flow_paragraph(f);
    return f->failed ? err_set(ERR_NOMEM, "out of memory for a page") : ERR_OK;
}

Err html_read(Flow *f, Str utf8) {
    const GumboNode *document;
    TRY(parse(f, utf8, &document));
    return body_read(f, document);
}

/* ---- what it says of itself ---- */

/* <meta name="author" content="…">, with property or itemprop instead of name. An author that is a link is no name. */
static void meta_read(Flow *f, const GumboNode *n) {
    static const char *const keys[] = {"name", "property", "itemprop"};
    const Str content = attribute(n, "content");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *name = content.p ? about_name(attribute(n, keys[i])) : NULL;
        if (!name || str_starts(content, STR("http"))) continue;
        if (strcmp(name, "title") != 0)
            flow_meta(f, name, content);
        else if (!f->title.n)
            f->title = content;
    }
}

/* The head: <title>, else what its <meta> calls one. */
static void about_read(Flow *f, const GumboNode *root) {
    Page p = {.f = f, .a = f->arena};
    Str title = STR("");
    for (const GumboNode *n = first_child(root); n; n = following(n, root, tag_of(n) != GUMBO_TAG_BODY)) {
        if (tag_of(n) == GUMBO_TAG_TITLE && !title.n) title = text_of(&p, n);
        if (tag_of(n) == GUMBO_TAG_META) meta_read(f, n);
    }
    if (title.n) f->title = title;
}

/* "windows-1251" of <meta charset=…> or <?xml encoding=…?>. */
Str html_declared(Str bytes) {
    const Str head = str_upto(bytes, 4096);
    static const char *const keys[] = {"charset=", "encoding="};
    for (size_t k = 0; k < 2; k++) {
        const Str key = str_of(keys[k]);
        for (size_t i = 0; i + key.n < head.n; i++) {
            if (!str_eq_nocase(str_make(head.p + i, key.n), key)) continue;
            Str name = str_from(head, i + key.n);
            if (name.n && (name.p[0] == '"' || name.p[0] == '\'')) name = str_from(name, 1);
            return name;
        }
    }
    return STR("");
}

Err format_html(Flow *f, Str bytes) {
    const GumboNode *document;
    Str text;
    TRY(charset_decode(&f->charsets, f->arena, bytes, html_declared(bytes), &text));
    TRY(parse(f, text, &document));
    about_read(f, document);
    return body_read(f, document);
}
