/* Any bytes as a book: a package, or the parts of one. */
#include "read_package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"META-INF/container.xml", "b/package.opf", "b/one.xhtml", "b/two.xhtml",
                                        "b/toc.ncx"};
    if (size > 100000) return 0;
    read_package(format_epub, names, sizeof names / sizeof *names, str_make((const char *)data, size));
    return 0;
}
