-- pt.http: requests that a script takes and answers; clients that break rules, leave, or send too much.
local pt = require "pt"

if not require "spec.support.http_here" then
  describe("http", function() it("needs libmicrohttpd and lua-socket", function() pending "they are not here" end) end)
  return
end

local connect = require "spec.support.http_client"

-- A server on a free port.
local function serve(options)
  options = options or {}
  options.port = 0
  return pt.http.Server(options)
end

-- Takes a request, which must come.
local function take(server)
  local request, why = server:receive(5)
  return assert(request, why)
end

describe("http: a request", function()
  it("has method, path, headers, body, and gets text or JSON", function()
    local server <close> = serve()
    local client <close> = connect(server.port)
    client:ask("POST", "/a/b%20c?x=1", "body\0!", { ["X-Thing"] = "Value" })
    local request = take(server)
    assert.same({ "POST", "/a/b c", "body\0!", "Value" },
      { request.method, request.path, request.body, request.headers["x-thing"] })
    assert.is_true(request:respond(201, "text\0", { ["X-Other"] = 5 }))
    local status, body, headers = client:receive()
    assert.same({ 201, "text\0", "5", "text/plain; charset=utf-8" },
      { status, body, headers["x-other"], headers["content-type"] })
    client:ask("GET", "/") -- on the same connection
    request = take(server)
    assert.equal("", request.body)
    request:respond(200, { list = { 1, 2 } })
    status, body, headers = client:receive()
    assert.same({ 200, "application/json", { list = { 1, 2 } } },
      { status, headers["content-type"], pt.data.parse_json(body) })
  end)

  it("may be answered in any order, piece by piece, and by whom it was passed on to", function()
    local server <close> = serve()
    local first <close> = connect(server.port)
    local second <close> = connect(server.port)
    first:ask("GET", "/1")
    assert.is_true(take(server):pass())
    second:ask("GET", "/2")
    take(server):respond(200, "two")
    assert.equal("two", select(2, second:receive()))
    assert.equal(1, server:waiting())
    local request = assert(server:receive_passed(5))
    assert.equal("/1", request.path)
    request:begin(200, { ["Content-Type"] = "text/event-stream" })
    assert.equal(200, (first:head()))
    for _, piece in ipairs { "a", "bc", ("d"):rep(100000) } do
      assert.is_true(request:write(piece))
      local got = ""
      while #got < #piece do got = got .. first:chunk() end
      assert.equal(piece, got)
    end
    assert.is_true(request:finish())
    assert.equal("", first:chunk())
  end)

  it("that nobody answers gets 500; one that is not finished is cut", function()
    local server <close> = serve()
    local client <close> = connect(server.port)
    client:ask("GET", "/")
    take(server)
    collectgarbage()
    assert.equal(500, (client:receive()))
    client:ask("GET", "/")
    local request = take(server)
    request:begin(200)
    request:write "some"
    assert.equal(200, (client:head()))
    assert.equal("some", client:chunk())
    request = nil -- luacheck: ignore
    collectgarbage()
    assert.is_nil(client:chunk())
  end)

  it("is gone when its client is", function()
    local server <close> = serve()
    local client = connect(server.port)
    client:ask("GET", "/")
    local request = take(server)
    assert.is_false(request:gone())
    client:close()
    for _ = 1, 100 do
      if request:gone() then break end
      pt.clock()
      require("socket").sleep(0.01)
    end
    assert.is_true(request:gone())
    request:respond(200, "nobody reads it")
    client = connect(server.port)
    client:ask("GET", "/stream")
    request = take(server)
    request:begin(200)
    client:head()
    client:close()
    local sent = true
    for _ = 1, 200 do
      sent = request:write(("x"):rep(1000))
      if not sent then break end
      require("socket").sleep(0.01)
    end
    assert.is_false(sent)
  end)

  it("that is too large comes without its body", function()
    local server <close> = serve { max_body = 1000 }
    local client <close> = connect(server.port)
    for _, n in ipairs { 1000, 1001, 15000 } do
      client:ask("POST", "/", ("x"):rep(n))
      local request = take(server)
      assert.equal(n == 1000 and n or nil, request.body and #request.body)
      request:respond(request.body and 200 or 413)
      assert.equal(n == 1000 and 200 or 413, (client:receive()))
    end
    local chunks = ("64\r\n" .. ("x"):rep(100) .. "\r\n"):rep(20)
    client:send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunks .. "0\r\n\r\n")
    assert.is_nil(take(server).body)
    collectgarbage()
    assert.equal(500, (client:receive()))
    client:ask("POST", "/", ("x"):rep(100000)) -- without end: the connection is cut
    assert.is_nil((client:receive()))
    assert.is_nil((server:receive(0)))
  end)

  it("that breaks the rules of HTTP is answered by the library, and the server goes on", function()
    local server <close> = serve()
    local client <close> = connect(server.port)
    for _, text in ipairs {
      "\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\1\2\3\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
      "GET /" .. ("a"):rep(40000) .. " HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nA: " .. ("a"):rep(40000) .. "\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\n" .. ("A: b\r\n"):rep(10000) .. "\r\n",
    } do
      local bad <close> = connect(server.port)
      bad.tcp:settimeout(0.3) -- some are no requests yet, and end only when the server loses patience
      bad:send(text)
      bad.tcp:shutdown "send"
      local status = bad:receive()
      assert(status == nil or status >= 400, text:sub(1, 60))
      assert.is_nil((server:receive(0)))
    end
    client:ask("GET", "/fine")
    assert.equal("/fine", take(server).path)
  end)

  it("may be answered by a table with any names", function()
    local server <close> = serve()
    local client <close> = connect(server.port)
    local body = { status = 5, body = "b", headers = { headers = 1 } }
    client:ask("GET", "/")
    take(server):respond(200, body)
    assert.same(body, pt.data.parse_json((select(2, client:receive()))))
  end)

  for message, fn in pairs {
    ["^respond: status must be an integer, got 'x'"] = function(request) request:respond("x") end,
    ["^respond: body must be a string or a table, got 5"] = function(request) request:respond(200, 5) end,
    ["^begin: headers must be a table, got 'x'"] = function(request) request:begin(200, "x") end,
    ["^respond: status must be between 200 and 599, got 99"] = function(request) request:respond(99) end,
    ["^respond: headers must be strings of one line"] = function(request)
      request:respond(200, "", { A = "b\r\nC: d" })
    end,
    ["^write: text must be a string, got 5"] = function(request) request:write(5) end,
    ["^respond: the request has its answer or was passed on"] = function(request)
      request:respond(200)
      request:respond(200)
    end,
    ["^pass: the request has its answer or was passed on"] = function(request)
      request:pass()
      request:pass()
    end,
  } do
    it("refuses: " .. message, function()
      local server <close> = serve()
      local client <close> = connect(server.port)
      client:ask("GET", "/")
      local ok, text = pcall(fn, take(server))
      assert.is_false(ok)
      assert.matches(message, text)
    end)
  end
end)

describe("http: a server", function()
  it("has limits of its queue and of its connections", function()
    local server <close> = serve { queue = 1, connections = 2 }
    local client <close> = connect(server.port)
    local other <close> = connect(server.port)
    client:ask("GET", "/1")
    local first = take(server)
    other:ask("GET", "/2")
    local second = take(server)
    assert.is_true(first:pass())
    assert.is_false(second:pass())
    second:respond(503)
    assert.equal(503, (other:receive()))
    local third <close> = connect(server.port) -- waits until another leaves
    third:ask("GET", "/3")
    assert.is_nil((server:receive(0.1)))
    other:close()
    assert.equal("/3", take(server).path)
  end)

  it("crosses to workers, which answer what is passed on", function()
    local server <close> = serve()
    local client <close> = connect(server.port)
    local pool <close> = pt.pool(2)
    local futures = {}
    for i = 1, 2 do
      futures[i] = pool:submit(function()
        local n = 0
        while true do
          local request, why = server:receive_passed(5)
          if not request then return why == "closed" and n or why end
          request:respond(200, request.path:upper())
          n = n + 1
        end
      end)
    end
    for i = 1, 10 do
      client:ask("GET", "/p" .. i)
      assert.is_true(take(server):pass())
      assert.equal("/P" .. i, select(2, client:receive()))
    end
    server:drain()
    assert.same({ nil, "closed" }, { server:receive(5) })
    assert.equal(10, futures[1]:get() + futures[2]:get())
  end)

  it("that drains refuses what is new, and answers what has come", function()
    local server <close> = serve()
    local client <close> = connect(server.port)
    local idle <close> = connect(server.port)
    idle:ask("GET", "/")
    take(server):respond(200)
    assert.equal(200, (idle:receive()))
    client:ask("GET", "/")
    local request = take(server)
    server:drain()
    assert.is_false(pcall(connect, server.port))
    idle:ask("GET", "/")
    assert.equal(503, (idle:receive()))
    request:respond(200, "late")
    server:close()
    assert.equal("late", select(2, client:receive()))
    assert.same({ nil, "closed" }, { server:receive() })
    server:close() -- again
  end)

  it("that closes cuts what nobody answers", function()
    local server = serve()
    local client <close> = connect(server.port)
    client:ask("GET", "/")
    local request = take(server)
    local waits <close> = connect(server.port)
    waits:ask("GET", "/")
    local start = pt.clock()
    server:close()
    assert(pt.clock() - start < 2)
    assert.is_nil((client:receive()))
    assert.is_nil((waits:receive()))
    assert.is_true(request:gone())
    assert.is_false(request:respond(200))
  end)

  it("is closed when nothing refers to it, and its port is free", function()
    local server = serve()
    local port = server.port
    server = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    pt.http.Server({ port = port }):close()
  end)

  it("says where it is, and what is wrong", function()
    local server <close> = pt.http.Server { port = 0 }
    assert.equal("http://127.0.0.1:" .. server.port, tostring(server))
    for message, options in pairs {
      ["^listen: 127.0.0.1, port %d+: Address already in use"] = { port = server.port },
      ["^listen: localhost is no address like 127.0.0.1"] = { address = "localhost" },
      ["^listen: 1.2.3 is no address"] = { address = "1.2.3" }, ["^listen: 1.2.3.4.5 is"] = { address = "1.2.3.4.5" },
      ["^listen: 1.2.3.256 is no address"] = { address = "1.2.3.256" }, ["^listen:  is no address"] = { address = "" },
      ["^listen: 1.0001.2.3 is no address"] = { address = "1.0001.2.3" },
      ["^Server: port must be between 0 and 65535, got 70000"] = { port = 70000 },
      ["^Server: connections must be between 1 and 65535, got 0"] = { connections = 0 },
      ["^Server: timeout must be a positive number of seconds, got 0"] = { timeout = 0 },
      ["^Server: max_body must be a number of bytes, got %-1"] = { max_body = -1 },
      ["Server: unknown option 'prot'; did you mean 'port'"] = { prot = 1 },
    } do
      local ok, text = pcall(pt.http.Server, options)
      assert.is_false(ok)
      assert.matches(message, text)
    end
  end)

  it("ends its loop at Ctrl-C, when what has come is answered", function()
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write [[
      local server <close> = pt.http.Server { port = 0 }
      print(server.port)
      io.stdout:flush()
      for request in server:requests() do
        local start = pt.clock() -- os.execute would not let Ctrl-C through
        while request.path == "/slow" and pt.clock() - start < 0.3 do end
        request:respond(200, request.path)
      end
      print "done"
    ]]
    file:close()
    local program = io.popen("readlink /proc/$PPID/exe"):read "l"
    local pipe = assert(io.popen(("sh -c 'echo $$; exec %s %s'"):format(program, path)))
    local pid, port = pipe:read "l", tonumber(pipe:read "l")
    local client <close> = connect(port)
    client:ask("GET", "/slow")
    os.execute("sleep 0.1; kill -INT " .. pid)
    assert.equal("/slow", select(2, client:receive()))
    assert.equal("done", pipe:read "l")
    assert.is_true(pipe:close())
    os.remove(path)
  end)
end)
