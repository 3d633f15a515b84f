/* Any bytes as a Word document: a package, or the parts of one (zip_parts.h). */
#include "read_package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"word/document.xml", "word/styles.xml", "docProps/core.xml",
                                        "word/footnotes.xml", "docProps/app.xml"};
    if (size > 100000) return 0;
    read_package(format_docx, names, sizeof names / sizeof *names, str_make((const char *)data, size));
    return 0;
}
