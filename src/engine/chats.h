/* chats.h - a chat that a question belongs to: what was said before, and where the turn is kept. */
#ifndef PYTHIA_ENGINE_CHATS_H
#define PYTHIA_ENGINE_CHATS_H

#include "answer/followup.h"
#include "engine/engine.h"

typedef struct {
    bool open;
    int64_t id;  /* 0: to be begun with its first turn */
    Turn *turns; /* [n_turns] oldest first */
    size_t n_turns;
    const Str *begin; /* [n_begin] collections that a new chat is about: those that were asked for */
    size_t n_begin;
    /* [n_collections] to search: what was asked for, else those that the chat is about, else the request's */
    const Str *collections;
    size_t n_collections;
} ChatSession;

/* Of rq->session: a chat's number, or "new". ERR_USAGE: neither; ERR_NO_DOCUMENT: no such chat. */
MUST_USE Err chat_session_open(Pythia *p, Arena *a, const PythiaAsk *rq, ChatSession *out);
/* Puts the turn behind the others and its chat's id into r. */
MUST_USE Err chat_session_keep(Pythia *p, Arena *a, ChatSession *session, const PythiaAsk *rq, PythiaAnswer *r);

#endif
