/* hello.c: the smallest host: a script makes a tensor, C reads it. */
#include <ptlua.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  const char *script = "function squares(n) return pt.arange(1, n + 1) ^ 2 end";
  pt_scope scope = pt_scope_begin(); /* owns the tensor */
  pt_vm *vm = pt_vm_open(NULL);
  pt_tensor *y = NULL;
  if (pt_vm_run_string(vm, script, strlen(script), "=hello") != PT_OK ||
      pt_vm_call(vm, "squares", "i>T", (int64_t)5, &y) != PT_OK)
    return fprintf(stderr, "hello: %s\n", pt_error()), 1;
  const int64_t *value = pt_data(y);
  for (int64_t i = 0; i < pt_numel(y); i++) printf("%d\n", (int)value[i]);
  pt_vm_close(vm);
  pt_scope_end(scope);
  return 0;
}
