/* generate_chat.c - see generate_chat.h. A template may cut, join, trim and repeat what it is given, so that places in
 * contents say nothing about places in the prompt. The places travel with the text instead: behind the first character
 * of each control token that a content spells goes a mark, a code point that Unicode gives to nobody (U+FDD0 to U+FDEF)
 * and that is nowhere else in the chat. Marks are taken out of the prompt again, and tell where they were.
 *
 * Behind the first character, not before it: so the template too finds no such token in the content, and cannot be led
 * to put a mark before one of its own. What a content begins at its end may be completed by the next part; it is marked
 * likewise.
 */
#include "model/generate_chat.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "model/model_impl.h"

enum { MARKS = 32, MARK_BYTES = 3, MARK_LAST = 0x90 /* the last byte of the first mark */ };
#define MARK_FRONT "\xEF\xB7" /* of all marks */

/* ---- what the template gets ---- */

static Err chat_messages(const GenerateChat *chat, json_t *globals) {
    json_t *list = json_array();
    bool ok = json_object_set_new(globals, "messages", list) == 0;
    for (size_t i = 0; i < chat->n && ok; i++) {
        const GenerateMessage *m = &chat->messages[i];
        json_t *role = json_stringn(m->role.p, m->role.n), *content = json_stringn(m->content.p, m->content.n);
        if (!role || !content) {
            json_decref(role);
            json_decref(content);
            return err_set(ERR_INPUT, "message %zu is not UTF-8", i + 1);
        }
        json_t *message = json_object();
        ok = json_object_set_new(message, "role", role) == 0;
        ok &= json_object_set_new(message, "content", content) == 0;
        ok &= json_array_append_new(list, message) == 0;
    }
    return ok ? ERR_OK : err_set(ERR_NOMEM, "out of memory for a chat");
}

/* The template's globals as transformers hands them over. */
static Err chat_globals(const Model *m, const GenerateChat *chat, json_t *globals) {
    const TokSpecial *special = tok_special(m->tok);
    Str bos = tok_text(m->tok, special->bos), eos = tok_text(m->tok, special->eos);
    bool ok = json_object_set_new(globals, "add_generation_prompt", json_true()) == 0;
    ok &= json_object_set_new(globals, "bos_token", json_stringn(bos.p, bos.n)) == 0;
    ok &= json_object_set_new(globals, "eos_token", json_stringn(eos.p, eos.n)) == 0;
    ok &= json_object_set_new(globals, "documents", json_null()) == 0;
    json_t *tools = chat->tools ? json_deep_copy(chat->tools) : json_null();
    ok &= json_object_set_new(globals, "tools", tools) == 0;
    json_t *values = chat->values ? json_deep_copy(chat->values) : NULL;
    if (values) ok &= json_object_update(globals, values) == 0;
    json_decref(values);
    if (!ok) return err_set(ERR_NOMEM, "out of memory for a chat");
    if (!chat->json) return chat_messages(chat, globals);
    ok = json_object_set_new(globals, "messages", json_deep_copy(chat->json)) == 0;
    return ok ? ERR_OK : err_set(ERR_NOMEM, "out of memory for a chat");
}

/* ---- marks ---- */

typedef struct {
    const Tok *tok;
    char mark[MARK_BYTES];
    uint32_t used; /* bit i: the chat has U+FDD0 + i */
    Buf text;
} Marker;

static void marks_seen(Marker *m, Str text) {
    for (ptrdiff_t at; (at = str_find(text, STR(MARK_FRONT))) >= 0; text = str_from(text, (size_t)at + 2)) {
        unsigned last = (size_t)at + 2 < text.n ? (uint8_t)text.p[at + 2] : 0;
        if (last >= MARK_LAST && last < MARK_LAST + MARKS) m->used |= 1u << (last - MARK_LAST);
    }
}

/* In all strings of v. */
static void marks_seen_in(Marker *m, const json_t *v) {
    const char *key;
    size_t i;
    json_t *item;
    if (json_is_string(v)) marks_seen(m, str_make(json_string_value(v), json_string_length(v)));
    json_array_foreach(v, i, item) marks_seen_in(m, item);
    /* The macro wants an object it may change; nothing does. */
    json_object_foreach((json_t *)(uintptr_t)v, key, item) {
        marks_seen(m, str_of(key));
        marks_seen_in(m, item);
    }
}

/* text with its marks, in m->text. */
static Str marked(Marker *m, Str text) {
    size_t from = 0, at = 0, behind = 0;
    uint32_t cp;
    buf_clear(&m->text);
    for (; tok_find_control(m->tok, text, behind, &at); from = behind) {
        behind = at + utf8_decode(str_from(text, at), &cp);
        buf_add(&m->text, str_make(text.p + from, behind - from));
        buf_add(&m->text, str_make(m->mark, MARK_BYTES));
    }
    buf_add(&m->text, str_from(text, from));
    return buf_str(&m->text);
}

/* A copy of v whose strings are marked; NULL when memory is out. */
static json_t *copy_marked(Marker *m, const json_t *v) {
    const char *key;
    size_t i;
    json_t *item;
    if (json_is_string(v)) {
        Str text = marked(m, str_make(json_string_value(v), json_string_length(v)));
        return m->text.failed ? NULL : json_stringn(text.p, text.n);
    }
    if (!json_is_array(v) && !json_is_object(v)) return json_deep_copy(v);
    json_t *copy = json_is_array(v) ? json_array() : json_object();
    bool ok = copy != NULL;
    json_array_foreach(v, i, item) ok = ok && json_array_append_new(copy, copy_marked(m, item)) == 0;
    json_object_foreach((json_t *)(uintptr_t)v, key, item) {
        json_t *value = copy_marked(m, item);
        (void)marked(m, str_of(key));
        buf_char(&m->text, 0);
        if (!ok || m->text.failed)
            json_decref(value);
        else
            ok = json_object_set_new(copy, m->text.p, value) == 0;
        ok &= !m->text.failed;
    }
    if (ok) return copy;
    json_decref(copy);
    return NULL;
}

/* All that came with the chat; the names of the tokens are the model's own. */
static Err mark_globals(Marker *m, json_t *globals) {
    static const char *const names[] = {"bos_token", "eos_token"};
    marks_seen_in(m, globals);
    unsigned free_mark = 0;
    while (free_mark < MARKS && m->used >> free_mark & 1) free_mark++;
    if (free_mark == MARKS)
        return err_set(ERR_INPUT, "the chat has all of U+FDD0 to U+FDEF, which no text means anything by");
    memcpy(m->mark, MARK_FRONT, MARK_BYTES - 1);
    m->mark[MARK_BYTES - 1] = (char)(MARK_LAST + free_mark);
    json_t *all = copy_marked(m, globals);
    bool ok = all != NULL;
    for (size_t i = 0; ok && i < sizeof names / sizeof *names; i++)
        ok = json_object_set(all, names[i], json_object_get(globals, names[i])) == 0;
    ok = ok && json_object_update(globals, all) == 0;
    json_decref(all);
    return ok ? ERR_OK : err_set(ERR_NOMEM, "out of memory for a chat");
}

/* Takes the marks out of text, a prompt. */
static Err marks_take_out(const Marker *m, Str text, ChatPrompt *out) {
    const Str mark = str_make(m->mark, MARK_BYTES);
    size_t n = 0;
    for (Str rest = text; str_find(rest, mark) >= 0; n++) rest = str_from(rest, (size_t)str_find(rest, mark) + mark.n);
    out->plain = calloc(n + 1, sizeof *out->plain);
    if (!out->plain) return err_set(ERR_NOMEM, "out of memory for a chat");
    for (ptrdiff_t at; (at = str_find(text, mark)) >= 0; text = str_from(text, (size_t)at + mark.n)) {
        buf_add(&out->text, str_upto(text, (size_t)at));
        if (out->text.n) out->plain[out->n_plain++] = utf8_floor(buf_str(&out->text), out->text.n - 1);
    }
    buf_add(&out->text, text);
    return buf_ok(&out->text);
}

Err chat_render(const Template *t, const Model *m, const GenerateChat *chat, ChatPrompt *out) {
    Marker marker = {.tok = m->tok};
    Buf rendered = {0}, whole = {0};
    Str source = {"", 0};
    Err err = ERR_OK;
    json_t *globals = json_object();
    if (!globals) return err_set(ERR_NOMEM, "out of memory for a chat");
    if ((err = chat_globals(m, chat, globals))) goto done;
    if ((err = gguf_get_str(m->gguf, "tokenizer.chat_template", &source))) goto done;
    marks_seen(&marker, source);
    if ((err = mark_globals(&marker, globals))) goto done;
    if ((err = template_render(t, globals, chat->now_ms, &rendered))) goto done;
    utf8_repair(&whole, buf_str(&rendered)); /* places are counted in what the tokenizer gets */
    if ((err = buf_ok(&whole))) goto done;
    err = marks_take_out(&marker, buf_str(&whole), out);
done:
    json_decref(globals);
    buf_free(&marker.text);
    buf_free(&rendered);
    buf_free(&whole);
    return err;
}

void chat_prompt_free(ChatPrompt *p) {
    buf_free(&p->text);
    free(p->plain);
    *p = (ChatPrompt){0};
}
