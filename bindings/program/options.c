/* options.c: the command line of `ptlua`, by the list in options.def. The letters mean what they mean to `lua`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

typedef struct option {
  const char *name, *letter, *word, *argument, *help;
} option;

static const option list[] = {
#define OPTION(name, letter, word, argument, help) {#name, letter, word, argument, help},
#include "options.def"
#undef OPTION
};

void print_help(void) {
  fputs(
      "usage: ptlua [options] [script [arguments]]\n"
      "       ptlua build SCRIPT -o PROGRAM      one executable: ptlua, the script, the modules it requires\n"
      "       ptlua info FILE...                 what a file of tensors holds\n"
      "       ptlua convert FROM TO              tensors in another format, told by the end of TO\n"
      "\n"
      "Runs a Lua script with `pt` (tensors, gradients, networks, threads) in it. Without a script:\n"
      "a prompt where the input is a terminal, else the input is the script.\n"
      "\n",
      stdout);
  for (int i = 0; i < OPTIONS; i++) {
    char left[64];
    const option *o = &list[i];
    snprintf(left, sizeof left, "%s%s%s--%s%s%s", *o->letter ? "-" : "    ", o->letter,
             *o->letter ? ", " : "", o->word, *o->argument ? " " : "", o->argument);
    printf("  %-26s %s\n", left, o->help);
  }
  fputs(
      "  -                          the script comes from the standard input\n"
      "  --                         the next word is the script, whatever it looks like\n"
      "\n"
      "The script finds its arguments in `arg` and `...`. Ctrl-C stops it, a second one quits.\n"
      "Exit status: 0 success, 1 the script failed or wrong usage, 124 the time limit was reached,\n"
      "130 interrupted.\n"
      "\n"
      "environment:\n"
      "  PT_NUM_THREADS   threads that tensor loops may use\n"
      "  PT_CPU           highest CPU level to use: base, avx2, avx512\n"
      "  PT_BACKEND_PATH  where the backends of other devices are looked for\n"
      "  PT_LUA_PATH      a folder whose pt/ replaces the Lua half of the library\n"
      "  PTLUA_HISTORY    the file of the prompt's history (~/.ptlua_history); empty: none\n"
      "  NO_COLOR         no colours\n"
      "  LUA_INIT, LUA_PATH, LUA_CPATH, and the same with _5_4  as for lua\n"
      "\n"
      "examples:\n"
      "  ptlua -e 'print(pt.randn(2, 3):softmax(-1))'\n"
      "  ptlua --threads 4 train.lua --epochs 5\n"
      "  ptlua -i model.lua\n",
      stdout);
}

static bool complain(const char *format, const char *what) {
  fputs("ptlua: ", stderr);
  fprintf(stderr, format, what);
  fputs("\ntry `ptlua --help`\n", stderr);
  return false;
}

/* ---- values ---- */

/* "500M" in bytes; 0 where it is none. */
static size_t bytes_of(const char *text) {
  char *end;
  double n = strtod(text, &end);
  const char *units = "KMGT", *unit = *end ? strchr(units, *end & ~0x20) : NULL;
  if (end == text || !(n > 0)) return 0;
  for (int i = 0; unit && i <= unit - units; i++) n *= 1024;
  if (unit) end += end[1] == 'B' || end[1] == 'b' ? 2 : 1;
  return *end == 0 && n < 9e18 ? (size_t)n : 0;
}

static bool read_values(options *o) {
  char *end = NULL;
  const char *text = o->value[OPTION_threads];
  if (text) o->threads = (int)strtol(text, &end, 10);
  if (text && (*end || o->threads < 1 || o->threads > 256))
    return complain("--threads must be 1 to 256, got %s", text);
  text = o->value[OPTION_nproc];
  long nproc = text ? strtol(text, &end, 10) : 1;
  if (text && (*end || nproc < 1 || nproc > 4096))
    return complain("--nproc must be 1 to 4096, got %s", text);
  text = o->value[OPTION_seed];
  errno = 0;
  if (text) strtoll(text, &end, 0);
  if (text && (*end || *text == 0 || errno))
    return complain("--seed must be an integer, got %s", text);
  text = o->value[OPTION_memory];
  if (text && (o->memory_limit = bytes_of(text)) == 0)
    return complain("--memory-limit must be a size such as 500M or 2G, got %s", text);
  text = o->value[OPTION_time];
  if (text) o->time_limit = strtod(text, &end);
  if (text && (*end || !(o->time_limit > 0) || o->time_limit > 1e9))
    return complain("--time-limit must be a number of seconds, got %s", text);
  return true;
}

/* ---- words ---- */

/* The option at argv[*i], with its argument, which may stand in the next word; NULL and a complaint if it is no
   option. */
static const option *match(int argc, char **argv, int *i, const char **value) {
  const char *word = argv[*i];
  bool full = word[1] == '-';
  for (int k = 0; k < OPTIONS; k++) {
    const option *o = &list[k];
    const char *name = full ? o->word : o->letter, *text = word + (full ? 2 : 1);
    size_t n = strlen(name);
    if (n == 0 || strncmp(text, name, n) != 0) continue;
    const char *rest = text + n;
    if (full && *rest && *rest != '=') continue; /* a longer word */
    if (*o->argument == 0 && *rest == 0) return o;
    if (*o->argument == 0) continue;
    if (*rest) *value = rest + (full ? 1 : 0);
    else if (*i + 1 < argc) *value = argv[++*i];
    else return complain("%s needs an argument", word), NULL;
    return o;
  }
  return complain("unknown option %s", word), NULL;
}

bool read_options(int argc, char **argv, options *o) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-' && argv[i][1] != 0; i++) {
    if (strcmp(argv[i], "--") == 0) {
      i++;
      break;
    }
    const char *value = NULL;
    const option *found = match(argc, argv, &i, &value);
    if (found == NULL) return false;
    o->on[found - list] = true;
    o->value[found - list] = value;
  }
  o->script = i;
  return read_values(o);
}

void push_actions(lua_State *L, char **argv, const options *o) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (int i = 1; i < o->script; i++) {
    const char *value = NULL;
    if (argv[i][0] != '-' || strcmp(argv[i], "--") == 0) continue;
    const option *found = match(o->script, argv, &i, &value);
    if (found != &list[OPTION_code] && found != &list[OPTION_library]) continue;
    lua_createtable(L, 2, 0);
    lua_pushstring(L, found->name);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, value);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, ++n);
  }
}
