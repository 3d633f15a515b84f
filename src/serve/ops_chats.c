/* ops_chats.c - chats as they are kept: listed, begun, read, removed. Asking within one is op_ask's. */
#include "serve/ops_fields.h"
#include "serve/reply.h"

const Field chats_fields[] = {LIMIT_FIELD(0, 1000, "20", "chats at most, the last one first"), {0}};
const Field chats_reply[] = {OK_FIELD, {.name = "chats", .types = FIELD_OBJECTS}, {0}};
const Field chat_begin_fields[] = {
    {.name = "title", .types = FIELD_STR, .flags = FIELD_BLANK_OK, .max_bytes = 1000, .help = "what it is about"},
    COLLECTIONS_FIELD(0, "names that it asks unless a question names others; default: all"),
    {0}};
const Field chat_begin_reply[] = {OK_FIELD, {.name = "chat", .types = FIELD_ANY}, {0}};
const Field chat_fields[] = {
    {.name = "id", .types = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1, .max = 9e15, .help = "a chat's number"}, {0}};
const Field chat_reply[] = {
    OK_FIELD, {.name = "chat", .types = FIELD_ANY}, {.name = "messages", .types = FIELD_OBJECTS}, {0}};

Str call_owner(const Call *c) { return c->role >= ROLE_ADMIN ? (Str){NULL, 0} : str_of(c->from.who); }

Err op_chats(Call *c, JsonOut *j) {
    PythiaChat *chats = NULL;
    size_t n = 0;
    const Err err =
        pythia_chats(c->engine, c->arena, call_owner(c), (size_t)field_i64(c->params, "limit", 20), &chats, &n);
    if (err && err != ERR_NO_COLLECTION) return err; /* nothing is kept yet */
    reply_chats_member(j, chats, n);
    return ERR_OK;
}

/* Of what is there: a name that is none is told now, and not at the first question. */
static Err collections_check(Call *c, const Str *names, size_t n) {
    PythiaCollection one;
    for (size_t i = 0; i < n; i++) TRY(pythia_collection(c->engine, c->arena, names[i], &one));
    return ERR_OK;
}

Err op_chat_begin(Call *c, JsonOut *j) {
    const Str *names = NULL;
    PythiaChat chat;
    size_t n = 0;
    TRY(field_strs(c->arena, c->params, "collections", &names, &n));
    TRY(collections_check(c, names, n));
    TRY(pythia_chat_begin(c->engine, c->arena, call_owner(c), field_str(c->params, "title", ""), names, n, &chat));
    jout_key(j, "chat");
    reply_chat(j, &chat);
    return ERR_OK;
}

/* What mends it here is no command. */
static Err missing(Err err) { return err == ERR_NO_DOCUMENT ? err_fix(err, "GET /v1/chats") : err; }

Err op_chat(Call *c, JsonOut *j) {
    PythiaChat chat;
    PythiaMessage *messages = NULL;
    size_t n = 0;
    const Err err =
        pythia_chat(c->engine, c->arena, call_owner(c), field_i64(c->params, "id", 0), &chat, &messages, &n);
    if (err) return missing(err);
    reply_chat_members(j, &chat, messages, n);
    return ERR_OK;
}

Err op_chat_remove(Call *c, JsonOut *j) {
    (void)j;
    return missing(pythia_chat_remove(c->engine, call_owner(c), field_i64(c->params, "id", 0)));
}
