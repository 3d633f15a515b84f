/* tokens.h - access tokens: 256 random bits each, of which only the SHA-256 is kept.
 *
 * A token is "pyt_" and 43 letters of base64url; nobody can guess one, so a plain hash is enough (a slow one protects
 * what people choose). The file has one JSON object a line, mode 0600:
 *
 *   {"id":"t-3f2a9c01","name":"ci","role":"read","sha256":"…","created":"2026-11-30T08:00:00Z"}
 *
 * A running server looks at the file's time before each check: what is revoked is refused at once.
 *
 * Threads: Tokens are locked (by a mutex of their own); the functions on files are for one process at a time.
 */
#ifndef PYTHIA_SERVE_TOKENS_H
#define PYTHIA_SERVE_TOKENS_H

#include "base/arena.h"
#include "serve/ops.h"

enum { TOKEN_TEXT = 48, TOKEN_ID = 16 };

typedef struct {
    char id[TOKEN_ID], sha256[65];
    Str name, created;
    Role role;
} Token;

MUST_USE Err tokens_list(Arena *a, const char *file, Token **out, size_t *n); /* a missing file: none */
/* text: the token itself, told this once. ERR_INPUT: the name is taken. */
MUST_USE Err tokens_create(const char *file, Str name, Role role, char text[TOKEN_TEXT], char id[TOKEN_ID]);
MUST_USE Err tokens_revoke(const char *file, Str id_or_name); /* ERR_NO_DOCUMENT */

typedef struct Tokens Tokens;
/* internal: one more token with the role admin (INTERNAL_AUTH_TOKEN); "": none. */
MUST_USE Err tokens_open(Tokens **out, const char *file, Str internal);
void tokens_close(Tokens *t);  /* NULL is fine */
bool tokens_wanted(Tokens *t); /* there is one: so each call needs one */
/* The role of a token; false: it is none. id: what logs and limits call it. Constant time in the token. */
bool tokens_check(Tokens *t, Str token, Role *role, char id[TOKEN_ID]);

#endif
