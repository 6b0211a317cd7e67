/* lua_signal.c: deferring Ctrl-C. While a script defers it, the first SIGINT is only noted, and the second does what it did
   before. One holder in the process: a training loop that ends between two steps. */
#include <signal.h>
#include <stdatomic.h>

#include "binding.h"
#include "host.h"

static atomic_flag held = ATOMIC_FLAG_INIT;
static volatile sig_atomic_t asked;
static struct sigaction former;

static void on_sigint(int number) {
  (void)number;
  asked = 1;
  sigaction(SIGINT, &former, NULL);
}

/* core.hold_interrupt() -> whether it is held from now on; false if it is held already */
static int hold_interrupt(lua_State *L) {
  bool mine = pti_this.worker == NULL && !atomic_flag_test_and_set(&held);
  if (mine) {
    struct sigaction action = {.sa_handler = on_sigint};
    sigemptyset(&action.sa_mask);
    asked = 0;
    sigaction(SIGINT, NULL, &former); /* before the handler can need it */
    sigaction(SIGINT, &action, NULL);
  }
  lua_pushboolean(L, mine);
  return 1;
}

/* core.interrupt_asked() -> whether SIGINT came since */
static int interrupt_asked(lua_State *L) {
  lua_pushboolean(L, asked != 0);
  return 1;
}

/* core.release_interrupt(): called by the holder. A handler that was set in the meantime stays. */
static int release_interrupt(lua_State *L) {
  struct sigaction now;
  (void)L;
  if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_sigint)
    sigaction(SIGINT, &former, NULL);
  asked = 0;
  atomic_flag_clear(&held);
  return 0;
}

/* core.end_interrupt(): called by a prompt whose input is over, whatever ended it */
static int end_interrupt(lua_State *L) {
  (void)L;
  pl_end_interrupt();
  return 0;
}

void pl_open_signal(lua_State *L) {
  static const luaL_Reg functions[] = {{"hold_interrupt", hold_interrupt},
                                       {"interrupt_asked", interrupt_asked},
                                       {"release_interrupt", release_interrupt},
                                       {"end_interrupt", end_interrupt},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
