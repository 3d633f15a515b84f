/* indexing.h - what `index` and `watch` share: a report as JSON and as words, and watching itself. */
#ifndef PYTHIA_CLI_INDEXING_H
#define PYTHIA_CLI_INDEXING_H

#include "cli/cli.h"

void index_report_json(JsonOut *j, const IndexReport *r);
void index_counts_add(Buf *b, const IndexReport *r); /* "3 added, 1 changed\n" */

/* pythia_watch with a line for each piece of news: text, or JSON with --json. */
MUST_USE Err watch_run(Cli *cli, const IndexRequest *rq);

#endif
