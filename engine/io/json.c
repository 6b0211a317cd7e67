/* json.c: the reader. It keeps no stack and never recurses: the caller knows where it is. Nothing is skipped: every
   byte is either what the caller asked for or an error, so the depth of a text is the depth of its reader. */
#include "io/json.h"

#include <stdio.h>
#include <string.h>

bool pti_json_fail(const pti_json *j, int64_t at, const char *format, ...) {
  char text[256];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return pti_refuse(PT_EIO, "%s: byte %lld: %s", j->path, (long long)(j->base + at), text);
}

int pti_utf8_length(const unsigned char *s, int64_t n) {
  if (s[0] < 0x80) return 1;
  int length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4 || n < length) return 0;
  for (int i = 1; i < length; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
  }
  /* the second byte rules out long forms, surrogates and what lies beyond U+10FFFF */
  bool ok = !(s[0] == 0xe0 && s[1] < 0xa0) && !(s[0] == 0xed && s[1] > 0x9f) &&
      !(s[0] == 0xf0 && s[1] < 0x90) && !(s[0] == 0xf4 && s[1] > 0x8f);
  return ok ? length : 0;
}

static void skip_space(pti_json *j) {
  while (j->at < j->n && strchr(" \t\r\n", j->text[j->at]) && j->text[j->at]) j->at++;
}

char pti_json_peek(pti_json *j) {
  skip_space(j);
  if (j->at >= j->n) return 0;
  char c = j->text[j->at];
  return (c >= '0' && c <= '9') || c == '-' ? '0' : c;
}

/* Reports what was found instead of what was wanted. */
static bool unexpected(const pti_json *j, const char *wanted) {
  if (j->at >= j->n) return pti_json_fail(j, j->at, "expected %s, but the text ends", wanted);
  unsigned char c = (unsigned char)j->text[j->at];
  if (c > ' ' && c < 0x7f) return pti_json_fail(j, j->at, "expected %s, found '%c'", wanted, c);
  return pti_json_fail(j, j->at, "expected %s, found byte 0x%02x", wanted, c);
}

static bool expect(pti_json *j, char c) {
  char wanted[] = {'\'', c, '\'', 0};
  skip_space(j);
  if (j->at >= j->n || j->text[j->at] != c) return unexpected(j, wanted);
  j->at++;
  return true;
}

bool pti_json_open(pti_json *j, char bracket) {
  j->first = true;
  return expect(j, bracket);
}

/* Past the comma before the next member, or past the closing bracket. */
static bool next(pti_json *j, char close, bool *more) {
  skip_space(j);
  *more = j->at >= j->n || j->text[j->at] != close;
  bool first = j->first;
  j->first = false;
  if (!*more) return expect(j, close);
  return first || expect(j, ',');
}

bool pti_json_member(pti_json *j, bool *more, char **key, int64_t *bytes, int64_t *at) {
  if (!next(j, '}', more)) return false;
  if (!*more) return true;
  skip_space(j);
  *at = j->at;
  return pti_json_text(j, key, bytes) && expect(j, ':');
}

bool pti_json_key(pti_json *j, bool *more, char **key, int64_t *at) {
  int64_t bytes;
  if (!pti_json_member(j, more, key, &bytes, at)) return false;
  return !*more || strlen(*key) == (size_t)bytes ||
      pti_json_fail(j, *at, "this string holds a zero byte");
}

bool pti_json_item(pti_json *j, bool *more) { return next(j, ']', more); }

static int hex4(const char *s) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = s[i];
    int digit = c >= '0' && c <= '9' ? c - '0'
        : c >= 'a' && c <= 'f'       ? c - 'a' + 10
        : c >= 'A' && c <= 'F'       ? c - 'A' + 10
                                     : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* The character of \uXXXX at j->at (on the u), two of them where they are surrogates; -1 where malformed. */
static int32_t unicode_escape(pti_json *j) {
  int32_t high = j->n - j->at >= 5 ? hex4(j->text + j->at + 1) : -1;
  if (high < 0 || (high >= 0xdc00 && high <= 0xdfff)) return -1;
  j->at += 5;
  if (high < 0xd800 || high > 0xdbff) return high;
  const char *s = j->text + j->at;
  int32_t low = j->n - j->at >= 6 && s[0] == '\\' && s[1] == 'u' ? hex4(s + 2) : -1;
  if (low < 0xdc00 || low > 0xdfff) return -1;
  j->at += 6;
  return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *put_utf8(char *out, int32_t c) {
  if (c < 0x80) {
    *out++ = (char)c;
    return out;
  }
  if (c < 0x800) {
    *out++ = (char)(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      *out++ = (char)(0xe0 | c >> 12);
    } else {
      *out++ = (char)(0xf0 | c >> 18);
      *out++ = (char)(0x80 | (c >> 12 & 0x3f));
    }
    *out++ = (char)(0x80 | (c >> 6 & 0x3f));
  }
  *out++ = (char)(0x80 | (c & 0x3f));
  return out;
}

/* The escape at j->at (behind the backslash), decoded to out; never longer than its spelling. */
static char *escape(pti_json *j, char *out) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  int64_t at = j->at - 1;
  char c = j->at < j->n ? j->text[j->at] : 0;
  const char *found = c ? strchr(names, c) : NULL;
  if (found) {
    j->at++;
    *out++ = values[found - names];
    return out;
  }
  int32_t code = c == 'u' ? unicode_escape(j) : -1;
  if (code < 0) {
    pti_json_fail(j, at, "malformed escape in a string");
    return NULL;
  }
  return put_utf8(out, code);
}

bool pti_json_string(pti_json *j, char **text) {
  int64_t bytes;
  pti_json_peek(j);
  int64_t at = j->at;
  if (!pti_json_text(j, text, &bytes)) return false;
  return strlen(*text) == (size_t)bytes || pti_json_fail(j, at, "this string holds a zero byte");
}

bool pti_json_text(pti_json *j, char **text, int64_t *bytes) {
  if (!expect(j, '"')) return false;
  int64_t start = j->at - 1;
  char *out = *text = j->text + j->at;
  while (j->at < j->n && j->text[j->at] != '"') {
    unsigned char c = (unsigned char)j->text[j->at];
    if (c == '\\') {
      j->at++;
      if ((out = escape(j, out)) == NULL) return false;
      continue;
    }
    if (c < 0x20) return pti_json_fail(j, j->at, "control character 0x%02x in a string", c);
    int length = pti_utf8_length((unsigned char *)j->text + j->at, j->n - j->at);
    if (length == 0) return pti_json_fail(j, j->at, "malformed UTF-8 in a string");
    memmove(out, j->text + j->at, (size_t)length);
    out += length;
    j->at += length;
  }
  if (j->at >= j->n) return pti_json_fail(j, start, "this string does not end");
  *out = 0; /* at the latest on the closing quote, which is read */
  *bytes = out - *text;
  j->at++;
  return true;
}

static int64_t digits(pti_json *j) {
  int64_t from = j->at;
  while (j->at < j->n && j->text[j->at] >= '0' && j->text[j->at] <= '9') j->at++;
  return j->at - from;
}
static bool take(pti_json *j, const char *any) {
  bool found = j->at < j->n && j->text[j->at] && strchr(any, j->text[j->at]);
  j->at += found;
  return found;
}

bool pti_json_number(pti_json *j, int64_t *from, int64_t *to, bool *whole) {
  skip_space(j);
  *from = j->at;
  take(j, "-");
  int64_t first = j->at;
  if (digits(j) == 0) return unexpected(j, "a number");
  if (j->text[first] == '0' && j->at - first > 1)
    return pti_json_fail(j, *from, "a number may not begin with 0");
  *whole = true;
  if (take(j, ".")) {
    *whole = false;
    if (digits(j) == 0) return unexpected(j, "a digit");
  }
  if (take(j, "eE")) {
    *whole = false;
    take(j, "+-");
    if (digits(j) == 0) return unexpected(j, "a digit");
  }
  *to = j->at;
  return true;
}

bool pti_json_word(pti_json *j, const char *word) {
  size_t length = strlen(word);
  skip_space(j);
  if (j->n - j->at < (int64_t)length || memcmp(j->text + j->at, word, length) != 0)
    return unexpected(j, "a value");
  j->at += (int64_t)length;
  return true;
}

bool pti_json_count(pti_json *j, int64_t *out) {
  const int64_t limit = (int64_t)1 << 53;
  skip_space(j);
  int64_t start = j->at, value = 0;
  while (j->at < j->n && j->text[j->at] >= '0' && j->text[j->at] <= '9') {
    value = value * 10 + (j->text[j->at++] - '0');
    if (value > limit) return pti_json_fail(j, start, "this number is above 2^53");
  }
  if (j->at == start) return unexpected(j, "an integer of 0 or more");
  if (j->text[start] == '0' && j->at - start > 1)
    return pti_json_fail(j, start, "a number may not begin with 0");
  if (j->at < j->n && j->text[j->at] && strchr(".eE", j->text[j->at])) {
    return pti_json_fail(j, start, "expected an integer, found a fraction");
  }
  *out = value;
  return true;
}

bool pti_json_end(pti_json *j) {
  skip_space(j);
  return j->at >= j->n || unexpected(j, "the end");
}
