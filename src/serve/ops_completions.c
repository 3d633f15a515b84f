/* ops_completions.c - answers as OpenAI's chat completions, so that what can chat with a model can chat with a
 * collection.
 *
 * model is "pythia" (all collections), or "pythia:COLLECTION". The last message asks. Beside OpenAI's members a reply
 * has citations, sources and abstained, in a stream with its last chunk. usage counts what the writer read and wrote,
 * sentences that were left out included, or what was read and quoted where no model writes. Instructions of a system
 * message are not followed: the answer is made of sources. (platform.openai.com/docs/api-reference/chat)
 */
#include <stdio.h>

#include "base/hash.h"
#include "serve/ops_fields.h"
#include "serve/reply.h"

#define IGNORED(field)                                                                                                 \
    { .name = field, .types = FIELD_ANY, .flags = FIELD_IGNORED, .help = "changes nothing" }

static const Field part_fields[] = {
    {.name = "type", .types = FIELD_STR, .flags = FIELD_REQUIRED, .values = "text", .help = "what it is"},
    {.name = "text", .types = FIELD_STR, .flags = FIELD_REQUIRED | FIELD_BLANK_OK, .help = "its text"},
    {0}};
static const Field message_fields[] = {{.name = "role",
                                        .types = FIELD_STR,
                                        .flags = FIELD_REQUIRED,
                                        .values = "system|developer|user|assistant",
                                        .help = "who says it"},
                                       {.name = "content",
                                        .types = FIELD_STR | FIELD_OBJECTS,
                                        .flags = FIELD_BLANK_OK,
                                        .max_bytes = 1 << 20,
                                        .members = part_fields,
                                        .help = "what is said: a text, or parts of one"},
                                       IGNORED("name"),
                                       IGNORED("refusal"),
                                       {0}};
static const Field stream_fields[] = {
    SWITCH_FIELD("include_usage", "tokens, in a chunk of their own at the end"), IGNORED("include_obfuscation"), {0}};
static const Field usage_reply[] = {INT_FIELD("prompt_tokens"),
                                    INT_FIELD("completion_tokens"),
                                    INT_FIELD("total_tokens"),
                                    {.name = "estimated", .types = FIELD_BOOL},
                                    {0}};
const Field completions_fields[] = {
    {.name = "model",
     .types = FIELD_STR,
     .flags = FIELD_REQUIRED,
     .max_bytes = 220,
     .help = "pythia, or pythia:COLLECTION"},
    {.name = "messages",
     .types = FIELD_OBJECTS,
     .flags = FIELD_REQUIRED,
     .max_items = 1000,
     .members = message_fields,
     .help = "the chat so far; the last one asks"},
    SWITCH_FIELD("stream", "chunks as they are written, over HTTP"),
    {.name = "stream_options", .types = FIELD_OBJECT, .members = stream_fields, .help = "of a stream"},
    IGNORED("temperature"),
    IGNORED("top_p"),
    IGNORED("n"),
    IGNORED("stop"),
    IGNORED("seed"),
    IGNORED("user"),
    IGNORED("max_tokens"),
    IGNORED("max_completion_tokens"),
    IGNORED("presence_penalty"),
    IGNORED("frequency_penalty"),
    IGNORED("response_format"),
    {0}};
const Field completions_reply[] = {
    STR_FIELD("id"),
    STR_FIELD("object"),
    INT_FIELD("created"),
    STR_FIELD("model"),
    {.name = "choices", .types = FIELD_OBJECTS},
    {.name = "usage", .types = FIELD_OBJECT, .flags = FIELD_REQUIRED, .members = usage_reply},
    {.name = "citations", .types = FIELD_OBJECTS, .members = citation_reply},
    {.name = "sources", .types = FIELD_OBJECTS, .members = hit_reply},
    {.name = "abstained", .types = FIELD_BOOL, .flags = FIELD_REQUIRED},
    {.name = "confidence", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
    {0}};

/* ---- the request ---- */

static Err content_of(Call *c, const json_t *message, Str *out) {
    const json_t *parts = json_object_get(message, "content");
    *out = field_str(message, "content", "");
    if (!json_is_array(parts)) return ERR_OK;
    Buf b = {0};
    for (size_t i = 0; i < json_array_size(parts); i++) {
        if (i) buf_char(&b, '\n');
        buf_add(&b, field_str(json_array_get(parts, i), "text", ""));
    }
    const Err err = buf_ok(&b);
    *out = arena_str(c->arena, buf_str(&b));
    buf_free(&b);
    return err ? err : out->p ? ERR_OK : arena_error();
}

/* The last message, which must be the user's, as a field of the request that searches read. */
static Err question_take(Call *c) {
    const json_t *messages = json_object_get(c->params, "messages");
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    Str text;
    if (!str_is(field_str(last, "role", ""), "user"))
        return err_set(ERR_USAGE, "the last of 'messages' must be the user's: it asks");
    TRY(content_of(c, last, &text));
    if (!str_trim(text).n) return err_set(ERR_USAGE, "the last of 'messages' is empty");
    if (json_object_set_new(c->params, "question", json_stringn(text.p, text.n)))
        return err_set(ERR_NOMEM, "out of memory for a question");
    return ERR_OK;
}

/* What was said before: each question of the user with the answer behind it. */
static Err turns_take(Call *c, const PythiaTurn **out, size_t *n) {
    const json_t *messages = json_object_get(c->params, "messages");
    const size_t before = json_array_size(messages) - 1;
    PythiaTurn *turns = arena_array(c->arena, PythiaTurn, before + 1);
    if (!turns) return arena_error();
    *out = turns;
    *n = 0;
    for (size_t i = 0; i < before; i++) {
        const json_t *message = json_array_get(messages, i);
        const Str role = field_str(message, "role", "");
        if (str_is(role, "user")) {
            turns[*n].answer = STR("");
            TRY(content_of(c, message, &turns[(*n)++].question));
        } else if (str_is(role, "assistant") && *n) {
            TRY(content_of(c, message, &turns[*n - 1].answer));
        }
    }
    return ERR_OK;
}

static Err collection_take(Call *c) {
    const Str model = field_str(c->params, "model", ""), prefix = STR("pythia:");
    if (str_is(model, "pythia")) return ERR_OK;
    if (!str_starts(model, prefix) || model.n == prefix.n)
        return err_set(ERR_USAGE, "'model' cannot be '%.*s'; valid: pythia, pythia:COLLECTION", STR_FMT(model));
    const Str name = str_from(model, prefix.n);
    if (json_object_set_new(c->params, "collections", json_pack("[s%]", name.p, name.n)))
        return err_set(ERR_NOMEM, "out of memory for a question");
    return ERR_OK;
}

/* ---- the reply ---- */

typedef struct {
    Call *call;
    char id[32];
    int64_t created_s;
    Str model;
    bool begun, counts; /* counts: a stream is to tell its usage */
} Completion;

/* The members that every object has; delta: in a stream. */
static void head_members(JsonOut *j, const Completion *x, bool delta) {
    jout_kv_z(j, "id", x->id);
    jout_kv_z(j, "object", delta ? "chat.completion.chunk" : "chat.completion");
    jout_kv_i64(j, "created", x->created_s);
    jout_kv_str(j, "model", x->model);
}

/* content {NULL,0}: none. */
static void choice_member(JsonOut *j, const char *name, bool role, Str content, const char *finish) {
    jout_key(j, "choices");
    jout_begin(j, '[');
    jout_begin(j, '{');
    jout_kv_i64(j, "index", 0);
    jout_key(j, name);
    jout_begin(j, '{');
    if (role) jout_kv_z(j, "role", "assistant");
    if (content.p) jout_kv_str(j, "content", content);
    jout_end(j, '}');
    jout_kv_z(j, "finish_reason", finish);
    jout_end(j, '}');
    jout_end(j, ']');
}

static void answer_members(JsonOut *j, const PythiaAnswer *r) {
    jout_key(j, "citations");
    jout_begin(j, '[');
    for (size_t i = 0; i < r->n_citations; i++) reply_citation(j, &r->citations[i]);
    jout_end(j, ']');
    reply_sources_member(j, r, false);
    jout_kv_bool(j, "abstained", r->abstained);
    jout_kv_f64(j, "confidence", r->confidence);
}

static void usage_member(JsonOut *j, const PythiaAnswer *r) {
    jout_key(j, "usage");
    jout_begin(j, '{');
    jout_kv_i64(j, "prompt_tokens", r->tokens.read);
    jout_kv_i64(j, "completion_tokens", r->tokens.written);
    jout_kv_i64(j, "total_tokens", r->tokens.read + r->tokens.written);
    if (r->tokens.estimated) jout_kv_bool(j, "estimated", true);
    jout_end(j, '}');
}

/* What a person reads where there is no answer: clients of chats show the content alone. */
static Err no_answer(Call *c, const PythiaAnswer *r, Str *out) {
    if (r->n_citations)
        *out = arena_printf(c->arena, "The sources do not answer this. Nearest: %.*s, line %d.",
                            STR_FMT(r->sources[r->citations[0].source - 1].path), r->citations[0].start_line);
    else
        *out = STR("The sources do not answer this.");
    return out->p ? ERR_OK : arena_error();
}

static bool chunk(Completion *x, bool role, Str content, const char *finish, const PythiaAnswer *r) {
    Buf data = {0};
    JsonOut j = jout_to(&data);
    x->begun = true;
    jout_begin(&j, '{');
    head_members(&j, x, true);
    choice_member(&j, "delta", role, content, finish);
    if (x->counts) {
        jout_key(&j, "usage");
        jout_null(&j);
    }
    if (r) answer_members(&j, r);
    jout_end(&j, '}');
    return call_event(x->call, NULL, &data);
}

static void usage_chunk(Completion *x, const PythiaAnswer *r) {
    Buf data = {0};
    JsonOut j = jout_to(&data);
    jout_begin(&j, '{');
    head_members(&j, x, true);
    jout_key(&j, "choices");
    jout_begin(&j, '[');
    jout_end(&j, ']');
    usage_member(&j, r);
    jout_end(&j, '}');
    (void)call_event(x->call, NULL, &data);
}

static bool tell(void *ctx, const PythiaAskNews *news) {
    Completion *x = ctx;
    if (news->what == ASK_DELTA) return chunk(x, !x->begun, news->delta, NULL, NULL);
    return true;
}

/* What is left to be said in a stream: that there is no answer, what is cited, an error, the end. */
static Err stream_end(Completion *x, Err err, const PythiaAnswer *r, Str content) {
    Buf data = {0};
    if (err && !x->begun) return err;
    if (err) {
        JsonOut j = jout_to(&data);
        jout_begin(&j, '{');
        jout_key(&j, "error");
        jout_begin(&j, '{');
        reply_error_members(&j, err);
        jout_end(&j, '}');
        jout_end(&j, '}');
        (void)call_event(x->call, NULL, &data);
        return err;
    }
    if (r->abstained) (void)chunk(x, !x->begun, content, NULL, NULL);
    (void)chunk(x, false, (Str){NULL, 0}, "stop", r);
    if (x->counts) usage_chunk(x, r);
    buf_add_z(&data, "[DONE]");
    (void)call_event(x->call, NULL, &data);
    return ERR_OK;
}

Err op_completions(Call *c, JsonOut *j) {
    const bool stream = field_bool(c->params, "stream", false) && c->stream;
    Completion x = {.call = c, .created_s = clock_wall_ms() / 1000, .model = field_str(c->params, "model", "")};
    PythiaAsk rq = {
        .threshold = -1, .whole = !stream, .count_tokens = true, .tell = stream ? tell : NULL, .tell_ctx = &x};
    PythiaAnswer reply;
    x.counts = stream && field_bool(json_object_get(c->params, "stream_options"), "include_usage", false);
    (void)snprintf(x.id, sizeof x.id, "chatcmpl-%016llx",
                   (unsigned long long)xxh3_seeded(x.model, (uint64_t)clock_mono_ns()));
    TRY(question_take(c));
    TRY(turns_take(c, &rq.turns, &rq.n_turns));
    TRY(collection_take(c));
    TRY(call_search(c, "question", &rq.search));
    rq.search.limit = 0;
    Err err = pythia_ask(c->engine, c->arena, &rq, &reply);
    Str content = err ? STR("") : reply.answer;
    if (!err && reply.abstained) {
        metrics_abstained(desk_metrics(c->desk));
        err = no_answer(c, &reply, &content);
    }
    if (stream) return stream_end(&x, err, &reply, content);
    TRY(err);
    head_members(j, &x, false);
    choice_member(j, "message", true, content, "stop");
    usage_member(j, &reply);
    answer_members(j, &reply);
    return ERR_OK;
}
