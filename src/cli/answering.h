/* answering.h - what `ask` and `chat` have in common: their flags as a request, and an answer printed. */
#ifndef PYTHIA_CLI_ANSWERING_H
#define PYTHIA_CLI_ANSWERING_H

#include "cli/cli.h"

/* Also sets cli->json. */
MUST_USE Err ask_from_flags(Cli *cli, Str question, PythiaAsk *rq);

/* The answer on stdout, as it is written unless rq->whole, its sources below; or why there is none on stderr and
 * ERR_NOTHING, with the error's text. reply lives in a. */
MUST_USE Err ask_and_print(Cli *cli, Arena *a, PythiaAsk *rq, PythiaAnswer *reply);

#endif
