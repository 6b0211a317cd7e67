#!/bin/sh
# reproducible.sh: builds the sources twice, without a cache of compilations, in folders of other names and depths, under other
# languages, time zones and rights, one file at a time and several; what comes out must be the same bytes. Called by
# `make reproducible`.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files="ptlua libptlua.so libptlua.a pt.so"

# build FOLDER JOBS: a build of the sources there.
build() {
  mkdir -p "$1"
  git ls-files -co --exclude-standard | while read -r file; do [ ! -e "$file" ] || echo "$file"; done |
    tar -cf - -T - | tar -xf - -C "$1"
  (cd "$1" && env -u MAKEFLAGS -u MAKELEVEL CCACHE_DISABLE=1 "$MAKE" -s -j"$2" $(for f in $files; do echo "build/$f"; done) >/dev/null)
}
build "$work/a" 1 &
first=$!
(umask 077 && TZ=Pacific/Auckland LC_ALL=C && export TZ LC_ALL && build "$work/in/another folder" "$(nproc)")
wait "$first"

same=true
for file in $files; do
  if cmp "$work/a/build/$file" "$work/in/another folder/build/$file"; then
    printf '%s  %s\n' "$(sha256sum <"$work/a/build/$file" | cut -c 1-64)" "$file"
  else same=false; fi
done
$same && echo 'two builds in two folders gave the same bytes'
