#!/bin/sh
# serve.sh: requests a second of scripts/examples/hosts/server.c and of Python's http.server with PyTorch, one after the
# other: the same model, the same clients.   usage: PYTHON=python3 sh scripts/bench/serve.sh [CLIENTS [SECONDS]]
set -eu
clients=${1:-8} seconds=${2:-5} build=${BUILD:-build}
dir=$(mktemp -d)
trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT
measure() { # name, protocol, server...
  name=$1 protocol=$2
  shift 2
  "$@" >"$dir/log" & pid=$!
  until grep -q ready "$dir/log"; do kill -0 $pid; sleep 0.1; done
  "$build/bench/serve_load" "$dir/socket" "$protocol" "$clients" 1 >/dev/null
  printf '%-24s %s\n' "$name" "$("$build/bench/serve_load" "$dir/socket" "$protocol" "$clients" "$seconds")"
  kill $pid
  wait $pid 2>/dev/null || true
}
measure "server.c" line "$build/hosts/server" "$dir/socket" scripts/examples/hosts/model.lua
measure "http.server, PyTorch" http "${PYTHON:-python3}" scripts/bench/peers/serve.py "$dir/socket"
