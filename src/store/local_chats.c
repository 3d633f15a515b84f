/* local_chats.c - chats and what was said in them. */
#include "store/local.h"

Err local_chat_begin(Store *s, Str owner, Str title, Str collections, int64_t now_ms, int64_t *chat) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    const Err err = local_run(l, SQL_CHAT_INSERT,
                              SQL_VALUES(sql_text(title), sql_text(collections), sql_int(now_ms), sql_text(owner)));
    const int64_t id = sqlite3_last_insert_rowid(l->db);
    TRY(local_write_end(l, err));
    *chat = id;
    return ERR_OK;
}

static Err no_chat(int64_t chat) {
    return err_fix(err_set(ERR_NO_DOCUMENT, "there is no chat '%lld'", (long long)chat), "pythia chat list");
}

static Err chat_add(LocalStore *l, int64_t chat, const StoreMessage *messages, size_t n, int64_t now_ms) {
    TRY(local_run(l, SQL_CHAT_TOUCH, SQL_VALUES(sql_int(chat), sql_int(now_ms))));
    if (sqlite3_changes(l->db) == 0) return no_chat(chat);
    for (size_t i = 0; i < n; i++)
        TRY(local_run(l, SQL_CHAT_MESSAGE_INSERT,
                      SQL_VALUES(sql_int(chat), sql_text(messages[i].role), sql_text(messages[i].content),
                                 sql_text(messages[i].citations), sql_int(now_ms))));
    return ERR_OK;
}

Err local_chat_add(Store *s, int64_t chat, const StoreMessage *messages, size_t n, int64_t now_ms) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, chat_add(l, chat, messages, n, now_ms));
}

static Err chat_remove(LocalStore *l, Str owner, int64_t chat) {
    TRY(local_run(l, SQL_CHAT_DELETE_MESSAGES, SQL_VALUES(sql_int(chat), sql_text_or_null(owner))));
    TRY(local_run(l, SQL_CHAT_DELETE, SQL_VALUES(sql_int(chat), sql_text_or_null(owner))));
    return sqlite3_changes(l->db) ? ERR_OK : no_chat(chat);
}

Err local_chat_remove(Store *s, Str owner, int64_t chat) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, chat_remove(l, owner, chat));
}

static Err chat_of_row(Arena *a, sqlite3_stmt *st, StoreChat *out) {
    *out = (StoreChat){.id = sqlite3_column_int64(st, 0),
                       .title = column_str_in(st, 1, a),
                       .collections = column_str_in(st, 2, a),
                       .created_ms = sqlite3_column_int64(st, 3),
                       .updated_ms = sqlite3_column_int64(st, 4),
                       .messages = sqlite3_column_int64(st, 5),
                       .owner = column_str_in(st, 6, a)};
    return out->owner.p && out->title.p && out->collections.p ? ERR_OK : arena_error();
}

Err local_chat(Store *s, Arena *a, Str owner, int64_t chat, StoreChat *out) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_CHAT_BY_ID, &st, SQL_VALUES(sql_int(chat), sql_text_or_null(owner))));
    TRY(sql_next(l, st, &row));
    if (!row) return no_chat(chat);
    const Err err = chat_of_row(a, st, out);
    sql_done(st);
    return err;
}

Err local_chats(Store *s, Arena *a, Str owner, size_t limit, StoreChat **out, size_t *n) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    *n = 0;
    *out = arena_array(a, StoreChat, limit);
    if (!*out) return arena_error();
    Err err = local_use(l, SQL_CHATS, &st, SQL_VALUES(sql_int((int64_t)limit), sql_text_or_null(owner)));
    while (!err && !(err = sql_next(l, st, &row)) && row) err = chat_of_row(a, st, &(*out)[(*n)++]);
    sql_done(st);
    return err;
}

Err local_chat_messages(Store *s, Arena *a, int64_t chat, size_t last, StoreMessage **out, size_t *n) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    *n = 0;
    *out = arena_array(a, StoreMessage, last);
    if (!*out) return arena_error();
    Err err = local_use(l, SQL_CHAT_MESSAGES, &st, SQL_VALUES(sql_int(chat), sql_int((int64_t)last)));
    /* They come newest first. */
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        StoreMessage *m = &(*out)[last - ++*n];
        *m = (StoreMessage){.role = column_str_in(st, 0, a),
                            .content = column_str_in(st, 1, a),
                            .citations = column_str_in(st, 2, a),
                            .created_ms = sqlite3_column_int64(st, 3)};
        if (!m->role.p || !m->content.p || !m->citations.p) err = arena_error();
    }
    sql_done(st);
    *out += last - *n;
    return err;
}
