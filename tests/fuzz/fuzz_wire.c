/* Any bytes as a child's answer: it is refused, or what comes of it keeps what a document promises. */
#include "read_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a = {0};
    Doc d = {0};
    Err refused;
    Str reason;
    if (!wire_read(&a, str_make((const char *)data, size), &d, &refused, &reason) && !refused) {
        for (size_t i = 0; i < d.n_marks; i++)
            if ((uint64_t)d.marks[i].start >= d.text.n || d.marks[i].page < 0) abort();
        for (size_t i = 0; i < d.n_parts; i++) {
            const int64_t at = d.parts[i].start;
            if (at < 0 || (uint64_t)at > d.text.n || (at && d.text.p[at - 1] != '\n')) abort();
        }
        if (!utf8_valid(d.text) || !utf8_valid(d.title) || !meta_valid(d.meta)) abort();
    }
    arena_free(&a);
    return 0;
}
