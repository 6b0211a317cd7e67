-- Whether servers and their clients can be had here. A server that fails for another reason than a missing library is a
-- failure, not something to skip.
local pt = require "pt"

local ok, err = pcall(function() pt.http.Server({ port = 0 }):close() end)
if not ok and not tostring(err):find("Debian: libmicrohttpd", 1, true) then error(err, 0) end
return ok and pcall(require, "socket")
