/* sharing.h - the engine's calls, answered by a server that runs, else by this process: what comes back is the same
 * (serve/shared.h). */
#ifndef PYTHIA_CLI_SHARING_H
#define PYTHIA_CLI_SHARING_H

#include "cli/cli.h"

/* pythia_search */
MUST_USE Err cli_search(Cli *cli, const PythiaSearch *rq, PythiaReply *out);

/* pythia_ask. A question of a session, and an answer that is shown while a model writes it, are this process's own. */
MUST_USE Err cli_ask(Cli *cli, Arena *a, const PythiaAsk *rq, PythiaAnswer *out);

/* pythia_embed */
MUST_USE Err cli_embed(Cli *cli, Arena *a, const PythiaEmbed *rq, const Str *texts, size_t n, float **out, size_t *dim,
                       int32_t **tokens, bool **truncated);

#endif
