/* mcp.h - the Model Context Protocol: what agents call, over the same table of operations (ops.h).
 *
 * Both eras: the handshake of 2024-11-05 to 2025-11-25 (initialize), and the stateless 2026-07-28 (each request tells
 * its version in _meta; server/discover). One Mcp serves any number of requests of both at once; it keeps no state of a
 * client but, on stdio, the version that was agreed on and which calls are under way.
 *
 * Tools are the rows of the table that have a text for agents; their replies are the same envelope, as
 * structuredContent and as text. Resources: pythia://status and pythia://{collection}/{+path}. Prompts: explore,
 * answer_with_sources.
 *
 * Specification: modelcontextprotocol.io/specification/2025-11-25 and /2026-07-28. Threads: any.
 */
#ifndef PYTHIA_SERVE_MCP_H
#define PYTHIA_SERVE_MCP_H

#include "serve/peer.h"

typedef struct Mcp Mcp;

MUST_USE Err mcp_open(Mcp **out, Desk *desk);
void mcp_close(Mcp *m); /* after the desk: no call is under way. NULL is fine */

/* One line of stdio. Answers go to p->send. */
void mcp_message(Mcp *m, Peer *p, Str text);

/* ---- streamable HTTP ---- */
typedef struct {
    Str version, method, name,
        session; /* MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id; {NULL,0}: missing */
} McpHeaders;
/* The body of one POST. Returns the HTTP status of what is in answer: 202: nothing is to be answered; 0: the answer
 * comes through p->send, with 200. p->session is set: the client's own, or a new one where it introduces itself.
 * Sessions are kept nowhere: they tell whose calls a notification may take back. */
int mcp_post(Mcp *m, Peer *p, Str body, const McpHeaders *headers, Buf *answer);
/* The client of one POST has left: its calls of the stateless era are taken back, as that era has it. p is only
 * compared. */
void mcp_left(Mcp *m, const Peer *p);

/* ---- between mcp.c and mcp_lists.c ---- */
enum { MCP_TEXT_MAX = 38000, MCP_VALUES_MAX = 100 };
void mcp_tools_write(JsonOut *j);
void mcp_prompts_write(JsonOut *j);
/* Members of a CallToolResult out of a finished call. */
void mcp_tool_result_write(JsonOut *j, const Call *c);
/* Bodies of methods; params as the client sent them. */
Err mcp_initialize(Call *c, JsonOut *j);
Err mcp_discover(Call *c, JsonOut *j);
Err mcp_ping(Call *c, JsonOut *j);
Err mcp_set_level(Call *c, JsonOut *j);
Err mcp_tools_list(Call *c, JsonOut *j);
Err mcp_resources_list(Call *c, JsonOut *j);
Err mcp_templates_list(Call *c, JsonOut *j);
Err mcp_resource_read(Call *c, JsonOut *j);
Err mcp_prompts_list(Call *c, JsonOut *j);
Err mcp_prompt_get(Call *c, JsonOut *j);
Err mcp_complete(Call *c, JsonOut *j);
bool mcp_version_known(Str version, bool modern);

#endif
