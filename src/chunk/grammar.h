/* grammar.h - private to the room: the languages that are parsed, and what the nodes of their trees mean. A language is
 * one line in the table of grammar.c and its rules in grammar_rules.c (or _data.c): which nodes define something, how
 * it is called, what belongs to it, which leaves are names.
 *
 * Why rules and not tree-sitter's queries: a declarator of C is nested to any depth, which a query cannot follow; a
 * table by node type is looked up once a node, in the same walk that finds the borders.
 *
 * Grammars are made ready at first use, once a process, and then never change. Threads: any.
 */
#ifndef PYTHIA_CHUNK_GRAMMAR_H
#define PYTHIA_CHUNK_GRAMMAR_H

#include <tree_sitter/api.h>

#include "base/err.h"
#include "base/str.h"

typedef enum {
    RULE_DEF,   /* defines something */
    RULE_OUTER, /* defines something unless it stands in a function */
    RULE_KEY,   /* a key of data: defines something in the two outer levels */
    RULE_SCOPE, /* gives its name to what is in it, and is no symbol itself: Rust's impl */
    RULE_WRAP,  /* stands around a definition and belongs to it: decorators, templates, export */
    RULE_LEAD,  /* stands before a definition and belongs to it, as comments do: attributes */
    RULE_LIST,  /* no more than its children one below the other: they make the lines, not the list */
    RULE_NAME,  /* a leaf that names something */
} RuleRole;

/* A path leads from a node to another: fields joined by '.'; "f*" follows the field f as often as it goes; "@t" is the
 * first child of type t, "@" the first named child; "a|b" the first of both that is there. "" is the node itself. */
typedef struct {
    const char *node; /* its type; rules of one node stand together, the first that holds is taken */
    RuleRole role;
    const char *kind; /* of a definition: "function" (made "method" in a class), "class" … */
    const char *name; /* path to its name */
    const char
        *when; /* NULL: always; "path": it leads somewhere; "path=t|u": to a node of one of these types; with '*' any
                           node on the way counts; "single": the node has one named child */
    const char
        *parent; /* path to what it belongs to where that is not what is around it (Go's receivers); NULL: is around */
} GrammarRule;

typedef struct {
    const char *name; /* the grammar's own, for messages */
    const TSLanguage *language;
    const GrammarRule *rules; /* ends with a NULL node */
    uint8_t *first;           /* [symbols] index + 1 of the first rule of a type, 0 none */
    bool *comment;            /* [symbols] is a comment */
    uint32_t n_symbols;
} Grammar;

/* The grammar of a language as lang_of names it, *out NULL when none takes it. ERR_INTERNAL names the grammar: its ABI
 * is not one of this runtime's, or a rule names a type or field that it does not have. Cost: a few us the first time,
 * then none. */
MUST_USE Err grammar_of(Str lang, const Grammar **out);

/* Makes all ready: what a start of the program can check at once. *n: how many. Cost: 1 ms. */
MUST_USE Err grammars_check(size_t *n);

/* Whether a grammar and its rules can be used: what grammar_of asks of each. */
MUST_USE Err grammar_fits(const char *name, const TSLanguage *language, const GrammarRule *rules);

/* Names of the languages that have a grammar: [n]. */
size_t grammar_langs(const char *const **out);

extern const GrammarRule rules_c[], rules_cpp[], rules_csharp[], rules_go[], rules_java[], rules_javascript[],
    rules_kotlin[], rules_typescript[], rules_rust[]; /* grammar_rules.c */
extern const GrammarRule rules_bash[], rules_css[], rules_html[], rules_json[], rules_lua[], rules_php[],
    rules_python[], rules_ruby[], rules_sql[], rules_toml[], rules_yaml[]; /* grammar_scripts.c */

#endif
