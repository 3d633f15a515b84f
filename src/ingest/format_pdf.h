/* format_pdf.h - PDF through the programs of others; the parent's side, for their output needs no parsing to speak
 * of. */
#ifndef PYTHIA_INGEST_FORMAT_PDF_H
#define PYTHIA_INGEST_FORMAT_PDF_H

#include "ingest/child.h"

typedef struct {
    ChildOpts child;       /* of each program and page */
    bool ocr;              /* read pages that are pictures, and pictures */
    int64_t ocr_pages;     /* at most, of a document */
    const char *languages; /* tesseract's names: "eng+deu" */
    const char *programs;  /* folder of the programs; NULL: where the system keeps them */
} PdfOpts;

/* Title and text with pages, or *skip with the reason: encrypted, broken, without text. */
MUST_USE Err pdf_read(Arena *a, int fd, const PdfOpts *opts, Doc *out, Str *skip);

/* A picture (PNG, JPEG, TIFF) as a document of one page, by OCR. */
MUST_USE Err picture_read(Arena *a, int fd, const PdfOpts *opts, Doc *out, Str *skip);

/* Adds what pdftotext printed to f; how many pages it was. For tests. */
int32_t pdf_pages(Flow *f, Str printed);

/* The path of a program, in that folder (NULL: where the system keeps them); NULL when it is not installed. */
const char *pdf_program(Arena *a, const char *folder, const char *name);

#endif
