/* grammar_sql.c - SQL's grammar without its leak: its scanner forgets the tag of a dollar-quoted string ($tag$ … $tag$)
 * each time that its state is set back (release 0.3.11). Here the tag is freed first.
 *
 * This file sees the grammar's own tree_sitter/parser.h, whose TSLanguage is the shorter one of ABI 14
 * (cmake/grammars.cmake).
 */
#include <stdlib.h>
#include <tree_sitter/parser.h>

const TSLanguage *tree_sitter_sql(void);
void tree_sitter_sql_external_scanner_deserialize(void *payload, const char *buffer, unsigned length);
const TSLanguage *grammar_sql(void);

/* All of the scanner's state; malloc'ed, NULL outside of such a string. */
typedef struct {
    char *start_tag;
} State;

static void deserialize_freeing(void *payload, const char *buffer, unsigned length) {
    State *state = payload;
    free(state->start_tag);
    state->start_tag = NULL;
    tree_sitter_sql_external_scanner_deserialize(payload, buffer, length);
}

/* The first call makes it: grammar.c holds its lock. */
const TSLanguage *grammar_sql(void) {
    static TSLanguage sound;
    sound = *tree_sitter_sql();
    sound.external_scanner.deserialize = deserialize_freeing;
    return &sound;
}
