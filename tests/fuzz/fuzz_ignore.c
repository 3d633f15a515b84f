/* Any bytes as an ignore file, and any paths asked of it: the first byte tells how many of the last bytes are the path.
 * The same question has the same answer, a glob is matched in bounded time, and a folder's rules stay in the folder. */
#include <stdlib.h>

#include "base/glob.h"
#include "ingest/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 100000) return 0;
    const Str input = str_make((const char *)data + 1, size - 1);
    const size_t path_n = data[0] < input.n ? data[0] : input.n;
    const Str text = str_upto(input, input.n - path_n), path = str_from(input, input.n - path_n);
    Arena a = {0};
    IgnoreFile top, below;
    if (ignore_parse(&a, text, STR("top"), STR(""), &top) || ignore_parse(&a, text, STR("below"), STR("d/"), &below))
        abort();
    for (int folder = 0; folder < 2; folder++) {
        const IgnoreRule *rule = ignore_match(&top, path, folder);
        if (rule != ignore_match(&top, path, folder)) abort();
        if (rule && (rule < top.rules || rule >= top.rules + top.n || (rule->folders_only && !folder))) abort();
        if (!str_starts(path, STR("d/")) && ignore_match(&below, path, folder)) abort();
    }
    for (size_t i = 0; i < top.n; i++) {
        const IgnoreRule *r = &top.rules[i];
        if (r->line == 0 || (i && r->line <= r[-1].line) || r->shown.n == 0 || r->literal > r->pattern.n) abort();
        /* What has no special character matches itself and nothing else. */
        if (r->literal == r->pattern.n &&
            (!glob_match(r->pattern, r->pattern) || glob_match(r->pattern, path) != str_eq(r->pattern, path)))
            abort();
        (void)glob_match_path(r->pattern, path);
    }
    arena_free(&a);
    return 0;
}
