/* reply.h - what Pythia answers, as JSON: one writer for the command line's --json and for every door of the server.
 *
 * Each call writes one object, or the members of one that is open (reply_*_members). The names are those of the public
 * interface; a later change of one breaks programs. Empty strings and unknown numbers are null.
 *
 * Threads: any. Memory: the JsonOut's Buf; buf_ok tells of it.
 */
#ifndef PYTHIA_SERVE_REPLY_H
#define PYTHIA_SERVE_REPLY_H

#include "base/json.h"
#include "engine/pythia.h"

/* Empty strings are null. */
void jout_kv_text(JsonOut *j, const char *key, Str s);
/* 0 is null (page, times). */
void jout_kv_positive(JsonOut *j, const char *key, int64_t v);
/* Unix ms as ISO 8601; 0 is null. */
void jout_kv_time(JsonOut *j, const char *key, int64_t wall_ms);
/* An array of {"path","reason"}. */
void jout_kv_reasons(JsonOut *j, const char *key, const PathReason *list, size_t n);

/* A hit, with other lines than its own where the caller cut or widened it. */
typedef struct {
    const PythiaHit *hit;
    Str content;
    int32_t start_line, end_line;
    bool explain;
} ReplyHit;
void reply_hit(JsonOut *j, const ReplyHit *x);

/* Members of the envelope of a search. results: hits written with reply_hit, with commas between; shown: how many. */
void reply_search_members(JsonOut *j, const PythiaReply *reply, Str results, size_t shown);
/* The same with every hit as it is. ERR_NOMEM. */
MUST_USE Err reply_search(JsonOut *j, const PythiaReply *reply, bool explain);

void reply_citation(JsonOut *j, const PythiaCitation *c);
/* "sources": [ … ], by number. */
void reply_sources_member(JsonOut *j, const PythiaAnswer *r, bool explain);
/* pythia_ask: the answer or why there is none, its citations and sources. */
void reply_answer_members(JsonOut *j, const PythiaAnswer *r, bool explain);

void reply_chat(JsonOut *j, const PythiaChat *c);
void reply_chats_member(JsonOut *j, const PythiaChat *chats, size_t n); /* "chats": [ … ] */
/* "chat": { … }, "messages": [ … ]. */
void reply_chat_members(JsonOut *j, const PythiaChat *chat, const PythiaMessage *messages, size_t n);
void reply_message(JsonOut *j, const PythiaMessage *m);

void reply_text(JsonOut *j, const PythiaText *t); /* pythia_get */
/* pythia_symbols: query, mode, results, with references asked for those too, totals. */
void reply_symbols_members(JsonOut *j, const PythiaSymbolsRequest *rq, const PythiaSymbols *r);
void reply_collection_members(JsonOut *j, const PythiaCollection *c);
void reply_status_members(JsonOut *j, const PythiaStatus *s);
void reply_run(JsonOut *j, const PythiaRun *r);
void reply_feedback_member(JsonOut *j, const PythiaFeedbackRow *rows, size_t n); /* "feedback": [ … ] */
void reply_audit(JsonOut *j, const PythiaAudit *r);
/* Members of a document's object; chunks: where they were counted. */
void reply_document_members(JsonOut *j, const PythiaDocument *d, bool chunks);
/* pythia_upload: collection, documents with their outcomes, counts. */
void reply_upload_members(JsonOut *j, Str collection, const UploadReport *r);
void reply_vector(JsonOut *j, const char *key, const float *v /* [dim] */, size_t dim);

/* Members of an error object, of this thread's error: code, message, fix. */
void reply_error_members(JsonOut *j, Err err);
/* {"status":"error","error":{…}} */
void reply_error(JsonOut *j, Err err);

#endif
