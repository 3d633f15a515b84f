/* Any bytes as text in an encoding that is declared before the first line end, named in them, or guessed: what comes of
 * them is UTF-8, and what was UTF-8 without a mark or another name stays as it was. */
#include <stdlib.h>

#include "base/utf8.h"
#include "ingest/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a = {0};
    Charsets c = {0};
    Str rest = str_make((const char *)data, size), declared, out;
    if (size > 100000 || !str_line(&rest, &declared)) return 0;
    charsets_prepare(&c, str_make((const char *)data, size));
    if (c.n > CHARSETS_MAX) abort();
    if (charset_decode(&c, &a, rest, declared, &out)) abort();
    if (!utf8_valid(out)) abort();
    if (declared.n == 0 && utf8_valid(rest) && !str_starts(rest, STR("\xef\xbb\xbf")) && !str_eq(out, rest)) abort();
    charsets_close(&c);
    arena_free(&a);
    return 0;
}
