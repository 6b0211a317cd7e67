-- symbols.lua: the list of the names that the shared library exports, each with the version that brought it.
-- usage: lua5.4 scripts/tools/symbols.lua LIST LIBRARY VERSION
-- Writes LIST anew, with what LIBRARY exports besides it as of VERSION. A name of LIST that is gone is an error: a
-- program linked with an older library would not start. Debian's tools read the same file.

local path, library, version = arg[1], arg[2], arg[3]

local since, names = {}, {}
local file = io.open(path)
if file then
  for line in file:lines() do
    local name, from = line:match "^ ([%w_]+)@Base (%S+)"
    if name then since[name] = from end
  end
  file:close()
end

local exported = {}
for line in assert(io.popen("nm -D --defined-only '" .. library .. "'")):lines() do
  local name = line:match " [TBDRVW] ([%w_]+)"
  if name then
    exported[name] = true
    names[#names + 1] = name
  end
end
assert(#names > 0, library .. " exports nothing")
for name in pairs(since) do
  if not exported[name] then error(("%s no longer exports %s"):format(library, name), 0) end
end

table.sort(names)
local soname = io.popen("readelf -d '" .. library .. "'"):read "a":match "soname: %[([^%]]+)%]"
local lines = { ("%s %s #MINVER#"):format(soname, soname:gsub("%.so%.", "")) }
for _, name in ipairs(names) do lines[#lines + 1] = (" %s@Base %s"):format(name, since[name] or version) end
local out = assert(io.open(path, "w"))
assert(out:write(table.concat(lines, "\n"), "\n"))
assert(out:close())
