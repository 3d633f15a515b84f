/* Any bytes as a workbook: a package, or the parts of one. */
#include "read_package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml",
                                        "xl/sharedStrings.xml", "xl/styles.xml"};
    if (size > 100000) return 0;
    read_package(format_xlsx, names, sizeof names / sizeof *names, str_make((const char *)data, size));
    return 0;
}
