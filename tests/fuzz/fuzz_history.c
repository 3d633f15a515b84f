/* Any bytes as what git prints of a history: commits that are whole, their words and paths within the bytes, none of
 * them empty. */
#include <stdlib.h>

#include "ingest/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const Str printed = str_make((const char *)data, size);
    Arena a = {0};
    HistoryCommit *commits = NULL;
    size_t n = 0;
    if (size > 100000) return 0;
    if (history_parse(&a, printed, &commits, &n)) abort();
    for (size_t i = 0; i < n; i++) {
        if (commits[i].subject.n == 0 || commits[i].n == 0 || commits[i].n > HISTORY_FILES_MAX) abort();
        for (size_t p = 0; p < commits[i].n; p++)
            if (commits[i].paths[p].n == 0 || memchr(commits[i].paths[p].p, 0, commits[i].paths[p].n)) abort();
    }
    arena_free(&a);
    return 0;
}
