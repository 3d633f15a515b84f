/* format_mail.c - mails (RFC 5322) with their parts (MIME: RFC 2045 to 2049, 2231), and mailboxes of many (mbox).
 *
 * Own reader instead of gmime's: some 400 lines without a C object system at every start, and nothing but what
 * searching needs. A mail's subject is a heading; who, whom and when are lines below it. Of alternatives the plain one
 * is read, else the page. Attachments are read by the readers of their formats, under a heading with their name, which
 * names but never opens anything; what only another program can read (PDF) is handed to the parent, which reads it into
 * its place.
 *
 * Parts nest DEPTH_MAX deep; there are at most PARTS_MAX in a file.
 */
#include <stdio.h>

#include "base/file.h"
#include "ingest/format.h"
#include "ingest/format_html.h"
#include "ingest/mime.h"

enum { DEPTH_MAX = 12, PARTS_MAX = 100000, MAIL_LEVEL = 1, ATTACHMENT_LEVEL = 2 };

typedef struct {
    Flow *f;
    Arena *a;
    size_t parts, mails;
} Mail;

static Err part_read(Mail *m, Str entity, unsigned depth);

/* ---- texts ---- */

static Err text_read(Mail *m, const MimePart *p, Str bytes) {
    Str text;
    const bool is_html = str_eq_nocase(p->subtype, STR("html"));
    const Str declared = p->charset.n ? p->charset : is_html ? html_declared(bytes) : STR("");
    TRY(charset_decode(&m->f->charsets, m->a, bytes, declared, &text));
    flow_paragraph(m->f);
    if (is_html) {
        m->f->levels_above += MAIL_LEVEL;
        const Err err = html_read(m->f, text);
        m->f->levels_above -= MAIL_LEVEL;
        return err;
    }
    for (Str line; str_line(&text, &line);) {
        if (str_trim(line).n)
            flow_text(m->f, line), flow_line(m->f);
        else
            flow_paragraph(m->f);
    }
    flow_paragraph(m->f);
    return ERR_OK;
}

/* ---- attachments ---- */

/* The document within the mail: its headings stand below its name, its title and what else it says of itself are not
 * the mail's. */
static Err document_read_within(Mail *m, const DocumentFormat *format, Str bytes) {
    Flow *f = m->f;
    const Str title = f->title;
    const size_t meta = f->meta.n;
    f->levels_above += ATTACHMENT_LEVEL;
    const Err err = format->read(f, bytes);
    f->levels_above -= ATTACHMENT_LEVEL;
    f->title = title;
    f->meta.n = meta;
    flow_page(f, 0);
    flow_heading_end(f, ATTACHMENT_LEVEL + 1);
    if (!err || err == ERR_NOMEM) return err;
    flow_text(f, STR("(not read: "));
    flow_text(f, str_of(err_text()));
    flow_text(f, STR(")"));
    flow_paragraph(f);
    return ERR_OK;
}

static Err attachment_read(Mail *m, const MimePart *p, Str bytes) {
    const DocumentFormat *format = format_of(p->name, str_upto(bytes, FORMAT_SNIFF));
    const bool is_text = str_eq_nocase(p->type, STR("text"));
    flow_heading_end(m->f, ATTACHMENT_LEVEL);
    flow_heading(m->f, ATTACHMENT_LEVEL, p->name.n ? p->name : STR("attachment"));
    if (format && format->read) return document_read_within(m, format, bytes);
    if (format && format->kind == FORMAT_PDF && flow_part(m->f, bytes)) return ERR_OK;
    if (is_text) return text_read(m, p, bytes);
    flow_text(m->f, STR("(attachment, not read)"));
    flow_paragraph(m->f);
    return ERR_OK;
}

/* ---- parts ---- */

static bool is_type(const MimePart *p, const char *type, const char *subtype) {
    return str_eq_nocase(p->type, str_of(type)) && (!*subtype || str_eq_nocase(p->subtype, str_of(subtype)));
}

/* The part of alternatives that is read: the plain one unless it is blank, else the last that is text or holds some. */
static Err alternative_read(Mail *m, const MimePart *p, unsigned depth) {
    Str rest = p->body, entity, chosen = {NULL, 0};
    bool plain = false;
    while (mime_next(&rest, p->boundary, &entity)) {
        MimePart part;
        TRY(mime_part(m->a, entity, &part));
        const bool is_plain = is_type(&part, "text", "plain") && str_trim(part.body).n;
        if (plain || !(is_plain || is_type(&part, "text", "html") || is_type(&part, "multipart", ""))) continue;
        chosen = entity;
        plain = is_plain;
    }
    return chosen.p ? part_read(m, chosen, depth + 1) : ERR_OK;
}

static Err parts_read(Mail *m, const MimePart *p, unsigned depth) {
    Str rest = p->body, entity;
    while (mime_next(&rest, p->boundary, &entity)) TRY(part_read(m, entity, depth + 1));
    return ERR_OK;
}

static Err headers_read(Mail *m, Str entity, bool is_top) {
    static const struct {
        const char *header, *meta;
    } shown[] = {{"From", "author"}, {"To", "to"}, {"Cc", "to"}, {"Date", "created"}};
    Str value;
    TRY(mime_header(&m->f->charsets, m->a, entity, "Subject", &value));
    if (is_top && !m->f->title.n) m->f->title = value;
    flow_heading(m->f, is_top ? MAIL_LEVEL : ATTACHMENT_LEVEL, value.n ? value : STR("(no subject)"));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        TRY(mime_header(&m->f->charsets, m->a, entity, shown[i].header, &value));
        if (value.n == 0) continue;
        if (is_top) flow_meta(m->f, shown[i].meta, value);
        flow_text(m->f, str_of(shown[i].header));
        flow_text(m->f, STR(": "));
        flow_text(m->f, value);
        flow_line(m->f);
    }
    flow_paragraph(m->f);
    return ERR_OK;
}

static Err part_read(Mail *m, Str entity, unsigned depth) {
    MimePart p;
    Str bytes;
    if (m->f->over || m->f->failed) return ERR_OK;
    if (depth > DEPTH_MAX) return err_set(ERR_LIMIT, "parts nested over %d deep", DEPTH_MAX);
    if (++m->parts > PARTS_MAX) return err_set(ERR_LIMIT, "over %d parts", PARTS_MAX);
    TRY(mime_part(m->a, entity, &p));
    if (p.name.n) TRY(mime_words(&m->f->charsets, m->a, p.name, &p.name));
    p.name = path_base(p.name);
    if (is_type(&p, "multipart", "encrypted")) return flow_text(m->f, STR("(encrypted)")), flow_paragraph(m->f), ERR_OK;
    if (is_type(&p, "multipart", "alternative")) return alternative_read(m, &p, depth);
    if (is_type(&p, "multipart", "")) return parts_read(m, &p, depth);
    TRY(mime_decode(m->a, &p, &bytes));
    if (is_type(&p, "message", "rfc822")) {
        TRY(headers_read(m, bytes, false));
        return part_read(m, bytes, depth + 1);
    }
    const bool is_body =
        is_type(&p, "text", "") && !p.is_attachment && (is_type(&p, "text", "plain") || is_type(&p, "text", "html"));
    return is_body ? text_read(m, &p, bytes) : attachment_read(m, &p, bytes);
}

/* A box of several mails has no author, nor a date. */
static Err mail_read(Mail *m, Str entity) {
    flow_heading_end(m->f, MAIL_LEVEL);
    TRY(headers_read(m, entity, true));
    if (++m->mails > 1) buf_clear(&m->f->meta);
    return part_read(m, entity, 0);
}

/* ---- mailboxes ---- */

/* The next mail of a mailbox; *rest begins with its "From " line. */
static Str mail_cut(Str *rest) {
    Str line;
    (void)str_line(rest, &line);
    const char *start = rest->p;
    bool blank = false;
    for (Str ahead = *rest; str_line(&ahead, &line);) {
        if (blank && str_starts(line, STR("From "))) {
            const Str mail = str_make(start, (size_t)(line.p - start));
            *rest = str_make(line.p, rest->n - mail.n);
            return mail;
        }
        blank = line.n == 0;
    }
    const Str mail = *rest;
    *rest = str_from(*rest, rest->n);
    return mail;
}

Err format_mail(Flow *f, Str bytes) {
    Mail m = {.f = f, .a = f->arena};
    if (!str_starts(bytes, STR("From "))) {
        if (!mime_looks_so(bytes)) return err_set(ERR_CORRUPT, "it does not begin as a mail does");
        return mail_read(&m, bytes);
    }
    for (Str rest = bytes; rest.n && !f->over;) {
        TRY(mail_read(&m, mail_cut(&rest)));
        f->title = STR("");
    }
    return ERR_OK;
}
