/* A REST request: first byte the operation, then a line as in a URL (name=value&…), then the body. What passes the
 * check must be readable by it a second time, unchanged. */
#include <stdlib.h>

#include "serve/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t n = 0;
    while (ops[n].name) n++;
    if (size < 1) return 0;
    const Op *op = &ops[data[0] % n];
    Str rest = str_make((const char *)data + 1, size - 1), url, one;
    json_t *v = NULL;
    if (!str_line(&rest, &url)) return 0;
    if (json_read(rest, "body", &v) || !json_is_object(v)) {
        json_decref(v);
        v = json_object();
    }
    Err err = ERR_OK;
    while (!err && str_cut(&url, '&', &one)) {
        ptrdiff_t eq = str_find_char(one, '=');
        err = fields_set(op->fields, v, eq < 0 ? one : str_upto(one, (size_t)eq),
                         eq < 0 ? str_from(one, one.n) : str_from(one, (size_t)eq + 1));
    }
    if (!err && !fields_check(op->fields, v)) {
        json_t *before = json_deep_copy(v);
        if (fields_check(op->fields, v) || !json_equal(before, v)) abort();
        json_decref(before);
    }
    json_decref(v);
    v = json_object();
    Buf allow = {0};
    const Op *found = NULL;
    if (!op_route(STR("GET"), str_make((const char *)data, size), v, &found, &allow) && found && !found->path) abort();
    buf_free(&allow);
    json_decref(v);
    return 0;
}
