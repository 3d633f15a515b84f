/* find.c - Pythia within a program: puts three texts, finds in them by meaning, and asks a question.
 *
 *     cc find.c -o find $(pkg-config --cflags --libs pythia)                                      the shared library
 *     cc find.c -o find $(pkg-config --cflags pythia) /usr/local/lib/libpythia.a \
 *         $(pkg-config --static --libs pythia | sed 's/-lpythia//')                              the static one
 *     ./find [QUERY]
 */
#include <pythia.h>
#include <stdio.h>

static int failed(const pythia_error *e) {
    (void)fprintf(stderr, "find: %s (%s)%s%s\n", e->message, e->code, e->fix[0] ? "; run: " : "", e->fix);
    return 1;
}

int main(int argc, char **argv) {
    static const pythia_doc documents[] = {
        {"soup", "Soup", "Simmer ripe tomatoes with basil for twenty minutes."},
        {"lamp", "Lamp", "The keeper lights the lamp of the lighthouse at dusk."},
        {"retry", NULL, "After each failed attempt the client waits twice as long."}};
    pythia_engine *engine = NULL;
    pythia_found *found = NULL;
    pythia_error error;
    char *answer = NULL;
    if (pythia_start(&engine, NULL, &error)) return failed(&error);
    if (pythia_put(engine, "example", documents, 3, &error) ||
        pythia_find(engine, argc > 1 ? argv[1] : "exponential backoff", 2, "{\"collections\":[\"example\"]}", &found,
                    &error) ||
        pythia_call(engine, "ask", "{\"question\":\"Who lights the lamp?\",\"collections\":[\"example\"]}", &answer,
                    &error)) {
        pythia_found_free(found);
        pythia_stop(engine);
        return failed(&error);
    }
    for (size_t i = 0; i < found->n; i++)
        (void)printf("%s:%d %.2f %s\n", found->hits[i].path, found->hits[i].start_line, found->hits[i].score,
                     found->hits[i].content);
    (void)printf("%s\n", answer);
    pythia_free(answer);
    pythia_found_free(found);
    pythia_stop(engine);
    return 0;
}
