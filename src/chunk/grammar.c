/* grammar.c - the table of languages, and how one is made ready. */
#include "chunk/grammar.h"

#include <pthread.h>
#include <stdlib.h>

/* X(language as lang_of names it, the grammar's function, rules) */
#define GRAMMAR_LIST(X)                                                                                                \
    X(bash, tree_sitter_bash, rules_bash)                                                                              \
    X(c, tree_sitter_c, rules_c)                                                                                       \
    X(cpp, tree_sitter_cpp, rules_cpp)                                                                                 \
    X(csharp, tree_sitter_c_sharp, rules_csharp)                                                                       \
    X(css, tree_sitter_css, rules_css)                                                                                 \
    X(go, tree_sitter_go, rules_go)                                                                                    \
    X(html, tree_sitter_html, rules_html)                                                                              \
    X(java, tree_sitter_java, rules_java)                                                                              \
    X(javascript, tree_sitter_javascript, rules_javascript)                                                            \
    X(json, tree_sitter_json, rules_json)                                                                              \
    X(kotlin, tree_sitter_kotlin, rules_kotlin)                                                                        \
    X(lua, tree_sitter_lua, rules_lua)                                                                                 \
    X(php, tree_sitter_php, rules_php)                                                                                 \
    X(python, tree_sitter_python, rules_python)                                                                        \
    X(ruby, tree_sitter_ruby, rules_ruby)                                                                              \
    X(rust, tree_sitter_rust, rules_rust)                                                                              \
    X(sql, grammar_sql, rules_sql)                                                                                     \
    X(toml, tree_sitter_toml, rules_toml)                                                                              \
    X(tsx, tree_sitter_tsx, rules_typescript)                                                                          \
    X(typescript, tree_sitter_typescript, rules_typescript)                                                            \
    X(yaml, grammar_yaml, rules_yaml)

#define GRAMMAR_FUNCTION(lang, function, rules) const TSLanguage *function(void);
GRAMMAR_LIST(GRAMMAR_FUNCTION)

typedef struct {
    const char *name;
    const TSLanguage *language;
    const GrammarRule *rules;
} GrammarSource;

typedef struct {
    const char *name;
    const TSLanguage *(*language)(void);
    const GrammarRule *rules;
} GrammarEntry;

#define GRAMMAR_SOURCE(lang, function, rules) {#lang, function, rules},
#define GRAMMAR_LANG(lang, function, rules)   #lang,
static const GrammarEntry sources[] = {GRAMMAR_LIST(GRAMMAR_SOURCE)};
static const char *const langs[] = {GRAMMAR_LIST(GRAMMAR_LANG)};

enum { GRAMMARS = sizeof sources / sizeof sources[0], RULES_MAX = 255 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards ready */
static Grammar *ready[GRAMMARS];                         /* NULL: not used yet; kept to the end of the process */

static bool is_named_type(const TSLanguage *l, TSSymbol symbol, const char *type) {
    const char *name = ts_language_symbol_name(l, symbol);
    return name && strcmp(name, type) == 0 && ts_language_symbol_type(l, symbol) == TSSymbolTypeRegular;
}

static bool type_known(const TSLanguage *l, Str type) {
    return type.n == 0 || ts_language_symbol_for_name(l, type.p, (uint32_t)type.n, true) != 0;
}

/* A word of a path or condition: "field", "field*", "@type". */
static bool word_known(const TSLanguage *l, Str word) {
    if (word.n && word.p[0] == '@') return type_known(l, str_from(word, 1));
    if (word.n && word.p[word.n - 1] == '*') word.n--;
    return ts_language_field_id_for_name(l, word.p, (uint32_t)word.n) != 0;
}

static bool path_known(const TSLanguage *l, Str path) {
    for (Str either; str_cut(&path, '|', &either);)
        for (Str word; str_cut(&either, '.', &word);)
            if (!word_known(l, word)) return false;
    return true;
}

static bool when_known(const TSLanguage *l, const char *when) {
    if (!when || strcmp(when, "single") == 0) return true;
    Str types = str_of(when), path, type;
    const bool typed = str_find_char(types, '=') >= 0;
    (void)str_cut(&types, '=', &path);
    if (!path_known(l, path)) return false;
    while (typed && str_cut(&types, '|', &type))
        if (!type_known(l, type)) return false;
    return true;
}

static Err rule_check(const GrammarSource *s, const TSLanguage *l, const GrammarRule *r) {
    const Str node = str_of(r->node);
    if (type_known(l, node) && path_known(l, str_of(r->name ? r->name : "")) && when_known(l, r->when) &&
        path_known(l, str_of(r->parent ? r->parent : "")))
        return ERR_OK;
    return err_set(ERR_INTERNAL, "the rule of '%s' does not fit the grammar of '%s'", r->node, s->name);
}

static Err rules_index(const GrammarSource *s, Grammar *g) {
    for (size_t i = 0; s->rules[i].node; i++) {
        if (i == RULES_MAX) return err_set(ERR_INTERNAL, "the grammar of '%s' has too many rules", s->name);
        TRY(rule_check(s, g->language, &s->rules[i]));
        /* Several symbols may have one name. */
        for (uint32_t k = 0; k < g->n_symbols; k++)
            if (!g->first[k] && is_named_type(g->language, (TSSymbol)k, s->rules[i].node))
                g->first[k] = (uint8_t)(i + 1);
    }
    for (uint32_t k = 0; k < g->n_symbols; k++) {
        const char *name = ts_language_symbol_name(g->language, (TSSymbol)k);
        g->comment[k] =
            name && strstr(name, "comment") && ts_language_symbol_type(g->language, (TSSymbol)k) == TSSymbolTypeRegular;
    }
    return ERR_OK;
}

static void grammar_free(Grammar *g) {
    if (!g) return;
    free(g->first);
    free(g->comment);
    free(g);
}

static Err grammar_make(const GrammarSource *s, Grammar **out) {
    const TSLanguage *l = s->language;
    const uint32_t abi = ts_language_abi_version(l);
    *out = NULL;
    if (abi < TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION || abi > TREE_SITTER_LANGUAGE_VERSION)
        return err_fix(err_set(ERR_INTERNAL, "the grammar of '%s' has ABI %u, this tree-sitter takes %d to %d", s->name,
                               abi, TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION, TREE_SITTER_LANGUAGE_VERSION),
                       "make clean && make");
    Grammar *g = calloc(1, sizeof *g);
    if (g) {
        g->n_symbols = ts_language_symbol_count(l);
        *g = (Grammar){.name = s->name,
                       .language = l,
                       .rules = s->rules,
                       .first = calloc(g->n_symbols, sizeof *g->first),
                       .comment = calloc(g->n_symbols, sizeof *g->comment),
                       .n_symbols = g->n_symbols};
    }
    Err err = g && g->first && g->comment ? rules_index(s, g) : err_set(ERR_NOMEM, "out of memory for a grammar");
    if (err) grammar_free(g);
    *out = err ? NULL : g;
    return err;
}

static Err grammar_at(size_t i, const Grammar **out) {
    Err err = ERR_OK;
    pthread_mutex_lock(&lock);
    const GrammarEntry *e = &sources[i];
    if (!ready[i]) err = grammar_make(&(GrammarSource){e->name, e->language(), e->rules}, &ready[i]);
    *out = ready[i];
    pthread_mutex_unlock(&lock);
    return err;
}

Err grammar_of(Str lang, const Grammar **out) {
    *out = NULL;
    for (size_t i = 0; i < GRAMMARS; i++)
        if (str_is(lang, langs[i])) return grammar_at(i, out);
    return ERR_OK;
}

Err grammars_check(size_t *n) {
    const Grammar *g;
    for (size_t i = 0; i < GRAMMARS; i++) TRY(grammar_at(i, &g));
    *n = GRAMMARS;
    return ERR_OK;
}

Err grammar_fits(const char *name, const TSLanguage *language, const GrammarRule *rules) {
    Grammar *g = NULL;
    const Err err = grammar_make(&(GrammarSource){name, language, rules}, &g);
    grammar_free(g);
    return err;
}

size_t grammar_langs(const char *const **out) {
    *out = langs;
    return GRAMMARS;
}
