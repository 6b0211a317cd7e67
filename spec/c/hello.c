/* hello.c: the smallest host. A function written in Lua, called from C; then the same library without Lua. */
#include <stdio.h>
#include <string.h>

#include "ptlua.h"

static const char script[] = "local pt = require 'pt'\n"
                             "function scale(x, by) return x * by, 'scaled' end\n";

static bool with_lua(void) {
  pt_vm *vm = pt_vm_open(NULL);
  pt_tensor *x = pt_ones((int64_t[]){2, 3}, 2, PT_F32, 0), *y = NULL;
  const char *word = "";
  bool ok = pt_vm_run_string(vm, script, strlen(script), "=hello") == PT_OK &&
      pt_vm_call(vm, "scale", "Tn>Ts", x, 2.5, &y, &word) == PT_OK && strcmp(word, "scaled") == 0 &&
      ((const float *)pt_data(y))[5] == 2.5f;
  if (!ok) printf("%s\n%s\n", pt_error(), pt_vm_traceback(vm));
  pt_vm_close(vm);
  return ok && ((const float *)pt_data(y))[0] == 2.5f; /* y belongs to the scope, not to the vm */
}

static bool without_lua(void) {
  pt_tensor *x = pt_ones((int64_t[]){2, 3}, 2, PT_F32, 0);
  pt_tensor *w = pt_full((int64_t[]){3, 1}, 2, 0.5, PT_F32, 0);
  bool ok = pt_set_requires_grad(w, true) && pt_backward(pt_sum(pt_matmul(x, w), NULL, -1, 0, -1));
  return ok && ((const float *)pt_data(pt_grad(w)))[2] == 2;
}

int main(void) {
  pt_scope scope = pt_scope_begin();
  bool ok = with_lua() && without_lua();
  pt_scope_end(scope);
  return ok ? 0 : 1;
}
