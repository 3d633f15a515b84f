/* cmd_chat.c - `pythia chat`: questions line by line, each following on those before; and the chats that are kept. */
#include <stdio.h>
#include <unistd.h>

#include "cli/answering.h"
#include "cli/lines.h"
#include "cli/table.h"

static const int64_t CHATS_DEFAULT = 20, CHATS_MAX = 1000;

/* ---- talking ---- */

/* An error that the next question may not meet again: told, and the chat goes on. */
static bool passes(Err err) { return err == ERR_NOTHING || err == ERR_NETWORK || err == ERR_DEADLINE; }

static Err turn(Cli *cli, PythiaAsk *rq, char session[24], Str line) {
    Arena a = {0};
    PythiaAnswer reply = {0};
    rq->search.query = line;
    rq->session = str_of(session);
    Err err = ask_and_print(cli, &a, rq, &reply);
    if (reply.session) (void)snprintf(session, 24, "%lld", (long long)reply.session);
    arena_free(&a);
    if (!passes(err)) return err;
    if (!cli->json || err != ERR_NOTHING) cli_warn(cli, "pythia: %s", err_text());
    return ERR_OK;
}

static Err talk(Cli *cli, PythiaAsk *rq, Lines *lines, char session[24]) {
    const bool prompt = isatty(STDIN_FILENO) && cli->err_term.tty;
    for (;;) {
        LineState state;
        Str line;
        if (prompt) (void)!write(STDERR_FILENO, "\n> ", 3);
        TRY(lines_next(lines, true, &state, &line));
        if (state == LINE_END) return ERR_OK;
        if (state == LINE_TOO_LONG) return err_set(ERR_LIMIT, "line %lld is too long", (long long)lines->number);
        line = str_trim(line);
        if (str_is(line, "/exit") || str_is(line, "/quit")) return ERR_OK;
        if (line.n) TRY(turn(cli, rq, session, line));
    }
}

Err cmd_chat(Cli *cli) {
    PythiaAsk rq;
    Lines lines = {.fd = STDIN_FILENO, .cancel = cli->cancel};
    char session[24] = "new";
    TRY(ask_from_flags(cli, STR(""), &rq));
    if (rq.session.n >= sizeof session)
        return err_set(ERR_USAGE, "'%.*s' is no session; valid: a chat's number, or new", STR_FMT(rq.session));
    if (rq.session.n) (void)snprintf(session, sizeof session, "%.*s", STR_FMT(rq.session));
    const Err err = talk(cli, &rq, &lines, session);
    lines_free(&lines);
    if (!err && strcmp(session, "new") != 0) cli_say(cli, "kept: pythia chat show %s", session);
    return err;
}

/* ---- what is kept ---- */

Err cmd_chat_list(Cli *cli) {
    static const TableColumn columns[] = {{"ID", true}, {"MESSAGES", true}, {"LAST", false}, {"TITLE", false}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    Arena *a = &cli->arena;
    int64_t limit = CHATS_DEFAULT;
    Pythia *p = NULL;
    PythiaChat *chats = NULL;
    size_t n = 0;
    cli->json = args_has(&cli->args, "json");
    TRY(args_i64(&cli->args, "limit", 1, CHATS_MAX, &limit));
    TRY(cli_engine(cli, &p));
    TRY(pythia_chats(p, a, (Str){NULL, 0}, (size_t)limit, &chats, &n));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        reply_chats_member(&j, chats, n);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    if (!n) cli_say(cli, "no chats yet; run: pythia chat");
    const char **cells = arena_array(a, const char *, n *COLUMNS + 1);
    if (!cells) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const char **row = cells + i * COLUMNS;
        row[0] = arena_printf(a, "%lld", (long long)chats[i].id).p;
        row[1] = cell_number(a, chats[i].messages);
        row[2] = cell_time(a, chats[i].updated_ms);
        row[3] = cell_safe(a, chats[i].title);
        for (size_t c = 0; c < COLUMNS; c++)
            if (!row[c]) return arena_error();
    }
    if (n) table_add(&cli->out, &cli->out_term, columns, COLUMNS, cells, n);
    return ERR_OK;
}

static Err chat_id(Cli *cli, int64_t *id) {
    const Str text = cli->args.words[0];
    cli->json = args_has(&cli->args, "json");
    if (str_to_i64(text, id) && *id >= 1) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "a chat's id is a number, not '%.*s'", STR_FMT(text)), "pythia chat list");
}

static Err chat_read(Cli *cli, PythiaChat *chat, PythiaMessage **messages, size_t *n) {
    Pythia *p = NULL;
    int64_t id = 0;
    TRY(chat_id(cli, &id));
    TRY(cli_engine(cli, &p));
    return pythia_chat(p, &cli->arena, (Str){NULL, 0}, id, chat, messages, n);
}

Err cmd_chat_show(Cli *cli) {
    PythiaChat chat;
    PythiaMessage *messages = NULL;
    size_t n = 0;
    TRY(chat_read(cli, &chat, &messages, &n));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        reply_chat_members(&j, &chat, messages, n);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    for (size_t i = 0; i < n; i++) {
        const PythiaMessage *m = &messages[i];
        if (str_is(m->role, "user")) buf_add_z(&cli->out, i ? "\n> " : "> ");
        safe_text(&cli->out, m->abstained ? STR("(no answer)") : m->content);
        buf_char(&cli->out, '\n');
    }
    return ERR_OK;
}

/* JSON lines, a message each, in the shape that models are trained and asked with. */
Err cmd_chat_export(Cli *cli) {
    PythiaChat chat;
    PythiaMessage *messages = NULL;
    size_t n = 0;
    TRY(chat_read(cli, &chat, &messages, &n));
    for (size_t i = 0; i < n; i++) {
        const size_t from = cli->out.n;
        JsonOut j = jout_to(&cli->out);
        reply_message(&j, &messages[i]);
        cli_json_escape(&cli->out, from);
        buf_char(&cli->out, '\n');
    }
    return ERR_OK;
}

Err cmd_chat_remove(Cli *cli) {
    Pythia *p = NULL;
    int64_t id = 0;
    TRY(chat_id(cli, &id));
    TRY(cli_engine(cli, &p));
    TRY(pythia_chat_remove(p, (Str){NULL, 0}, id));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        cli_json_end(cli, &j);
    } else {
        cli_say(cli, "chat %lld is removed", (long long)id);
    }
    return ERR_OK;
}
