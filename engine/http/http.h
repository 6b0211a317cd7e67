/* http.h: an HTTP server whose requests any thread takes and answers, at once or piece by piece. libmicrohttpd speaks the
   protocol, in a thread of its own; a connection rests while its request waits for an answer.

   Requests stand in two lines. They arrive in the first; who takes one from there answers it or passes it on to the
   second, which has a limit, for those that do the long work. */
#ifndef PTI_HTTP_H
#define PTI_HTTP_H

#include <pthread.h>
#include <stdint.h>

#include "base.h"

typedef struct pti_http pti_http;

typedef struct pti_http_options {
  const char *address; /* of an interface, IPv4: "127.0.0.1" */
  int port;            /* 0: any that is free */
  int connections;     /* at most; further ones wait */
  int patience;      /* seconds that a client may rest in the middle of a request or between two */
  size_t body_limit; /* bytes; what is longer is dropped, and the request says so */
  int line_limit;    /* requests in the second line */
} pti_http_options;

/* Text that grows. */
typedef struct pti_http_text {
  char *data;
  size_t n, room;
} pti_http_text;

typedef struct pti_http_request pti_http_request;
struct pti_http_request {
  const char *method, *path; /* the path without what follows "?" */
  pti_http_text headers;     /* "name\0value\0" for each */
  pti_http_text body;
  bool too_large; /* the body was, and is not there */

  /* http.c's own, under the server's mutex */
  pti_http *server;
  struct MHD_Connection *connection; /* NULL once the client is gone or has everything */
  int fd, refs, status, state;
  bool suspended, ended, cut;
  pti_http_text answer, fields; /* of which `sent` bytes are out; fields as headers above */
  size_t sent, dropped;
  pti_http_request *before, *after, *link; /* of all; of a line */
};

/* A reference; NULL with an error. */
pti_http *pti_http_open(const pti_http_options *o);
/* One more reference to the server with that number; NULL with an error. */
pti_http *pti_http_find(int64_t id);
int64_t pti_http_id(const pti_http *s);
int pti_http_port(const pti_http *s);
void pti_http_release(pti_http *s);

/* No new connection is accepted from now on, and what arrives on the old ones is refused. */
void pti_http_drain(pti_http *s);
/* Drains, waits a little until what is answered has been sent, and cuts what is left. */
void pti_http_close(pti_http *s);

/* The next request of a line (1 or 2), within `seconds`; the caller owns it, and a reference to the server with it. NULL:
   there was none, and if `over` there will be none. After pti_http_drain the second line is over once the first one has
   been found to be. */
pti_http_request *pti_http_take(pti_http *s, int line, double seconds, bool *over);
/* The request goes to the second line, and is no longer the caller's; false where that is full. */
bool pti_http_pass(pti_http_request *r);
/* Requests in the second line. */
int pti_http_waiting(pti_http *s);

/* ---- answers: false where the client is gone, or there is no memory for them ---- */

/* fields: "name\0value\0" for each. */
bool pti_http_respond(pti_http_request *r, int status, const pti_http_text *fields,
                      const char *body, size_t n);
/* An answer of unknown length: pti_http_begin, pti_http_write for each piece, pti_http_end. */
bool pti_http_begin(pti_http_request *r, int status, const pti_http_text *fields);
bool pti_http_write(pti_http_request *r, const char *data, size_t n);
bool pti_http_end(pti_http_request *r);
/* Whether the client has closed the connection. */
bool pti_http_gone(pti_http_request *r);
/* The caller has done with it. Without an answer it becomes status 500, an answer without an end is cut. */
void pti_http_drop(pti_http_request *r);

/* n more bytes; false where there is no memory. */
bool pti_http_add(pti_http_text *t, const void *data, size_t n);

#endif
