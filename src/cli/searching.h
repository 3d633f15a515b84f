/* searching.h - what the commands that search have in common: their flags as a request. */
#ifndef PYTHIA_CLI_SEARCHING_H
#define PYTHIA_CLI_SEARCHING_H

#include "cli/cli.h"

/* --lang, --glob, --kind, --in, --author, --meta, --since, --until, --mode, --fusion, --deadline. The rest of *rq is as
 * nobody asked for it. */
MUST_USE Err search_from_flags(Cli *cli, Str query, PythiaSearch *rq);

#endif
