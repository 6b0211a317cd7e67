-- What `make` leaves in build/: what the libraries need, what they export, and that a stock Lua takes the module.

local function output(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  return text, (pipe:close())
end

local function needed(library)
  return output("readelf -d " .. library):gsub("[^\n]*%f[%u]SONAME[^\n]*", "")
end

describe("build #plain", function()
  it("leaves a shared library that brings its Lua", function()
    assert.truthy(needed("build/libptlua.so"):find("liblua5.4.so.0", 1, true))
  end)

  it("leaves a module that finds Lua in its host", function()
    assert.falsy(needed("build/pt.so"):find "liblua")
  end)

  it("links no driver and no editor into the libraries", function()
    for _, library in ipairs { "build/libptlua.so", "build/pt.so" } do
      for _, name in ipairs { "libcuda", "libedit", "libreadline", "libgomp" } do
        assert.falsy(needed(library):find(name, 1, true), library .. " needs " .. name)
      end
    end
  end)

  it("is hardened: no executable stack, nothing writable that the linker fills, checked functions", function()
    for _, file in ipairs { "build/libptlua.so", "build/pt.so", "build/ptlua" } do
      local segments, symbols = output("readelf -lW " .. file), output("nm -D " .. file)
      assert.truthy(output("readelf -h " .. file):find "Type:%s+DYN", file) -- of the program: at any address
      assert.truthy(segments:find "GNU_STACK[^\n]* RW ", file)
      assert.falsy(segments:find "LOAD[^\n]* RWE ", file)
      assert.truthy(segments:find "GNU_RELRO", file)
      assert.truthy(needed(file):find "BIND_NOW", file)
      assert.falsy(needed(file):find "TEXTREL", file)
      assert.truthy(symbols:find "__stack_chk_fail", file)
      assert.truthy(symbols:find "__memcpy_chk", file)
    end
  end)

  it("starts no program and knows no network", function()
    for _, library in ipairs { "build/libptlua.so", "build/pt.so" } do
      local imports = {}
      for name in output("nm -D --undefined-only " .. library):gmatch " U ([%w_]+)" do imports[name] = true end
      for name in ("getaddrinfo gethostbyname inet_pton inet_addr res_query system popen execv execve execvp execlp "
        .. "fork vfork posix_spawn posix_spawnp"):gmatch "%S+" do
        assert.is_nil(imports[name], library .. " calls " .. name)
      end
    end
    -- the sockets that it makes are files
    for line in output("grep -rn 'socket(' engine bindings kernels --include=*.c --include=*.cpp"):gmatch "[^\n]+" do
      assert.truthy(line:find "socket%(AF_UNIX" or not line:find "[^%w_]socket%(", line)
    end
  end)

  it("does not say where it was built", function()
    local folder = output "pwd":gsub("\n", "")
    for _, file in ipairs { "build/libptlua.so", "build/pt.so", "build/ptlua", "build/libptlua.a" } do
      assert.equal("0\n", (output(("grep -cF '%s/' %s"):format(folder, file))), file)
    end
  end)

  it("names in its bill of materials what it is built from and what it opens", function()
    output "env -u MAKEFLAGS -u MAKELEVEL make sbom"
    local pt = require "pt"
    local bill, scopes = pt.data.read_json "build/ptlua.cdx.json", {}
    assert.equal("CycloneDX", bill.bomFormat)
    assert.equal(pt.version, bill.metadata.component.version)
    for _, part in ipairs(bill.components) do scopes[part.name] = part.scope end
    assert.same({ "required", "required", "optional", "excluded" },
      { scopes["liblua5.4-dev"], scopes["zlib1g-dev"], scopes["libpng-dev"], scopes.gcc })
    for _, name in ipairs(bill.dependencies[1].dependsOn) do assert.truthy(scopes[name] ~= "excluded", name) end
  end)

  it("exports the public names and nothing else", function()
    for name in output("nm -D --defined-only build/libptlua.so"):gmatch " [TBDRVW] ([^\n@]+)" do
      assert(name:find "^pt_" or name:find "^luaopen_pt", "libptlua.so exports " .. name)
    end
  end)

  it("runs in a stock Lua", function()
    local text, ok = output [[LUA_CPATH="build/?.so" lua5.4 -e 'print(require "pt".ones(2, 2):sum():item())']]
    assert(ok, text)
    assert.equal("4.0\n", text)
  end)

  -- Its threads would wake up in memory that is gone: at the end of lua5.4, 1 run of 15 was a crash.
  it("stays in a process that closes it", function()
    for _, library in ipairs { "build/libptlua.so", "build/pt.so" } do
      assert.truthy(output("readelf -d " .. library):find("NODELETE", 1, true), library)
    end
    local run = [[LUA_CPATH='build/?.so' lua5.4 -e 'local x = require "pt".ones(1500, 1500) x:exp():clamp(0, 1)']]
    assert.equal("", (output(("for i in 1 2 3 4 5 6 7 8; do %s || echo $?; done"):format(run))))
  end)

  it("is complete: a second make has nothing to do", function()
    local text = output "env -u MAKEFLAGS -u MAKELEVEL make V=1"
    assert.falsy(text:find " %-c " or text:find " %-o ", text)
  end)
end)
