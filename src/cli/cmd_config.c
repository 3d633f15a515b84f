/* cmd_config.c - `pythia config get|set|list|path|trust`.
 *
 * Trust: a project's own .pythia.ini may not point to models, URLs or folders of its choosing until the user has said
 * so for this content: its SHA-256 then stands in <home>/trusted, one line "HASH PATH" each.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/table.h"

static const size_t TRUST_FILE_MAX = 1 << 20; /* bytes of <home>/trusted, and of a project file */

static void key_json(JsonOut *j, const Config *c, ConfigKey key) {
    const ConfigDef *d = &config_defs[key];
    char name[96];
    (void)snprintf(name, sizeof name, "%s.%s", d->section, d->key);
    jout_kv_z(j, "key", name);
    jout_kv_str(j, "value", config_text(c, key));
    jout_kv_z(j, "origin", config_origin(c, key));
}

Err cmd_config_list(Cli *cli) {
    static const TableColumn columns[] = {{"KEY", false}, {"VALUE", false}, {"FROM", false}};
    cli->json = args_has(&cli->args, "json");
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_key(&j, "config");
        jout_begin(&j, '[');
        for (int k = 0; k < CONF_COUNT; k++) {
            jout_begin(&j, '{');
            key_json(&j, cli->config, (ConfigKey)k);
            jout_end(&j, '}');
        }
        jout_end(&j, ']');
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    const char *cells[CONF_COUNT * 3];
    for (int k = 0; k < CONF_COUNT; k++) {
        const char *name = arena_printf(&cli->arena, "%s.%s", config_defs[k].section, config_defs[k].key).p;
        cells[k * 3] = name ? name : "";
        cells[k * 3 + 1] = cell_safe(&cli->arena, config_text(cli->config, (ConfigKey)k));
        cells[k * 3 + 2] = cell_safe(&cli->arena, str_of(config_origin(cli->config, (ConfigKey)k)));
    }
    table_add(&cli->out, &cli->out_term, columns, 3, cells, CONF_COUNT);
    return ERR_OK;
}

Err cmd_config_get(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    ConfigKey key;
    TRY(config_find(cli->args.words[0], &key));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        key_json(&j, cli->config, key);
        cli_json_end(cli, &j);
    } else {
        safe_text(&cli->out, config_text(cli->config, key));
        buf_char(&cli->out, '\n');
    }
    return ERR_OK;
}

Err config_set_user(Cli *cli, ConfigKey key, Str value) {
    if (!cli->user_file)
        return err_set(ERR_USAGE, "no place for your configuration is known: neither HOME nor XDG_CONFIG_HOME is set");
    const char *dir = arena_cstr(&cli->arena, path_dir(str_of(cli->user_file)));
    if (!dir) return arena_error();
    TRY(file_make_dirs(dir, 0755));
    return config_write(cli->user_file, key, value);
}

/* Runs without the configuration being loaded, so that a broken file can be mended with it. The value is tried on an
 * empty configuration first. */
Err cmd_config_set(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Str name = cli->args.words[0], value = cli->args.words[1];
    ConfigKey key;
    TRY(config_find(name, &key));
    bool project = args_has(&cli->args, "project");
    if (project && !(config_defs[key].flags & CONFIG_PROJECT))
        cli_say(cli, "note: '%.*s' of a project's file only counts after: pythia config trust", STR_FMT(name));
    if (value.n) {
        Config *empty = NULL;
        TRY(config_load(&empty, &(ConfigSources){0}));
        Err err = config_set(empty, key, value, "pythia config set");
        config_free(empty);
        TRY(err);
    }
    const char *file = project ? path_join(&cli->arena, cli->cwd, ".pythia.ini") : cli->user_file;
    TRY(project ? config_write(file, key, value) : config_set_user(cli, key, value));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_str(&j, "key", name);
        jout_kv_str(&j, "value", value);
        jout_kv_z(&j, "file", file);
        cli_json_end(cli, &j);
    } else {
        cli_say(cli, "%.*s %s in '%s'", STR_FMT(name), value.n ? "is set" : "is removed", file);
    }
    return ERR_OK;
}

Err cmd_config_path(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_z(&j, "user", cli->user_file);
        jout_kv_z(&j, "project", cli->project_file);
        jout_kv_bool(&j, "project_trusted", cli->project_trusted);
        jout_kv_z(&j, "home", cli->home);
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    Buf *b = &cli->out;
    buf_add_z(b, "user     ");
    safe_path(b, str_of(cli->user_file ? cli->user_file : "(none)"));
    buf_add_z(b, "\nproject  ");
    safe_path(b, str_of(cli->project_file ? cli->project_file : "(none)"));
    if (cli->project_file) buf_add_z(b, cli->project_trusted ? "  (trusted)" : "  (not trusted)");
    buf_add_z(b, "\nhome     ");
    safe_path(b, str_of(cli->home));
    buf_char(b, '\n');
    return ERR_OK;
}

/* ---- trust ---- */

static Err trust_line(Arena *a, const char *project_file, Str *out) {
    Str content;
    char hex[65];
    TRY(file_read(a, project_file, TRUST_FILE_MAX, &content));
    Sha256 sum = sha256_of(content);
    hex_write(sum.bytes, sizeof sum.bytes, hex);
    *out = arena_printf(a, "%s %s", hex, project_file);
    return out->p ? ERR_OK : arena_error();
}

static Err trust_list(Arena *a, const char *home, const char **file, Str *out) {
    FileInfo info;
    *out = STR("");
    *file = path_join(a, home, "trusted");
    if (!*file) return arena_error();
    TRY(file_info(*file, true, &info));
    return info.type == FILE_NONE ? ERR_OK : file_read(a, *file, TRUST_FILE_MAX, out);
}

static bool list_has(Str list, Str wanted) {
    Str line;
    while (str_line(&list, &line))
        if (str_eq(line, wanted)) return true;
    return false;
}

Err trust_check(Arena *a, const char *home, const char *project_file, bool *out) {
    const char *file;
    Str list, line;
    *out = false;
    TRY(trust_list(a, home, &file, &list));
    if (!list.n) return ERR_OK; /* nothing is trusted: the project file need not be read here */
    TRY(trust_line(a, project_file, &line));
    *out = list_has(list, line);
    return ERR_OK;
}

Err cmd_config_trust(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    if (!cli->project_file) return err_set(ERR_USAGE, "there is no .pythia.ini at or above '%s'", cli->cwd);
    if (strchr(cli->project_file, '\n'))
        return err_set(ERR_USAGE, "a folder whose name holds a line feed cannot be trusted");
    const char *file;
    Str list, line;
    TRY(trust_list(&cli->arena, cli->home, &file, &list));
    TRY(trust_line(&cli->arena, cli->project_file, &line));
    if (!list_has(list, line)) {
        Buf text = {0};
        buf_add(&text, list);
        if (list.n && !str_ends(list, STR("\n"))) buf_char(&text, '\n');
        buf_add(&text, line);
        buf_char(&text, '\n');
        Err err = buf_ok(&text);
        if (!err) err = file_make_dirs(cli->home, 0700);
        if (!err) err = file_write_atomic(file, buf_str(&text), 0600);
        buf_free(&text);
        TRY(err);
    }
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_z(&j, "trusted", cli->project_file);
        cli_json_end(cli, &j);
    } else {
        cli_say(cli, "'%s' is trusted as it is now; after a change: pythia config trust", cli->project_file);
    }
    return ERR_OK;
}
