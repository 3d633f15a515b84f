/* xml.h - the marks of an XML document one after another, as office formats and books need them.
 *
 * A pull reader of XML 1.0 without what makes XML dangerous: a document type that declares anything is refused, so
 * there are no entities to expand and nothing is ever fetched; the five of XML and character references are known.
 * Names come without their prefix: "w:p" is "p". Attributes are looked up in place. Not validated: it reads what
 * programs write.
 *
 * Depth at most XML_DEPTH_MAX. Cost: one pass, no memory but for decoded texts. Threads: one.
 */
#ifndef PYTHIA_INGEST_XML_H
#define PYTHIA_INGEST_XML_H

#include "base/arena.h"

#define XML_DEPTH_MAX 512

typedef enum { XML_END, XML_OPEN, XML_CLOSE, XML_TEXT } XmlEvent;

typedef struct {
    Str all, rest;
    Str name;     /* of XML_OPEN and XML_CLOSE, without prefix */
    Str attrs;    /* of XML_OPEN: raw */
    Str text;     /* of XML_TEXT: raw; xml_decode it */
    bool literal; /* the text is a CDATA section: it stands for itself */
    bool empty;   /* the element just opened has no content: its XML_CLOSE comes next */
    unsigned depth;
    const char *what; /* for errors: "word/document.xml" */
} Xml;

/* bytes: UTF-8, or UTF-16 with its mark (converted in the arena). */
MUST_USE Err xml_open(Arena *a, Str bytes, const char *what, Xml *out);
/* ERR_CORRUPT with the byte, ERR_LIMIT for depth, ERR_UNSUPPORTED for a document type with declarations. */
MUST_USE Err xml_next(Xml *x, XmlEvent *out);
/* Reads on behind the end of the element just opened. */
MUST_USE Err xml_skip(Xml *x);
/* The value of an attribute of the element just opened, raw; {NULL, 0} when it has none. */
Str xml_attr(const Xml *x, const char *name);
/* An attribute that is one number; else otherwise. */
int64_t xml_attr_int(const Xml *x, const char *name, int64_t otherwise);
/* Entities and character references resolved; those unknown stand as they are. */
void xml_decode(Buf *out, Str raw, bool literal);
Str xml_decoded(Arena *a, Str raw);

#endif
