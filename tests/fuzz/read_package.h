/* read_package.h - any bytes as a package of parts, for the fuzz targets of formats that are packed in a zip
 * archive. */
#ifndef PYTHIA_TESTS_FUZZ_READ_PACKAGE_H
#define PYTHIA_TESTS_FUZZ_READ_PACKAGE_H

#include "read_document.h"
#include "zip_parts.h"

/* data is a zip archive when it begins like one, else the contents of the parts one after another, parted by 0xFF; read
 * in the format. */
static inline void read_package(Err (*read)(Flow *f, Str bytes), const char *const *names, size_t n, Str data) {
    Buf archive = {0};
    Str contents[8] = {{NULL, 0}};
    size_t used = 0;
    if (str_starts(data, STR("PK"))) return read_document(read, data);
    for (Str rest = data, part; used < n && used < 8 && str_cut(&rest, '\xff', &part);) contents[used++] = part;
    zip_parts(&archive, names, contents, used);
    if (!archive.failed) read_document(read, buf_str(&archive));
    buf_free(&archive);
}

#endif
