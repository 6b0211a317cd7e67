-- The hosts of scripts/examples/hosts, built as their users would build them, do what their pages say (docs/hosts.md).

local build = io.popen("readlink /proc/$PPID/exe"):read("l"):match "^(.*)/"
local hosts, load = build .. "/hosts/", build .. "/bench/serve_load "
local here = "scripts/examples/hosts/"

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

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

local function has(command) return (select(2, run(command))) end

describe("the host", function()
  local dir
  setup(function() dir = must "mktemp -d":gsub("%s+$", "") end)
  teardown(function() run("rm -rf " .. dir) end)

  it("hello reads a tensor of a script", function() assert.equal("1\n4\n9\n16\n25\n", must(hosts .. "hello")) end)

  it("game learns while it is played", function()
    local said = must(hosts .. "game --frames 2000")
    local early, late = said:match "caught (%d+) %% early, (%d+) %% at the end"
    assert(tonumber(late) > 60 and tonumber(late) > tonumber(early) - 20, said)
  end)

  it("host.cpp passes exceptions through a script", function()
    if not has("test -x " .. hosts .. "host-cpp") then return pending "no C++ compiler" end
    local said = must(hosts .. "host-cpp")
    assert.equal("norm 5, last 6\ncaught: measure: no square root of a negative number (host:1)\n", said)
  end)

  -- Runs shell commands while a server answers at $dir/socket; what they printed.
  local function with_server(model, commands)
    must(("rm -f %s/socket %s/log"):format(dir, dir)) -- what an earlier server said
    return must(([[
      %sserver %s/socket %s >%s/log 2>&1 & pid=$!
      trap 'kill $pid 2>/dev/null; wait $pid' EXIT
      for i in $(seq 200); do grep -qs ready %s/log && break; sleep 0.1; done
      ask() { printf '%%s\n' "$@" | %sask; }
      %s]]):format(hosts, dir, model, dir, dir, load .. dir .. "/socket ", commands))
  end

  it("server answers lines, tells what is wrong, and goes on", function()
    local model = dir .. "/model.lua"
    write(model, "function predict(x) return pt.cat({ x:sum(2, true), x:amax({ 2 }, true) }, 2) end")
    local said = with_server(model, [[ask "1 2 3" "-0.5" "" "1 2 x" "4 5"]])
    local wrong = "error: a line of numbers is wanted\n"
    assert.equal("6 3\n-0.5 -0.5\n" .. wrong .. wrong .. "9 5\n", said)
    write(model, "function predict(x) return x:matmul(pt.ones(2, 1)) end")
    said = with_server(model, [[ask "1 2" "1 2 3" "3 4"]])
    assert.truthy(said:find "^3\nerror: matmul: [^\n]+\n7\n$", said)
  end)

  it("server takes a model that has changed, and keeps the old one where the new one fails", function()
    local model = dir .. "/changing.lua"
    write(model, "function predict(x) return x * 2 end")
    local said = with_server(model, ([[
      ask 1
      echo 'function predict(x) return x * 3 end' >%s.new; mv %s.new %s; ask 1
      echo 'os.execute "rm -rf /"' >%s.new; mv %s.new %s; ask 1
    ]]):gsub("%%s", model))
    assert.equal("2\n3\n3\n", said)
  end)

  it("server holds out against many clients, and those that leave", function()
    local socket = dir .. "/socket"
    local said = with_server(here .. "model.lua", ([[
      timeout 0.2 %s %s line 8 5 >/dev/null
      %s %s line 16 0.5]]):format(load, socket, load, socket))
    assert.truthy(said:find "16 clients: %d+ requests/s", said)
  end)
end)

describe("the guest #plain", function()
  it("of SQLite answers row by row and for all rows, in a sandbox", function()
    if not has("test -e " .. hosts .. "sqlite_ext.so") or not has "command -v sqlite3" then
      return pending "SQLite is not here: libsqlite3-dev, sqlite3"
    end
    local function sql(text)
      local command = ("sqlite3 -cmd '.load %ssqlite_ext' :memory: %q"):format(hosts, text)
      return (run(command))
    end
    local model = "select pt_model('m', 'function predict(x) return x:sum(2, true) end');"
    assert.equal("m\n5.0\n[5.0,9.5]\n5.0\n9.5\n", sql(model .. [[
      create table t(a, b); insert into t values (2, 3), (4, 5.5);
      select pt('m', 2, 3); select pt_all('m', a, b) from t;
      select value from (select pt_all('m', a, b) j from t), json_each(j);]]))
    assert.equal("m\n\n", sql(model .. "select pt('m', 1, null);"))
    assert.truthy(sql "select pt('no', 1);":find "no such model")
    assert.truthy(sql "select pt_model('m', 'x = 1');":find "has no function predict")
    assert.truthy(sql "select pt_model('m', 'io.open(1)');":find "nil value %(global 'io'%)")
    local greedy = model:gsub("x:sum%b()", "pt.ones(1000000000)")
    assert.truthy(sql(greedy .. "select pt('m', 1);"):find "memory")
  end)

  it("of Python shares numpy's arrays", function()
    for _, python in ipairs { "python3", "/usr/bin/python3" } do
      if has(python .. " -c 'import numpy'") then
        assert.equal("ok\n", must(("%s %snumpy_host.py %s/libptlua.so"):format(python, here, build)))
        return
      end
    end
    return pending "numpy is not here: python3-numpy"
  end)

  it("of lighttpd answers requests", function()
    if not has "command -v lighttpd && command -v curl && ls /usr/lib/lighttpd/mod_magnet.so" then
      return pending "lighttpd, its mod_magnet or curl is not here: lighttpd, lighttpd-mod-magnet, curl"
    end
    local port = 20000 + tonumber(io.popen("echo $$"):read "l") % 20000
    local conf = os.tmpname()
    write(conf, ('include env.PWD + "/%slighttpd.conf"\nserver.port := %d\n'):format(here, port))
    local said = must(([[
      export LUA_CPATH='%s/?.so'
      lighttpd -D -f %s >/dev/null 2>&1 & pid=$!
      trap 'kill $pid; wait $pid' EXIT
      url=http://127.0.0.1:%d/predict
      for i in $(seq 100); do curl -s $url >/dev/null && break; sleep 0.1; done
      curl -s "$url?$(seq -s, 64)" | tr ',' '\n' | wc -l
      curl -s "$url?1,2"]]):format(build, conf, port))
    os.remove(conf)
    assert.truthy(said:find "^10\n", said)
    assert.truthy(said:find '"error": "[^"]*Linear 64 %-> 128%): x %[1, 2%] has 2 features', said)
  end)
end)
