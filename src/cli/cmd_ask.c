/* cmd_ask.c - `pythia ask`: the answer with its sources below, or why there is none. */
#include "cli/answering.h"

static Err question_of(Cli *cli, Str *out) {
    Buf b = {0};
    for (size_t i = 0; i < cli->args.n_words; i++) {
        if (i) buf_char(&b, ' ');
        buf_add(&b, cli->args.words[i]);
    }
    const Err err = buf_ok(&b);
    *out = arena_str(&cli->arena, buf_str(&b));
    buf_free(&b);
    if (err) return err;
    if (!out->p) return arena_error();
    return str_trim(*out).n ? ERR_OK : err_fix(err_set(ERR_USAGE, "the question is empty"), "pythia help ask");
}

Err cmd_ask(Cli *cli) {
    Str question;
    PythiaAsk rq;
    PythiaAnswer reply = {0};
    TRY(question_of(cli, &question));
    TRY(ask_from_flags(cli, question, &rq));
    const Err err = ask_and_print(cli, &cli->arena, &rq, &reply);
    if (reply.session && (!err || err == ERR_NOTHING))
        cli_say(cli, "session %lld; go on with: pythia ask -s %lld …", (long long)reply.session,
                (long long)reply.session);
    return err;
}
