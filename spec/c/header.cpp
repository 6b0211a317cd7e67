// header.cpp: C++ can include the public header and link the library.
#include "ptlua.h"

int main() {
  pt_scope scope = pt_scope_begin();
  const int64_t size[] = {2, 3};
  pt_tensor *x = pt_ones(size, 2, PT_F32, 0);
  const bool ok = x != nullptr && pt_numel(pt_t(x)) == 6;
  pt_scope_end(scope);
  return ok ? 0 : 1;
}
