/* The table of fields: what is checked, what is set from a URL, what is described. */
#include "serve/fields.h"

#include "check.h"

static const Field inner[] = {{.name = "text", .types = FIELD_STR, .flags = FIELD_REQUIRED}, {0}};
static const Field table[] = {
    {.name = "query",
     .types = FIELD_STR,
     .flags = FIELD_REQUIRED | FIELD_TOOL,
     .alias = "q",
     .max_bytes = 10,
     .help = "what"},
    {.name = "limit", .types = FIELD_INT, .flags = FIELD_TOOL, .min = 1, .max = 100, .standard = "10"},
    {.name = "score", .types = FIELD_NUM, .min = 0, .max = 1},
    {.name = "mode", .types = FIELD_STR, .values = "a|bc"},
    {.name = "langs", .types = FIELD_STR | FIELD_STRS, .flags = FIELD_TOOL, .max_items = 3},
    {.name = "names", .types = FIELD_STRS},
    {.name = "docs", .types = FIELD_OBJECTS, .members = inner},
    {.name = "one", .types = FIELD_OBJECT, .members = inner},
    {.name = "on", .types = FIELD_BOOL},
    {.name = "input",
     .types = FIELD_STR | FIELD_STRS | FIELD_NUMS | FIELD_NUMLISTS,
     .max_items = 2,
     .min = 0,
     .max = 9},
    {.name = "user", .types = FIELD_STR, .flags = FIELD_IGNORED},
    {0}};

static json_t *parse(const char *text) {
    json_t *v = NULL;
    CHECK_OK(json_read(str_of(text), "test", &v));
    return v;
}

static void what_fits_passes_and_is_read(void **state) {
    (void)state;
    Arena a = {0};
    const Str *list = NULL;
    size_t n = 0;
    json_t *v = parse(
        "{\"q\":\"who\",\"limit\":5.0,\"score\":1,\"langs\":\"c\",\"names\":[],\"docs\":[{\"text\":\"x\\u0000\"}],"
        "\"one\":{\"text\":\"y\"},\"on\":true,\"user\":7,\"mode\":null}");
    CHECK_OK(fields_check(table, v));
    CHECK(str_is(field_str(v, "query", ""), "who"));
    CHECK_INT(field_i64(v, "limit", 0), 5);
    CHECK_NEAR(field_f64(v, "score", 0), 1, 0);
    CHECK(field_bool(v, "on", false));
    CHECK(str_is(field_str(v, "mode", "a"), "a"));
    CHECK_OK(field_strs(&a, v, "langs", &list, &n));
    CHECK_INT(n, 1);
    CHECK(str_is(list[0], "c"));
    CHECK_OK(field_strs(&a, v, "names", &list, &n));
    CHECK_INT(n, 0);
    json_decref(v);
    arena_free(&a);
}

static void what_does_not_fit_is_named(void **state) {
    (void)state;
    static const struct {
        const char *json;
        Err err;
        const char *part;
    } cases[] = {
        {"[]", ERR_USAGE, "a JSON object"},
        {"{}", ERR_USAGE, "'query' is missing"},
        {"{\"query\":\"\"}", ERR_USAGE, "'query' is empty"},
        {"{\"query\":null}", ERR_USAGE, "'query' is missing"},
        {"{\"query\":1}", ERR_USAGE, "'query' must be a string"},
        {"{\"query\":\"a\",\"q\":\"b\"}", ERR_USAGE, "two names of one field"},
        {"{\"query\":\"12345678901\"}", ERR_LIMIT, "11 bytes"},
        {"{\"query\":\"a\\u0000b\"}", ERR_USAGE, "'query' has a NUL character"},
        {"{\"query\":\"a\",\"qeury\":1}", ERR_USAGE, "unknown field 'qeury'; valid: query, limit"},
        {"{\"query\":\"a\",\"limit\":0}", ERR_USAGE, "1 to 100"},
        {"{\"query\":\"a\",\"limit\":1.5}", ERR_USAGE, "an integer"},
        {"{\"query\":\"a\",\"limit\":1e300}", ERR_USAGE, "'limit'"},
        {"{\"query\":\"a\",\"limit\":true}", ERR_USAGE, "an integer"},
        {"{\"query\":\"a\",\"score\":1.5}", ERR_USAGE, "0 to 1"},
        {"{\"query\":\"a\",\"mode\":\"b\"}", ERR_USAGE, "valid: a|bc"},
        {"{\"query\":\"a\",\"langs\":[1]}", ERR_USAGE, "a string or an array of strings"},
        {"{\"query\":\"a\",\"langs\":[\"a\",\"b\",\"c\",\"d\"]}", ERR_LIMIT, "4 items"},
        {"{\"query\":\"a\",\"docs\":[{\"text\":\"a\"},{}]}", ERR_USAGE, "'docs[1].text' is missing"},
        {"{\"query\":\"a\",\"docs\":[{\"text\":\"a\",\"x\":1}]}", ERR_USAGE, "unknown field 'docs[0].x'; valid: text"},
        {"{\"query\":\"a\",\"one\":{\"text\":2}}", ERR_USAGE, "'one.text' must be a string"},
        {"{\"query\":\"a\",\"on\":\"yes\"}", ERR_USAGE, "true or false"},
        {"{\"query\":\"a\",\"input\":[1,\"b\"]}", ERR_USAGE, "an array of integers or an array of arrays of integers"},
        {"{\"query\":\"a\",\"input\":[[1],[]]}", ERR_USAGE, "'input[1]' is empty"},
        {"{\"query\":\"a\",\"input\":[[1],[2],[3]]}", ERR_LIMIT, "3 items; at most 2"},
        {"{\"query\":\"a\",\"input\":[1,2,10]}", ERR_USAGE, "cannot be 10; valid: 0 to 9"},
        {"{\"query\":\"a\",\"input\":[[1,-1]]}", ERR_USAGE, "cannot be -1"},
        {"{\"query\":\"a\",\"input\":[1.5]}", ERR_USAGE, "'input' must be"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *v = parse(cases[i].json);
        CHECK_ERR(fields_check(table, v), cases[i].err, cases[i].part);
        json_decref(v);
    }
}

static void text_of_a_url_becomes_values(void **state) {
    (void)state;
    json_t *v = json_object();
    CHECK_OK(fields_set(table, v, STR("q"), STR("12")));
    CHECK_OK(fields_set(table, v, STR("limit"), STR("7")));
    CHECK_OK(fields_set(table, v, STR("score"), STR("0.5")));
    CHECK_OK(fields_set(table, v, STR("on"), STR("1")));
    CHECK_OK(fields_set(table, v, STR("names"), STR("a")));
    CHECK_OK(fields_set(table, v, STR("names"), STR("b")));
    CHECK_OK(fields_check(table, v));
    CHECK(str_is(field_str(v, "query", ""), "12"));
    CHECK_INT(field_i64(v, "limit", 0), 7);
    CHECK_INT(json_array_size(json_object_get(v, "names")), 2);
    CHECK_ERR(fields_set(table, v, STR("q"), STR("b")), ERR_USAGE, "given twice");
    CHECK_ERR(fields_set(table, v, STR("limit"), STR("x")), ERR_USAGE, "an integer");
    CHECK_ERR(fields_set(table, v, STR("nope"), STR("x")), ERR_USAGE, "unknown field 'nope'");
    CHECK_ERR(fields_set(table, v, STR("mode"), STR("\xff")), ERR_USAGE, "UTF-8");
    json_decref(v);
}

static void schemas_are_what_is_checked(void **state) {
    (void)state;
    Buf b = {0};
    JsonOut j = jout_to(&b);
    json_t *v = NULL;
    jout_begin(&j, '{');
    fields_schema(&j, table, 0, true);
    jout_end(&j, '}');
    CHECK_OK(json_read(buf_str(&b), "schema", &v));
    const json_t *properties = json_object_get(v, "properties");
    CHECK_INT(json_object_size(properties), 11);
    const json_t *kinds = json_object_get(json_object_get(properties, "input"), "anyOf"); /* and null */
    CHECK_INT(json_array_size(kinds), 5);
    const json_t *ids = json_object_get(json_array_get(kinds, 2), "items");
    CHECK(str_is(field_str(ids, "type", ""), "integer"));
    CHECK_INT(json_integer_value(json_object_get(ids, "maximum")), 9);
    CHECK(json_is_false(json_object_get(v, "additionalProperties")));
    CHECK_INT(json_array_size(json_object_get(v, "required")), 1);
    CHECK_INT(json_integer_value(json_object_get(json_object_get(properties, "limit"), "default")), 10);
    json_decref(v);
    buf_clear(&b);
    j = jout_to(&b);
    jout_begin(&j, '{');
    fields_schema(&j, table, FIELD_TOOL, true);
    jout_end(&j, '}');
    CHECK_OK(json_read(buf_str(&b), "schema", &v));
    CHECK_INT(json_object_size(json_object_get(v, "properties")), 3);
    const json_t *langs = json_object_get(json_object_get(v, "properties"), "langs");
    CHECK(str_is(field_str(langs, "type", ""), "array")); /* agents' clients refuse unions */
    CHECK(json_object_get(langs, "items") != NULL);
    json_decref(v);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_passes_and_is_read),
        cmocka_unit_test(what_does_not_fit_is_named),
        cmocka_unit_test(text_of_a_url_becomes_values),
        cmocka_unit_test(schemas_are_what_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
