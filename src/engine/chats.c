/* chats.c - chats: what was asked and answered, kept in the store, so that a question may follow on another.
 *
 * A turn is two messages, put together once its answer is whole; of one that failed nothing is kept. With the answer
 * stands, as JSON, how the question was understood, and what the answer stands on.
 */
#include "engine/chats.h"

#include "base/json.h"

enum { TITLE_BYTES = 80 };

static Err chat_out(Arena *a, const StoreChat *c, PythiaChat *out) {
    json_t *names = NULL;
    *out = (PythiaChat){.id = c->id,
                        .owner = c->owner,
                        .title = c->title,
                        .created_ms = c->created_ms,
                        .updated_ms = c->updated_ms,
                        .messages = c->messages};
    TRY(json_read(c->collections, "a chat's collections", &names));
    const size_t n = json_array_size(names);
    Str *list = arena_array(a, Str, n);
    Err err = list ? ERR_OK : arena_error();
    for (size_t i = 0; !err && i < n; i++) {
        const json_t *name = json_array_get(names, i);
        list[i] = arena_str(a, str_make(json_string_value(name), json_string_length(name)));
        if (!list[i].p) err = arena_error();
    }
    json_decref(names);
    out->collections = list;
    out->n_collections = n;
    return err;
}

Err pythia_chats(Pythia *p, Arena *a, Str owner, size_t limit, PythiaChat **out, size_t *n) {
    Store *s = NULL;
    StoreChat *chats = NULL;
    *n = 0;
    *out = NULL;
    TRY(engine_store(p, false, &s));
    TRY(store_chats(s, a, owner, limit < STORE_CHATS_MAX ? limit : STORE_CHATS_MAX, &chats, n));
    *out = arena_array(a, PythiaChat, *n);
    if (!*out) return arena_error();
    for (size_t i = 0; i < *n; i++) TRY(chat_out(a, &chats[i], &(*out)[i]));
    return ERR_OK;
}

static Err message_out(Arena *a, const StoreMessage *m, PythiaMessage *out) {
    json_t *root = NULL;
    *out = (PythiaMessage){.role = m->role,
                           .content = m->content,
                           .details = m->citations,
                           .created_ms = m->created_ms,
                           .understood = STR("")};
    if (!m->citations.n) return ERR_OK;
    TRY(json_read(m->citations, "a message's citations", &root));
    const json_t *understood = json_object_get(root, "understood");
    if (json_is_string(understood))
        out->understood = arena_str(a, str_make(json_string_value(understood), json_string_length(understood)));
    out->abstained = json_is_true(json_object_get(root, "abstained"));
    json_decref(root);
    return out->understood.p ? ERR_OK : arena_error();
}

Err pythia_chat(Pythia *p, Arena *a, Str owner, int64_t id, PythiaChat *out, PythiaMessage **messages, size_t *n) {
    Store *s = NULL;
    StoreChat chat;
    StoreMessage *list = NULL;
    *n = 0;
    TRY(engine_store(p, false, &s));
    TRY(store_chat(s, a, owner, id, &chat));
    TRY(chat_out(a, &chat, out));
    TRY(store_chat_messages(s, a, id, STORE_MESSAGES_MAX, &list, n));
    *messages = arena_array(a, PythiaMessage, *n);
    if (!*messages) return arena_error();
    for (size_t i = 0; i < *n; i++) TRY(message_out(a, &list[i], &(*messages)[i]));
    return ERR_OK;
}

Err pythia_chat_begin(Pythia *p, Arena *a, Str owner, Str title, const Str *collections, size_t n, PythiaChat *out) {
    Store *s = NULL;
    StoreChat chat;
    Buf names = {0};
    int64_t id = 0;
    JsonOut j = jout_to(&names);
    jout_begin(&j, '[');
    for (size_t i = 0; i < n; i++) jout_str(&j, collections[i]);
    jout_end(&j, ']');
    Err err = buf_ok(&names);
    if (!err) err = engine_store(p, true, &s);
    if (!err)
        err = store_chat_begin(s, owner.p ? owner : STR(""), str_upto(title, TITLE_BYTES), buf_str(&names),
                               clock_wall_ms(), &id);
    if (!err) err = store_chat(s, a, owner, id, &chat);
    buf_free(&names);
    return err ? err : chat_out(a, &chat, out);
}

Err pythia_chat_remove(Pythia *p, Str owner, int64_t id) {
    Store *s = NULL;
    TRY(engine_store(p, true, &s));
    return store_chat_remove(s, owner, id);
}

/* ---- as a question needs them ---- */

/* The turns of messages: a question and the answer behind it. */
static Err turns_of(Arena *a, const PythiaMessage *messages, size_t n, Turn **out, size_t *n_out) {
    *out = arena_array(a, Turn, n + 1);
    if (!*out) return arena_error();
    for (size_t i = 0; i + 1 < n; i++) {
        const PythiaMessage *asked = &messages[i], *said = &messages[i + 1];
        if (!str_is(asked->role, "user") || !str_is(said->role, "assistant")) continue;
        (*out)[(*n_out)++] =
            (Turn){said->understood.n ? said->understood : asked->content, said->abstained ? STR("") : said->content};
    }
    return ERR_OK;
}

static Err session_id(Str text, int64_t *id) {
    if (str_is(text, "new")) return *id = 0, ERR_OK;
    if (str_to_i64(text, id) && *id > 0) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "'%.*s' is no session; valid: a chat's number, or new", STR_FMT(text)),
                   "pythia chat list");
}

Err chat_session_open(Pythia *p, Arena *a, const PythiaAsk *rq, ChatSession *out) {
    const PythiaSearch *search = &rq->search;
    Store *s = NULL;
    StoreMessage *list = NULL;
    StoreChat kept;
    PythiaChat chat;
    size_t n = 0;
    const bool named = search->n_paths || (search->n_collections && !rq->any_collections);
    *out = (ChatSession){.open = true, .collections = search->collections, .n_collections = search->n_collections};
    if (named) out->begin = search->collections, out->n_begin = search->n_collections;
    TRY(session_id(rq->session, &out->id));
    if (!out->id) return ERR_OK;
    TRY(engine_store(p, false, &s));
    TRY(store_chat(s, a, rq->owner, out->id, &kept));
    TRY(chat_out(a, &kept, &chat));
    if (!named && chat.n_collections) out->collections = chat.collections, out->n_collections = chat.n_collections;
    TRY(store_chat_messages(s, a, out->id, 2 * FOLLOWUP_TURNS, &list, &n));
    PythiaMessage *messages = arena_array(a, PythiaMessage, n + 1);
    if (!messages) return arena_error();
    for (size_t i = 0; i < n; i++) TRY(message_out(a, &list[i], &messages[i]));
    return turns_of(a, messages, n, &out->turns, &out->n_turns);
}

/* What an answer stands on. */
static void details_write(Buf *b, const PythiaAnswer *r) {
    JsonOut j = jout_to(b);
    jout_begin(&j, '{');
    jout_kv_str(&j, "understood", r->found.query);
    jout_kv_bool(&j, "abstained", r->abstained);
    jout_kv_f64(&j, "confidence", r->confidence);
    jout_kv_z(&j, "writer", r->writer);
    jout_key(&j, "citations");
    jout_begin(&j, '[');
    for (size_t i = 0; i < r->n_citations; i++) {
        const PythiaCitation *c = &r->citations[i];
        const PythiaHit *h = &r->sources[c->source - 1];
        jout_begin(&j, '{');
        jout_kv_i64(&j, "source", (int64_t)c->source);
        jout_kv_str(&j, "collection", h->collection);
        jout_kv_str(&j, "path", h->path);
        jout_kv_str(&j, "uri", h->uri);
        jout_kv_i64(&j, "start_line", c->start_line);
        jout_kv_i64(&j, "end_line", c->end_line);
        jout_kv_str(&j, "quote", c->quote);
        jout_end(&j, '}');
    }
    jout_end(&j, ']');
    jout_end(&j, '}');
}

Err chat_session_keep(Pythia *p, Arena *a, ChatSession *session, const PythiaAsk *rq, PythiaAnswer *r) {
    Store *s = NULL;
    Buf details = {0};
    if (!session->id) {
        PythiaChat chat;
        TRY(pythia_chat_begin(p, a, rq->owner, str_trim(rq->search.query), session->begin, session->n_begin, &chat));
        session->id = chat.id;
    }
    r->session = session->id;
    details_write(&details, r);
    const StoreMessage turn[] = {{.role = STR("user"), .content = rq->search.query, .citations = STR("")},
                                 {.role = STR("assistant"), .content = r->answer, .citations = buf_str(&details)}};
    Err err = buf_ok(&details);
    if (!err) err = engine_store(p, true, &s);
    if (!err) err = store_chat_add(s, session->id, turn, 2, clock_wall_ms());
    buf_free(&details);
    return err;
}
