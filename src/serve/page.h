/* page.h - the page for people, at "/": one HTML file with its style and its script within, out of web/
 * (cmake/page.cmake).
 *
 * It loads nothing from anywhere, and its policy lets it: of scripts and styles only those whose hashes stand there, of
 * connections only those to this server. So text of a document that came to stand in it as markup would still do
 * nothing.
 */
#ifndef PYTHIA_SERVE_PAGE_H
#define PYTHIA_SERVE_PAGE_H

extern const char page_html[], page_css[], page_js[];

#endif
