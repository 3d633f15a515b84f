/* Any bytes as XML: marks come in pairs and end at depth 0, texts and attributes lie in the document, what is skipped
 * ends one level up; else it is refused with the byte. */
#include <stdlib.h>

#include "ingest/xml.h"

static bool within(Str all, Str part) { return !part.n || (part.p >= all.p && part.p + part.n <= all.p + all.n); }

static void element_check(Arena *a, const Xml *x) {
    static const char *const names[] = {"val", "id", "a"};
    if (x->name.n == 0 || !within(x->all, x->name) || !within(x->all, x->attrs)) abort();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const Str value = xml_attr(x, names[i]);
        if (!value.p) continue;
        if (!within(x->all, value)) abort();
        (void)xml_attr_int(x, names[i], 0);
        if (xml_decoded(a, value).n > value.n) abort(); /* no entity is longer than its name */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a = {0};
    Xml x;
    XmlEvent event = XML_TEXT;
    unsigned depth = 0;
    if (size < 1 || size > 100000) return 0;
    Err err = xml_open(&a, str_make((const char *)data + 1, size - 1), "x", &x);
    for (size_t n = 0; !err && event != XML_END; n++) {
        if (n > 2 * size + 2) abort(); /* it comes to an end */
        if ((err = xml_next(&x, &event))) break;
        depth = depth + (event == XML_OPEN) - (event == XML_CLOSE);
        if (depth != x.depth || depth > XML_DEPTH_MAX) abort();
        if (event == XML_TEXT && !within(x.all, x.text)) abort();
        if (event == XML_END && depth) abort();
        if (event != XML_OPEN) continue;
        element_check(&a, &x);
        if (data[0] && n % data[0] == 1 && !(err = xml_skip(&x)) && x.depth != --depth) abort();
    }
    if (err && !*err_text()) abort();
    arena_free(&a);
    return 0;
}
