/* grammar_rules.c - what defines and names things in languages that are compiled. Node types and fields are those of
 * the grammars in third_party/grammars; a test makes them all ready, so that a new version of one cannot drop a rule in
 * silence. */
#include "chunk/grammar.h"

#define FUNCTION_VALUE "arrow_function|function_expression|generator_function"

#define C_RULES                                                                                                        \
    {"function_definition", RULE_DEF, "function", "declarator*", NULL, NULL},                                          \
        {"declaration", RULE_OUTER, "prototype", "declarator*", "declarator*=function_declarator", NULL},              \
        {"declaration", RULE_OUTER, "variable", "declarator*", "declarator", NULL},                                    \
        {"struct_specifier", RULE_DEF, "struct", "name", "body", NULL},                                                \
        {"union_specifier", RULE_DEF, "union", "name", "body", NULL},                                                  \
        {"enum_specifier", RULE_DEF, "enum", "name", "body", NULL},                                                    \
        {"enumerator", RULE_DEF, "constant", "name", NULL, NULL},                                                      \
        {"type_definition", RULE_OUTER, "type", "declarator*", NULL, NULL},                                            \
        {"preproc_def", RULE_DEF, "macro", "name", NULL, NULL},                                                        \
        {"preproc_function_def", RULE_DEF, "macro", "name", NULL, NULL},                                               \
        {"identifier", RULE_NAME, NULL, NULL, NULL, NULL}, {"field_identifier", RULE_NAME, NULL, NULL, NULL, NULL}, {  \
        "type_identifier", RULE_NAME, NULL, NULL, NULL, NULL                                                           \
    }

const GrammarRule rules_c[] = {C_RULES, {0}};

const GrammarRule rules_cpp[] = {
    C_RULES,
    {"class_specifier", RULE_DEF, "class", "name", "body", NULL},
    {"field_declaration", RULE_OUTER, "prototype", "declarator*", "declarator*=function_declarator", NULL},
    {"namespace_definition", RULE_DEF, "namespace", "name", "name", NULL},
    {"alias_declaration", RULE_OUTER, "type", "name", NULL, NULL},
    {"concept_definition", RULE_DEF, "concept", "name", NULL, NULL},
    {"template_declaration", RULE_WRAP, NULL, NULL, NULL, NULL},
    {"namespace_identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_csharp[] = {
    {"class_declaration", RULE_DEF, "class", "name", NULL, NULL},
    {"struct_declaration", RULE_DEF, "struct", "name", NULL, NULL},
    {"record_declaration", RULE_DEF, "class", "name", NULL, NULL},
    {"interface_declaration", RULE_DEF, "interface", "name", NULL, NULL},
    {"enum_declaration", RULE_DEF, "enum", "name", NULL, NULL},
    {"enum_member_declaration", RULE_DEF, "constant", "name", NULL, NULL},
    {"delegate_declaration", RULE_DEF, "type", "name", NULL, NULL},
    {"namespace_declaration", RULE_DEF, "namespace", "name", NULL, NULL},
    {"file_scoped_namespace_declaration", RULE_DEF, "namespace", "name", NULL, NULL},
    {"method_declaration", RULE_DEF, "method", "name", NULL, NULL},
    {"constructor_declaration", RULE_DEF, "method", "name", NULL, NULL},
    {"destructor_declaration", RULE_DEF, "method", "name", NULL, NULL},
    {"local_function_statement", RULE_DEF, "function", "name", NULL, NULL},
    {"property_declaration", RULE_DEF, "property", "name", NULL, NULL},
    {"event_declaration", RULE_DEF, "property", "name", NULL, NULL},
    {"field_declaration", RULE_OUTER, "field", "@variable_declaration.@variable_declarator.name", NULL, NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_go[] = {
    {"function_declaration", RULE_DEF, "function", "name", NULL, NULL},
    {"method_declaration", RULE_DEF, "method", "name", NULL, "receiver"},
    {"method_elem", RULE_DEF, "method", "name", NULL, NULL},
    {"type_spec", RULE_DEF, "struct", "name", "type=struct_type", NULL},
    {"type_spec", RULE_DEF, "interface", "name", "type=interface_type", NULL},
    {"type_spec", RULE_DEF, "type", "name", NULL, NULL},
    {"type_alias", RULE_DEF, "type", "name", NULL, NULL},
    {"const_spec", RULE_OUTER, "constant", "name", NULL, NULL},
    {"var_spec", RULE_OUTER, "variable", "name", NULL, NULL},
    {"type_declaration", RULE_WRAP, NULL, NULL, "single", NULL},
    {"const_declaration", RULE_WRAP, NULL, NULL, "single", NULL},
    {"var_declaration", RULE_WRAP, NULL, NULL, "single", NULL},
    {"statement_list", RULE_LIST, NULL, NULL, NULL, NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {"field_identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {"type_identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {"package_identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_java[] = {
    {"class_declaration", RULE_DEF, "class", "name", NULL, NULL},
    {"record_declaration", RULE_DEF, "class", "name", NULL, NULL},
    {"interface_declaration", RULE_DEF, "interface", "name", NULL, NULL},
    {"annotation_type_declaration", RULE_DEF, "annotation", "name", NULL, NULL},
    {"annotation_type_element_declaration", RULE_DEF, "method", "name", NULL, NULL},
    {"enum_declaration", RULE_DEF, "enum", "name", NULL, NULL},
    {"enum_constant", RULE_DEF, "constant", "name", NULL, NULL},
    {"method_declaration", RULE_DEF, "method", "name", NULL, NULL},
    {"constructor_declaration", RULE_DEF, "method", "name", NULL, NULL},
    {"compact_constructor_declaration", RULE_DEF, "method", "name", NULL, NULL},
    {"field_declaration", RULE_OUTER, "field", "declarator.name", NULL, NULL},
    {"constant_declaration", RULE_OUTER, "constant", "declarator.name", NULL, NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {"type_identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

#define JAVASCRIPT_RULES                                                                                               \
    {"function_declaration", RULE_DEF, "function", "name", NULL, NULL},                                                \
        {"generator_function_declaration", RULE_DEF, "function", "name", NULL, NULL},                                  \
        {"class_declaration", RULE_DEF, "class", "name", NULL, NULL},                                                  \
        {"class", RULE_DEF, "class", "name", "name", NULL},                                                            \
        {"method_definition", RULE_DEF, "method", "name", NULL, NULL},                                                 \
        {"variable_declarator", RULE_DEF, "function", "name", "value=" FUNCTION_VALUE, NULL},                          \
        {"variable_declarator", RULE_DEF, "class", "name", "value=class", NULL},                                       \
        {"variable_declarator", RULE_OUTER, "variable", "name", "name=identifier", NULL},                              \
        {"assignment_expression", RULE_DEF, "function", "left", "right=" FUNCTION_VALUE, NULL},                        \
        {"assignment_expression", RULE_DEF, "class", "left", "right=class", NULL},                                     \
        {"pair", RULE_DEF, "function", "key", "value=" FUNCTION_VALUE, NULL},                                          \
        {"export_statement", RULE_WRAP, NULL, NULL, NULL, NULL},                                                       \
        {"lexical_declaration", RULE_WRAP, NULL, NULL, "single", NULL},                                                \
        {"variable_declaration", RULE_WRAP, NULL, NULL, "single", NULL},                                               \
        {"expression_statement", RULE_WRAP, NULL, NULL, "single", NULL},                                               \
        {"decorator", RULE_LEAD, NULL, NULL, NULL, NULL}, {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},           \
        {"property_identifier", RULE_NAME, NULL, NULL, NULL, NULL},                                                    \
        {"private_property_identifier", RULE_NAME, NULL, NULL, NULL, NULL}, {                                          \
        "shorthand_property_identifier", RULE_NAME, NULL, NULL, NULL, NULL                                             \
    }

const GrammarRule rules_javascript[] = {
    JAVASCRIPT_RULES,
    {"field_definition", RULE_DEF, "method", "property", "value=" FUNCTION_VALUE, NULL},
    {"field_definition", RULE_DEF, "property", "property", NULL, NULL},
    {0},
};

const GrammarRule rules_typescript[] = {
    JAVASCRIPT_RULES,
    {"abstract_class_declaration", RULE_DEF, "class", "name", NULL, NULL},
    {"interface_declaration", RULE_DEF, "interface", "name", NULL, NULL},
    {"type_alias_declaration", RULE_DEF, "type", "name", NULL, NULL},
    {"enum_declaration", RULE_DEF, "enum", "name", NULL, NULL},
    {"enum_assignment", RULE_DEF, "constant", "name", NULL, NULL},
    {"internal_module", RULE_DEF, "namespace", "name", NULL, NULL},
    {"module", RULE_DEF, "namespace", "name", NULL, NULL},
    {"function_signature", RULE_DEF, "function", "name", NULL, NULL},
    {"method_signature", RULE_DEF, "method", "name", NULL, NULL},
    {"abstract_method_signature", RULE_DEF, "method", "name", NULL, NULL},
    {"public_field_definition", RULE_DEF, "method", "name", "value=" FUNCTION_VALUE, NULL},
    {"public_field_definition", RULE_DEF, "property", "name", NULL, NULL},
    {"property_signature", RULE_DEF, "property", "name", NULL, NULL},
    {"ambient_declaration", RULE_WRAP, NULL, NULL, NULL, NULL},
    {"type_identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_kotlin[] = {
    {"class_declaration", RULE_DEF, "class", "name", NULL, NULL},
    {"object_declaration", RULE_DEF, "object", "name", NULL, NULL},
    {"companion_object", RULE_DEF, "object", "name", "name", NULL},
    {"enum_entry", RULE_DEF, "constant", "@identifier", NULL, NULL},
    {"function_declaration", RULE_DEF, "function", "name", NULL, NULL},
    {"property_declaration", RULE_OUTER, "property", "@variable_declaration.@identifier", NULL, NULL},
    {"type_alias", RULE_DEF, "type", "type", NULL, NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};

const GrammarRule rules_rust[] = {
    {"function_item", RULE_DEF, "function", "name", NULL, NULL},
    {"function_signature_item", RULE_DEF, "function", "name", NULL, NULL},
    {"struct_item", RULE_DEF, "struct", "name", NULL, NULL},
    {"union_item", RULE_DEF, "union", "name", NULL, NULL},
    {"enum_item", RULE_DEF, "enum", "name", NULL, NULL},
    {"enum_variant", RULE_DEF, "constant", "name", NULL, NULL},
    {"trait_item", RULE_DEF, "trait", "name", NULL, NULL},
    {"type_item", RULE_DEF, "type", "name", NULL, NULL},
    {"associated_type", RULE_DEF, "type", "name", NULL, NULL},
    {"mod_item", RULE_DEF, "module", "name", NULL, NULL},
    {"const_item", RULE_OUTER, "constant", "name", NULL, NULL},
    {"static_item", RULE_OUTER, "variable", "name", NULL, NULL},
    {"macro_definition", RULE_DEF, "macro", "name", NULL, NULL},
    {"impl_item", RULE_SCOPE, "impl", "type", NULL, NULL},
    {"attribute_item", RULE_LEAD, NULL, NULL, NULL, NULL},
    {"identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {"field_identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {"type_identifier", RULE_NAME, NULL, NULL, NULL, NULL},
    {0},
};
