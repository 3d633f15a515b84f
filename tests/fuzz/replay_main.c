/* Replays saved fuzz inputs in the ordinary run: every file of the folders given, and the empty input. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return perror(path), 1;
    size_t cap = 1 << 20, n = 0;
    uint8_t *bytes = malloc(cap);
    while (bytes) {
        n += fread(bytes + n, 1, cap - n, f);
        if (n < cap) break;
        uint8_t *more = realloc(bytes, cap *= 2);
        if (!more) free(bytes);
        bytes = more;
    }
    (void)fclose(f);
    if (!bytes) return 1;
    /* An exact-size copy, so that AddressSanitizer sees reads past the end. */
    uint8_t *exact = malloc(n ? n : 1);
    if (exact) {
        if (n) memcpy(exact, bytes, n);
        (void)LLVMFuzzerTestOneInput(exact, n);
    }
    free(exact);
    free(bytes);
    return exact ? 0 : 1;
}

int main(int argc, char **argv) {
    int files = 0, bad = 0;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct dirent **names;
        int n = scandir(argv[i], &names, NULL, alphasort);
        if (n < 0) return perror(argv[i]), 1;
        for (int k = 0; k < n; k++) {
            char path[4096];
            struct stat st;
            (void)snprintf(path, sizeof path, "%s/%s", argv[i], names[k]->d_name);
            if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
                bad += replay_file(path);
                files++;
            }
            free(names[k]);
        }
        free(names);
    }
    if (files == 0) return fprintf(stderr, "no saved inputs\n"), 1;
    printf("%d inputs replayed\n", files);
    return bad != 0;
}
