/* grammar_scripts.c - what defines and names things in scripts, markup and data. */
#include "chunk/grammar.h"

const GrammarRule rules_python[] = {
    {"function_definition", RULE_DEF, "function", "name", NULL, NULL},
    {"class_definition", RULE_DEF, "class", "name", NULL, NULL},
    {"type_alias_statement", RULE_DEF, "type", "left", NULL, NULL},
    {"assignment", RULE_OUTER, "variable", "left", "left=identifier", NULL},
    {"decorated_definition", RULE_WRAP, NULL, NULL, NULL, NULL},
    {"expression_statement", RULE_WRAP, NULL, NULL, "single", NULL},
    {"block", RULE_LIST, NULL, NULL, NULL, NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_ruby[] = {
    {"method", RULE_DEF, "method", "name", NULL, NULL},
    {"singleton_method", RULE_DEF, "method", "name", NULL, NULL},
    {"class", RULE_DEF, "class", "name", NULL, NULL},
    {"module", RULE_DEF, "module", "name", NULL, NULL},
    {"singleton_class", RULE_SCOPE, "class", "value", NULL, NULL},
    {"assignment", RULE_OUTER, "constant", "left", "left=constant", NULL},
    {"body_statement", RULE_LIST, NULL, NULL, NULL, NULL},
    {"block_body", RULE_LIST, NULL, NULL, NULL, NULL},
    {"then", RULE_LIST, NULL, NULL, NULL, NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {"constant", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_php[] = {
    {"function_definition", RULE_DEF, "function", "name", NULL, NULL},
    {"method_declaration", RULE_DEF, "method", "name", NULL, NULL},
    {"class_declaration", RULE_DEF, "class", "name", NULL, NULL},
    {"interface_declaration", RULE_DEF, "interface", "name", NULL, NULL},
    {"trait_declaration", RULE_DEF, "trait", "name", NULL, NULL},
    {"enum_declaration", RULE_DEF, "enum", "name", NULL, NULL},
    {"enum_case", RULE_DEF, "constant", "name", NULL, NULL},
    {"const_element", RULE_OUTER, "constant", "@name", NULL, NULL},
    {"property_element", RULE_OUTER, "property", "name", NULL, NULL},
    {"namespace_definition", RULE_DEF, "namespace", "name", "body", NULL},
    {"const_declaration", RULE_WRAP, NULL, NULL, NULL, NULL},
    {"property_declaration", RULE_WRAP, NULL, NULL, NULL, NULL},
    {"name", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_bash[] = {
    {"function_definition", RULE_DEF, "function", "name", NULL, NULL},
    {"variable_assignment", RULE_OUTER, "variable", "name", "name=variable_name", NULL},
    {"command_name", RULE_NAME, NULL, NULL, NULL, NULL},
    {"variable_name", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_lua[] = {
    {"function_declaration", RULE_DEF, "function", "name", NULL, NULL},
    {"field", RULE_DEF, "function", "name", "value=function_definition", NULL},
    {"assignment_statement", RULE_DEF, "function", "@variable_list.name", "@expression_list.@=function_definition",
     NULL},
    {"assignment_statement", RULE_OUTER, "variable", "@variable_list.name", "@variable_list.name=identifier", NULL},
    {"variable_declaration", RULE_WRAP, NULL, NULL, NULL, NULL},
    {"block", RULE_LIST, NULL, NULL, NULL, NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_sql[] = {
    {"create_table", RULE_DEF, "table", "@object_reference", NULL, NULL},
    {"create_view", RULE_DEF, "view", "@object_reference", NULL, NULL},
    {"create_materialized_view", RULE_DEF, "view", "@object_reference", NULL, NULL},
    {"create_function", RULE_DEF, "function", "@object_reference", NULL, NULL},
    {"create_trigger", RULE_DEF, "trigger", "@object_reference", NULL, NULL},
    {"create_type", RULE_DEF, "type", "@object_reference", NULL, NULL},
    {"create_sequence", RULE_DEF, "sequence", "@object_reference", NULL, NULL},
    {"create_index", RULE_DEF, "index", "column", "column", NULL},
    {"create_schema", RULE_DEF, "schema", "@identifier", NULL, NULL},
    {"create_database", RULE_DEF, "database", "@identifier", NULL, NULL},
    {"column_definition", RULE_DEF, "column", "name", NULL, NULL},
    {"statement", RULE_WRAP, NULL, NULL, "single", NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_html[] = {
    {0},
};

const GrammarRule rules_css[] = {
    {"rule_set", RULE_DEF, "selector", "@selectors", NULL, NULL},
    {"keyframes_statement", RULE_DEF, "keyframes", "@keyframes_name", NULL, NULL},
    {"class_name", RULE_NAME, NULL, NULL, NULL, NULL},
    {"id_name", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_json[] = {
    {"pair", RULE_KEY, "key", "key", NULL, NULL},
    {0},
};

const GrammarRule rules_yaml[] = {
    {"block_mapping_pair", RULE_KEY, "key", "key", NULL, NULL}, {"document", RULE_LIST, NULL, NULL, NULL, NULL},
    {"block_node", RULE_LIST, NULL, NULL, NULL, NULL},          {"block_mapping", RULE_LIST, NULL, NULL, NULL, NULL},
    {"block_sequence", RULE_LIST, NULL, NULL, NULL, NULL},      {0},
};

const GrammarRule rules_toml[] = {
    {"table", RULE_KEY, "table", "@", NULL, NULL},
    {"table_array_element", RULE_KEY, "table", "@", NULL, NULL},
    {"pair", RULE_KEY, "key", "@", NULL, NULL},
    {0},
};
