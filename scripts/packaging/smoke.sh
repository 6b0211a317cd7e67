#!/bin/sh
# smoke.sh: whether what was installed works, on a system that has nothing else of ptlua.
# usage: sh smoke.sh [PREFIX]     PREFIX: where it is, unless in the places of the system
set -eu
prefix=${1:-}
if [ -n "$prefix" ]; then
  PATH=$prefix/bin:$PATH LUA_CPATH="$prefix/lib/lua/5.4/?.so" PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  export PATH LUA_CPATH PKG_CONFIG_PATH
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/host.c" <<'END'
#include <ptlua.h>
#include <stdio.h>
#include <string.h>
int main(void) {
  const char *script = "function f(x) local w = pt.nn.Linear(2, 1) return w(x):numel() end";
  pt_vm *vm = pt_vm_open(NULL);
  pt_scope scope = pt_scope_begin();
  pt_tensor *x = pt_ones((int64_t[]){3, 2}, 2, PT_F32, 0);
  int64_t n = 0;
  if (pt_version_number() != PT_VERSION_NUMBER || strcmp(pt_version(), PT_VERSION) != 0) return 2;
  if (pt_vm_run_string(vm, script, strlen(script), "=smoke") || pt_vm_call(vm, "f", "T>i", x, &n))
    return fprintf(stderr, "%s\n", pt_vm_error(vm)), 1;
  pt_scope_end(scope);
  pt_vm_close(vm);
  return n == 3 ? 0 : 1;
}
END
script='local pt = require "pt"
  local x = pt.randn(8, 3, { requires_grad = true })
  pt.nn.Linear(3, 2)(x):pow(2):sum():backward()
  assert(x.grad.shape[2] == 3)
  assert((pt.linalg.inv(2 * pt.eye(3)) - 0.5 * pt.eye(3)):abs():max():item() < 1e-6)
  local pool <close> = pt.pool(2)
  print(table.concat(pool:map(function(i) return i * i end, { 1, 2, 3 }), " "))'
expect() { # what, the answer, what it is to be
  [ "$2" = "$3" ] || { echo "smoke: $1: '$2' instead of '$3'"; exit 1; }
  echo "smoke: $1 works"
}
have() { command -v "$1" >/dev/null 2>&1; }

expect "the program" "$(ptlua -e "$script")" "1 4 9"
! have lua5.4 || expect "the module" "$(lua5.4 -e "$script")" "1 4 9"
if have cc && have pkg-config; then
  cc -std=c11 -Wall -Werror -o "$dir/host" "$dir/host.c" $(pkg-config --cflags --libs ptlua)
  expect "a host by pkg-config" "$("$dir/host"; echo $?)" 0
  cc -std=c11 -Wall -Werror -o "$dir/static" "$dir/host.c" $(pkg-config --cflags ptlua) -Wl,-Bstatic -lptlua -Wl,-Bdynamic \
    $(pkg-config --libs --static ptlua | sed 's/-lptlua//; s/-Wl,-rpath,[^ ]*//')
  expect "a host with the static library" "$("$dir/static"; echo $?)" 0
fi
if have cc && have cmake && have make; then
  printf '%s\n' 'cmake_minimum_required(VERSION 3.10)' 'project(host C)' 'find_package(ptlua 0.1 REQUIRED)' \
    'add_executable(host host.c)' 'target_link_libraries(host ptlua::ptlua)' \
    'add_executable(static host.c)' 'target_link_libraries(static ptlua::static)' >"$dir/CMakeLists.txt"
  (cd "$dir" && env -u MAKEFLAGS -u MAKELEVEL sh -c "cmake -B b ${prefix:+-DCMAKE_PREFIX_PATH=$prefix} . && cmake --build b" >log 2>&1) ||
    { cat "$dir/log"; exit 1; }
  expect "a host by CMake" "$("$dir/b/host"; echo $?)$("$dir/b/static"; echo $?)" 00
fi
