/* Lines of MCP, as on stdio; then the first of them as the body of a POST. */
#include "serve_desk.h"

#include "serve/mcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Peer p = {.desk = fuzz_desk(), .role = ROLE_ADMIN, .send = fuzz_send, .gone = fuzz_gone};
    Str in = str_make((const char *)data, size), rest = in, line, first = {NULL, 0};
    Mcp *m = NULL;
    Buf answer = {0};
    if (mcp_open(&m, p.desk)) return 0;
    atomic_init(&p.holders, 1);
    while (str_line(&rest, &line)) {
        if (!first.p) first = line;
        mcp_message(m, &p, line);
    }
    if (first.p) {
        McpHeaders headers = {
            .method = STR("tools/call"), .name = STR("search"), .version = STR("2026-07-28"), .session = STR("one")};
        int status = mcp_post(m, &p, first, &headers, &answer);
        if (answer.n) fuzz_send(&p, buf_str(&answer));
        if (status != 0 && status != 202 && answer.n == 0) abort();
    }
    fuzz_drop(&p);
    buf_free(&answer);
    mcp_close(m);
    return 0;
}
