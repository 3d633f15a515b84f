/* ops_ask.c - answers, whole or as events: sources once, then each part of the text (delta) and what it cites
 * (citation), or that there is no answer (abstain), and at the end the whole reply (done). A part was checked before it
 * is sent, so none is taken back; an error ends a stream with its envelope (error).
 */
#include "serve/ops_fields.h"
#include "serve/reply.h"

const Field ask_fields[] = {
    {.name = "question",
     .types = FIELD_STR,
     .flags = FIELD_REQUIRED | FIELD_TOOL,
     .alias = "query",
     .max_bytes = 64 << 10,
     .help = "what to answer"},
    COLLECTIONS_FIELD(FIELD_TOOL, "names; default: all"),
    NAMES_FIELD("path", FIELD_TOOL, "only from these folders or files"),
    NAMES_FIELD("lang", 0, "only from these languages"),
    FILTERS_FIELD("what may be read"),
    {.name = "mode",
     .types = FIELD_STR,
     .values = "hybrid|semantic|lexical",
     .standard = "\"hybrid\"",
     .help = "how sources are found"},
    {.name = "session",
     .types = FIELD_STR | FIELD_INT,
     .flags = FIELD_TOOL,
     .min = 1,
     .max = 9e15,
     .max_bytes = 24,
     .help = "a chat's number to follow on, or new to begin one"},
    {.name = "sources", .types = FIELD_INT, .min = 1, .max = 64, .standard = "8", .help = "hits to read"},
    {.name = "quotes", .types = FIELD_INT, .min = 1, .max = 8, .standard = "3", .help = "quotes at most"},
    {.name = "context_tokens",
     .types = FIELD_INT,
     .min = 1,
     .max = 1 << 20,
     .standard = "4096",
     .help = "of sources that a writer reads at most"},
    SWITCH_FIELD("extractive", "quotes alone, whatever writer is configured"),
    SWITCH_FIELD("sources_only", "no answer, only what it would be made of"),
    SWITCH_FIELD("stream", "over HTTP: events sources, delta, citation, abstain, done, error"),
    {.name = "abstain",
     .types = FIELD_NUM,
     .min = 0,
     .max = 1,
     .standard = "0.4",
     .help = "least confidence of an answer"},
    SWITCH_FIELD("explain", "what the confidence was made of"),
    DEADLINE_FIELD,
    {0}};

const Field citation_reply[] = {INT_FIELD("source"),
                                INT_OR_NULL("start_line"),
                                INT_OR_NULL("end_line"),
                                STR_FIELD("quote"),
                                {.name = "score", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
                                {0}};
static const Field refused_reply[] = {STR_FIELD("sentence"), STR_FIELD("why"), {0}};
const Field ask_reply[] = {OK_FIELD,
                           STR_FIELD("question"),
                           {.name = "understood", .types = FIELD_STR},
                           {.name = "session", .types = FIELD_INT},
                           STR_OR_NULL("answer"),
                           {.name = "abstained", .types = FIELD_BOOL, .flags = FIELD_REQUIRED},
                           {.name = "confidence", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
                           STR_FIELD("writer"),
                           {.name = "model", .types = FIELD_STR},
                           {.name = "context_tokens", .types = FIELD_INT},
                           {.name = "refused", .types = FIELD_OBJECTS, .members = refused_reply},
                           {.name = "citations", .types = FIELD_OBJECTS, .members = citation_reply},
                           {.name = "sources", .types = FIELD_OBJECTS, .members = hit_reply},
                           {.name = "evidence", .types = FIELD_ANY},
                           {.name = "read", .types = FIELD_STRS},
                           {.name = "took_ms", .types = FIELD_NUM, .flags = FIELD_REQUIRED},
                           {.name = "deadline_hit", .types = FIELD_BOOL},
                           {.name = "coverage", .types = FIELD_ANY, .flags = FIELD_REQUIRED},
                           {0}};

bool call_event(Call *c, const char *name, Buf *data) {
    Buf b = {0};
    if (name) buf_printf(&b, "event: %s\n", name);
    buf_add_z(&b, "data: ");
    buf_add(&b, buf_str(data));
    buf_add_z(&b, "\n\n");
    const bool heard = !b.failed && !data->failed && c->stream(c, buf_str(&b));
    buf_free(&b);
    buf_free(data);
    return heard;
}

typedef struct {
    Call *call;
    bool explain;
    bool begun;    /* something was sent */
    int64_t parts; /* of the text, so far */
} Telling;

static void abstained_members(JsonOut *j, const PythiaAnswer *r, bool explain) {
    jout_kv_f64(j, "confidence", r->confidence);
    jout_kv_f64(j, "threshold", r->threshold);
    jout_key(j, "citations"); /* what came nearest */
    jout_begin(j, '[');
    for (size_t i = 0; i < r->n_citations; i++) reply_citation(j, &r->citations[i]);
    jout_end(j, ']');
    reply_sources_member(j, r, explain);
}

static bool tell(void *ctx, const PythiaAskNews *news) {
    static const char *const names[] = {
        [ASK_SOURCES] = "sources", [ASK_DELTA] = "delta", [ASK_CITATION] = "citation", [ASK_ABSTAIN] = "abstain"};
    Telling *t = ctx;
    Buf data = {0};
    JsonOut j = jout_to(&data);
    t->begun = true;
    if (news->what == ASK_CITATION) {
        reply_citation(&j, news->citation);
        return call_event(t->call, names[news->what], &data);
    }
    jout_begin(&j, '{');
    if (news->what == ASK_SOURCES) reply_sources_member(&j, news->answer, t->explain);
    if (news->what == ASK_DELTA) jout_kv_str(&j, "text", news->delta);
    if (news->what == ASK_ABSTAIN) abstained_members(&j, news->answer, t->explain);
    jout_end(&j, '}');
    return call_event(t->call, names[news->what], &data);
}

/* To whoever only wants to know how far it is. */
static bool tell_progress(void *ctx, const PythiaAskNews *news) {
    Telling *t = ctx;
    const bool sources = news->what == ASK_SOURCES;
    if (!sources && news->what != ASK_DELTA) return true;
    t->parts += !sources;
    const int64_t n = sources ? (int64_t)news->answer->n_sources : t->parts;
    t->call->progress(t->call, &(IndexProgress){.stage = sources ? "read" : "write", .done = n});
    return true;
}

/* The envelope of the reply, or of the error, as the last event. */
static Err tell_end(Telling *t, Err err, const PythiaAnswer *reply) {
    Buf data = {0};
    JsonOut j = jout_to(&data);
    if (err) {
        if (t->begun) {
            reply_error(&j, err);
            (void)call_event(t->call, "error", &data);
        }
        return err;
    }
    jout_begin(&j, '{');
    jout_kv_z(&j, "status", "ok");
    reply_answer_members(&j, reply, t->explain);
    jout_end(&j, '}');
    (void)call_event(t->call, "done", &data);
    return ERR_OK;
}

/* As text, whichever way it came. */
static Err session_of(Call *c, Str *out) {
    const int64_t id = field_i64(c->params, "session", 0);
    *out = id ? arena_printf(c->arena, "%lld", (long long)id) : field_str(c->params, "session", "");
    return out->p ? ERR_OK : arena_error();
}

Err op_ask(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    Telling telling = {.call = c, .explain = field_bool(p, "explain", false)};
    const bool stream = field_bool(p, "stream", false) && c->stream;
    PythiaAsk rq = {.quotes = (size_t)field_i64(p, "quotes", 0),
                    .threshold = field_f64(p, "abstain", -1),
                    .extractive = field_bool(p, "extractive", false),
                    .sources_only = field_bool(p, "sources_only", false),
                    .context_tokens = (size_t)field_i64(p, "context_tokens", 0),
                    .owner = call_owner(c),
                    .whole = !stream,
                    .any_collections = json_object_get(p, "collections") == NULL,
                    .tell = stream        ? tell
                            : c->progress ? tell_progress
                                          : NULL,
                    .tell_ctx = &telling};
    PythiaAnswer reply;
    TRY(session_of(c, &rq.session));
    TRY(call_search(c, "question", &rq.search));
    rq.search.limit = (size_t)field_i64(p, "sources", 0);
    const Err err = pythia_ask(c->engine, c->arena, &rq, &reply);
    if (!err && reply.abstained) metrics_abstained(desk_metrics(c->desk));
    if (stream) return tell_end(&telling, err, &reply);
    TRY(err);
    reply_answer_members(j, &reply, telling.explain);
    return ERR_OK;
}
