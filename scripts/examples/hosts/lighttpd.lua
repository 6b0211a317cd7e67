--- A web server that answers with a model: lighttpd's mod_magnet runs this for /predict?1,2,3 (docs/hosts.md).
-- lighttpd keeps one Lua state for the script, so what is put into a global is loaded once.

local lighty = lighty -- luacheck: globals lighty
local pt = require "pt"

if not _G.predict then dofile(os.getenv "PT_MODEL" or "scripts/examples/hosts/model.lua") end

local row = {}
for number in (lighty.r.req_attr["uri.query"] or ""):gmatch "[^,&]+" do row[#row + 1] = tonumber(number) end
local ok, y = pcall(function() return _G.predict(pt.tensor({ row }, { dtype = pt.float32 }))[1]:tolist() end)
lighty.r.resp_header["Content-Type"] = "application/json"
local answer = ok and "[" .. table.concat(y, ",") .. "]" or ('{"error": "%s"}'):format(y:gsub('[\\"%c]', " "))
lighty.r.resp_body.set { answer, "\n" }
return ok and 200 or 400
