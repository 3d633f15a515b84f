/* Any bytes as lines of JSON. */
#include "read_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 100000) return 0;
    read_document(format_jsonl, str_make((const char *)data, size));
    return 0;
}
