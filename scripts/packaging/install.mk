# install.mk: where things go, and packages: install, uninstall, module, symbols, dist, deb. A part of the Makefile.

PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
LIBDIR   ?= $(PREFIX)/lib
INCDIR   ?= $(PREFIX)/include
DATADIR  ?= $(PREFIX)/share
CMODDIR  ?= $(LIBDIR)/lua/5.4
MAN1DIR  ?= $(DATADIR)/man/man1
BASHDIR  ?= $(DATADIR)/bash-completion/completions
ZSHDIR   ?= $(DATADIR)/zsh/site-functions
LUALSDIR ?= $(DATADIR)/ptlua/luals
DESTDIR  ?=

VERSION := $(shell sed -n 's/^.define PT_VERSION "\(.*\)"/\1/p' engine/ptlua.h)
PACKED  := $(BUILD)/package

# Where the loader does not look by itself, programs are linked with the path to the library.
RPATH = $(if $(filter /usr/lib /usr/lib/% /lib /lib/%,$(LIBDIR)),,-Wl$(comma)-rpath$(comma)$${libdir} )
comma := ,

# All that is installed, as mode:file:place.
PLACES = 755:$(BUILD)/ptlua:$(BINDIR)/ptlua \
  755:$(BUILD)/libptlua.so:$(LIBDIR)/$(SONAME) \
  644:$(BUILD)/libptlua.a:$(LIBDIR)/libptlua.a \
  $(foreach p,$(if $(MPI_CFLAGS),$(BUILD)/libptlua_mpi.so) $(NCCL_PLUGIN) $(wildcard build/libptlua_cuda.so),755:$p:$(LIBDIR)/$(notdir $p)) \
  $(MODULE_PLACES) \
  644:engine/ptlua.h:$(INCDIR)/ptlua.h \
  644:build/gen/ptlua_ops.h:$(INCDIR)/ptlua_ops.h \
  644:$(PACKED)/ptlua.pc:$(LIBDIR)/pkgconfig/ptlua.pc \
  644:$(PACKED)/ptlua-config.cmake:$(LIBDIR)/cmake/ptlua/ptlua-config.cmake \
  644:$(PACKED)/ptlua-config-version.cmake:$(LIBDIR)/cmake/ptlua/ptlua-config-version.cmake \
  644:$(PACKED)/ptlua.1:$(MAN1DIR)/ptlua.1 \
  644:$(PACKED)/ptlua.bash:$(BASHDIR)/ptlua \
  644:$(PACKED)/_ptlua:$(ZSHDIR)/_ptlua \
  644:scripts/packaging/luals.json:$(LUALSDIR)/config.json \
  644:$(PACKED)/pt.d.lua:$(LUALSDIR)/library/pt.lua
MODULE_PLACES = 755:$(BUILD)/pt.so:$(CMODDIR)/pt.so

put = @for f in $(1); do IFS=:; set -- $$f; install -D -m $$1 $$2 "$(DESTDIR)$$3" || exit 1; done
fill = sed -e 's|@LIBDIR@|$(LIBDIR)|; s|@INCDIR@|$(INCDIR)|; s|@VERSION@|$(VERSION)|; s|@SONAME@|$(SONAME)|' \
           -e 's|@RPATH@|$(RPATH)|; s|@LIBS@|$(strip $(LIBS))|'

.PHONY: packed module install install-module uninstall symbols dist deb
packed: all
	@mkdir -p $(PACKED)
	@for f in ptlua.pc ptlua-config.cmake ptlua-config-version.cmake; do \
	  $(fill) scripts/packaging/$$f.in >$(PACKED)/$$f || exit 1; done
	@$(LUA) scripts/tools/manual_page.lua bindings/program/options.def $(PACKED)
	@$(BUILD)/ptlua scripts/tools/docs.lua $(PACKED) >/dev/null
install: packed
	$(call put,$(PLACES))
	@ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libptlua.so
	@echo 'installed under $(DESTDIR)$(PREFIX)'
uninstall:
	@for f in $(PLACES); do rm -f "$(DESTDIR)$${f##*:}" || exit 1; done
	@rm -f $(DESTDIR)$(LIBDIR)/libptlua.so
	@for d in $(LUALSDIR)/library $(LUALSDIR) $(DATADIR)/ptlua $(LIBDIR)/cmake/ptlua; do \
	  rmdir "$(DESTDIR)$$d" 2>/dev/null || true; done

# The module alone, for luarocks and for a Lua that is there already.
module: $(BUILD)/pt.so
install-module: module
	$(call put,$(MODULE_PLACES))

# What the shared library exports, and since which version: a name that is gone breaks programs, and is refused.
symbols: $(BUILD)/libptlua.so
	@$(LUA) scripts/tools/symbols.lua scripts/packaging/libptlua.symbols $(BUILD)/libptlua.so $(VERSION)

# The sources of the last commit, and a rockspec that builds them from URL.
DIST = $(BUILD)/dist/ptlua-$(VERSION)
URL ?= file://$(abspath $(DIST).tar.gz)
dist:
	@mkdir -p $(BUILD)/dist
	@git archive --format=tar --prefix=ptlua-$(VERSION)/ HEAD | gzip -9n >$(DIST).tar.gz
	@sed 's|@VERSION@|$(VERSION)|g; s|@URL@|$(URL)|' scripts/packaging/ptlua.rockspec.in >$(DIST)-1.rockspec
	@ls -l $(DIST).tar.gz $(DIST)-1.rockspec

# Packages for the Debian this runs on: build/deb/*.deb.
deb:
	@MAKE='$(MAKE)' BUILD=$(BUILD) sh scripts/packaging/deb.sh $(VERSION)
