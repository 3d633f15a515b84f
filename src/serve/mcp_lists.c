/* mcp_lists.c - what agents are told: tools, resources, prompts, instructions; and results of tools. See mcp.h. */
#include <stdio.h>
#include <stdlib.h>

#include "serve/mcp.h"
#include "serve/reply.h"

static const char *const legacy_versions[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"};
static const char modern_version[] = "2026-07-28";

bool mcp_version_known(Str version, bool modern) {
    if (modern) return str_is(version, modern_version);
    for (size_t i = 0; i < sizeof legacy_versions / sizeof *legacy_versions; i++)
        if (str_is(version, legacy_versions[i])) return true;
    return false;
}

/* ---- the server itself ---- */

static void capabilities_write(JsonOut *j, bool logging) {
    jout_key(j, "capabilities");
    jout_raw(j, logging ? STR("{\"tools\":{},\"resources\":{},\"prompts\":{},\"completions\":{},\"logging\":{}}")
                        : STR("{\"tools\":{},\"resources\":{},\"prompts\":{},\"completions\":{}}"));
}

/* At most 2 KB: some clients cut there. From what is indexed now. */
static void instructions_write(Call *c, JsonOut *j) {
    enum { SHOWN = 12 };
    PythiaCollection *list = NULL;
    size_t n = 0;
    Buf b = {0};
    buf_add_z(&b,
              "Pythia searches the user's own code and documents by meaning and by words, on this machine. Search here "
              "when you need to find where something is or what is written about it; read hits by id. A query may hold "
              "\"a phrase\", path:src, lang:go, author:NAME, "
              "date>=2026-01. ");
    if (pythia_collections(c->engine, c->arena, &list, &n) || n == 0)
        buf_add_z(&b, "Nothing is indexed yet: call index with the folder's path.");
    else
        buf_add_z(&b, "Indexed:");
    for (size_t i = 0; i < n && i < SHOWN; i++)
        buf_printf(&b, " %.*s (%lld documents%s%.*s)%s", STR_FMT(str_upto(list[i].name, 40)),
                   (long long)list[i].documents, list[i].root.n ? ", " : "", STR_FMT(str_upto(list[i].root, 80)),
                   i + 1 < n ? "," : ".");
    if (n > SHOWN) buf_printf(&b, " and %zu more.", n - SHOWN);
    jout_key(j, "instructions");
    jout_str(j, buf_str(&b));
    buf_free(&b);
}

Err mcp_initialize(Call *c, JsonOut *j) {
    Str wanted = field_str(c->params, "protocolVersion", "");
    jout_kv_str(j, "protocolVersion", mcp_version_known(wanted, false) ? wanted : STR("2025-11-25"));
    capabilities_write(j, true);
    jout_key(j, "serverInfo");
    jout_raw(j, STR("{\"name\":\"pythia\",\"title\":\"Pythia\",\"version\":\"" PYTHIA_VERSION "\"}"));
    instructions_write(c, j);
    return ERR_OK;
}

Err mcp_discover(Call *c, JsonOut *j) {
    jout_key(j, "supportedVersions");
    jout_begin(j, '[');
    jout_str(j, str_of(modern_version));
    for (size_t i = sizeof legacy_versions / sizeof *legacy_versions; i-- > 0;) jout_str(j, str_of(legacy_versions[i]));
    jout_end(j, ']');
    capabilities_write(j, false);
    instructions_write(c, j);
    return ERR_OK;
}

Err mcp_ping(Call *c, JsonOut *j) {
    (void)c, (void)j;
    return ERR_OK;
}

Err mcp_set_level(Call *c, JsonOut *j) {
    static const Field fields[] = {{.name = "level",
                                    .types = FIELD_STR,
                                    .flags = FIELD_REQUIRED,
                                    .values = "debug|info|notice|warning|error|critical|alert|emergency"},
                                   {.name = "_meta", .types = FIELD_ANY},
                                   {0}};
    (void)j;
    return fields_check(fields, c->params);
}

/* All lists are one page: a cursor can only be a wrong one. */
static Err cursor_check(const Call *c) {
    if (!json_object_get(c->params, "cursor")) return ERR_OK;
    return err_set(ERR_USAGE, "there is no page with this cursor");
}

/* ---- tools ---- */

void mcp_tools_write(JsonOut *j) {
    jout_key(j, "tools");
    jout_begin(j, '[');
    for (const Op *op = ops; op->name; op++) {
        if (!op->tool) continue;
        jout_begin(j, '{');
        jout_kv_z(j, "name", op->name);
        jout_kv_z(j, "description", op->tool);
        jout_key(j, "inputSchema");
        jout_begin(j, '{');
        jout_kv_z(j, "type", "object");
        fields_schema(j, op->fields, FIELD_TOOL, true);
        jout_end(j, '}');
        jout_key(j, "outputSchema");
        jout_raw(
            j,
            STR("{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"}},\"required\":[\"status\"]}"));
        jout_key(j, "annotations");
        jout_begin(j, '{');
        jout_kv_bool(j, "readOnlyHint", op->role <= ROLE_READ);
        if (op->role > ROLE_READ) jout_kv_bool(j, "destructiveHint", false);
        jout_kv_bool(j, "idempotentHint", true);
        jout_kv_bool(j, "openWorldHint", false);
        jout_end(j, '}');
        jout_end(j, '}');
    }
    jout_end(j, ']');
}

Err mcp_tools_list(Call *c, JsonOut *j) {
    TRY(cursor_check(c));
    mcp_tools_write(j);
    return ERR_OK;
}

/* A reply over the limit loses hits from its end; a single one that is too long, the end of its text. */
static void reply_shorten(json_t *v) {
    json_t *results = json_object_get(v, "results");
    for (;;) {
        size_t n = json_array_size(results), bytes = json_dumpb(v, NULL, 0, JSON_COMPACT);
        if (bytes <= MCP_TEXT_MAX || n == 0) return;
        (void)json_object_set_new(v, "truncated", json_true());
        if (n > 1) {
            (void)json_array_remove(results, n - 1);
            (void)json_object_set_new(v, "has_more", json_true());
            continue;
        }
        json_t *hit = json_array_get(results, 0), *content = json_object_get(hit, "content");
        size_t length = json_string_length(content), over = bytes - MCP_TEXT_MAX;
        size_t keep = length > 2 * over ? length - over : length / 2;
        Str text = str_make(json_string_value(content), length);
        while (keep > 0 && keep < length && ((unsigned char)text.p[keep] & 0xC0) == 0x80) keep--;
        (void)json_object_set_new(v, "note", json_string("cut here: read the rest with start_line and lines"));
        if (!length || json_object_set_new(hit, "content", json_stringn(text.p, keep))) return;
    }
}

static void text_block(JsonOut *j, Str text) {
    jout_key(j, "content");
    jout_begin(j, '[');
    jout_begin(j, '{');
    jout_kv_z(j, "type", "text");
    jout_kv_str(j, "text", text);
    jout_end(j, '}');
    jout_end(j, ']');
}

void mcp_tool_result_write(JsonOut *j, const Call *c) {
    json_t *v = NULL;
    if (c->err) {
        Buf text = {0};
        buf_printf(&text, "%.3000s", c->error.text[0] ? c->error.text : err_name(c->err));
        if (c->error.fix[0]) buf_printf(&text, "; %.500s", c->error.fix);
        text_block(j, buf_str(&text));
        jout_kv_bool(j, "isError", true);
        buf_free(&text);
        return;
    }
    char *shorter = NULL;
    Str body = buf_str(&c->body);
    if (body.n > MCP_TEXT_MAX && !json_read(body, "reply", &v)) {
        reply_shorten(v);
        shorter = json_dumps(v, JSON_COMPACT);
        if (shorter) body = str_of(shorter);
    }
    text_block(j, body);
    jout_key(j, "structuredContent");
    jout_raw(j, body);
    jout_kv_bool(j, "isError", false);
    free(shorter);
    json_decref(v);
}

/* ---- resources ---- */

Err mcp_resources_list(Call *c, JsonOut *j) {
    TRY(cursor_check(c));
    jout_key(j, "resources");
    jout_raw(j, STR("[{\"uri\":\"pythia://status\",\"name\":\"status\",\"title\":\"What is indexed\","
                    "\"mimeType\":\"application/json\"}]"));
    return ERR_OK;
}

Err mcp_templates_list(Call *c, JsonOut *j) {
    TRY(cursor_check(c));
    jout_key(j, "resourceTemplates");
    jout_raw(j, STR("[{\"uriTemplate\":\"pythia://{collection}/{+path}\",\"name\":\"document\","
                    "\"title\":\"An indexed document\",\"description\":\"The live text of an indexed document.\"}]"));
    return ERR_OK;
}

/* Runs another operation's function for its reply. */
static Err op_within(Call *c, OpFn run, json_t *params, Buf *out) {
    json_t *own = c->params;
    JsonOut j = jout_to(out);
    if (!params) return err_set(ERR_NOMEM, "out of memory for a request");
    c->params = params;
    jout_begin(&j, '{');
    jout_kv_z(&j, "status", "ok");
    Err err = run(c, &j);
    jout_end(&j, '}');
    c->params = own;
    json_decref(params);
    return err ? err : buf_ok(out);
}

/* Percent-escapes of a URI's path; a NUL or a bad escape is an error. */
static Err uri_decode(Str s, Buf *out) {
    for (size_t i = 0; i < s.n; i++) {
        uint8_t byte = (uint8_t)s.p[i];
        if (byte == '%' && (s.n - i < 3 || !hex_read(str_make(s.p + i + 1, 2), &byte, 1) || byte == 0))
            return err_set(ERR_USAGE, "the URI is not well-formed");
        if (s.p[i] == '%') i += 2;
        buf_char(out, (char)byte);
    }
    return buf_ok(out);
}

static void contents_write(JsonOut *j, Str uri, const char *type, Str text) {
    jout_key(j, "contents");
    jout_begin(j, '[');
    jout_begin(j, '{');
    jout_kv_str(j, "uri", uri);
    jout_kv_z(j, "mimeType", type);
    jout_kv_str(j, "text", text);
    jout_end(j, '}');
    jout_end(j, ']');
}

static Err document_read(Call *c, JsonOut *j, Str uri, Str place) {
    Buf name = {0}, path = {0}, reply = {0};
    json_t *v = NULL;
    ptrdiff_t slash = str_find_char(place, '/');
    Err err = slash <= 0 || (size_t)slash + 1 == place.n
                  ? err_set(ERR_NO_DOCUMENT, "there is no resource '%.*s'", STR_FMT(str_upto(uri, 500)))
                  : ERR_OK;
    if (!err) err = uri_decode(str_upto(place, (size_t)slash), &name);
    if (!err) err = uri_decode(str_from(place, (size_t)slash + 1), &path);
    if (!err)
        err = op_within(c, op_read, json_pack("{s:s%,s:s%}", "collection", name.p, name.n, "path", path.p, path.n),
                        &reply);
    if (!err) err = json_read(buf_str(&reply), "reply", &v);
    if (!err)
        contents_write(j, uri, "text/plain",
                       field_str(json_array_get(json_object_get(v, "results"), 0), "content", ""));
    json_decref(v);
    buf_free(&name);
    buf_free(&path);
    buf_free(&reply);
    return err;
}

Err mcp_resource_read(Call *c, JsonOut *j) {
    Str uri = field_str(c->params, "uri", NULL);
    if (!uri.p) return err_set(ERR_USAGE, "'uri' is missing");
    if (!str_starts(uri, STR("pythia://")))
        return err_set(ERR_NO_DOCUMENT, "there is no resource '%.*s'", STR_FMT(str_upto(uri, 500)));
    if (!str_is(uri, "pythia://status")) return document_read(c, j, uri, str_from(uri, 9));
    Buf reply = {0};
    Err err = op_within(c, op_status, json_object(), &reply);
    if (!err) contents_write(j, uri, "application/json", buf_str(&reply));
    buf_free(&reply);
    return err;
}

/* ---- prompts ---- */

static const struct {
    const char *name, *title, *description, *argument, *what, *text;
} prompts[] = {
    {"explore", "Explore a topic", "Find out how something works in the indexed code and documents.", "topic",
     "what to look into",
     "Find out how this works in the user's own code and documents: %s\n\nUse Pythia's search with several different "
     "queries (what it is called, what it does, who calls it), read the best hits, and then explain it with the paths "
     "and "
     "lines that show it. Say what you did not find."},
    {"answer_with_sources", "Answer with sources", "Answer a question from indexed documents alone, with sources.",
     "question", "the question",
     "Answer this question from the user's indexed documents alone: %s\n\nUse Pythia's search and read. Quote the "
     "sentence or line that each statement rests on, with its path and lines. If the documents do not tell, say so and "
     "name the nearest that they have."}};
enum { PROMPTS = sizeof prompts / sizeof *prompts };

Err mcp_prompts_list(Call *c, JsonOut *j) {
    TRY(cursor_check(c));
    jout_key(j, "prompts");
    jout_begin(j, '[');
    for (size_t i = 0; i < PROMPTS; i++) {
        jout_begin(j, '{');
        jout_kv_z(j, "name", prompts[i].name);
        jout_kv_z(j, "title", prompts[i].title);
        jout_kv_z(j, "description", prompts[i].description);
        jout_key(j, "arguments");
        jout_begin(j, '[');
        jout_begin(j, '{');
        jout_kv_z(j, "name", prompts[i].argument);
        jout_kv_z(j, "description", prompts[i].what);
        jout_kv_bool(j, "required", true);
        jout_end(j, '}');
        jout_end(j, ']');
        jout_end(j, '}');
    }
    jout_end(j, ']');
    return ERR_OK;
}

Err mcp_prompt_get(Call *c, JsonOut *j) {
    enum { ARGUMENT_MAX = 8000 };
    Str name = field_str(c->params, "name", "");
    size_t i = 0;
    while (i < PROMPTS && !str_is(name, prompts[i].name)) i++;
    if (i == PROMPTS) return err_set(ERR_USAGE, "there is no prompt '%.*s'", STR_FMT(str_upto(name, 100)));
    Str value = field_str(json_object_get(c->params, "arguments"), prompts[i].argument, "");
    if (value.n == 0) return err_set(ERR_USAGE, "the argument '%s' is missing", prompts[i].argument);
    if (value.n > ARGUMENT_MAX) return err_set(ERR_LIMIT, "the argument '%s' is too long", prompts[i].argument);
    /* Answered at once: there is no arena. */
    Buf text = {0};
    Str before = str_of(prompts[i].text);
    ptrdiff_t at = str_find(before, STR("%s"));
    buf_add(&text, str_upto(before, (size_t)at));
    buf_add(&text, value);
    buf_add(&text, str_from(before, (size_t)at + 2));
    jout_kv_z(j, "description", prompts[i].description);
    jout_key(j, "messages");
    jout_begin(j, '[');
    jout_begin(j, '{');
    jout_kv_z(j, "role", "user");
    jout_key(j, "content");
    jout_begin(j, '{');
    jout_kv_z(j, "type", "text");
    jout_kv_str(j, "text", buf_str(&text));
    jout_end(j, '}');
    jout_end(j, '}');
    jout_end(j, ']');
    Err err = buf_ok(&text);
    buf_free(&text);
    return err;
}

/* ---- completion ---- */

/* Names of collections; paths of the one that context names. */
static Err values_find(Call *c, Str argument, Str start, JsonOut *j, size_t *total) {
    const json_t *context = json_object_get(json_object_get(c->params, "context"), "arguments");
    Str collection = field_str(context, "collection", "");
    size_t n = 0;
    bool more = false;
    *total = 0;
    if (str_is(argument, "collection")) {
        PythiaCollection *list = NULL;
        TRY(pythia_collections(c->engine, c->arena, &list, &n));
        for (size_t i = 0; i < n; i++)
            if (str_starts(list[i].name, start) && ++*total <= MCP_VALUES_MAX) jout_str(j, list[i].name);
    } else if (str_is(argument, "path") && collection.n) {
        enum { LOOKED_AT = 100000 };
        PythiaDocument *list = NULL;
        Err err = pythia_documents(c->engine, c->arena, collection, (Str){NULL, 0}, LOOKED_AT, &list, &n, &more);
        if (err && err != ERR_NO_COLLECTION) return err;
        for (size_t i = 0; i < n; i++)
            if (str_starts(list[i].path, start) && ++*total <= MCP_VALUES_MAX) jout_str(j, list[i].path);
    }
    return ERR_OK;
}

Err mcp_complete(Call *c, JsonOut *j) {
    const json_t *ref = json_object_get(c->params, "ref"), *argument = json_object_get(c->params, "argument");
    Str type = field_str(ref, "type", ""), name = field_str(argument, "name", "");
    bool resource = str_is(type, "ref/resource");
    size_t total = 0;
    if ((!resource && !str_is(type, "ref/prompt")) || name.n == 0)
        return err_set(ERR_USAGE, "'ref' must be a prompt or resource, and 'argument' have a name");
    if (!resource) {
        Str prompt = field_str(ref, "name", "");
        bool known = false;
        for (size_t i = 0; i < PROMPTS; i++) known |= str_is(prompt, prompts[i].name);
        if (!known) return err_set(ERR_USAGE, "there is no prompt '%.*s'", STR_FMT(str_upto(prompt, 100)));
    }
    jout_key(j, "completion");
    jout_begin(j, '{');
    jout_key(j, "values");
    jout_begin(j, '[');
    if (resource) TRY(values_find(c, name, field_str(argument, "value", ""), j, &total));
    jout_end(j, ']');
    jout_kv_i64(j, "total", (int64_t)total);
    jout_kv_bool(j, "hasMore", total > MCP_VALUES_MAX);
    jout_end(j, '}');
    return ERR_OK;
}
