-- A client of HTTP on a plain socket, so that specs can send what no proper client would.
local socket = require "socket"

local Client = {}
Client.__index = Client

local function connect(port)
  local tcp = assert(socket.tcp4())
  tcp:settimeout(10)
  assert(tcp:connect("127.0.0.1", port))
  return setmetatable({ tcp = tcp }, Client)
end

function Client:send(text)
  local _, why = self.tcp:send(text)
  return why == nil
end

-- A whole request.
function Client:ask(method, path, body, headers)
  local lines = { ("%s %s HTTP/1.1"):format(method, path), "Host: localhost" }
  for name, value in pairs(headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  if body then lines[#lines + 1] = "Content-Length: " .. #body end
  return self:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or ""))
end

-- One chunk of a body that comes in chunks; "" at the end, nil where the connection ends before.
function Client:chunk()
  local size = self.tcp:receive "*l"
  local n = size and tonumber(size:match "^%x+", 16)
  local data = n and self.tcp:receive(n + 2)
  return data and data:sub(1, -3)
end

-- Status and headers of an answer.
function Client:head()
  local line = self.tcp:receive "*l"
  local headers, status = {}, line and tonumber(line:match "^HTTP/1%.1 (%d+)")
  if not status then return nil end
  for field in function() return self.tcp:receive "*l" end do
    if field == "" then break end
    local name, value = field:match "^([^:]+):%s*(.*)$"
    headers[name:lower()] = value
  end
  return status, headers
end

-- An answer: its status, body and headers. Nil where there is none; the body is nil where it does not end.
function Client:receive()
  local status, headers = self:head()
  if not status then return nil end
  if headers["transfer-encoding"] ~= "chunked" then
    local n = tonumber(headers["content-length"])
    return status, n == 0 and "" or self.tcp:receive(n or "*a"), headers
  end
  local parts = {}
  while true do
    local piece = self:chunk()
    if not piece or piece == "" then return status, piece and table.concat(parts), headers end
    parts[#parts + 1] = piece
  end
end

function Client:close() self.tcp:close() end
Client.__close = Client.close

return connect
