/* grammar_yaml.c - YAML's grammar with its one fault kept harmless: its scanner saves two numbers for each level of
 * nesting and writes two bytes past the 1,024 that the runtime gives it when there are 254 levels (release 0.7.1). Here
 * it writes into a wider buffer, and what is past the limit is left out: the levels that deep are read wrong, nothing
 * else is.
 *
 * This file sees the grammar's own tree_sitter/parser.h, whose TSLanguage is the shorter one of ABI 14
 * (cmake/grammars.cmake).
 */
#include <string.h>
#include <tree_sitter/parser.h>

const TSLanguage *tree_sitter_yaml(void);
unsigned tree_sitter_yaml_external_scanner_serialize(void *payload, char *buffer);
const TSLanguage *grammar_yaml(void);

enum { HEAD = 10, LEVEL = 4 }; /* bytes: five numbers, then two a level */

static unsigned serialize_within(void *payload, char *buffer) {
    _Alignas(16) char wide[2 * TREE_SITTER_SERIALIZATION_BUFFER_SIZE];
    unsigned n = tree_sitter_yaml_external_scanner_serialize(payload, wide);
    if (n > TREE_SITTER_SERIALIZATION_BUFFER_SIZE)
        n = HEAD + (TREE_SITTER_SERIALIZATION_BUFFER_SIZE - HEAD) / LEVEL * LEVEL;
    memcpy(buffer, wide, n);
    return n;
}

/* The first call makes it: grammar.c holds its lock. */
const TSLanguage *grammar_yaml(void) {
    static TSLanguage safe;
    safe = *tree_sitter_yaml();
    safe.external_scanner.serialize = serialize_within;
    return &safe;
}
