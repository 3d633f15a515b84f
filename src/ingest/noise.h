/* noise.h - files that nobody looks for: secrets, lock files, minified and generated code, copies of other people's
 * code.
 *
 * A file is judged twice: by its path before it is opened, and by its text. What comes out is either a reason to leave
 * it out ("secret (private key)", "lock file (npm)") or a prior: how much a hit in it counts beside one in a file that
 * somebody here wrote. Generated and vendored files are kept, since they may be the only place that answers, but stand
 * behind: the prior multiplies what a hit is ranked by (search.h) and is stored with the document.
 *
 * Recognised by tables (noise.c): a name, an ending or a folder is one line. Secrets are left out before a byte of them
 * is read, so that no index, no log and no answer can hold them; `index.secrets` takes them in. `index.noise = keep`
 * takes everything else in and ranks all alike.
 *
 * Threads: plain functions. Memory: reasons in the caller's arena.
 */
#ifndef PYTHIA_INGEST_NOISE_H
#define PYTHIA_INGEST_NOISE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/types.h"

/* Of a hit in generated code or in somebody else's copied code. Small on purpose: between equal matches the original
 * goes first, but a match that is clearly better stays in front wherever it stands. */
#define NOISE_PRIOR 0.9f

typedef struct {
    bool secrets; /* take in what looks like a secret */
    bool keep;    /* take in lock files, minified files and installed packages; rank nothing lower */
} NoiseOpts;

/* By the path, relative to the root. *skip: "" or why not; *prior: 1 or NOISE_PRIOR. Cost: some 300 ns. */
MUST_USE Err noise_of_path(Arena *a, Str path, const NoiseOpts *opts, Str *skip, float *prior);

/* By a text whose language is known (doc->lang, doc->text); lowers *prior, never raises it. Cost: a look at every byte,
 * for the longest line; 4 KB for the rest. */
MUST_USE Err noise_of_text(Arena *a, const Doc *doc, const NoiseOpts *opts, Str *skip, float *prior);

/* Why a folder of this name is not walked: "installed packages (node_modules)"; NULL: it is. */
const char *noise_of_folder(Str name);

#endif
