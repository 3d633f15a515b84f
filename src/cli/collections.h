/* collections.h - a collection as text and as JSON, for `collection show` and `status`. */
#ifndef PYTHIA_CLI_COLLECTIONS_H
#define PYTHIA_CLI_COLLECTIONS_H

#include "cli/cli.h"

/* A name line and indented facts. */
void collection_text(Buf *b, const Term *t, const PythiaCollection *c);

#endif
