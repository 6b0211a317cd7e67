/* json.h: a strict reader of JSON for file headers. The caller says what it expects and gets it, or an error with
   the path and the byte position. Strings are decoded where they stand, so they live as long as the text. */
#ifndef PTI_JSON_H
#define PTI_JSON_H

#include "base.h"

typedef struct pti_json {
  const char *path; /* for messages */
  int64_t base;     /* where the text begins in the file */
  char *text;       /* changed by reading strings */
  int64_t n, at;
  bool first; /* nothing was read yet of the innermost object or array */
} pti_json;

/* `at` is reported as a position of the file. */
bool pti_json_fail(const pti_json *j, int64_t at, const char *format, ...) PTI_PRINTF(3, 4);

/* What comes next: one of { [ " 0 (a number) t f n, or 0 at the end. */
char pti_json_peek(pti_json *j);
/* Opens '{' or '['. */
bool pti_json_open(pti_json *j, char bracket);
/* Steps to the next member of an object (its key, and where it stood) or of an array; *more is false, and the
   bracket closed, after the last. */
bool pti_json_key(pti_json *j, bool *more, char **key, int64_t *at);
/* The same with keys that may hold NUL. */
bool pti_json_member(pti_json *j, bool *more, char **key, int64_t *bytes, int64_t *at);
bool pti_json_item(pti_json *j, bool *more);
/* A string: UTF-8 without NUL, terminated. */
bool pti_json_string(pti_json *j, char **text);
/* The same where NUL is a character like others: its bytes, terminated. */
bool pti_json_text(pti_json *j, char **text, int64_t *bytes);
/* A number of any kind: where it stands in the text, and whether it is written as an integer. */
bool pti_json_number(pti_json *j, int64_t *from, int64_t *to, bool *whole);
/* `true`, `false` or `null`. */
bool pti_json_word(pti_json *j, const char *word);
/* An integer from 0 to 2^53. */
bool pti_json_count(pti_json *j, int64_t *out);
/* Nothing but white space is left. */
bool pti_json_end(pti_json *j);

/* Bytes of the UTF-8 character at s (n bytes are left), 0 where it is malformed. */
int pti_utf8_length(const unsigned char *s, int64_t n);

#endif
