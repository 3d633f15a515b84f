/* Any bytes as an OpenDocument text, sheet or presentation: a package, or the parts of one. */
#include "read_package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"content.xml", "meta.xml", "META-INF/manifest.xml", "styles.xml"};
    if (size > 100000) return 0;
    read_package(format_odf, names, sizeof names / sizeof *names, str_make((const char *)data, size));
    return 0;
}
