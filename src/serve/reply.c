/* reply.c - see reply.h. */
#include "serve/reply.h"

#include "serve/metadata.h"

void jout_kv_text(JsonOut *j, const char *key, Str s) {
    jout_key(j, key);
    if (s.n) {
        jout_str(j, s);
    } else {
        jout_null(j);
    }
}

void jout_kv_positive(JsonOut *j, const char *key, int64_t v) {
    jout_key(j, key);
    if (v > 0) {
        jout_i64(j, v);
    } else {
        jout_null(j);
    }
}

void jout_kv_time(JsonOut *j, const char *key, int64_t wall_ms) {
    char iso[32] = "";
    if (wall_ms > 0) clock_iso(wall_ms, iso);
    jout_kv_z(j, key, iso);
}

void jout_kv_reasons(JsonOut *j, const char *key, const PathReason *list, size_t n) {
    jout_key(j, key);
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) {
        jout_begin(j, '{');
        jout_kv_str(j, "path", list[i].path);
        jout_kv_str(j, "reason", list[i].reason);
        jout_end(j, '}');
    }
    jout_end(j, ']');
}

static void kv_f32(JsonOut *j, const char *key, float v) {
    jout_key(j, key);
    jout_f32(j, v);
}

static void explain_add(JsonOut *j, const PythiaHit *h) {
    jout_key(j, "explain");
    jout_begin(j, '{');
    jout_key(j, "lexical");
    if (h->lex_rank > 0) {
        jout_begin(j, '{');
        jout_kv_i64(j, "rank", h->lex_rank);
        kv_f32(j, "bm25", h->bm25);
        jout_end(j, '}');
    } else {
        jout_null(j);
    }
    jout_key(j, "vector");
    if (h->vec_rank > 0) {
        jout_begin(j, '{');
        jout_kv_i64(j, "rank", h->vec_rank);
        kv_f32(j, "cosine", h->cosine);
        if (h->estimated) jout_kv_bool(j, "estimated", true);
        jout_end(j, '}');
    } else {
        jout_null(j);
    }
    if (h->named > 0) kv_f32(j, "named", h->named);
    if (h->prior > 0 && h->prior < 1) kv_f32(j, "prior", h->prior);
    kv_f32(j, "fused", h->fused);
    if (h->first_rank > 0) {
        jout_key(j, "rerank");
        jout_begin(j, '{');
        jout_kv_i64(j, "rank_before", h->first_rank);
        kv_f32(j, "score_before", h->first_score);
        kv_f32(j, "relevance", h->relevance);
        jout_end(j, '}');
    }
    jout_end(j, '}');
}

/* Only of hits that have some. */
static void copies_add(JsonOut *j, const PythiaHit *h) {
    if (h->n_copies == 0) return;
    jout_key(j, "copies");
    jout_begin(j, '[');
    for (size_t i = 0; i < h->n_copies; i++) {
        const PythiaCopy *c = &h->copies[i];
        jout_begin(j, '{');
        jout_kv_str(j, "id", c->id);
        jout_kv_str(j, "uri", c->uri);
        jout_kv_str(j, "path", c->path);
        jout_kv_str(j, "collection", c->collection);
        jout_kv_positive(j, "start_line", c->start_line);
        jout_kv_positive(j, "end_line", c->end_line);
        kv_f32(j, "likeness", c->likeness);
        jout_end(j, '}');
    }
    jout_end(j, ']');
    if (h->more_copies) jout_kv_i64(j, "more_copies", h->more_copies);
}

void reply_hit(JsonOut *j, const ReplyHit *x) {
    const PythiaHit *h = x->hit;
    jout_begin(j, '{');
    jout_kv_str(j, "id", h->id);
    jout_kv_str(j, "uri", h->uri);
    jout_kv_str(j, "path", h->path);
    jout_kv_str(j, "collection", h->collection);
    jout_kv_positive(j, "start_line", x->start_line);
    jout_kv_positive(j, "end_line", x->end_line);
    jout_kv_positive(j, "page", h->page);
    jout_kv_text(j, "symbol", h->symbol);
    jout_kv_text(j, "kind", h->kind);
    jout_kv_text(j, "lang", h->lang);
    jout_kv_text(j, "heading", h->heading);
    jout_kv_about(j, h->title, h->meta);
    kv_f32(j, "score", h->score);
    jout_kv_z(j, "freshness", h->freshness);
    jout_kv_str(j, "content", x->content.p ? x->content : STR(""));
    copies_add(j, h);
    if (x->explain) explain_add(j, h);
    jout_end(j, '}');
}

/* Only of searches that had to: an index that keeps no vectors. */
static void recomputed_add(JsonOut *j, const PythiaRecomputed *r) {
    if (!r->any) return;
    jout_key(j, "recomputed");
    jout_begin(j, '{');
    jout_kv_i64(j, "computed", r->computed);
    jout_kv_i64(j, "cached", r->cached);
    jout_kv_i64(j, "lost", r->lost);
    jout_kv_bool(j, "proven", r->proven);
    jout_end(j, '}');
}

/* Only of searches whose first hits were to be reranked. */
static void reranked_add(JsonOut *j, const PythiaReranked *r) {
    if (!r->any) return;
    jout_key(j, "reranked");
    jout_begin(j, '{');
    jout_kv_str(j, "model", r->model);
    jout_kv_i64(j, "wanted", r->wanted);
    jout_kv_i64(j, "scored", r->scored);
    jout_kv_f64(j, "weight", r->weight);
    jout_kv_f64(j, "ms", (double)(int64_t)(r->ms * 1000 + 0.5) / 1000);
    jout_end(j, '}');
}

static void coverage_add(JsonOut *j, const Coverage *c) {
    jout_key(j, "coverage");
    jout_begin(j, '{');
    jout_kv_i64(j, "indexed", c->indexed);
    jout_kv_i64(j, "pending", c->pending);
    jout_kv_i64(j, "skipped", c->skipped);
    jout_kv_i64(j, "stale", c->stale);
    jout_kv_i64(j, "skimmed", c->skimmed);
    jout_kv_i64(j, "static", c->statics);
    jout_end(j, '}');
}

/* Told only where it was reached: what stands in the reply is what was found by then. */
static void deadline_add(JsonOut *j, const PythiaReply *reply) {
    if (reply->deadline_hit) jout_kv_bool(j, "deadline_hit", true);
}

void reply_search_members(JsonOut *j, const PythiaReply *reply, Str results, size_t shown) {
    jout_kv_str(j, "query", reply->query);
    jout_kv_z(j, "mode", reply->mode);
    jout_key(j, "results");
    jout_begin(j, '[');
    if (results.n) jout_raw(j, results);
    jout_end(j, ']');
    jout_kv_i64(j, "total", reply->total);
    jout_kv_bool(j, "has_more", reply->has_more || shown < reply->n);
    jout_kv_f64(j, "took_ms", (double)(int64_t)(reply->took_ms * 1000 + 0.5) / 1000);
    deadline_add(j, reply);
    coverage_add(j, &reply->coverage);
    recomputed_add(j, &reply->recomputed);
    reranked_add(j, &reply->reranked);
}

Err reply_search(JsonOut *j, const PythiaReply *reply, bool explain) {
    Buf hits = {0};
    for (size_t i = 0; i < reply->n; i++) {
        const PythiaHit *h = &reply->hits[i];
        JsonOut one = jout_to(&hits);
        if (i) buf_char(&hits, ',');
        reply_hit(&one, &(ReplyHit){h, h->content, h->start_line, h->end_line, explain});
    }
    Err err = buf_ok(&hits);
    if (!err) reply_search_members(j, reply, buf_str(&hits), reply->n);
    buf_free(&hits);
    return err;
}

void reply_citation(JsonOut *j, const PythiaCitation *c) {
    jout_begin(j, '{');
    jout_kv_i64(j, "source", (int64_t)c->source);
    jout_kv_positive(j, "start_line", c->start_line);
    jout_kv_positive(j, "end_line", c->end_line);
    jout_kv_str(j, "quote", c->quote);
    kv_f32(j, "score", c->score);
    jout_end(j, '}');
}

static void evidence_add(JsonOut *j, const PythiaAnswer *r) {
    jout_key(j, "evidence");
    jout_begin(j, '{');
    kv_f32(j, "share", r->evidence.share);
    kv_f32(j, "cosine", r->evidence.cosine);
    kv_f32(j, "span_share", r->evidence.span_share);
    kv_f32(j, "span_cosine", r->evidence.span_cosine);
    kv_f32(j, "expected", r->evidence.expected);
    kv_f32(j, "margin", r->evidence.margin);
    kv_f32(j, "denied", r->evidence.denied);
    kv_f32(j, "opposed", r->evidence.opposed);
    kv_f32(j, "held", r->evidence.held);
    kv_f32(j, "lead", r->evidence.lead);
    kv_f32(j, "gap", r->evidence.gap);
    kv_f32(j, "numbers", r->evidence.numbers);
    kv_f32(j, "names", r->evidence.names);
    jout_end(j, '}');
}

/* Of a writer that read sources. */
static void written_add(JsonOut *j, const PythiaAnswer *r) {
    jout_kv_str(j, "model", r->model);
    jout_kv_i64(j, "context_tokens", (int64_t)r->context_tokens);
    jout_key(j, "refused");
    jout_begin(j, '[');
    for (size_t i = 0; i < r->n_refused; i++) {
        jout_begin(j, '{');
        jout_kv_str(j, "sentence", r->refused[i].sentence);
        jout_kv_z(j, "why", r->refused[i].why);
        jout_end(j, '}');
    }
    jout_end(j, ']');
}

void reply_sources_member(JsonOut *j, const PythiaAnswer *r, bool explain) {
    jout_key(j, "sources");
    jout_begin(j, '[');
    for (size_t i = 0; i < r->n_sources; i++) {
        const PythiaHit *h = &r->sources[i];
        reply_hit(j, &(ReplyHit){h, h->content, h->start_line, h->end_line, explain});
    }
    jout_end(j, ']');
}

void reply_answer_members(JsonOut *j, const PythiaAnswer *r, bool explain) {
    jout_kv_str(j, "question", r->question);
    if (!str_eq(r->question, r->found.query)) jout_kv_str(j, "understood", r->found.query);
    if (r->session) jout_kv_i64(j, "session", r->session);
    jout_kv_text(j, "answer", r->answer);
    jout_kv_bool(j, "abstained", r->abstained);
    jout_kv_f64(j, "confidence", (double)(int64_t)(r->confidence * 1e4 + 0.5) / 1e4);
    jout_kv_z(j, "writer", r->writer);
    if (r->model.n) written_add(j, r);
    jout_key(j, "citations");
    jout_begin(j, '[');
    for (size_t i = 0; i < r->n_citations; i++) reply_citation(j, &r->citations[i]);
    jout_end(j, ']');
    reply_sources_member(j, r, explain);
    if (explain) {
        evidence_add(j, r);
        jout_key(j, "read"); /* every hit, best first */
        jout_begin(j, '[');
        for (size_t i = 0; i < r->found.n; i++) jout_str(j, r->found.hits[i].path);
        jout_end(j, ']');
    }
    jout_kv_f64(j, "took_ms", (double)(int64_t)(r->took_ms * 1000 + 0.5) / 1000);
    deadline_add(j, &r->found);
    coverage_add(j, &r->found.coverage);
}

void reply_chat(JsonOut *j, const PythiaChat *c) {
    jout_begin(j, '{');
    jout_kv_i64(j, "id", c->id);
    jout_kv_text(j, "owner", c->owner);
    jout_kv_text(j, "title", c->title);
    jout_key(j, "collections");
    jout_begin(j, '[');
    for (size_t i = 0; i < c->n_collections; i++) jout_str(j, c->collections[i]);
    jout_end(j, ']');
    jout_kv_i64(j, "messages", c->messages);
    jout_kv_time(j, "created", c->created_ms);
    jout_kv_time(j, "updated", c->updated_ms);
    jout_end(j, '}');
}

void reply_chats_member(JsonOut *j, const PythiaChat *chats, size_t n) {
    jout_key(j, "chats");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) reply_chat(j, &chats[i]);
    jout_end(j, ']');
}

void reply_message(JsonOut *j, const PythiaMessage *m) {
    jout_begin(j, '{');
    jout_kv_str(j, "role", m->role);
    jout_kv_str(j, "content", m->content);
    jout_kv_time(j, "created", m->created_ms);
    if (m->details.n) {
        jout_key(j, "details");
        jout_raw(j, m->details);
    }
    jout_end(j, '}');
}

void reply_chat_members(JsonOut *j, const PythiaChat *chat, const PythiaMessage *messages, size_t n) {
    jout_key(j, "chat");
    reply_chat(j, chat);
    jout_key(j, "messages");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) reply_message(j, &messages[i]);
    jout_end(j, ']');
}

void reply_text(JsonOut *j, const PythiaText *t) {
    jout_begin(j, '{');
    jout_kv_text(j, "id", t->id);
    jout_kv_text(j, "uri", t->uri);
    jout_kv_str(j, "path", t->path);
    jout_kv_text(j, "collection", t->collection);
    jout_kv_positive(j, "start_line", t->start_line);
    jout_kv_positive(j, "end_line", t->end_line);
    jout_kv_text(j, "symbol", t->symbol);
    jout_kv_text(j, "kind", t->kind);
    jout_kv_text(j, "lang", t->lang);
    jout_kv_about(j, t->title, t->meta);
    jout_kv_z(j, "freshness", t->freshness);
    jout_kv_str(j, "content", t->content.p ? t->content : STR(""));
    jout_end(j, '}');
}

void reply_collection_members(JsonOut *j, const PythiaCollection *c) {
    jout_kv_str(j, "name", c->name);
    jout_kv_text(j, "root", c->root);
    jout_kv_text(j, "describe", c->describe);
    jout_kv_text(j, "model", c->model);
    jout_kv_positive(j, "dimension", c->dim);
    jout_kv_text(j, "index", c->index_kind);
    jout_kv_text(j, "index_why", c->index_why);
    jout_kv_text(j, "index_hint", c->index_hint);
    jout_kv_text(j, "store", c->store);
    jout_kv_i64(j, "documents", c->documents);
    jout_kv_i64(j, "skipped", c->skipped);
    jout_kv_i64(j, "failed", c->failed);
    jout_kv_i64(j, "chunks", c->chunks);
    jout_kv_i64(j, "embedded", c->embedded);
    jout_kv_i64(j, "pending", c->pending);
    jout_kv_i64(j, "skimmed", c->skimmed);
    jout_kv_i64(j, "static", c->statics);
    jout_kv_i64(j, "text_bytes", c->text_bytes);
    jout_kv_i64(j, "index_bytes", c->index_bytes);
    jout_kv_i64(j, "lexical_bytes", c->lexical_bytes);
    jout_kv_time(j, "updated", c->updated_ms);
    jout_kv_bool(j, "root_missing", c->root_missing);
    jout_kv_bool(j, "model_missing", c->model_missing);
    jout_kv_text(j, "last_run_state", c->last_run_state);
    jout_kv_text(j, "last_run_error", c->last_run_error);
}

void reply_status_members(JsonOut *j, const PythiaStatus *s) {
    jout_key(j, "skip_counts");
    jout_begin(j, '[');
    for (size_t i = 0; i < s->n_skip_counts; i++) {
        jout_begin(j, '{');
        jout_kv_str(j, "reason", s->skip_counts[i].reason);
        jout_kv_i64(j, "files", s->skip_counts[i].files);
        jout_end(j, '}');
    }
    jout_end(j, ']');
    jout_kv_reasons(j, "skipped_files", s->skipped, s->n_skipped);
    jout_kv_reasons(j, "failed_files", s->failed, s->n_failed);
    jout_kv_reasons(j, "stale_files", s->stale, s->n_stale);
}

static void symbol_write(JsonOut *j, const PythiaSymbol *s) {
    jout_begin(j, '{');
    jout_kv_str(j, "symbol", s->path);
    jout_kv_str(j, "name", s->name);
    jout_kv_str(j, "kind", s->kind);
    jout_kv_text(j, "signature", s->signature);
    jout_kv_str(j, "uri", s->uri);
    jout_kv_str(j, "path", s->file);
    jout_kv_str(j, "collection", s->collection);
    jout_kv_text(j, "lang", s->lang);
    jout_kv_i64(j, "line", s->line);
    jout_kv_i64(j, "start_line", s->start_line);
    jout_kv_i64(j, "end_line", s->end_line);
    jout_end(j, '}');
}

static void reference_write(JsonOut *j, const PythiaReference *r) {
    jout_begin(j, '{');
    jout_kv_str(j, "uri", r->uri);
    jout_kv_str(j, "path", r->file);
    jout_kv_str(j, "collection", r->collection);
    jout_kv_text(j, "lang", r->lang);
    jout_kv_i64(j, "line", r->line);
    jout_kv_text(j, "content", r->text);
    jout_end(j, '}');
}

static void usage_write(JsonOut *j, const PythiaUsage *u) {
    jout_begin(j, '{');
    jout_kv_str(j, "pattern", u->shape);
    jout_kv_i64(j, "count", u->count);
    jout_key(j, "arguments");
    if (u->arguments >= 0)
        jout_i64(j, u->arguments);
    else
        jout_null(j);
    jout_key(j, "examples");
    jout_begin(j, '[');
    for (size_t i = 0; i < u->n; i++) reference_write(j, &u->examples[i]);
    jout_end(j, ']');
    jout_end(j, '}');
}

void reply_symbols_members(JsonOut *j, const PythiaSymbolsRequest *rq, const PythiaSymbols *r) {
    jout_kv_str(j, "query", rq->what);
    jout_kv_z(j, "mode", r->how);
    jout_key(j, "results");
    jout_begin(j, '[');
    for (size_t i = 0; i < r->n; i++) symbol_write(j, &r->symbols[i]);
    jout_end(j, ']');
    jout_kv_i64(j, "total", r->total);
    jout_kv_bool(j, "stale", r->stale);
    if (rq->usages) {
        jout_key(j, "usages");
        jout_begin(j, '[');
        for (size_t i = 0; i < r->n_usages; i++) usage_write(j, &r->usages[i]);
        jout_end(j, ']');
        jout_kv_i64(j, "total_usages", r->total_usages);
        jout_kv_i64(j, "total_references", r->total_references);
    } else if (rq->references) {
        jout_key(j, "references");
        jout_begin(j, '[');
        for (size_t i = 0; i < r->n_references; i++) reference_write(j, &r->references[i]);
        jout_end(j, ']');
        jout_kv_i64(j, "total_references", r->total_references);
    }
    jout_kv_f64(j, "took_ms", r->took_ms);
}

void reply_run(JsonOut *j, const PythiaRun *r) {
    jout_begin(j, '{');
    jout_kv_i64(j, "id", r->id);
    jout_kv_str(j, "collection", r->collection);
    jout_kv_str(j, "state", r->state);
    jout_kv_text(j, "stage", r->stage);
    jout_kv_i64(j, "done", r->done);
    jout_kv_i64(j, "total", r->total);
    jout_kv_i64(j, "failures", r->failures);
    jout_kv_time(j, "queued", r->queued_ms);
    jout_kv_time(j, "started", r->started_ms);
    jout_kv_time(j, "ended", r->ended_ms);
    jout_kv_text(j, "error", r->error);
    jout_end(j, '}');
}

void reply_feedback_member(JsonOut *j, const PythiaFeedbackRow *rows, size_t n) {
    jout_key(j, "feedback");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) {
        const PythiaFeedbackRow *r = &rows[i];
        jout_begin(j, '{');
        jout_kv_str(j, "query", r->query);
        jout_kv_str(j, "collection", r->collection);
        jout_kv_str(j, "path", r->path);
        jout_kv_i64(j, "start_line", r->start_line);
        jout_kv_i64(j, "end_line", r->end_line);
        jout_kv_z(j, "verdict", pythia_verdict_names[r->verdict]);
        jout_kv_time(j, "at", r->at_ms);
        jout_end(j, '}');
    }
    jout_end(j, ']');
}

void reply_audit(JsonOut *j, const PythiaAudit *r) {
    jout_begin(j, '{');
    jout_kv_i64(j, "id", r->id);
    jout_kv_time(j, "at", r->at_ms);
    jout_kv_text(j, "who", r->who);
    jout_kv_text(j, "door", r->door);
    jout_kv_str(j, "action", r->action);
    jout_kv_text(j, "collection", r->collection);
    jout_kv_text(j, "object", r->object);
    jout_kv_text(j, "outcome", r->outcome);
    jout_end(j, '}');
}

void reply_document_members(JsonOut *j, const PythiaDocument *d, bool chunks) {
    jout_kv_str(j, "id", d->path);
    jout_kv_str(j, "uri", d->uri);
    jout_kv_str(j, "path", d->path);
    jout_kv_text(j, "title", d->title);
    jout_kv_about(j, STR(""), d->meta);
    jout_kv_z(j, "state", d->state);
    jout_kv_text(j, "reason", d->reason);
    jout_kv_text(j, "lang", d->lang);
    jout_kv_z(j, "sha256", d->sha256);
    jout_kv_i64(j, "bytes", d->bytes);
    if (chunks) jout_kv_i64(j, "chunks", d->chunks);
    jout_kv_time(j, "modified", d->modified_ms);
    jout_kv_time(j, "indexed", d->indexed_ms);
}

static void uploaded_write(JsonOut *j, const Uploaded *u) {
    jout_begin(j, '{');
    jout_kv_str(j, "name", u->name);
    jout_kv_z(j, "outcome", upload_outcome_names[u->outcome]);
    jout_kv_text(j, "refusal", u->reason);
    jout_key(j, "document");
    if (u->outcome == UPLOAD_REFUSED) {
        jout_null(j);
    } else {
        jout_begin(j, '{');
        reply_document_members(j, &u->document, true);
        jout_end(j, '}');
    }
    jout_end(j, '}');
}

void reply_upload_members(JsonOut *j, Str collection, const UploadReport *r) {
    jout_kv_str(j, "collection", collection);
    jout_kv_positive(j, "run", r->run);
    jout_kv_i64(j, "added", r->added);
    jout_kv_i64(j, "replaced", r->replaced);
    jout_kv_i64(j, "known", r->known);
    jout_kv_i64(j, "refused", r->refused);
    jout_kv_i64(j, "chunks", r->chunks);
    jout_kv_i64(j, "embedded", r->embedded);
    jout_kv_i64(j, "reused", r->reused);
    jout_kv_i64(j, "tokens", r->tokens);
    jout_kv_f64(j, "seconds", r->seconds);
    jout_key(j, "files");
    jout_begin(j, '[');
    for (size_t i = 0; i < r->n; i++) uploaded_write(j, &r->files[i]);
    jout_end(j, ']');
}

void reply_vector(JsonOut *j, const char *key, const float *v, size_t dim) {
    if (key) jout_key(j, key);
    jout_begin(j, '[');
    for (size_t d = 0; d < dim; d++) jout_f32(j, v[d]);
    jout_end(j, ']');
}

void reply_error_members(JsonOut *j, Err err) {
    jout_kv_z(j, "code", err_name(err));
    jout_key(j, "message");
    jout_str(j, str_of(err_text()));
    jout_kv_z(j, "fix", err_fix_text());
}

void reply_error(JsonOut *j, Err err) {
    jout_begin(j, '{');
    jout_kv_z(j, "status", "error");
    jout_key(j, "error");
    jout_begin(j, '{');
    reply_error_members(j, err);
    jout_end(j, '}');
    jout_end(j, '}');
}
