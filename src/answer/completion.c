/* completion.c - see completion.h. */
#include "answer/completion.h"

#include "base/json.h"
#include "model/remote.h"

enum { LINE_BYTES_MAX = 1 << 20, OBJECT_MAX = 4 << 20, TOKENS_MAX = 1 << 30 };

void completion_begin(Completion *c, WriterSink sink, void *ctx) {
    *c = (Completion){.sink = sink, .ctx = ctx, .tokens_read = -1, .tokens_written = -1};
}

static Err give(Completion *c, Str text) {
    if (!text.n) return ERR_OK;
    c->written += text.n;
    c->written_rough += remote_rough_tokens(text);
    if (c->sink(c->ctx, text)) return ERR_OK;
    c->enough = true;
    return err_set(ERR_INTERRUPT, "the answer is not wanted any more");
}

/* {"error": {"message": …}} or {"error": "…"}; some say {"message": …, "code": …} and no choices. */
static Err check_error(const json_t *root) {
    const json_t *error = json_object_get(root, "error");
    if (json_is_object(error)) error = json_object_get(error, "message");
    if (!error && !json_object_get(root, "choices")) error = json_object_get(root, "message");
    if (!error || json_is_null(error)) return ERR_OK;
    const char *text = json_string_value(error);
    return err_set(ERR_NETWORK, "it answers with an error: %.200s", text ? text : "it does not say which");
}

static Str content_of(const json_t *message) {
    const json_t *v = json_object_get(message, "content");
    return json_is_string(v) ? str_make(json_string_value(v), json_string_length(v)) : (Str){NULL, 0};
}

/* Both counts, or neither: of some the one is made of the other. */
static void usage_take(Completion *c, const json_t *usage) {
    const json_t *read = json_object_get(usage, "prompt_tokens"),
                 *written = json_object_get(usage, "completion_tokens");
    if (!json_is_integer(read) || !json_is_integer(written)) return;
    const json_int_t r = json_integer_value(read), w = json_integer_value(written);
    if (r < 0 || r > TOKENS_MAX || w < 0 || w > TOKENS_MAX) return;
    c->tokens_read = r;
    c->tokens_written = w;
}

/* One object of either shape. */
static Err object_take(Completion *c, const json_t *root) {
    if (!json_is_object(root)) return err_set(ERR_NETWORK, "it answers with JSON that is no object");
    TRY(check_error(root));
    usage_take(c, json_object_get(root, "usage"));
    const json_t *choices = json_object_get(root, "choices"), *choice = json_array_get(choices, 0);
    if (!json_is_array(choices)) return err_set(ERR_NETWORK, "it answers without \"choices\"");
    if (!choice) return ERR_OK; /* the last one of some streams only counts tokens */
    if (!json_is_object(choice)) return err_set(ERR_NETWORK, "it answers with a choice that is no object");
    const json_t *delta = json_object_get(choice, "delta");
    if (json_is_string(json_object_get(choice, "finish_reason"))) c->finished = true;
    return give(c, content_of(delta ? delta : json_object_get(choice, "message")));
}

static Err not_json(Err err) {
    ErrInfo told;
    if (err == ERR_NOMEM) return err;
    err_save(&told, err);
    return err_set(ERR_NETWORK, "it answers with what is no JSON (%.200s)", told.text);
}

static Err text_take(Completion *c, Str text) {
    json_t *root = NULL;
    Err err = json_read(text, "answer", &root);
    if (err) return not_json(err);
    err = object_take(c, root);
    json_decref(root);
    return err;
}

static Err line_take(Completion *c, Str line) {
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (str_starts(line, STR("error:")))
        return err_set(ERR_NETWORK, "it answers with an error: %.*s",
                       STR_FMT(str_upto(str_trim(str_from(line, 6)), 200)));
    if (!str_starts(line, STR("data:"))) return ERR_OK; /* a comment, an event's name, an empty line */
    const Str data = str_trim(str_from(line, 5));
    if (str_is(data, "[DONE]")) {
        c->finished = true;
        return ERR_OK;
    }
    return data.n ? text_take(c, data) : ERR_OK;
}

static Err lines_take(Completion *c) {
    size_t at = 0;
    Err err = ERR_OK;
    while (!err) {
        const ptrdiff_t end = str_find_char(str_from(buf_str(&c->held), at), '\n');
        if (end < 0) break;
        err = line_take(c, str_make(c->held.p + at, (size_t)end));
        at += (size_t)end + 1;
    }
    if (at) {
        memmove(c->held.p, c->held.p + at, c->held.n - at);
        c->held.n -= at;
        c->held.p[c->held.n] = 0;
    }
    if (!err && c->held.n > LINE_BYTES_MAX) err = err_set(ERR_NETWORK, "it answers with a line of more than 1 MB");
    return err;
}

/* The first byte that is no blank tells which shape it is: an object, a page, or a stream's line. */
static Err shape_find(Completion *c) {
    const Str text = str_trim(buf_str(&c->held));
    if (!text.n) return ERR_OK;
    if (text.p[0] == '<') return err_set(ERR_NETWORK, "it answers with a web page, not with JSON");
    c->shape = text.p[0] == '{' || text.p[0] == '[' ? COMPLETION_OBJECT : COMPLETION_STREAM;
    return ERR_OK;
}

Err completion_add(Completion *c, Str bytes) {
    buf_add(&c->held, bytes);
    TRY(buf_ok(&c->held));
    if (c->shape == COMPLETION_NEW) TRY(shape_find(c));
    if (c->shape == COMPLETION_STREAM) return lines_take(c);
    return c->held.n > OBJECT_MAX ? err_set(ERR_NETWORK, "it answers with more than 4 MB") : ERR_OK;
}

Err completion_end(Completion *c) {
    if (c->shape == COMPLETION_NEW) return err_set(ERR_NETWORK, "it answers with nothing");
    if (c->shape == COMPLETION_OBJECT) return text_take(c, buf_str(&c->held));
    if (c->held.n) TRY(line_take(c, buf_str(&c->held)));
    if (c->finished) return ERR_OK;
    return err_set(ERR_NETWORK, "it cut its answer after %zu bytes", c->written);
}

void completion_free(Completion *c) { buf_free(&c->held); }
