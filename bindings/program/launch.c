/* launch.c: `ptlua --nproc N train.lua`: the same command line as N ranks of one job, under Open MPI's mpirun. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

/* More ranks than cores are what was asked for, and ranks share the cores out themselves (pt.distributed). */
static const char *const how[] = {"--oversubscribe", "--bind-to", "none", "-n"};
enum { HOW = sizeof how / sizeof *how };

bool is_rank(void) { return getenv("OMPI_COMM_WORLD_SIZE") != NULL; }

void launch(int argc, char **argv, const char *nproc) {
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  const char **words = calloc((size_t)argc + HOW + 4, sizeof *words), **at = words;
  if (n <= 0 || words == NULL) {
    fputs("ptlua: --nproc: the program does not find itself\n", stderr);
    return;
  }
  path[n] = 0;
  *at++ = "mpirun";
  for (int i = 0; i < HOW; i++) *at++ = how[i];
  *at++ = nproc;
  *at++ = path;
  for (int i = 1; i < argc; i++) *at++ = argv[i];
  execvp("mpirun", (char *const *)words);
  fprintf(
      stderr,
      "ptlua: --nproc needs mpirun, which does not start: %s\n"
      "Open MPI has it (Debian: apt-get install openmpi-bin); pt.distributed.spawn runs ranks as threads without it\n",
      strerror(errno));
  free(words);
}
