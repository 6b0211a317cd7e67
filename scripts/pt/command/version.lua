--- `ptlua --version`: what this build includes, and what it found on this machine.

local core = require "pt.core"
local probe = require("pt.program").probe -- bindings/program/system.c

local function devices()
  local list = { "cpu" }
  for _, backend in ipairs { "cuda", "sim" } do
    local found, count = pcall(core.device_count, backend)
    for i = 0, (found and count or 0) - 1 do list[#list + 1] = ("%s:%d"):format(backend, i) end
  end
  return table.concat(list, " ")
end

local function blas()
  local found = probe("libopenblas.so.0", "openblas_get_config")
  return found and found:gsub("%s+$", "") or "none (Debian: libopenblas0)"
end

local function present(list)
  local words = {}
  for _, library in ipairs(list) do
    words[#words + 1] = library[1] .. (probe(library[2]) and "" or " (not installed)")
  end
  return table.concat(words, ", ")
end

---@return string
return function()
  return ([[
ptlua %s, %s
BLAS: %s
CPU level: %s; %d threads
devices: %s
images: %s
line editor: %s]]):format(core.version, _VERSION, blas(), core.cpu_level(), core.get_num_threads(), devices(),
    present { { "PNG", "libpng16.so.16" }, { "JPEG", "libjpeg.so.62" } }, present { { "libedit", "libedit.so.2" } })
end
