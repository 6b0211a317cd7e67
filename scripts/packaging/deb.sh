#!/bin/sh
# deb.sh: four packages for the Debian it runs on: ptlua (the program), libptlua0, libptlua-dev, lua-pt (the module of a
# stock Lua). Needs dpkg-dev. Called by `make deb`; what the packages need of the system is read from their binaries.
set -eu
version=$1 soname=0
out=$BUILD/deb triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH) arch=$(dpkg --print-architecture)
lib=/usr/lib/$triplet
maintainer="${DEBFULLNAME:-the ptlua authors} <${DEBEMAIL:-root@localhost}>"
when=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
rm -rf "$out"
mkdir -p "$out/debian"
root=$out/root
$MAKE --no-print-directory install DESTDIR="$root" PREFIX=/usr LIBDIR="$lib" >/dev/null

# package: the files it takes from the installed tree, in this order.
take() {
  package=$1
  shift
  for place; do
    for file in "$root"$place; do
      [ -e "$file" ] || continue
      to=$out/$package${file#"$root"}
      mkdir -p "$(dirname "$to")"
      mv "$file" "$to"
    done
  done
}
take libptlua$soname "$lib/libptlua.so.$soname" "$lib/libptlua_*.so"
take lua-pt "$lib/lua"
take libptlua-dev "$lib" /usr/include
take ptlua /usr/bin /usr/share
left=$(find "$root" ! -type d)
[ -z "$left" ] || { echo "deb.sh: in no package: $left"; exit 1; }

# dpkg-shlibdeps wants a source package around it.
printf 'Source: ptlua\n\nPackage: ptlua\nArchitecture: any\n' >"$out/debian/control"

# Writes what every package holds: licence, changes, sums; and builds it. Depends are $3 and what its binaries need.
build() {
  package=$1 section=$2 depends=$3 recommends=$4 short=$5 long=$6
  dir=$out/$package doc=$out/$package/usr/share/doc/$package
  mkdir -p "$dir/DEBIAN" "$doc"
  binaries=$(find "$dir" -type f \( -name '*.so*' -o -path '*/bin/*' \))
  for file in $binaries; do strip --strip-unneeded --remove-section=.comment "$file"; done
  for file in $(find "$dir" -name '*.a'); do strip --strip-debug --enable-deterministic-archives "$file"; done
  if [ -n "$binaries" ]; then
    # The plug-in for MPI is opened where MPI is: it is no reason to install it.
    needs=$(cd "$out" && dpkg-shlibdeps -O --ignore-missing-info $(for f in $binaries; do
      case $f in *libptlua_*) ;; *) echo "-e${f#"$out"/}" ;; esac; done) 2>/dev/null | sed 's/^shlibs:Depends=//')
    depends=$needs${depends:+, $depends}
  fi
  { printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n'
    sed -n 's/^Copyright (c) /Copyright: /p' LICENSE
    printf 'License: Expat\n'
    sed '1,/^Copyright/d; s/^$/./; s/^/ /' LICENSE; } >"$doc/copyright"
  gzip -9n <docs/changelog.md >"$doc/changelog.gz"
  { printf 'ptlua (%s-1) unstable; urgency=medium\n\n  * Built from the sources by `make deb`.\n\n' "$version"
    printf ' -- %s  %s\n' "$maintainer" "$(date -R -u -d "@$when")"; } | gzip -9n >"$doc/changelog.Debian.gz"
  find "$dir" -name '*.1' -exec gzip -9n {} +
  find "$dir" -type d -exec chmod 755 {} +
  find "$dir" -name '*.so*' -type f -exec chmod 644 {} +
  (cd "$dir" && find usr -type f -exec md5sum {} + | LC_ALL=C sort -k2) >"$dir/DEBIAN/md5sums"
  { printf 'Package: %s\nSource: ptlua\nVersion: %s-1\nArchitecture: %s\nSection: %s\nPriority: optional\n' \
      "$package" "$version" "$arch" "$section"
    printf 'Maintainer: %s\n' "$maintainer"
    printf 'Installed-Size: %s\n' "$(du -sk "$dir/usr" | cut -f1)"
    [ -z "$depends" ] || printf 'Depends: %s\n' "$depends"
    [ -z "$recommends" ] || printf 'Recommends: %s\n' "$recommends"
    printf 'Description: %s\n' "$short"
    printf '%s\n' "$long" | fold -s -w 76 | sed 's/ *$//; s/^/ /'; } >"$dir/DEBIAN/control"
  [ "$package" != libptlua$soname ] || {
    cp scripts/packaging/libptlua.symbols "$dir/DEBIAN/symbols"
    echo "libptlua $soname libptlua$soname (>= $version)" >"$dir/DEBIAN/shlibs"
    printf 'activate-noawait ldconfig\n' >"$dir/DEBIAN/triggers"; }
  dpkg-deb --root-owner-group -b "$dir" "$out/${package}_$version-1_$arch.deb" >/dev/null
}
about='Tensors, autograd, networks, optimizers and a pool of worker threads. Names and meaning are those of PyTorch, the manners are those of Lua.'
build libptlua$soname libs "" libopenblas0 "deep learning embedded in Lua (library)" \
  "$about This is the library for programs written in C and C++."
build libptlua-dev libdevel "libptlua$soname (= $version-1), liblua5.4-dev, zlib1g-dev" pkg-config \
  "deep learning embedded in Lua (header)" \
  "$about Header, static library, pkg-config and CMake files for programs that embed it."
build lua-pt interpreters "" "lua5.4, libopenblas0" "deep learning for Lua 5.4" \
  "$about This is the module that require \"pt\" finds in a stock Lua 5.4."
build ptlua science "" "libopenblas0, libedit2" "deep learning embedded in Lua (program)" \
  "$about This is the program that runs scripts and has a prompt."
ls "$out"/*.deb
