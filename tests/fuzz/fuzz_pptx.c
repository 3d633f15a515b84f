/* Any bytes as a presentation: a package, or the parts of one. */
#include "read_package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"ppt/presentation.xml", "ppt/_rels/presentation.xml.rels",
                                        "ppt/slides/slide1.xml", "ppt/slides/_rels/slide1.xml.rels",
                                        "ppt/notesSlides/notesSlide1.xml"};
    if (size > 100000) return 0;
    read_package(format_pptx, names, sizeof names / sizeof *names, str_make((const char *)data, size));
    return 0;
}
