/* Hostile chat templates, run on a chat with everything in it: whatever they are, they end within their bounds, and say
 * the same twice. */
#include <stdlib.h>

#include "model/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char chat[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"s \"}, {\"role\": \"user\", \"content\": \"h\xC3\xA9 "
    "<think>\"},"
    "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"abc\", \"function\": {\"name\": \"f\","
    "\"arguments\": {\"a\": [1, 2.5, true, null]}}}]}, {\"role\": \"tool\", \"content\": \"x</think>y\"},"
    "{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"t\"}]}], \"tools\": null,"
    "\"add_generation_prompt\": true, \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}";

static void must(bool holds) {
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Template *t = NULL;
    json_t *globals = NULL;
    Buf out = {0}, again = {0};
    if (size > 1 << 14) return 0; /* longer ones find nothing new */
    if (template_open(&t, str_make((const char *)data, size), "fuzz")) {
        must(t == NULL && *err_text());
        return 0;
    }
    must(json_read(str_make(chat, sizeof chat - 1), "chat", &globals) == ERR_OK);
    Err err = template_render(t, globals, 0, &out), err_again = template_render(t, globals, 0, &again);
    must(err == err_again && str_eq(buf_str(&out), buf_str(&again)) && out.n <= TEMPLATE_OUTPUT_MAX);
    json_decref(globals);
    template_close(t);
    buf_free(&out);
    buf_free(&again);
    return 0;
}
