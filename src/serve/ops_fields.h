/* ops_fields.h - tables of fields that several files of operations share, and short ways to write rows. The table of
 * operations (ops.c) points to them.
 */
#ifndef PYTHIA_SERVE_OPS_FIELDS_H
#define PYTHIA_SERVE_OPS_FIELDS_H

#include "serve/desk.h"

#define OK_FIELD                                                                                                       \
    { .name = "status", .types = FIELD_STR, .flags = FIELD_REQUIRED, .values = "ok" }
#define STR_OR_NULL(field)                                                                                             \
    { .name = field, .types = FIELD_STR | FIELD_NULL, .flags = FIELD_BLANK_OK }
#define INT_OR_NULL(field)                                                                                             \
    { .name = field, .types = FIELD_INT | FIELD_NULL }
#define INT_FIELD(field)                                                                                               \
    { .name = field, .types = FIELD_INT, .flags = FIELD_REQUIRED }
#define STR_FIELD(field)                                                                                               \
    { .name = field, .types = FIELD_STR, .flags = FIELD_REQUIRED | FIELD_BLANK_OK }
#define DEADLINE_FIELD                                                                                                 \
    { .name = "deadline_ms", .types = FIELD_INT, .min = 1, .max = 600000, .help = "answer with what is found by then" }
#define COLLECTION_FIELD(more)                                                                                         \
    { .name = "collection", .types = FIELD_STR, .flags = (more), .max_bytes = 200, .help = "name of a collection" }
#define NAMES_FIELD(field, more, text)                                                                                 \
    { .name = field, .types = FIELD_STR | FIELD_STRS, .flags = (more), .max_items = 64, .help = text }
#define COLLECTIONS_FIELD(more, text)                                                                                  \
    {                                                                                                                  \
        .name = "collections", .types = FIELD_STR | FIELD_STRS, .flags = (more), .alias = "collection",                \
        .max_items = 64, .help = text                                                                                  \
    }
#define LIMIT_FIELD(more, most, usual, text)                                                                           \
    { .name = "limit", .types = FIELD_INT, .flags = (more), .min = 1, .max = (most), .standard = usual, .help = text }
#define MIN_SCORE_FIELD                                                                                                \
    {                                                                                                                  \
        .name = "min_score", .types = FIELD_NUM, .alias = "threshold", .min = 0, .max = 1, .standard = "0",            \
        .help = "hits below are left out"                                                                              \
    }
#define FILTERS_FIELD(text)                                                                                            \
    { .name = "filters", .types = FIELD_OBJECT, .members = filter_fields, .help = text }
#define SWITCH_FIELD(field, text)                                                                                      \
    { .name = field, .types = FIELD_BOOL, .standard = "false", .help = text }
#define HIT_ID_FIELD                                                                                                   \
    { .name = "id", .types = FIELD_STR, .flags = FIELD_TOOL, .max_bytes = 64, .help = "a hit's id" }
#define ONE_PATH_FIELD(text)                                                                                           \
    { .name = "path", .types = FIELD_STR, .flags = FIELD_TOOL, .max_bytes = 4096, .help = text }

/* ops.c */
extern const Field hit_reply[];
/* ops_search.c */
extern const Field filter_fields[], search_fields[], similar_fields[];
/* ops_ask.c */
extern const Field ask_fields[], ask_reply[], citation_reply[];
/* ops_chats.c */
extern const Field chats_fields[], chats_reply[], chat_begin_fields[], chat_begin_reply[], chat_fields[], chat_reply[];
/* ops_runs.c */
extern const Field runs_fields[], runs_reply[], run_fields[], run_cancel_fields[], run_reply[], audit_reply[];
/* ops_feedback.c */
extern const Field feedback_fields[], feedbacks_fields[], feedbacks_reply[];
/* ops_completions.c */
extern const Field completions_fields[], completions_reply[];

/* What a request narrows a search to, with its query in the field of that name: ops_search.c. */
MUST_USE Err call_search(Call *c, const char *query, PythiaSearch *rq);

/* Whose chats a caller has: with a token that is no admin's, its own; else everybody's. */
Str call_owner(const Call *c);

/* Sends an event of a stream: "event: NAME" (NULL: none), then data on one line, and frees it. False: the client has
 * gone. */
bool call_event(Call *c, const char *name, Buf *data);

#endif
