/* zip_parts.h - a stored zip archive around parts, so that what is mutated is their content and not a checksum. */
#ifndef PYTHIA_TESTS_FUZZ_ZIP_PARTS_H
#define PYTHIA_TESTS_FUZZ_ZIP_PARTS_H

#include "base/str.h"

static inline void zip_number(Buf *b, size_t v, int bytes) {
    for (int i = 0; i < bytes; i++) buf_char(b, (char)(i < 4 ? v >> 8 * i & 0xff : 0));
}

/* names and contents: [n]. The archive is appended to out, which must be empty. */
static inline void zip_parts(Buf *out, const char *const *names, const Str *contents, size_t n) {
    Buf directory = {0};
    for (size_t i = 0; i < n; i++) {
        const size_t at = out->n;
        Buf fields = {0};
        zip_number(&fields, 20, 2); /* version needed; flags, method, time and date, CRC are 0 */
        zip_number(&fields, 0, 12);
        zip_number(&fields, contents[i].n, 4);
        zip_number(&fields, contents[i].n, 4);
        zip_number(&fields, strlen(names[i]), 2);
        zip_number(&fields, 0, 2);
        buf_add_bytes(out, "PK\3\4", 4);
        buf_add(out, buf_str(&fields));
        buf_add_z(out, names[i]);
        buf_add(out, contents[i]);
        buf_add_bytes(&directory, "PK\1\2\24\0", 6);
        buf_add(&directory, buf_str(&fields));
        zip_number(&directory, 0, 10); /* comment, disk, attributes */
        zip_number(&directory, at, 4);
        buf_add_z(&directory, names[i]);
        buf_free(&fields);
    }
    const size_t at = out->n;
    buf_add(out, buf_str(&directory));
    buf_add_bytes(out, "PK\5\6\0\0\0\0", 8);
    zip_number(out, n, 2);
    zip_number(out, n, 2);
    zip_number(out, directory.n, 4);
    zip_number(out, at, 4);
    zip_number(out, 0, 2);
    buf_free(&directory);
}

#endif
