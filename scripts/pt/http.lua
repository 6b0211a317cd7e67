--- An HTTP server in a script: libmicrohttpd speaks the protocol in a thread of its own, the script takes requests and
--- answers them when it likes, at once or piece by piece.
--
--     local server <close> = pt.http.Server { port = 8080 }
--     for request in server:requests() do          -- until Ctrl-C
--       request:respond(200, { path = request.path })
--     end
--
-- A server crosses to workers as a channel does. A request stays with the state that took it, unless it is passed on:
-- to a second line, which has a limit, for the workers that do the long work.

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

local FOREVER = math.huge

---@class pt.http.Server
---@field address string
---@field port integer the one that it has, also where 0 was asked for
local Server = class "Server"
---@class pt.http.Request
---@field method string
---@field path string without what follows "?"
---@field headers table<string, string> by names in lower case
---@field body string? nil where it was longer than max_body
local Request = class "Request"

-- ---- servers ----

-- This state's objects for servers, which other states know by their number.
local handles = setmetatable({}, { __mode = "k" })

local function handle(self)
  local found = handles[self]
  if not found then
    found = core.http_find(self.number)
    handles[self] = found
  end
  return found
end

-- Listens from now on.
function Server:init(address, port, connections, timeout, max_body, queue)
  local function must(good, name, value, what)
    if not good then fail("Server: %s must be %s, got %s", name, what, tostring(value)) end
  end
  must(port >= 0 and port < 65536, "port", port, "between 0 and 65535")
  must(connections > 0 and connections < 65536, "connections", connections, "between 1 and 65535")
  must(timeout > 0 and timeout < 1e6, "timeout", timeout, "a positive number of seconds")
  must(max_body >= 0 and max_body < 2 ^ 40, "max_body", max_body, "a number of bytes")
  must(queue >= 0 and queue < 2 ^ 31, "queue", queue, "0 or more")
  handles[self] = core.http_open(address, port, connections, math.ceil(timeout), max_body, queue)
  self.address = address
  self.number, self.port = core.http_place(handles[self])
end

local function receive(self, line, timeout)
  local taken, method, path, headers, body = core.http_take(handle(self), line, timeout or FOREVER)
  if not taken then return nil, taken == nil and "timeout" or "closed" end
  return setmetatable({ taken = taken, method = method, path = path, headers = headers, body = body }, Request)
end

--- Waits for a request. Nil if none came within `timeout` seconds, or if there will be none: a second result says
--- which, "timeout" or "closed".
---@param timeout? number
---@return pt.http.Request?
---@return string? why
function Server:receive(timeout) return receive(self, 1, timeout) end

--- The same for requests that were passed on.
---@param timeout? number
---@return pt.http.Request?
---@return string? why
function Server:receive_passed(timeout) return receive(self, 2, timeout) end

--- How many requests were passed on and have not been received.
---@return integer
function Server:waiting() return core.http_waiting(handle(self)) end

--- No connection is accepted any more, what arrives on open ones is refused. Requests that have come can be answered.
function Server:drain() core.http_drain(handle(self)) end

--- Drains, waits until answers have been sent, at most some seconds, and closes all connections.
function Server:close() core.http_close(handle(self)) end

local Release = { __close = function(self) if self.held then core.release_interrupt() end end }

--- `for request in server:requests() do`: until the first Ctrl-C, which drains the server; the loop ends when the
--- requests that have come are taken. A second Ctrl-C interrupts the script.
function Server:requests()
  local release = setmetatable({ held = core.hold_interrupt() }, Release)
  local function take()
    while true do
      if release.held and core.interrupt_asked() then self:drain() end
      local request, why = self:receive(0.1)
      if request or why == "closed" then return request end
    end
  end
  return take, nil, nil, release
end

function Server.__close(self) self:close() end

function Server.__tostring(self) return ("http://%s:%d"):format(self.address, self.port) end

-- ---- requests ----

-- A body as text, and the headers as a list of names and values. These functions take no options by name, which a body
-- would be mistaken for.
local function prepare(op, status, body, headers)
  if math.type(status) ~= "integer" then
    fail("%s: status must be an integer, got %s", op, signature.describe(status))
  end
  if type(headers or {}) ~= "table" then
    fail("%s: headers must be a table, got %s", op, signature.describe(headers))
  end
  if type(body) ~= "string" and type(body) ~= "table" then
    fail("%s: body must be a string or a table, got %s", op, signature.describe(body))
  end
  local list, typed = {}, false
  for name, value in pairs(headers or {}) do
    list[#list + 1], list[#list + 2] = name, tostring(value)
    typed = typed or tostring(name):lower() == "content-type"
  end
  local kind = "text/plain; charset=utf-8"
  if type(body) == "table" then
    body, kind = require("pt.data.json").to_json(body), "application/json"
  end
  if not typed then list[#list + 1], list[#list + 2] = "Content-Type", kind end
  return body, list
end

--- Answers: a string as text, a table as JSON. False where the client is gone.
---@param status integer 200 to 599
---@param body? string|table
---@param headers? table<string, string>
---@return boolean sent
function Request:respond(status, body, headers)
  local text, list = prepare("respond", status, body or "", headers)
  return core.http_respond(self.taken, status, list, text)
end

--- Begins an answer that is written piece by piece: `write` each, then `finish`.
---@param status integer
---@param headers? table<string, string>
---@return boolean
function Request:begin(status, headers)
  local _, list = prepare("begin", status, "", headers)
  return core.http_begin(self.taken, status, list)
end

--- False where the client is gone, or does not read what it gets.
---@param text string
---@return boolean
function Request:write(text) return core.http_write(self.taken, text) end

--- Ends what `begin` began.
---@return boolean
function Request:finish() return core.http_end(self.taken) end

--- Whether the client has closed its connection: its answer is not wanted any more.
---@return boolean
function Request:gone() return core.http_gone(self.taken) end

--- Passes the request on, to whoever calls receive_passed; false where the queue is full, and it is still here.
---@return boolean
function Request:pass() return core.http_pass(self.taken) end

Server.init = signature("Server",
  "address:s=127.0.0.1 port:i=8080 connections:i=128 timeout:n=30 max_body:i=1048576 queue:i=64", Server.init)
signature.methods(Server, "server", {
  receive = "timeout:n?", receive_passed = "timeout:n?", waiting = "", drain = "", close = "", requests = "",
})
signature.methods(Request, "request", {
  write = "text:s", finish = "", gone = "", pass = "",
})

return { Server = Server, Request = Request }
