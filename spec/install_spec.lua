-- What `make install`, `dist` and `deb` leave: it works from where it is, and `make uninstall` takes it away.

local function run(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1 </dev/null"))
  local text = pipe:read "a"
  return text, (pipe:close())
end

local function must(command)
  local text, ok = run(command)
  assert(ok, command .. ":\n" .. text)
  return text
end

local function has(command) return (select(2, run("command -v " .. command))) end

-- A make of its own, whoever runs the specs.
local make = "env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s "

describe("installing #plain", function()
  local dir
  setup(function() dir = must "mktemp -d":gsub("%s+$", "") end)
  teardown(function() run("rm -rf " .. dir) end)

  it("puts what works under a PREFIX, and takes it away again", function()
    local prefix = dir .. "/prefix"
    must(make .. "install PREFIX=" .. prefix)
    local said = must("sh scripts/packaging/smoke.sh " .. prefix)
    for _, what in ipairs { "the program", "the module", "a host by pkg-config", "a host with the static library" } do
      assert.truthy(said:find(what .. " works", 1, true), said)
    end
    for _, file in ipairs { "share/man/man1/ptlua.1", "share/bash-completion/completions/ptlua",
      "share/zsh/site-functions/_ptlua", "share/ptlua/luals/config.json", "share/ptlua/luals/library/pt.lua" } do
      assert(io.open(prefix .. "/" .. file), file .. " is missing"):close()
    end
    must("luac5.4 -p " .. prefix .. "/share/ptlua/luals/library/pt.lua")
    must(make .. "uninstall PREFIX=" .. prefix)
    assert.equal("", must("find " .. prefix .. " ! -type d"))
    assert.falsy(run("ls " .. prefix .. "/share"):find "ptlua")
  end)

  it("keeps to DESTDIR", function()
    must(make .. ("install DESTDIR=%s/staged PREFIX=/usr LIBDIR=/usr/lib"):format(dir))
    local pc = must(("cat %s/staged/usr/lib/pkgconfig/ptlua.pc"):format(dir))
    assert.truthy(pc:find("libdir=/usr/lib\n", 1, true), pc)
    assert.falsy(pc:find "rpath", pc)
  end)

  it("makes an archive and a rockspec that builds", function()
    if not run "git rev-parse HEAD":find "^%x+\n$" then return pending "no git repository" end
    local version = must(make .. "dist BUILD=" .. dir .. "/dist"):match "ptlua%-([%d.]+)%-1%.rockspec"
    local archive = ("%s/dist/dist/ptlua-%s"):format(dir, version)
    local listed = must("tar tzf " .. archive .. ".tar.gz")
    assert.truthy(listed:find(("ptlua-%s/engine/ptlua.h\n"):format(version), 1, true), listed)
    if not has "luarocks" then return pending "no luarocks" end
    must("luarocks --lua-version 5.4 lint " .. archive .. "-1.rockspec")
    -- in this tree, where most is built
    local rocks = dir .. "/rocks"
    local luarocks = "env -u MAKEFLAGS -u MAKELEVEL luarocks --lua-version 5.4 --tree " .. rocks
    must(("%s make %s-1.rockspec"):format(luarocks, archive))
    local script = [[lua5.4 -e 'print(require "pt".ones(2):sum():item())']]
    assert.equal("2.0\n", must(("LUA_CPATH='%s/lib/lua/5.4/?.so' %s"):format(rocks, script)))
  end)

  it("makes packages for Debian", function()
    if not has "dpkg-shlibdeps" then return pending "no dpkg-dev" end
    must(make .. "deb")
    for _, package in ipairs { "ptlua", "libptlua0", "libptlua-dev", "lua-pt" } do
      local deb = must(("ls build/deb/%s_*.deb"):format(package)):gsub("%s+$", "")
      must(("dpkg-deb -x %s %s/debian"):format(deb, dir))
      local depends = must(("dpkg-deb -f %s Depends"):format(deb))
      assert.truthy(depends:find("libc6", 1, true) or package == "libptlua-dev", depends)
      assert.falsy(depends:find "openblas" or depends:find "mpi", depends)
    end
    assert.equal("1.0\n", must(dir .. "/debian/usr/bin/ptlua -e 'print(pt.ones(1):item())'"))
  end)

  it("leaves no name behind that a program may use", function()
    local exported = {}
    for name in must "nm -D --defined-only build/libptlua.so":gmatch " [TBDRVW] ([^\n@]+)" do exported[name] = true end
    for name in must "cat scripts/packaging/libptlua.symbols":gmatch "\n ([%w_]+)@Base" do
      assert(exported[name], name .. " is no longer exported: programs that use it would not start")
    end
  end)

  it("exports what the headers declare", function()
    local declared = { luaopen_pt = true }
    for _, header in ipairs { "engine/ptlua.h", "build/gen/ptlua_ops.h" } do
      local text = must("cat " .. header):gsub("/%*.-%*/", "")
      for declaration in text:gmatch "PT_API([^;]+);" do
        local name = declaration:match "(pt_[%w_]+)%s*%("
        if name then declared[name] = true end
      end
    end
    local exported = {}
    for name in must "nm -D --defined-only build/libptlua.so":gmatch " [TBDRVW] ([^\n@]+)" do
      exported[name] = true
      assert(declared[name], "libptlua.so exports " .. name .. ", which no header declares")
    end
    for name in pairs(declared) do assert(exported[name], name .. " is declared and not exported") end
  end)
end)
