/* Any bytes as the head of a text file, by its first byte of one markup or another: what comes of it is metadata as
 * base/meta.h has it, a title is UTF-8, and a date that was read reads as itself. */
#include <stdlib.h>

#include "base/meta.h"
#include "base/utf8.h"
#include "ingest/about.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const langs[] = {"markdown", "rst", "org"};
    Arena a = {0};
    if (size == 0) return 0;
    const Str text = str_make((const char *)data + 1, size - 1);
    Doc d = {.lang = str_of(langs[data[0] % 3]), .text = text, .title = STR(""), .meta = STR("")};
    if (about_read_head(&a, &d)) abort();
    if (!meta_valid(d.meta) || !utf8_valid(d.title)) abort();
    char date[32], again[32];
    if (meta_date(text, date) && (!meta_date(str_of(date), again) || strcmp(date, again) != 0)) abort();
    arena_free(&a);
    return 0;
}
