-- opgen.lua: generates C from the op table, so that nothing about an op is stated twice. A faulty row ends the build
-- with its file, line and column. usage: lua5.4 scripts/tools/opgen.lua engine/ops.def OUTDIR [ROOT [SOURCES...]]
--   ptlua_ops.h     prototypes of the public functions pt_<op>
--   ptlua_calls.h   those of them that SOURCES, the library's own C files, use
--   ptlua_table.c   the table of engine/op.h and the bodies of pt_<op>
--   ptlua_run.h     prototypes of the functions that rows name: <op>_run, <op>_vjp, <op>_complex, <op>_shortcut
--   ptlua_ids.h     PTI_OP_<op>, a row's place in the table
--   ptlua_rows.h    the element-wise rows, for kernels: UNARY(exp, FLT, EXP(x), g * y) and so on
--   ptlua_ew.h      PTI_EW_<op>, the number of an element-wise kernel
--   ptlua_hash.h    PTI_HASH, of all that a plug-in must have been built from: element-wise rows, slots, arguments

local here = arg[0]:match "^(.*)/" or "."
package.path = ("%s/opgen/?.lua;%s/../pt/?.lua"):format(here, here)
local calls = require "calls"
local op_table = require "op_table"
local rows = require "rows"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- Writes only what changed, so that make does not rebuild the world.
local function write(path, text)
  local old = io.open(path, "rb")
  if old then
    local same = old:read "a" == text
    old:close()
    if same then return end
  end
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- The words of scalar.h and how many operands each takes.
local function words_of(text)
  local words = {}
  for name, operands in text:gmatch "#define ([%u][%u%d_]*)%(([%l%d, ]+)%)" do
    words[name] = select(2, operands:gsub(",", "")) + 1
  end
  return words
end

-- The limits of engine/op.h.
local function limits_of(text)
  local function limit(name) return assert(tonumber(text:match(name .. " = (%d+)")), "op.h has no " .. name) end
  return { params = limit "PTI_MAX_ARG", outputs = limit "PTI_MAX_OUT", name = limit "PTI_MAX_NAME" - 1 }
end

-- C text without comments and blanks.
local function code(text) return (text:gsub("/%*.-%*/", ""):gsub("%s+", "")) end

-- FNV-1a, in 64 bits: enough to tell one table from another.
local function hash(text)
  local h = 0xcbf29ce484222325
  for i = 1, #text do h = (h ~ text:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(h)
end

local path, out = arg[1], arg[2]
local text = read(path)
local root = arg[3] or here .. "/../.."

-- Exits with "FILE:LINE:COLUMN: message" where the function raises { at, text }.
local function guarded(run, ...)
  local ok, result = pcall(run, ...)
  if ok then return result end
  if type(result) ~= "table" then error(result, 0) end
  local before = text:sub(1, result.at - 1)
  local _, newlines = before:gsub("\n", "")
  io.stderr:write(("%s:%d:%d: %s\n"):format(path, newlines + 1, #before:match "[^\n]*$" + 1, result.text))
  os.exit(1)
end

local note = "/* Made from engine/ops.def by scripts/tools/opgen.lua. */\n"
local words, limits = words_of(read(root .. "/kernels/scalar.h")), limits_of(read(root .. "/engine/op.h"))
local list = guarded(rows.read, text, words, limits)

-- The ops that the library itself calls: a new row, with no caller yet, does not rebuild its files.
local mentioned = {}
for i = 4, #arg do
  for name in read(arg[i]):gmatch "%f[%w_]pt_([%w_]+)" do mentioned[name] = true end
end

local prototypes, called, bodies, ids, numbers, kernels = { note }, { note }, {}, {}, {}, { note }
for i, row in ipairs(list) do
  local prototype, body = calls.of(row)
  prototypes[i + 1], bodies[i] = "PT_API " .. prototype .. ";\n", body
  if mentioned[row.name] then called[#called + 1] = prototypes[i + 1] end
  ids[i] = ("  PTI_OP_%s,\n"):format(row.name)
  if row.elementwise then
    numbers[#numbers + 1] = ("  PTI_EW_%s,\n"):format(row.name)
    local fields = { row.name, row.dtypes.text, row.value.text }
    for k, grad in ipairs(row.grad) do fields[3 + k] = grad.text end
    kernels[#kernels + 1] = ("%s(%s)\n"):format(row.kind, table.concat(fields, ", "))
  end
end
local run = { note, '#include "op.h"\n' }
for _, fn in ipairs(op_table.functions(list)) do run[#run + 1] = fn.text end
kernels = table.concat(kernels)

write(out .. "/ptlua_ops.h", table.concat(prototypes))
write(out .. "/ptlua_calls.h", table.concat(called))
write(out .. "/ptlua_table.c", table.concat {
  note, "#include <limits.h>\n#include <math.h>\n\n", '#include "elementwise.h"\n#include "formula.h"\n',
  '#include "ptlua_ew.h"\n#include "ptlua_ids.h"\n#include "ptlua_ops.h"\n#include "ptlua_run.h"\n\n',
  guarded(op_table.text, list), table.concat(bodies),
})
write(out .. "/ptlua_run.h", table.concat(run))
write(out .. "/ptlua_ids.h", note .. "enum {\n" .. table.concat(ids) .. "  PTI_NOPS\n};\n")
write(out .. "/ptlua_rows.h", kernels)
write(out .. "/ptlua_ew.h", table.concat {
  note, "enum {\n", table.concat(numbers), "  PTI_NEW\n};\n",
})
local seen = { kernels }
for _, name in ipairs { "slots.def", "backend.h", "iter.h", "dtype.h" } do
  seen[#seen + 1] = code(read(root .. "/engine/" .. name))
end
write(out .. "/ptlua_hash.h", ('%s#define PTI_HASH "%s"\n'):format(note, hash(table.concat(seen))))
