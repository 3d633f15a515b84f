/* ops.h - the one table of what the server can do: routes, validates, describes and runs it.
 *
 * A row is an operation: its name (the method on the socket, in JSON-RPC and, for some, the tool of an agent), its
 * place in REST, who may call it, what its request may hold, what its reply holds, and the function that does it. Every
 * door finds its operation here, checks the request against `fields` and hands a Call to the desk (desk.h);
 * /openapi.json and the lists of tools are written from the same rows.
 *
 * To add an operation: one function in ops_*.c and one row in ops.c.
 */
#ifndef PYTHIA_SERVE_OPS_H
#define PYTHIA_SERVE_OPS_H

#include "base/arena.h"
#include "base/json.h"
#include "engine/pythia.h"
#include "serve/fields.h"

typedef struct Call Call;

/* Each may do what those before it may. */
typedef enum { ROLE_NONE, ROLE_READ, ROLE_WRITE, ROLE_ADMIN } Role;

enum {
    OP_PLAIN = 1,    /* the reply has a shape of its own (OpenAI's, Cohere's): no "status" */
    OP_NOW = 2,      /* needs no engine: answered where it arrives, also while all workers are busy */
    OP_MODEL = 4,    /* needs the embedding model: HTTP answers 503 while it loads */
    OP_LONG = 8,     /* indexing: in a line of the ingest workers (desk.c) */
    OP_RAW = 32,     /* writes call->body itself: no JSON object around it, no place in OpenAPI */
    OP_LOOSE = 64,   /* looks at its parameters itself (MCP) */
    OP_FILES = 128,  /* takes files beside its fields (http_upload.c) */
    OP_INNER = 256,  /* between processes of one build: told to nobody (shared.h) */
    OP_STREAM = 512, /* its answer may come as events, over HTTP */
    OP_MANY = 16     /* takes lists of texts: shares the body limit of uploads */
};

/* Writes the members of the reply into the open object. call->params has passed fields_check. */
typedef Err (*OpFn)(Call *call, JsonOut *j);

typedef struct {
    const char *name;
    const char *method, *path; /* "/v1/runs/{id}": {id} becomes the field "id"; NULL: not in REST */
    Role role;
    int flags;
    const Field *fields, *reply;
    const char *summary;
    const char *tool; /* what an agent is told of it (MCP); NULL: not offered */
    OpFn run;
    const char *content_type; /* OP_RAW; NULL: JSON */
} Op;

extern const Op ops[]; /* ends with name NULL */

const Op *op_named(Str name); /* NULL: none */

/* The row of a path. allow: methods that the path has, as for the Allow header, when none fits; "" when there is no
 * such path. The values of {parts} are set in params (a JSON object). *out NULL: none. */
MUST_USE Err op_route(Str method, Str path, json_t *params, const Op **out, Buf *allow);

/* /openapi.json: OpenAPI 3.1 of the whole table. */
void openapi_write(Buf *out);

/* What an error means in HTTP. */
int err_status(Err err);

const char *role_name(Role role);
bool role_parse(Str s, Role *out);

/* ---- ops_*.c ---- */
Err op_health(Call *c, JsonOut *j);
Err op_ready(Call *c, JsonOut *j);
Err op_embed(Call *c, JsonOut *j);
Err op_embeddings(Call *c, JsonOut *j);
Err op_models(Call *c, JsonOut *j);
Err op_model(Call *c, JsonOut *j);
Err op_rerank(Call *c, JsonOut *j);
Err op_tokenize(Call *c, JsonOut *j);
Err op_search(Call *c, JsonOut *j);
Err op_ask(Call *c, JsonOut *j);
Err op_completions(Call *c, JsonOut *j);
Err op_chats(Call *c, JsonOut *j);
Err op_feedback(Call *c, JsonOut *j);
Err op_feedbacks(Call *c, JsonOut *j);
Err op_chat_begin(Call *c, JsonOut *j);
Err op_chat(Call *c, JsonOut *j);
Err op_chat_remove(Call *c, JsonOut *j);
Err op_read(Call *c, JsonOut *j);
Err op_similar(Call *c, JsonOut *j);
Err op_symbols(Call *c, JsonOut *j);
Err op_index(Call *c, JsonOut *j);
Err op_upload(Call *c, JsonOut *j);
Err op_collections(Call *c, JsonOut *j);
Err op_collection(Call *c, JsonOut *j);
Err op_collection_rename(Call *c, JsonOut *j);
Err op_collection_remove(Call *c, JsonOut *j);
Err op_documents(Call *c, JsonOut *j);
Err op_document(Call *c, JsonOut *j);
Err op_document_remove(Call *c, JsonOut *j);
Err op_status(Call *c, JsonOut *j);
Err op_runs(Call *c, JsonOut *j);
Err op_run(Call *c, JsonOut *j);
Err op_run_cancel(Call *c, JsonOut *j);
Err op_audit(Call *c, JsonOut *j);
Err op_shared_search(Call *c, JsonOut *j);
Err op_shared_ask(Call *c, JsonOut *j);
Err op_shared_embed(Call *c, JsonOut *j);
Err op_shutdown(Call *c, JsonOut *j);
Err op_metrics(Call *c, JsonOut *j);
Err op_openapi(Call *c, JsonOut *j);
Err op_docs(Call *c, JsonOut *j);
Err op_home(Call *c, JsonOut *j);

#endif
