/* Any bytes as what pdftotext prints. */
#include "ingest/format_pdf.h"
#include "read_document.h"

static Err printed(Flow *f, Str bytes) {
    if (pdf_pages(f, bytes) < 0) abort();
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 100000) return 0;
    read_document(printed, str_make((const char *)data, size));
    return 0;
}
