/* lsp.h - the Language Server Protocol on stdin and stdout, for editors and tools that speak it: workspace/symbol by
 * meaning, documentSymbol, definition and references from the symbols of the index.
 *
 * Answers are about files as they were indexed and are saved; a position is looked up in the file on disk. Results are
 * by name: a definition is whatever has the name that stands at the position, this file's first.
 *
 * Messages have a head, "Content-Length: 123", and a blank line before them. Positions count UTF-16 units, or bytes
 * where the client knows how (positionEncodings).
 *
 * Specification: microsoft.github.io/language-server-protocol, 3.17. Threads: messages come from one, answers from any.
 */
#ifndef PYTHIA_SERVE_LSP_H
#define PYTHIA_SERVE_LSP_H

#include "serve/peer.h"
#include "serve/socket.h"

#define LSP_MESSAGE_MAX ((size_t)16 << 20)
enum { LSP_HEAD_MAX = 4096 };

typedef struct Lsp Lsp;

MUST_USE Err lsp_open(Lsp **out, Desk *desk);
void lsp_close(Lsp *l); /* after the desk: no call is under way. NULL is fine */

/* One message; "": what came was none. Answers go to p->send. */
void lsp_message(Lsp *l, Peer *p, Str text);

/* The first message of in, behind its head; FRAME_BAD: there is no reading on from here. */
FrameState lsp_frame(Str in, Str *message, size_t *used);

/* The client said `shutdown` before it ended: what the exit code tells. */
bool lsp_ended_well(const Lsp *l);

/* ---- between lsp.c and lsp_ops.c ---- */
typedef struct {
    char root[4096]; /* the folder that is asked about; "": the server's own */
    bool bytes;      /* positions count bytes, not UTF-16 units */
    bool tree;       /* symbols of a document as a tree */
} LspClient;
LspClient lsp_client(Lsp *l); /* a copy */
void lsp_client_set(Lsp *l, const LspClient *client);
Lsp *lsp_of(const Call *c);
/* The path of a file:// URI, in the arena; ERR_USAGE for any other. */
MUST_USE Err lsp_path(Arena *a, Str uri, const char **out);

Err lsp_initialize(Call *c, JsonOut *j);
Err lsp_shutdown(Call *c, JsonOut *j);
Err lsp_workspace_symbol(Call *c, JsonOut *j);
Err lsp_document_symbol(Call *c, JsonOut *j);
Err lsp_definition(Call *c, JsonOut *j);
Err lsp_references(Call *c, JsonOut *j);

#endif
