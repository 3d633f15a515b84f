/* openapi.c - the table of operations as OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0). */
#include <stdio.h>
#include <stdlib.h>

#include "serve/ops.h"

static void error_schema(JsonOut *j) {
    jout_raw(j,
             STR("{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\",\"enum\":[\"error\"]},"
                 "\"error\":{\"type\":\"object\",\"properties\":{\"code\":{\"type\":\"string\"},"
                 "\"message\":{\"type\":\"string\"},\"fix\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}},"
                 "\"required\":[\"code\",\"message\"]}},\"required\":[\"status\",\"error\"]}"));
}

/* events: it may come as a stream of them, too. */
static void reply_of(JsonOut *j, const char *status, const char *text, const Field *fields, bool events) {
    jout_key(j, status);
    jout_begin(j, '{');
    jout_kv_z(j, "description", text);
    jout_key(j, "content");
    jout_begin(j, '{');
    jout_key(j, "application/json");
    jout_begin(j, '{');
    jout_key(j, "schema");
    if (fields) {
        jout_begin(j, '{');
        jout_kv_z(j, "type", "object");
        fields_schema(j, fields, 0, false);
        jout_end(j, '}');
    } else {
        jout_raw(j, STR("{\"$ref\":\"#/components/schemas/Error\"}"));
    }
    jout_end(j, '}');
    if (events) {
        jout_key(j, "text/event-stream");
        jout_raw(j, STR("{}")); /* a schema would be taken for that of one event */
    }
    jout_end(j, '}');
    jout_end(j, '}');
}

static void replies_of(JsonOut *j, const Op *op) {
    static const struct {
        const char *status, *text;
        Role from; /* asked of at least this role */
    } errors[] = {{"400", "The request is not one", ROLE_NONE},
                  {"401", "A token is needed", ROLE_READ},
                  {"403", "Not from this origin, or not with this token's role", ROLE_NONE},
                  {"404", "There is no such thing", ROLE_NONE},
                  {"409", "Another model or format, or a run of this folder is at work", ROLE_READ},
                  {"413", "Too large", ROLE_NONE},
                  {"415", "The body is not JSON", ROLE_READ},
                  {"429", "Too many requests; Retry-After tells when", ROLE_NONE},
                  {"500", "The server failed", ROLE_NONE},
                  {"502", "A remote service failed", ROLE_READ},
                  {"503", "Loading, or busy; Retry-After tells when", ROLE_NONE},
                  {"504", "The deadline passed", ROLE_READ}};
    jout_key(j, "responses");
    jout_begin(j, '{');
    reply_of(j, "200", "Done", op->reply, op->flags & OP_STREAM);
    if (op->run == op_index) reply_of(j, "202", "The run has begun", op->reply, false);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (op->role >= errors[i].from) reply_of(j, errors[i].status, errors[i].text, NULL, false);
    jout_end(j, '}');
}

/* Fields of requests without a body: one parameter each. Objects have no place in a URL. */
static void parameters_of(JsonOut *j, const Op *op, bool body) {
    jout_key(j, "parameters");
    jout_begin(j, '[');
    for (const Field *f = op->fields; f->name; f++) {
        char part[80];
        (void)snprintf(part, sizeof part, "{%s}", f->name);
        bool in_path = strstr(op->path, part) != NULL;
        const bool in_url = op->flags & OP_FILES && strcmp(f->name, "content") != 0; /* where the body is the file */
        if ((body && !in_path && !in_url) || f->types & (FIELD_OBJECT | FIELD_OBJECTS)) continue;
        Field one[2] = {*f, {0}};
        Buf schema = {0};
        JsonOut s = jout_to(&schema);
        jout_begin(&s, '{');
        fields_schema(&s, one, 0, false);
        jout_end(&s, '}');
        /* {"properties":{"NAME":SCHEMA},…}: take SCHEMA out, so that a parameter is described as a member would be. */
        json_t *v = NULL;
        if (!buf_ok(&schema) && !json_read(buf_str(&schema), "schema", &v)) {
            char *text = json_dumps(json_object_get(json_object_get(v, "properties"), f->name), JSON_COMPACT);
            jout_begin(j, '{');
            jout_kv_z(j, "name", f->name);
            jout_kv_z(j, "in", in_path ? "path" : "query");
            jout_kv_bool(j, "required", in_path || f->flags & FIELD_REQUIRED);
            jout_key(j, "schema");
            jout_raw(j, str_of(text ? text : "{}"));
            jout_end(j, '}');
            free(text);
        }
        json_decref(v);
        buf_free(&schema);
    }
    jout_end(j, ']');
}

static void media_of(JsonOut *j, const char *type, const Field *fields, bool files) {
    jout_key(j, type);
    jout_begin(j, '{');
    jout_key(j, "schema");
    jout_begin(j, '{');
    if (fields) {
        jout_kv_z(j, "type", "object");
        fields_schema(j, fields, 0, !files);
    }
    jout_end(j, '}');
    jout_end(j, '}');
}

/* A file beside the fields, or as the whole body; the fields are in the URL then. */
static void files_of(JsonOut *j, const Op *op) {
    Field beside[24] = {
        {.name = "file", .types = FIELD_STRS, .help = "the files: parts with a filename, under any name"}};
    size_t n = 1;
    for (const Field *f = op->fields; f->name && n < 23; f++)
        if (strcmp(f->name, "content") != 0) beside[n++] = *f;
    media_of(j, "multipart/form-data", beside, true);
    media_of(j, "application/octet-stream", NULL, true);
}

/* The body has what is not in the path. */
static void body_of(JsonOut *j, const Op *op) {
    Field rest[24] = {{0}};
    size_t n = 0;
    for (const Field *f = op->fields; f->name && n < 23; f++) {
        char part[80];
        (void)snprintf(part, sizeof part, "{%s}", f->name);
        if (!strstr(op->path, part)) rest[n++] = *f;
    }
    bool needed = false;
    for (size_t i = 0; i < n; i++) needed |= (rest[i].flags & FIELD_REQUIRED) != 0;
    jout_key(j, "requestBody");
    jout_begin(j, '{');
    jout_kv_bool(j, "required", needed);
    jout_key(j, "content");
    jout_begin(j, '{');
    media_of(j, "application/json", rest, false);
    if (op->flags & OP_FILES) files_of(j, op);
    jout_end(j, '}');
    jout_end(j, '}');
}

static void operation_of(JsonOut *j, const Op *op) {
    bool body = strcmp(op->method, "POST") == 0 || strcmp(op->method, "PATCH") == 0;
    Buf method = {0};
    for (const char *m = op->method; *m; m++) buf_char(&method, (char)(*m | 0x20));
    jout_key(j, method.p ? method.p : "get");
    buf_free(&method);
    jout_begin(j, '{');
    jout_kv_z(j, "operationId", op->name);
    jout_kv_z(j, "summary", op->summary);
    if (op->role == ROLE_NONE) {
        jout_key(j, "security");
        jout_raw(j, STR("[]"));
    } else {
        jout_key(j, "x-role");
        jout_str(j, str_of(role_name(op->role)));
    }
    parameters_of(j, op, body);
    if (body) body_of(j, op);
    replies_of(j, op);
    jout_end(j, '}');
}

static bool path_done(const Op *op) {
    for (const Op *before = ops; before < op; before++)
        if (before->path && strcmp(before->path, op->path) == 0) return true;
    return false;
}

void openapi_write(Buf *out) {
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "openapi", "3.1.0");
    jout_key(&j, "info");
    jout_begin(&j, '{');
    jout_kv_z(&j, "title", "Pythia");
    jout_kv_z(&j, "version", PYTHIA_VERSION);
    jout_kv_z(&j, "summary", "Semantic search over your own code and documents.");
    jout_end(&j, '}');
    jout_key(&j, "security");
    jout_raw(&j, STR("[{},{\"token\":[]}]"));
    jout_key(&j, "paths");
    jout_begin(&j, '{');
    for (const Op *op = ops; op->name; op++) {
        if (!op->path || op->flags & OP_RAW || path_done(op)) continue;
        jout_key(&j, op->path);
        jout_begin(&j, '{');
        for (const Op *same = op; same->name; same++)
            if (same->path && strcmp(same->path, op->path) == 0) operation_of(&j, same);
        jout_end(&j, '}');
    }
    jout_end(&j, '}');
    jout_key(&j, "components");
    jout_begin(&j, '{');
    jout_key(&j, "schemas");
    jout_begin(&j, '{');
    jout_key(&j, "Error");
    error_schema(&j);
    jout_end(&j, '}');
    jout_key(&j, "securitySchemes");
    jout_raw(&j, STR("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"));
    jout_end(&j, '}');
    jout_end(&j, '}');
}
