/* Any bytes as a zip archive: a member that is read has the size that the directory tells, and no two together pass the
 * limit; what is refused has its reason. */
#include <stdlib.h>

#include "ingest/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a = {0};
    Zip z;
    if (size > 100000) return 0;
    const Err err = zip_open(&a, str_make((const char *)data, size), &z);
    if (err && !*err_text()) abort();
    for (size_t i = 0; !err && i < z.n && i < 64; i++) {
        Str bytes;
        if (zip_read(&a, &z, &z.members[i], &bytes)) {
            if (!*err_text()) abort();
            continue;
        }
        if (bytes.n != z.members[i].size || z.total > ZIP_TOTAL_MAX) abort();
        if (!zip_find(&z, z.members[i].name)) abort();
        uint8_t all = 0;
        for (size_t b = 0; b < bytes.n; b++) all |= (uint8_t)bytes.p[b];
        *(volatile uint8_t *)&all = all; /* every byte of it can be read */
    }
    arena_free(&a);
    return 0;
}
