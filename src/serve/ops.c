/* ops.c - the table itself; see ops.h. Requests' fields first, replies' after them, then the rows. */
#include "serve/ops.h"

#include "serve/ops_fields.h"

/* ---- requests ---- */

#define MODEL_FIELD                                                                                                    \
    {                                                                                                                  \
        .name = "model", .types = FIELD_STR, .max_bytes = 200,                                                         \
        .help = "a name from /v1/models (default: the configured one)"                                                 \
    }

static const Field no_fields[] = {{0}};

static const Field embed_fields[] = {
    {.name = "text", .types = FIELD_STR, .flags = FIELD_TOOL | FIELD_BLANK_OK, .help = "one text"},
    {.name = "texts", .types = FIELD_STRS, .flags = FIELD_BLANK_OK, .help = "many texts, instead of text"},
    {.name = "kind",
     .types = FIELD_STR,
     .flags = FIELD_TOOL,
     .values = "query|document",
     .standard = "\"document\"",
     .help = "what the text is: some models want a prefix"},
    {.name = "dimensions", .types = FIELD_INT, .min = 1, .max = 65536, .help = "the first so many, normalised again"},
    {.name = "normalize", .types = FIELD_BOOL, .standard = "true", .help = "unit length; false is refused"},
    {.name = "truncate",
     .types = FIELD_BOOL,
     .standard = "true",
     .help = "false: a text over the model's limit is an error"},
    MODEL_FIELD,
    {0}};

static const Field embeddings_fields[] = {
    {.name = "input",
     .types = FIELD_STR | FIELD_STRS | FIELD_NUMS | FIELD_NUMLISTS,
     .flags = FIELD_REQUIRED,
     .min = 0,
     .max = INT32_MAX,
     .help = "a text or an array of texts; or token ids, as /tokenize gives them, or an array of such"},
    {.name = "model", .types = FIELD_STR, .flags = FIELD_REQUIRED, .max_bytes = 200, .help = "a name from /v1/models"},
    {.name = "encoding_format",
     .types = FIELD_STR,
     .values = "float|base64",
     .standard = "\"float\"",
     .help = "base64: little-endian float32"},
    {.name = "dimensions", .types = FIELD_INT, .min = 1, .max = 65536, .help = "the first so many, normalised again"},
    {.name = "user", .types = FIELD_STR, .flags = FIELD_IGNORED | FIELD_BLANK_OK, .help = "changes nothing"},
    {0}};

static const Field rerank_document[] = {
    {.name = "text", .types = FIELD_STR, .flags = FIELD_REQUIRED | FIELD_BLANK_OK, .help = "its text"}, {0}};
static const Field rerank_fields[] = {
    {.name = "query", .types = FIELD_STR, .flags = FIELD_REQUIRED, .help = "what the texts are to answer"},
    {.name = "documents",
     .types = FIELD_STRS | FIELD_OBJECTS,
     .flags = FIELD_REQUIRED | FIELD_BLANK_OK,
     .max_items = 1000,
     .members = rerank_document,
     .help = "texts, or objects with \"text\""},
    {.name = "top_n", .types = FIELD_INT, .min = 1, .max = 1000, .help = "only the best so many"},
    SWITCH_FIELD("return_documents", "the texts in the reply, too"),
    {.name = "max_tokens_per_doc", .types = FIELD_INT, .flags = FIELD_IGNORED, .help = "changes nothing"},
    MODEL_FIELD,
    {0}};

static const Field tokenize_fields[] = {
    {.name = "text", .types = FIELD_STR, .flags = FIELD_REQUIRED | FIELD_BLANK_OK, .help = "what to cut into tokens"},
    MODEL_FIELD,
    {0}};

static const Field symbols_fields[] = {
    {.name = "name",
     .types = FIELD_STR,
     .flags = FIELD_TOOL,
     .max_bytes = 512,
     .help = "of a definition: Backoff.next, or its beginning"},
    ONE_PATH_FIELD("instead of name: a file, all that it defines"),
    {.name = "references",
     .types = FIELD_BOOL,
     .flags = FIELD_TOOL,
     .standard = "false",
     .help = "of a name: the lines that use it, too"},
    {.name = "usages",
     .types = FIELD_BOOL,
     .flags = FIELD_TOOL,
     .standard = "false",
     .help = "of a name or signature, next(b, now): the patterns of its uses, with examples"},
    COLLECTIONS_FIELD(0, "names; default: all"),
    NAMES_FIELD("lang", 0, "only these languages"),
    NAMES_FIELD("kind", 0, "only these, such as function or class"),
    LIMIT_FIELD(FIELD_TOOL, 10000, "1000", "definitions at most"),
    {0}};

static const Field read_fields[] = {
    HIT_ID_FIELD,
    ONE_PATH_FIELD("instead of id: a document's path"),
    COLLECTION_FIELD(FIELD_TOOL),
    {.name = "symbol",
     .types = FIELD_STR,
     .flags = FIELD_TOOL,
     .max_bytes = 512,
     .help = "only this symbol or heading of path"},
    {.name = "start_line", .types = FIELD_INT, .flags = FIELD_TOOL, .min = 1, .max = 1e9, .help = "first line"},
    {.name = "lines", .types = FIELD_INT, .flags = FIELD_TOOL, .min = 1, .max = 1e6, .help = "how many lines"},
    {0}};

static const Field index_document[] = {
    {.name = "id", .types = FIELD_STR, .max_bytes = 512, .help = "your name for it; the same again replaces it"},
    {.name = "text", .types = FIELD_STR, .flags = FIELD_REQUIRED, .help = "its text"},
    {.name = "title", .types = FIELD_STR, .flags = FIELD_BLANK_OK, .max_bytes = 1000, .help = "its title"},
    {.name = "metadata",
     .types = FIELD_ANY,
     .help = "what is told of it, such as author, created, keywords: texts, numbers, or arrays of them"},
    {0}};
static const Field index_fields[] = {{.name = "documents",
                                      .types = FIELD_OBJECTS,
                                      .members = index_document,
                                      .help = "texts to put into a collection; the reply comes when they can be found"},
                                     ONE_PATH_FIELD("a folder or file to index"),
                                     {.name = "collection",
                                      .types = FIELD_STR,
                                      .flags = FIELD_TOOL,
                                      .max_bytes = 200,
                                      .help = "its name; default: documents, or the folder's"},
                                     SWITCH_FIELD("force", "everything again"),
                                     SWITCH_FIELD("lex_only", "words only; vectors later"),
                                     SWITCH_FIELD("wait", "answer when the run has ended"),
                                     {0}};

static const Field upload_fields[] = {
    {.name = "name",
     .types = FIELD_STR,
     .max_bytes = 512,
     .help = "what the one file is called; its ending tells the format (multipart: the part's filename)"},
    {.name = "content", .types = FIELD_STR, .help = "the file in base64, where it does not come beside the fields"},
    COLLECTION_FIELD(0),
    {.name = "title", .types = FIELD_STR, .max_bytes = 1000, .help = "of the one file; default: the document's own"},
    SWITCH_FIELD("replace", "a document of the same name gives way; else the new one gets a number"),
    {0}};

static const Field name_fields[] = {
    {.name = "name", .types = FIELD_STR, .flags = FIELD_REQUIRED, .max_bytes = 200, .help = "name of a collection"},
    {0}};
/* The page reads them itself, where it runs (web/page.js); so all are texts. */
static const Field page_fields[] = {
    {.name = "q", .types = FIELD_STR, .flags = FIELD_BLANK_OK, .max_bytes = 4096, .help = "what to find"},
    {.name = "by", .types = FIELD_STR, .flags = FIELD_BLANK_OK, .max_bytes = 200, .help = "a mode"},
    {.name = "in", .types = FIELD_STR, .flags = FIELD_BLANK_OK, .max_bytes = 200, .help = "name of a collection"},
    {.name = "ask", .types = FIELD_STR, .flags = FIELD_BLANK_OK, .max_bytes = 200, .help = "1: an answer is wanted"},
    {0}};
static const Field rename_fields[] = {
    {.name = "name", .types = FIELD_STR, .flags = FIELD_REQUIRED, .max_bytes = 200, .help = "name of a collection"},
    {.name = "to", .types = FIELD_STR, .flags = FIELD_REQUIRED, .max_bytes = 200, .help = "its new name"},
    {0}};

static const Field documents_fields[] = {
    {.name = "collection",
     .types = FIELD_STR,
     .flags = FIELD_REQUIRED,
     .max_bytes = 200,
     .help = "name of a collection"},
    {.name = "after", .types = FIELD_STR, .max_bytes = 4096, .help = "the path behind which to go on"},
    LIMIT_FIELD(0, 1000, "100", "documents at most"),
    {0}};
static const Field document_fields[] = {{.name = "id",
                                         .types = FIELD_STR,
                                         .flags = FIELD_REQUIRED,
                                         .max_bytes = 4096,
                                         .help = "its path in the collection, or its id"},
                                        {.name = "collection",
                                         .types = FIELD_STR,
                                         .flags = FIELD_REQUIRED,
                                         .max_bytes = 200,
                                         .help = "name of a collection"},
                                        {0}};

static const Field status_fields[] = {
    COLLECTION_FIELD(FIELD_TOOL), SWITCH_FIELD("check", "compare with the live files"), {0}};
static const Field metrics_fields[] = {{.name = "format",
                                        .types = FIELD_STR,
                                        .values = "prometheus|json",
                                        .standard = "\"prometheus\"",
                                        .help = "of the reply"},
                                       {0}};

/* ---- replies ---- */

static const Field ok_reply[] = {OK_FIELD, {0}};
static const Field health_reply[] = {OK_FIELD, STR_FIELD("version"), INT_FIELD("uptime_s"), {0}};
static const Field ready_reply[] = {OK_FIELD, STR_FIELD("model"), INT_FIELD("dimension"), {0}};
static const Field embed_reply[] = {OK_FIELD,
                                    {.name = "embedding", .types = FIELD_NUMS},
                                    {.name = "embeddings", .types = FIELD_NUMLISTS},
                                    STR_FIELD("model"),
                                    INT_FIELD("dimension"),
                                    INT_FIELD("tokens"),
                                    {.name = "truncated", .types = FIELD_BOOL, .flags = FIELD_REQUIRED},
                                    {0}};
static const Field embeddings_item[] = {STR_FIELD("object"),
                                        INT_FIELD("index"),
                                        {.name = "embedding", .types = FIELD_NUMS | FIELD_STR, .flags = FIELD_REQUIRED},
                                        {0}};
static const Field usage_reply[] = {INT_FIELD("prompt_tokens"), INT_FIELD("total_tokens"), {0}};
static const Field embeddings_reply[] = {STR_FIELD("object"),
                                         {.name = "data", .types = FIELD_OBJECTS, .members = embeddings_item},
                                         STR_FIELD("model"),
                                         {.name = "usage", .types = FIELD_OBJECT, .members = usage_reply},
                                         {0}};
static const Field models_item[] = {STR_FIELD("id"),
                                    STR_FIELD("object"),
                                    INT_FIELD("created"),
                                    STR_FIELD("owned_by"),
                                    INT_OR_NULL("dimension"),
                                    INT_OR_NULL("max_tokens"),
                                    {0}};
static const Field model_fields[] = {
    {.name = "id", .types = FIELD_STR, .flags = FIELD_REQUIRED, .max_bytes = 220, .help = "its name"}, {0}};
static const Field models_reply[] = {
    STR_FIELD("object"), {.name = "data", .types = FIELD_OBJECTS, .members = models_item}, {0}};
static const Field rerank_item[] = {INT_FIELD("index"),
                                    {.name = "relevance_score", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
                                    {.name = "document", .types = FIELD_OBJECT, .members = rerank_document},
                                    {0}};
static const Field rerank_reply[] = {
    STR_FIELD("id"), {.name = "results", .types = FIELD_OBJECTS, .members = rerank_item}, STR_FIELD("model"), {0}};
static const Field tokenize_reply[] = {OK_FIELD, {.name = "ids", .types = FIELD_NUMS}, INT_FIELD("tokens"), {0}};
const Field hit_reply[] = {STR_FIELD("id"),
                           STR_FIELD("uri"),
                           STR_FIELD("path"),
                           STR_FIELD("collection"),
                           INT_OR_NULL("start_line"),
                           INT_OR_NULL("end_line"),
                           INT_OR_NULL("page"),
                           STR_OR_NULL("symbol"),
                           STR_OR_NULL("kind"),
                           STR_OR_NULL("lang"),
                           STR_OR_NULL("heading"),
                           {.name = "title", .types = FIELD_STR},
                           {.name = "metadata", .types = FIELD_ANY},
                           {.name = "score", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
                           STR_OR_NULL("freshness"),
                           STR_FIELD("content"),
                           {.name = "copies", .types = FIELD_OBJECTS}, /* other places of its text */
                           {.name = "more_copies", .types = FIELD_INT},
                           {.name = "explain", .types = FIELD_ANY},
                           {0}};
static const Field search_reply[] = {OK_FIELD,
                                     STR_FIELD("query"),
                                     STR_FIELD("mode"),
                                     {.name = "results", .types = FIELD_OBJECTS, .members = hit_reply},
                                     INT_FIELD("total"),
                                     {.name = "has_more", .types = FIELD_BOOL, .flags = FIELD_REQUIRED},
                                     {.name = "took_ms", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
                                     {.name = "deadline_hit", .types = FIELD_BOOL},
                                     {.name = "coverage", .types = FIELD_ANY, .flags = FIELD_REQUIRED},
                                     {.name = "recomputed", .types = FIELD_ANY}, /* of an index without vectors */
                                     {.name = "reranked", .types = FIELD_ANY},
                                     {0}};
static const Field symbol_item[] = {STR_FIELD("symbol"),      STR_FIELD("name"),     STR_FIELD("kind"),
                                    STR_OR_NULL("signature"), STR_FIELD("uri"),      STR_FIELD("path"),
                                    STR_FIELD("collection"),  STR_OR_NULL("lang"),   INT_FIELD("line"),
                                    INT_FIELD("start_line"),  INT_FIELD("end_line"), {0}};
static const Field reference_item[] = {STR_FIELD("uri"),
                                       STR_FIELD("path"),
                                       STR_FIELD("collection"),
                                       STR_OR_NULL("lang"),
                                       INT_FIELD("line"),
                                       STR_OR_NULL("content"),
                                       {0}};
static const Field usage_item[] = {STR_FIELD("pattern"),
                                   INT_FIELD("count"),
                                   INT_OR_NULL("arguments"),
                                   {.name = "examples", .types = FIELD_OBJECTS, .members = reference_item},
                                   {0}};
static const Field symbols_reply[] = {OK_FIELD,
                                      STR_FIELD("query"),
                                      STR_OR_NULL("mode"),
                                      {.name = "results", .types = FIELD_OBJECTS, .members = symbol_item},
                                      INT_FIELD("total"),
                                      {.name = "stale", .types = FIELD_BOOL, .flags = FIELD_REQUIRED},
                                      {.name = "references", .types = FIELD_OBJECTS, .members = reference_item},
                                      {.name = "total_references", .types = FIELD_INT},
                                      {.name = "usages", .types = FIELD_OBJECTS, .members = usage_item},
                                      {.name = "total_usages", .types = FIELD_INT},
                                      {.name = "took_ms", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
                                      {0}};
static const Field read_reply[] = {
    OK_FIELD, {.name = "results", .types = FIELD_OBJECTS}, {.name = "truncated", .types = FIELD_BOOL}, {0}};
static const Field index_reply[] = {OK_FIELD,
                                    STR_FIELD("collection"),
                                    {.name = "run", .types = FIELD_INT},
                                    {.name = "documents", .types = FIELD_INT},
                                    {.name = "chunks", .types = FIELD_INT},
                                    {.name = "report", .types = FIELD_ANY},
                                    {0}};
static const Field uploaded_item[] = {
    STR_FIELD("name"),
    {.name = "outcome", .types = FIELD_STR, .flags = FIELD_REQUIRED, .values = "added|replaced|known|refused"},
    STR_OR_NULL("refusal"),
    {.name = "document", .types = FIELD_ANY | FIELD_NULL},
    {0}};
static const Field upload_reply[] = {OK_FIELD,
                                     STR_FIELD("collection"),
                                     INT_OR_NULL("run"),
                                     INT_FIELD("added"),
                                     INT_FIELD("replaced"),
                                     INT_FIELD("known"),
                                     INT_FIELD("refused"),
                                     INT_FIELD("chunks"),
                                     INT_FIELD("embedded"),
                                     INT_FIELD("reused"),
                                     INT_FIELD("tokens"),
                                     {.name = "seconds", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
                                     {.name = "files", .types = FIELD_OBJECTS, .members = uploaded_item},
                                     {0}};
static const Field collections_reply[] = {OK_FIELD, {.name = "collections", .types = FIELD_OBJECTS}, {0}};
static const Field collection_reply[] = {OK_FIELD, {.name = "collection", .types = FIELD_ANY}, {0}};
static const Field documents_reply[] = {OK_FIELD,
                                        {.name = "documents", .types = FIELD_OBJECTS},
                                        {.name = "has_more", .types = FIELD_BOOL, .flags = FIELD_REQUIRED},
                                        {0}};
static const Field document_reply[] = {OK_FIELD, {.name = "document", .types = FIELD_ANY}, {0}};
static const Field status_reply[] = {OK_FIELD,
                                     STR_FIELD("version"),
                                     {.name = "model", .types = FIELD_ANY},
                                     {.name = "collections", .types = FIELD_OBJECTS},
                                     {0}};

/* ---- the table ---- */

const Op ops[] = {
    {"health", "GET", "/health", ROLE_NONE, OP_NOW, no_fields, health_reply, "Whether the server is up.", NULL,
     op_health, NULL},
    {"ready", "GET", "/ready", ROLE_NONE, OP_NOW, no_fields, ready_reply,
     "Whether the embedding model is loaded: 503 until then.", NULL, op_ready, NULL},
    {"search", "POST", "/v1/search", ROLE_READ, OP_MODEL, search_fields, search_reply, "Ranked hits for a query.",
     "Search the user's indexed code and documents by meaning and by words. Returns ranked hits with path, lines, "
     "symbol and text. Use it before reading files when you do not know where something is.",
     op_search, NULL},
    {"search_get", "GET", "/v1/search", ROLE_READ, OP_MODEL, search_fields, search_reply, "Ranked hits for a query.",
     NULL, op_search, NULL},
    {"ask", "POST", "/v1/ask", ROLE_READ, OP_MODEL | OP_STREAM, ask_fields, ask_reply,
     "An answer with numbered sources, each sentence of which stands there, or an abstention.",
     "Answer a question from the user's indexed code and documents. Returns an answer with numbered sources, or says "
     "that none answers (abstained).",
     op_ask, NULL},
    {"chat_completions", "POST", "/v1/chat/completions", ROLE_READ, OP_MODEL | OP_PLAIN | OP_STREAM, completions_fields,
     completions_reply, "Answers out of a collection, as OpenAI's chat completions.", NULL, op_completions, NULL},
    {"chats", "GET", "/v1/chats", ROLE_READ, 0, chats_fields, chats_reply, "Chats, the last one first.", NULL, op_chats,
     NULL},
    {"chat_begin", "POST", "/v1/chats", ROLE_READ, 0, chat_begin_fields, chat_begin_reply,
     "Begins a chat; ask with its number as session.", NULL, op_chat_begin, NULL},
    {"chat", "GET", "/v1/chats/{id}", ROLE_READ, 0, chat_fields, chat_reply, "What was said in a chat.", NULL, op_chat,
     NULL},
    {"chat_remove", "DELETE", "/v1/chats/{id}", ROLE_WRITE, 0, chat_fields, ok_reply, "Removes a chat.", NULL,
     op_chat_remove, NULL},
    {"feedback", "POST", "/v1/feedback", ROLE_READ, 0, feedback_fields, ok_reply,
     "Keeps what became of a hit, for evaluation.", NULL, op_feedback, NULL},
    {"feedbacks", "GET", "/v1/feedback", ROLE_WRITE, 0, feedbacks_fields, feedbacks_reply,
     "What became of a collection's hits, newest first.", NULL, op_feedbacks, NULL},
    {"read", "POST", "/v1/read", ROLE_READ, 0, read_fields, read_reply, "Lines, a symbol or the whole of a document.",
     "Read a hit by its id, or lines, a symbol or all of an indexed document by its path.", op_read, NULL},
    {"similar", "POST", "/v1/similar", ROLE_READ, OP_MODEL, similar_fields, search_reply,
     "What is like a hit or a place in a document, by meaning.",
     "Code and text like a hit (by its id) or like a place in a file (path and line), nearest in meaning first.",
     op_similar, NULL},
    {"symbols", "POST", "/v1/symbols", ROLE_READ, 0, symbols_fields, symbols_reply,
     "The outline of a document, or the definitions of a name and the lines that use it.",
     "The outline of a file by its path, or where a name is defined and, with references, used.", op_symbols, NULL},
    {"index", "POST", "/v1/index", ROLE_WRITE, OP_LONG | OP_MANY, index_fields, index_reply,
     "Puts documents into a collection (200), or indexes a folder (202 with the run).",
     "Index a folder within the allowed roots, or bring it up to date. Returns a run, perhaps before it is over; "
     "status tells how far it is.",
     op_index, NULL},
    {"upload", "POST", "/v1/upload", ROLE_WRITE, OP_LONG | OP_MANY | OP_FILES, upload_fields, upload_reply,
     "Puts files of any format into a collection, by their content; those that are there already are told as known.",
     NULL, op_upload, NULL},
    {"status", "GET", "/v1/status", ROLE_READ, 0, status_fields, status_reply,
     "What is indexed, pending, skipped and stale.",
     "What is indexed: collections, documents, how far indexing is, which model.", op_status, NULL},
    {"embed", "POST", "/embed", ROLE_READ, OP_MODEL | OP_MANY, embed_fields, embed_reply, "Vectors of texts.",
     "The embedding vector of a text.", op_embed, NULL},
    {"embeddings", "POST", "/v1/embeddings", ROLE_READ, OP_MODEL | OP_PLAIN | OP_MANY, embeddings_fields,
     embeddings_reply, "Vectors of texts, as OpenAI's API has them.", NULL, op_embeddings, NULL},
    {"models", "GET", "/v1/models", ROLE_READ, OP_PLAIN, no_fields, models_reply, "Models, as OpenAI's API lists them.",
     NULL, op_models, NULL},
    {"model", "GET", "/v1/models/{id}", ROLE_READ, OP_PLAIN, model_fields, models_item, "One model.", NULL, op_model,
     NULL},
    {"rerank", "POST", "/v1/rerank", ROLE_READ, OP_PLAIN | OP_MANY, rerank_fields, rerank_reply,
     "Texts in the order in which they answer a query, as Cohere's API has it.", NULL, op_rerank, NULL},
    {"tokenize", "POST", "/tokenize", ROLE_READ, OP_MODEL, tokenize_fields, tokenize_reply, "A text's token ids.", NULL,
     op_tokenize, NULL},
    {"collections", "GET", "/v1/collections", ROLE_READ, 0, no_fields, collections_reply, "All collections.", NULL,
     op_collections, NULL},
    {"collection", "GET", "/v1/collections/{name}", ROLE_READ, 0, name_fields, collection_reply, "One collection.",
     NULL, op_collection, NULL},
    {"collection_rename", "PATCH", "/v1/collections/{name}", ROLE_ADMIN, 0, rename_fields, collection_reply,
     "Gives a collection another name.", NULL, op_collection_rename, NULL},
    {"collection_remove", "DELETE", "/v1/collections/{name}", ROLE_ADMIN, 0, name_fields, ok_reply,
     "Forgets a collection; its files stay.", NULL, op_collection_remove, NULL},
    {"documents", "GET", "/v1/documents", ROLE_READ, 0, documents_fields, documents_reply, "Documents of a collection.",
     NULL, op_documents, NULL},
    {"document", "GET", "/v1/documents/{id}", ROLE_READ, 0, document_fields, document_reply, "One document.", NULL,
     op_document, NULL},
    {"document_remove", "DELETE", "/v1/documents/{id}", ROLE_WRITE, OP_LONG, document_fields, ok_reply,
     "Removes a document that was put by a call.", NULL, op_document_remove, NULL},
    {"runs", "GET", "/v1/runs", ROLE_READ, 0, runs_fields, runs_reply, "Indexing runs, newest first.", NULL, op_runs,
     NULL},
    {"run", "GET", "/v1/runs/{id}", ROLE_READ, OP_STREAM, run_fields, run_reply, "One run, or how it goes on.", NULL,
     op_run, NULL},
    {"run_cancel", "DELETE", "/v1/runs/{id}", ROLE_WRITE, 0, run_cancel_fields, run_reply,
     "Cancels a run; what it did is kept.", NULL, op_run_cancel, NULL},
    {"audit", "GET", "/v1/audit", ROLE_ADMIN, 0, runs_fields, audit_reply,
     "Who changed what, and when, newest first: calls that need the role write or admin.", NULL, op_audit, NULL},
    {"metrics", "GET", "/metrics", ROLE_READ, OP_RAW, metrics_fields, ok_reply, "What is counted, for Prometheus.",
     NULL, op_metrics, NULL},
    {"openapi", "GET", "/openapi.json", ROLE_NONE, OP_NOW | OP_RAW, no_fields, ok_reply, "This table as OpenAPI 3.1.",
     NULL, op_openapi, NULL},
    {"docs", "GET", "/docs", ROLE_NONE, OP_NOW | OP_RAW, no_fields, ok_reply, "This table to read.", NULL, op_docs,
     "text/html; charset=utf-8"},
    {"home", "GET", "/", ROLE_NONE, OP_NOW | OP_RAW, page_fields, ok_reply, "The page for people.", NULL, op_home,
     "text/html; charset=utf-8"},
    {"shared_search", NULL, NULL, ROLE_ADMIN, OP_LOOSE | OP_INNER, no_fields, ok_reply, NULL, NULL, op_shared_search,
     NULL},
    {"shared_ask", NULL, NULL, ROLE_ADMIN, OP_LOOSE | OP_INNER, no_fields, ok_reply, NULL, NULL, op_shared_ask, NULL},
    {"shared_embed", NULL, NULL, ROLE_ADMIN, OP_LOOSE | OP_INNER, no_fields, ok_reply, NULL, NULL, op_shared_embed,
     NULL},
    {"shutdown", NULL, NULL, ROLE_ADMIN, OP_NOW, no_fields, ok_reply, "Ends the server.", NULL, op_shutdown, NULL},
    {0}};

/* ---- finding a row ---- */

const Op *op_named(Str name) {
    for (const Op *op = ops; op->name; op++)
        if (str_is(name, op->name)) return op;
    return NULL;
}

/* "/v1/runs/7" fits "/v1/runs/{id}": *value is then "7". Parts do not span slashes, but for the last, which an encoded
 * slash may stand in. */
static bool path_fits(const char *pattern, Str path, Str *name, Str *value) {
    Str p = str_of(pattern);
    ptrdiff_t open = str_find_char(p, '{');
    *name = (Str){NULL, 0};
    if (open < 0) return str_eq(p, path);
    if (!str_starts(path, str_upto(p, (size_t)open)) || path.n == (size_t)open) return false;
    *value = str_from(path, (size_t)open);
    *name = str_make(p.p + open + 1, p.n - (size_t)open - 2);
    return true;
}

Err op_route(Str method, Str path, json_t *params, const Op **out, Buf *allow) {
    *out = NULL;
    for (const Op *op = ops; op->name; op++) {
        Str name, value = {NULL, 0};
        if (!op->path || !path_fits(op->path, path, &name, &value)) continue;
        buf_printf(allow, "%s%s", allow->n ? ", " : "", op->method);
        if (!str_is(method, op->method)) continue;
        *out = op;
        return name.p ? fields_set(op->fields, params, name, value) : ERR_OK;
    }
    return ERR_OK;
}

/* ---- small tables ---- */

int err_status(Err err) {
    switch (err) {
    case ERR_OK:
    case ERR_NOTHING:
    case ERR_PARTIAL:
        return 200;
    case ERR_USAGE:
    case ERR_INPUT:
    case ERR_UNSUPPORTED:
        return 400;
    case ERR_NO_COLLECTION:
    case ERR_NO_DOCUMENT:
    case ERR_NO_INDEX:
    case ERR_NO_MODEL:
        return 404;
    case ERR_MODEL_MISMATCH:
    case ERR_FORMAT:
        return 409;
    case ERR_LIMIT:
        return 413;
    case ERR_NETWORK:
        return 502;
    case ERR_BUSY:
    case ERR_NOMEM:
    case ERR_INTERRUPT:
        return 503;
    case ERR_DEADLINE:
        return 504;
    default:
        return 500;
    }
}

static const char *const role_names[] = {"none", "read", "write", "admin"};

const char *role_name(Role role) { return role_names[role]; }

bool role_parse(Str s, Role *out) {
    for (int i = ROLE_READ; i <= ROLE_ADMIN; i++)
        if (str_is(s, role_names[i])) return *out = (Role)i, true;
    return false;
}
