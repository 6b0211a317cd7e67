/* interrupt.c: a running task is stopped by a signal to its own thread, whose handler puts a hook into the state that
   runs: Lua allows that from a handler, and not from another thread. The signal is SIGURG, which by default does
   nothing; if the host has a handler for it, that is still called in other threads. */
#include <signal.h>

#include "worker.h"

enum { SIGNAL = SIGURG };
static struct sigaction former;

static void stop_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  if (pti_this.worker == NULL || atomic_load(&pti_this.worker->interrupt) == 0) {
    pl_rest(L);
    return;
  }
  lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
  luaL_error(L, "stopped");
}

static void on_signal(int number, siginfo_t *info, void *context) {
  pl_worker *w = pl_this_worker();
  if (w == NULL) {
    if (former.sa_flags & SA_SIGINFO) former.sa_sigaction(number, info, context);
    else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN)
      former.sa_handler(number);
    return;
  }
  lua_State *running = atomic_load(&w->current);
  if (running == NULL || atomic_load(&w->base.interrupt) == 0) return;
  lua_sethook(w->L, stop_hook, LUA_MASKCOUNT, 1);
  if (running != w->L) lua_sethook(running, stop_hook, LUA_MASKCOUNT, 1);
}

static void install_handler(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  sigaction(SIGNAL, &action, &former);
}

void pl_stop_worker(pti_worker *w) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install_handler);
  pthread_kill(w->thread, SIGNAL);
}

void pl_allow_stop(bool on) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGNAL);
  pthread_sigmask(on ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

void pl_pass_stop_on(lua_State *L) {
  if (atomic_load(&pti_this.worker->interrupt)) lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
}
