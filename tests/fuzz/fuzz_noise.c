/* Any path and any text (behind the first line end): what language and format it is, whether anybody looks for it. A
 * judgement is a reason or a prior, and the path's URI leads back to the path. */
#include <stdlib.h>

#include "ingest/format.h"
#include "ingest/noise.h"
#include "ingest/read.h"

static void uri_check(Arena *a, Str path) {
    const char *absolute = arena_printf(a, "/%.*s", STR_FMT(path)).p, *back = NULL;
    const Str uri = uri_of_path(a, absolute);
    if (path_of_uri(a, uri, &back) || strcmp(back, absolute) != 0) abort();
    if (!path_of_uri(a, path, &back) && back[0] != '/') abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a = {0};
    Str rest = str_make((const char *)data, size), path, skip, canonical;
    if (size > 100000 || !str_line(&rest, &path)) return 0;
    if (path.n == 0 || memchr(path.p, 0, path.n)) return 0; /* no file is called so */
    for (int keep = 0; keep < 2; keep++) {
        const NoiseOpts opts = {.secrets = keep, .keep = keep};
        float prior = 0;
        Doc d = {.path = path, .text = rest, .lang = lang_of(path, rest)};
        if (d.lang.n && lang_canonical(d.lang, &canonical)) abort();
        if (noise_of_path(&a, path, &opts, &skip, &prior)) abort();
        if (prior != 1 && prior != NOISE_PRIOR) abort(); /* NOLINT: one of two constants */
        if (keep && (skip.n || prior != 1)) abort();     /* NOLINT */
        if (noise_of_text(&a, &d, &opts, &skip, &prior)) abort();
        if (prior != 1 && prior != NOISE_PRIOR) abort(); /* NOLINT */
    }
    const DocumentFormat *f = format_of(path, rest);
    if (f && !format_named(str_of(f->name))) abort();
    uri_check(&a, path);
    arena_free(&a);
    return 0;
}
