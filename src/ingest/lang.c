/* lang.c - which language a file is written in: by its name, its extension, its "#!" line, and for the few extensions
 * that two languages share by a look at the text. See read.h.
 *
 * All tables are sorted (test_lang checks it) and searched by halves: a file costs well under a microsecond. A new
 * language is one entry of LANG_LIST and its keys below.
 */
#include <stdlib.h>

#include "base/file.h"
#include "ingest/read.h"

/* The tables are read in rows. */
/* clang-format off */
/* X(name, class) */
#define LANG_LIST(X)                                                                                               \
    X(ada, CODE) X(asciidoc, PROSE) X(asm, CODE) X(astro, CODE) X(awk, CODE) X(bash, CODE) X(batch, CODE)          \
    X(bibtex, DATA) X(c, CODE) X(clojure, CODE) X(cmake, CODE) X(cobol, CODE) X(coffeescript, CODE) X(cpp, CODE)   \
    X(crystal, CODE) X(csharp, CODE) X(css, CODE) X(csv, DATA) X(cuda, CODE) X(cython, CODE) X(d, CODE)            \
    X(dart, CODE) X(diff, DATA) X(dockerfile, CODE) X(docx, PROSE) X(elisp, CODE) X(elixir, CODE) X(elm, CODE)     \
    X(epub, PROSE) X(erlang, CODE) X(fish, CODE) X(fortran, CODE) X(fsharp, CODE) X(gdscript, CODE) X(gleam, CODE) \
    X(glsl, CODE) X(go, CODE) X(gomod, DATA) X(gradle, CODE) X(graphql, CODE) X(groovy, CODE) X(haskell, CODE)     \
    X(hcl, CODE) X(hlsl, CODE) X(html, CODE) X(ini, DATA) X(java, CODE) X(javascript, CODE) X(json, DATA)          \
    X(jsonl, DATA) X(julia, CODE) X(jupyter, PROSE) X(just, CODE) X(kotlin, CODE) X(less, CODE) X(lisp, CODE)      \
    X(lua, CODE) X(mail, PROSE) X(make, CODE) X(markdown, PROSE) X(matlab, CODE) X(meson, CODE) X(nim, CODE)       \
    X(nix, CODE) X(objc, CODE) X(ocaml, CODE) X(odp, PROSE) X(ods, PROSE) X(odt, PROSE) X(org, PROSE)              \
    X(pascal, CODE) X(pdf, PROSE) X(perl, CODE) X(php, CODE) X(po, DATA) X(powershell, CODE) X(pptx, PROSE)        \
    X(prolog, CODE) X(proto, CODE) X(python, CODE) X(r, CODE) X(racket, CODE) X(rst, PROSE) X(rtf, PROSE)          \
    X(ruby, CODE) X(rust, CODE) X(sass, CODE) X(scala, CODE) X(scheme, CODE) X(scss, CODE) X(solidity, CODE)       \
    X(sql, CODE) X(starlark, CODE) X(svelte, CODE) X(swift, CODE) X(systemverilog, CODE) X(tcl, CODE)              \
    X(tex, PROSE) X(text, PROSE) X(thrift, CODE) X(toml, DATA) X(tsx, CODE) X(typescript, CODE) X(v, CODE)         \
    X(vb, CODE) X(verilog, CODE) X(vhdl, CODE) X(vim, CODE) X(vue, CODE) X(xlsx, PROSE) X(xml, DATA) X(yaml, DATA) \
    X(zig, CODE)
/* clang-format on */

enum { LOOK_BYTES = 8192, LANG_NAME_MAX = 32 };

typedef enum {
#define LANG_ENUM(name, class) LANG_##name,
    LANG_LIST(LANG_ENUM)
#undef LANG_ENUM
        LANG_COUNT
} Lang;

static const char *const lang_name_list[] = {
#define LANG_NAME(name, class) #name,
    LANG_LIST(LANG_NAME)
#undef LANG_NAME
};

static const LangClass lang_classes[] = {
#define LANG_CLASS(name, class) LANG_##class,
    LANG_LIST(LANG_CLASS)
#undef LANG_CLASS
};

typedef struct {
    const char *key;
    Lang lang;
} LangKey;

/* clang-format off */
/* In lower case, as the extension is made before it is looked up. */
static const LangKey by_extension[] = {
    {"adb", LANG_ada}, {"adoc", LANG_asciidoc}, {"ads", LANG_ada}, {"asciidoc", LANG_asciidoc}, {"asd", LANG_lisp},
    {"asm", LANG_asm}, {"astro", LANG_astro}, {"atom", LANG_xml}, {"awk", LANG_awk}, {"bas", LANG_vb},
    {"bash", LANG_bash}, {"bat", LANG_batch}, {"bats", LANG_bash}, {"bazel", LANG_starlark}, {"bib", LANG_bibtex},
    {"bzl", LANG_starlark}, {"c", LANG_c}, {"c++", LANG_cpp}, {"cbl", LANG_cobol}, {"cc", LANG_cpp},
    {"cfg", LANG_ini}, {"cjs", LANG_javascript}, {"cl", LANG_lisp}, {"clj", LANG_clojure}, {"cljc", LANG_clojure},
    {"cljs", LANG_clojure}, {"cls", LANG_tex}, {"cmake", LANG_cmake}, {"cmd", LANG_batch}, {"cob", LANG_cobol},
    {"coffee", LANG_coffeescript}, {"comp", LANG_glsl}, {"conf", LANG_ini}, {"containerfile", LANG_dockerfile},
    {"cpp", LANG_cpp}, {"cppm", LANG_cpp}, {"cr", LANG_crystal}, {"cs", LANG_csharp}, {"csproj", LANG_xml},
    {"css", LANG_css}, {"csv", LANG_csv}, {"csx", LANG_csharp}, {"cts", LANG_typescript}, {"cu", LANG_cuda},
    {"cuh", LANG_cuda}, {"cxx", LANG_cpp}, {"d", LANG_d}, {"dart", LANG_dart}, {"ddl", LANG_sql},
    {"desktop", LANG_ini}, {"di", LANG_d}, {"diff", LANG_diff}, {"dml", LANG_sql}, {"dockerfile", LANG_dockerfile},
    {"docm", LANG_docx}, {"docx", LANG_docx}, {"dotm", LANG_docx}, {"dotx", LANG_docx}, {"dpr", LANG_pascal},
    {"dtx", LANG_tex}, {"ebuild", LANG_bash}, {"editorconfig", LANG_ini}, {"edn", LANG_clojure}, {"el", LANG_elisp},
    {"elm", LANG_elm}, {"eml", LANG_mail}, {"epub", LANG_epub}, {"erl", LANG_erlang}, {"escript", LANG_erlang},
    {"ex", LANG_elixir}, {"exp", LANG_tcl}, {"exs", LANG_elixir}, {"f", LANG_fortran}, {"f03", LANG_fortran},
    {"f08", LANG_fortran}, {"f77", LANG_fortran}, {"f90", LANG_fortran}, {"f95", LANG_fortran}, {"fish", LANG_fish},
    {"fodt", LANG_xml}, {"for", LANG_fortran}, {"frag", LANG_glsl}, {"fs", LANG_fsharp}, {"fsi", LANG_fsharp},
    {"fsx", LANG_fsharp}, {"gd", LANG_gdscript}, {"gemspec", LANG_ruby}, {"geojson", LANG_json}, {"geom", LANG_glsl},
    {"gleam", LANG_gleam}, {"glsl", LANG_glsl}, {"go", LANG_go}, {"gql", LANG_graphql}, {"gradle", LANG_gradle},
    {"graphql", LANG_graphql}, {"groovy", LANG_groovy}, {"gvy", LANG_groovy}, {"h", LANG_c}, {"h++", LANG_cpp},
    {"hcl", LANG_hcl}, {"hh", LANG_cpp}, {"hlsl", LANG_hlsl}, {"hpp", LANG_cpp}, {"hrl", LANG_erlang},
    {"hs", LANG_haskell}, {"htm", LANG_html}, {"html", LANG_html}, {"hxx", LANG_cpp}, {"ini", LANG_ini},
    {"inl", LANG_cpp}, {"ipp", LANG_cpp}, {"ipynb", LANG_jupyter}, {"ixx", LANG_cpp}, {"java", LANG_java},
    {"jl", LANG_julia}, {"js", LANG_javascript}, {"json", LANG_json}, {"json5", LANG_json}, {"jsonc", LANG_json},
    {"jsonl", LANG_jsonl}, {"jsx", LANG_javascript}, {"just", LANG_just}, {"ksh", LANG_bash}, {"kt", LANG_kotlin},
    {"kts", LANG_kotlin}, {"less", LANG_less}, {"lhs", LANG_haskell}, {"lisp", LANG_lisp}, {"lsp", LANG_lisp},
    {"ltx", LANG_tex}, {"lua", LANG_lua}, {"m", LANG_objc}, {"mak", LANG_make}, {"make", LANG_make},
    {"markdown", LANG_markdown}, {"matlab", LANG_matlab}, {"mbox", LANG_mail}, {"mbx", LANG_mail},
    {"md", LANG_markdown}, {"mdown", LANG_markdown}, {"mdx", LANG_markdown}, {"meson", LANG_meson},
    {"mjs", LANG_javascript}, {"mk", LANG_make}, {"mkd", LANG_markdown}, {"ml", LANG_ocaml}, {"mli", LANG_ocaml},
    {"mm", LANG_objc}, {"mod", LANG_gomod}, {"mts", LANG_typescript}, {"nasm", LANG_asm}, {"ndjson", LANG_jsonl},
    {"nim", LANG_nim}, {"nims", LANG_nim}, {"nix", LANG_nix}, {"odp", LANG_odp}, {"ods", LANG_ods}, {"odt", LANG_odt},
    {"org", LANG_org}, {"otp", LANG_odp}, {"ots", LANG_ods}, {"ott", LANG_odt}, {"pas", LANG_pascal},
    {"patch", LANG_diff}, {"pdf", LANG_pdf}, {"php", LANG_php}, {"php3", LANG_php}, {"php4", LANG_php},
    {"php5", LANG_php}, {"phtml", LANG_php}, {"pl", LANG_perl}, {"plist", LANG_xml}, {"pm", LANG_perl},
    {"po", LANG_po}, {"pod", LANG_perl}, {"pot", LANG_po}, {"potx", LANG_pptx}, {"pp", LANG_pascal},
    {"ppsx", LANG_pptx}, {"pptm", LANG_pptx}, {"pptx", LANG_pptx}, {"prolog", LANG_prolog}, {"properties", LANG_ini},
    {"props", LANG_xml}, {"proto", LANG_proto}, {"ps1", LANG_powershell}, {"psd1", LANG_powershell},
    {"psm1", LANG_powershell}, {"psql", LANG_sql}, {"pxd", LANG_cython}, {"pxi", LANG_cython}, {"py", LANG_python},
    {"pyi", LANG_python}, {"pyw", LANG_python}, {"pyx", LANG_cython}, {"qmd", LANG_markdown}, {"r", LANG_r},
    {"rake", LANG_ruby}, {"rb", LANG_ruby}, {"rest", LANG_rst}, {"rkt", LANG_racket}, {"rmd", LANG_markdown},
    {"rng", LANG_xml}, {"rs", LANG_rust}, {"rss", LANG_xml}, {"rst", LANG_rst}, {"rtf", LANG_rtf}, {"ru", LANG_ruby},
    {"s", LANG_asm}, {"sass", LANG_sass}, {"sbt", LANG_scala}, {"sc", LANG_scala}, {"scala", LANG_scala},
    {"scm", LANG_scheme}, {"scss", LANG_scss}, {"service", LANG_ini}, {"sh", LANG_bash}, {"sld", LANG_scheme},
    {"sol", LANG_solidity}, {"sql", LANG_sql}, {"ss", LANG_scheme}, {"star", LANG_starlark}, {"sty", LANG_tex},
    {"sv", LANG_systemverilog}, {"svelte", LANG_svelte}, {"svg", LANG_xml}, {"svh", LANG_systemverilog},
    {"swift", LANG_swift}, {"t", LANG_perl}, {"targets", LANG_xml}, {"tcl", LANG_tcl}, {"tesc", LANG_glsl},
    {"tese", LANG_glsl}, {"tex", LANG_tex}, {"text", LANG_text}, {"tf", LANG_hcl}, {"tfvars", LANG_hcl},
    {"thrift", LANG_thrift}, {"tk", LANG_tcl}, {"toml", LANG_toml}, {"tpp", LANG_cpp}, {"ts", LANG_typescript},
    {"tsv", LANG_csv}, {"tsx", LANG_tsx}, {"txt", LANG_text}, {"v", LANG_v}, {"vb", LANG_vb}, {"vbs", LANG_vb},
    {"vcxproj", LANG_xml}, {"vert", LANG_glsl}, {"vh", LANG_verilog}, {"vhd", LANG_vhdl}, {"vhdl", LANG_vhdl},
    {"vim", LANG_vim}, {"vsh", LANG_v}, {"vue", LANG_vue}, {"webmanifest", LANG_json}, {"wsdl", LANG_xml},
    {"wsgi", LANG_python}, {"xaml", LANG_xml}, {"xhtml", LANG_html}, {"xlsm", LANG_xlsx}, {"xlsx", LANG_xlsx},
    {"xltx", LANG_xlsx}, {"xml", LANG_xml}, {"xsd", LANG_xml}, {"xsl", LANG_xml}, {"xslt", LANG_xml},
    {"yaml", LANG_yaml}, {"yml", LANG_yaml}, {"zig", LANG_zig}, {"zon", LANG_zig}, {"zsh", LANG_bash},
};

static const LangKey by_name[] = {
    {".Rprofile", LANG_r}, {".babelrc", LANG_json}, {".bash_profile", LANG_bash}, {".bashrc", LANG_bash},
    {".clang-format", LANG_yaml}, {".clang-tidy", LANG_yaml}, {".editorconfig", LANG_ini}, {".emacs", LANG_elisp},
    {".eslintrc", LANG_json}, {".gitconfig", LANG_ini}, {".prettierrc", LANG_json}, {".profile", LANG_bash},
    {".vimrc", LANG_vim}, {".zshrc", LANG_bash}, {"AUTHORS", LANG_text}, {"BUILD", LANG_starlark},
    {"Brewfile", LANG_ruby}, {"CHANGES", LANG_text}, {"CMakeLists.txt", LANG_cmake}, {"CONTRIBUTORS", LANG_text},
    {"COPYING", LANG_text}, {"Cargo.lock", LANG_toml}, {"ChangeLog", LANG_text}, {"Containerfile", LANG_dockerfile},
    {"Dockerfile", LANG_dockerfile}, {"GNUmakefile", LANG_make}, {"Gemfile", LANG_ruby}, {"INSTALL", LANG_text},
    {"Jenkinsfile", LANG_groovy}, {"Justfile", LANG_just}, {"Kbuild", LANG_make}, {"LICENSE", LANG_text},
    {"Makefile", LANG_make}, {"NEWS", LANG_text}, {"NOTICE", LANG_text}, {"Pipfile", LANG_toml},
    {"Podfile", LANG_ruby}, {"README", LANG_text}, {"Rakefile", LANG_ruby}, {"SConscript", LANG_python},
    {"SConstruct", LANG_python}, {"TODO", LANG_text}, {"Vagrantfile", LANG_ruby}, {"WORKSPACE", LANG_starlark},
    {"_vimrc", LANG_vim}, {"composer.lock", LANG_json}, {"dune", LANG_ocaml}, {"go.mod", LANG_gomod},
    {"go.work", LANG_gomod}, {"justfile", LANG_just}, {"makefile", LANG_make}, {"meson.build", LANG_meson},
    {"meson_options.txt", LANG_meson}, {"poetry.lock", LANG_toml}, {"rebar.config", LANG_erlang},
    {"setup.cfg", LANG_ini}, {"uv.lock", LANG_toml},
};

static const LangKey by_interpreter[] = {
    {"Rscript", LANG_r}, {"ash", LANG_bash}, {"awk", LANG_awk}, {"bash", LANG_bash}, {"bb", LANG_clojure},
    {"bun", LANG_typescript}, {"clojure", LANG_clojure}, {"crystal", LANG_crystal}, {"dart", LANG_dart},
    {"dash", LANG_bash}, {"deno", LANG_typescript}, {"elixir", LANG_elixir}, {"emacs", LANG_elisp},
    {"escript", LANG_erlang}, {"expect", LANG_tcl}, {"fish", LANG_fish}, {"gawk", LANG_awk}, {"go", LANG_go},
    {"groovy", LANG_groovy}, {"guile", LANG_scheme}, {"jruby", LANG_ruby}, {"julia", LANG_julia},
    {"just", LANG_just}, {"kotlin", LANG_kotlin}, {"ksh", LANG_bash}, {"lua", LANG_lua}, {"luajit", LANG_lua},
    {"make", LANG_make}, {"mawk", LANG_awk}, {"nim", LANG_nim}, {"node", LANG_javascript},
    {"nodejs", LANG_javascript}, {"ocaml", LANG_ocaml}, {"perl", LANG_perl}, {"php", LANG_php},
    {"powershell", LANG_powershell}, {"pwsh", LANG_powershell}, {"pypy", LANG_python}, {"python", LANG_python},
    {"racket", LANG_racket}, {"rdmd", LANG_d}, {"ruby", LANG_ruby}, {"runghc", LANG_haskell},
    {"runhaskell", LANG_haskell}, {"rust-script", LANG_rust}, {"sbcl", LANG_lisp}, {"scala", LANG_scala},
    {"sh", LANG_bash}, {"swift", LANG_swift}, {"swipl", LANG_prolog}, {"tclsh", LANG_tcl},
    {"ts-node", LANG_typescript}, {"tsx", LANG_typescript}, {"wish", LANG_tcl}, {"zsh", LANG_bash},
};

static const LangKey aliases[] = {
    {"adoc", LANG_asciidoc}, {"assembly", LANG_asm}, {"bat", LANG_batch}, {"bazel", LANG_starlark},
    {"c#", LANG_csharp}, {"c++", LANG_cpp}, {"cc", LANG_cpp}, {"clj", LANG_clojure}, {"common-lisp", LANG_lisp},
    {"cs", LANG_csharp}, {"cxx", LANG_cpp}, {"docker", LANG_dockerfile}, {"emacs-lisp", LANG_elisp},
    {"erl", LANG_erlang}, {"ex", LANG_elixir}, {"f#", LANG_fsharp}, {"golang", LANG_go}, {"gql", LANG_graphql},
    {"h", LANG_c}, {"hpp", LANG_cpp}, {"hs", LANG_haskell}, {"htm", LANG_html}, {"jl", LANG_julia},
    {"js", LANG_javascript}, {"jsx", LANG_javascript}, {"kt", LANG_kotlin}, {"latex", LANG_tex},
    {"makefile", LANG_make}, {"md", LANG_markdown}, {"mdx", LANG_markdown}, {"ml", LANG_ocaml},
    {"ndjson", LANG_jsonl}, {"node", LANG_javascript}, {"objective-c", LANG_objc}, {"objectivec", LANG_objc},
    {"patch", LANG_diff}, {"pl", LANG_perl}, {"plain", LANG_text}, {"protobuf", LANG_proto},
    {"ps1", LANG_powershell}, {"pwsh", LANG_powershell}, {"py", LANG_python}, {"python3", LANG_python},
    {"rb", LANG_ruby}, {"restructuredtext", LANG_rst}, {"rlang", LANG_r}, {"rs", LANG_rust}, {"sh", LANG_bash},
    {"shell", LANG_bash}, {"sol", LANG_solidity}, {"svg", LANG_xml}, {"terraform", LANG_hcl}, {"tf", LANG_hcl},
    {"ts", LANG_typescript}, {"tsv", LANG_csv}, {"txt", LANG_text}, {"viml", LANG_vim}, {"vimscript", LANG_vim},
    {"visualbasic", LANG_vb}, {"yml", LANG_yaml}, {"zsh", LANG_bash},
};
/* clang-format on */

#define KEYS(table) (table), sizeof(table) / sizeof *(table)

static int key_cmp(const void *key, const void *entry) {
    return str_cmp(*(const Str *)key, str_of(((const LangKey *)entry)->key));
}

static const LangKey *key_find(Str key, const LangKey *table, size_t n) {
    return bsearch(&key, table, n, sizeof *table, key_cmp);
}

static Str name_of(Lang lang) { return str_of(lang_name_list[lang]); }

/* s in lower case ASCII; {NULL, 0} when longer than any key. */
static Str lower(Str s, char out[LANG_NAME_MAX]) {
    if (s.n >= LANG_NAME_MAX) return (Str){0};
    for (size_t i = 0; i < s.n; i++) out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
    return str_make(out, s.n);
}

static bool any_line_starts(Str text, const char *const *starts, size_t n) {
    for (Str line; str_line(&text, &line);) {
        line = str_trim(line);
        for (size_t i = 0; i < n; i++)
            if (str_starts(line, str_of(starts[i]))) return true;
    }
    return false;
}

/* Extensions that several languages share; `usual` when the text does not tell. */
static Lang decide(Str ext, Str text, Lang usual) {
    static const char *const cpp[] = {
        "namespace ",        "template<",         "template <",       "class ",   "using ",
        "public:",           "private:",          "protected:",       "virtual ", "constexpr ",
        "#include <string>", "#include <vector>", "#include <memory>"};
    static const char *const objc[] = {"@interface", "@protocol", "@class", "#import"};
    static const char *const matlab[] = {"%", "function ", "classdef "};
    static const char *const verilog[] = {"module ", "`timescale", "`include", "`define"};
    static const char *const xml[] = {"<?xml", "<!DOCTYPE TS"};
    static const char *const prolog[] = {":- "};
    static const struct {
        const char *ext;
        const char *const *starts;
        size_t n;
        Lang lang;
    } rules[] = {
        {"h", objc, 4, LANG_objc},      {"h", cpp, 13, LANG_cpp},        {"m", objc, 4, LANG_objc},
        {"m", matlab, 3, LANG_matlab},  {"v", verilog, 4, LANG_verilog}, {"ts", xml, 2, LANG_xml},
        {"pl", prolog, 1, LANG_prolog},
    };
    const Str look = str_upto(text, LOOK_BYTES);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (str_is(ext, rules[i].ext) && any_line_starts(look, rules[i].starts, rules[i].n)) return rules[i].lang;
    return usual;
}

/* "#!/usr/bin/env -S VAR=1 python3.11 -u" gives "python". */
static Str interpreter(Str text) {
    Str line;
    if (!str_starts(text, STR("#!")) || !str_line(&text, &line)) return (Str){0};
    Str rest = str_trim(str_from(line, 2)), word;
    bool behind_env = false;
    while (str_cut(&rest, ' ', &word)) {
        if (word.n == 0) continue;
        if (behind_env && (word.p[0] == '-' || str_find_char(word, '=') >= 0)) continue;
        Str name = path_base(word);
        if (!behind_env && str_is(name, "env")) {
            behind_env = true;
            continue;
        }
        while (name.n && strchr("0123456789.-", name.p[name.n - 1])) name.n--;
        return name;
    }
    return (Str){0};
}

/* "def name(…):", perhaps decorated, as Python has it; Ruby's has no colon. */
static bool opens_as_python(Str text) {
    Str rest = str_upto(text, LOOK_BYTES), line;
    bool opened = false;
    while (str_line(&rest, &line)) {
        const Str words = str_trim(line);
        if (!opened && (words.n == 0 || words.p[0] == '@' || words.p[0] == '#')) continue;
        const bool def =
            str_starts(words, STR("def ")) || str_starts(words, STR("async def ")) || str_starts(words, STR("class "));
        if (!opened && (!def || str_find_char(words, '(') < 0)) return false;
        opened = true;
        if ((words.n && words.p[words.n - 1] == ':') || str_find(words, STR("):")) >= 0) return true;
        if (words.n == 0 || (str_find_char(words, ')') >= 0 && str_find_char(words, ':') < 0)) return false;
    }
    return false;
}

static const LangKey *by_content(Str text) {
    const Str name = interpreter(text);
    if (name.n) return key_find(name, KEYS(by_interpreter));
    const Str start = str_trim(str_upto(text, 64));
    static const LangKey xml = {"xml", LANG_xml}, html = {"html", LANG_html}, python = {"python", LANG_python};
    if (str_starts(start, STR("<?xml"))) return &xml;
    if (str_eq_nocase(str_upto(start, 14), STR("<!doctype html"))) return &html;
    if (opens_as_python(text)) return &python;
    return NULL;
}

Str lang_of(Str path, Str text) {
    const Str base = path_base(path);
    char buffer[LANG_NAME_MAX];
    const LangKey *k = key_find(base, KEYS(by_name));
    if (k) return name_of(k->lang);
    const Str ext = lower(path_ext(path), buffer);
    if (ext.n && (k = key_find(ext, KEYS(by_extension)))) return name_of(decide(ext, text, k->lang));
    if (str_starts(base, STR("Dockerfile."))) return name_of(LANG_dockerfile);
    if (str_starts(base, STR("Makefile."))) return name_of(LANG_make);
    if (str_starts(base, STR("README")) || str_starts(base, STR("LICENSE"))) return name_of(LANG_text);
    k = by_content(text);
    return k ? name_of(k->lang) : STR("");
}

size_t lang_names(const char *const **out) {
    *out = lang_name_list;
    return LANG_COUNT;
}

static const char *const *name_find(Str name) {
    for (size_t i = 0; i < LANG_COUNT; i++)
        if (str_is(name, lang_name_list[i])) return &lang_name_list[i];
    return NULL;
}

LangClass lang_class(Str lang) {
    const char *const *at = name_find(lang);
    return at ? lang_classes[at - lang_name_list] : LANG_UNKNOWN;
}

/* Edit distance (Levenshtein) of two short names. */
static size_t distance(Str a, Str b) {
    size_t row[LANG_NAME_MAX + 1];
    for (size_t j = 0; j <= b.n; j++) row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            const size_t change = diagonal + (a.p[i - 1] != b.p[j - 1]);
            const size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < shorter ? change : shorter;
        }
    }
    return row[b.n];
}

static bool is_near(Str typed, Str name) {
    if (typed.n == 0) return false;
    const size_t allowed = typed.n <= 3 ? 1 : 2;
    return (typed.n >= 3 && (str_starts(name, typed) || str_starts(typed, name))) || distance(typed, name) <= allowed;
}

static Err unknown_lang(Str typed, Str low) {
    Buf near = {0}, all = {0};
    for (size_t i = 0; i < LANG_COUNT; i++) {
        const Str name = name_of((Lang)i);
        buf_printf(&all, "%s%s", i ? ", " : "", name.p);
        if (is_near(low, name)) buf_printf(&near, "%s%s", near.n ? ", " : "", name.p);
    }
    const Str shown = str_upto(typed, 64);
    const Err err = near.n
                        ? err_set(ERR_USAGE, "unknown language '%.*s'; near it: %s", STR_FMT(shown), near.p)
                        : err_set(ERR_USAGE, "unknown language '%.*s'; known: %s", STR_FMT(shown), all.p ? all.p : "");
    buf_free(&near);
    buf_free(&all);
    return err;
}

Err lang_canonical(Str typed, Str *out) {
    char buffer[LANG_NAME_MAX];
    const Str low = lower(typed, buffer);
    const char *const *name = low.n ? name_find(low) : NULL;
    const LangKey *alias = low.n && !name ? key_find(low, KEYS(aliases)) : NULL;
    if (!name && !alias) return unknown_lang(typed, low);
    *out = name ? str_of(*name) : name_of(alias->lang);
    return ERR_OK;
}
