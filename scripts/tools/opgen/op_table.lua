-- op_table.lua: the rows as the constant table of engine/op.h, with everything a call needs computed in advance.

local arguments = require "arguments"
local formula = require "formula"

local op_table = {}

local types = { FLT = "PTI_FLOATS", NUM = "PTI_FLOATS | PTI_INTS", INT = "PTI_INTS | PTI_BOOLS" }
types.ALL = types.NUM .. " | PTI_BOOLS"
local is_tensor = { T = true, A = true }
local variables = { x = 0, a = 0, b = 1, c = 2, y = 3, g = 4, p0 = 5, p1 = 6, p2 = 7 }
local STACK = 24

-- The name of an array with these contents, written once: rows share equal arrays.
local function shared(out, prefix, ctype, items)
  if #items == 0 then return "NULL" end
  local text = table.concat(items, ", ")
  local key = ctype .. text
  if not out.known[key] then
    out.count = out.count + 1
    out.known[key] = prefix .. out.count
    out[#out + 1] = ("static const %s %s[] = {%s};\n"):format(ctype, out.known[key], text)
  end
  return out.known[key]
end

local function parameters(row, out)
  local items = {}
  for i, p in ipairs(row.parsed.params) do
    items[i] = ("{\"%s\", '%s', %s, %s}"):format(p.name, p.type, p.optional and not p.default, p.inplace)
  end
  return shared(out, "params", "pti_param_spec", items)
end

-- Dims and positions are counted from 1 in signatures and from 0 in the engine; negative ones from the end in both.
local function default(p)
  local text, member = p.default, "f"
  if p.type == "d" or p.type == "p" then
    member = "i"
    if tonumber(text) > 0 then text = ("%d"):format(tonumber(text) - 1) end
  elseif p.type == "i" or p.type == "b" then member = "i"
  elseif p.type == "s" then member, text = "s", '"' .. text .. '"'
  end
  return ("{.%s = %s, .given = true}"):format(member, text)
end

local function defaults(row, out)
  local items, any = {}, false
  for i, p in ipairs(row.parsed.params) do
    items[i], any = p.default and default(p) or "{.given = false}", any or p.default ~= nil
  end
  return any and shared(out, "defaults", "pt_arg", items)
end

-- The gradient of one input: its steps, and which tensors they refer to.
local function gradient(grad, row, rows, out)
  if grad.none then return "{0}" end
  local ok, steps = pcall(formula.steps, grad.tree, rows, STACK)
  if not ok then error({ at = grad.at + (grad.plain == grad.text and steps.at - 1 or 0), text = steps.text }, 0) end
  local items, uses = {}, 0
  for i, step in ipairs(steps) do
    local place = step.variable and variables[step.variable]
    if step.variable then
      items[i] = ("{PTI_STEP_VARIABLE, %d}"):format(place)
      uses = uses | (place < 5 and 1 << place or 0)
    elseif step.constant then
      out.constants[#out.constants + 1] = ("%.17g"):format(step.constant)
      local n = out.constant_at[step.constant] or #out.constants - 1
      if n < #out.constants - 1 then table.remove(out.constants) end
      out.constant_at[step.constant] = n
      items[i] = ("{PTI_STEP_CONSTANT, %d}"):format(n)
    else
      items[i] = ("{PTI_STEP_CALL, PTI_OP_%s}"):format(step.op)
    end
  end
  local name = shared(out, "steps", "pti_step", items)
  return ("{%s, %d, %d}"):format(name, #items, uses), row
end

-- The complex column: how the row takes complex numbers.
local function complex_of(row)
  local how = row.complex and row.complex.text or row.kind == "COMP" and "as_is" or "refused"
  if how == "as_is" or how == "refused" or how == "unordered" then return "PTI_COMPLEX_" .. how:upper(), nil end
  return "PTI_COMPLEX_CALL", (how == "true" and row.name or how) .. "_complex"
end

local function shape_of(row)
  local nin, aside = 0, 0
  for _, p in ipairs(row.parsed.params) do
    if p.type == "L" then nin = -1 end
    if is_tensor[p.type] and nin >= 0 then nin = nin + 1 end
  end
  for k, output in ipairs(row.parsed.outputs) do aside = aside | (output.aside and 1 << k - 1 or 0) end
  return nin, math.max(#row.parsed.outputs, 1), aside
end

local function differentiable(row)
  if not row.elementwise then return row.kind == "FUNC" and row.name .. "_vjp" end
  for _, grad in ipairs(row.grad) do
    if not grad.none then return "pti_ew_vjp" end
  end
end

local function entry(row, rows, out)
  local nin, nout, aside = shape_of(row)
  local mode, complex = complex_of(row)
  local fields = {}
  local function field(name, value) fields[#fields + 1] = (".%s = %s"):format(name, tostring(value)) end
  local function flag(name, value)
    if value then field(name, value) end
  end
  field("name", '"' .. row.name .. '"')
  field("sig", '"' .. row.sig .. '"')
  field("help", '"' .. row.help .. '"')
  field("kind", row.elementwise and "PTI_ELEMENTWISE" or row.kind == "COMP" and "PTI_COMPOSITE" or "PTI_STRUCTURED")
  field("run", row.elementwise and "pti_ew_run" or row.name .. "_call")
  flag("run_inplace", row.elementwise and not row.test and "pti_ew_run_inplace")
  flag("vjp", differentiable(row) or nil)
  field("complex", mode)
  flag("complex_call", complex)
  flag("shortcut", row.shortcut and row.name .. "_shortcut")
  flag("cast", row.autocast and "PTI_CAST_" .. row.autocast.text:upper())
  flag("chooses", row.chooses and "true")
  flag("divides", row.divides and "true")
  field("narg", #row.parsed.params)
  field("nout", nout)
  field("nin", nin)
  flag("non_differentiable", aside ~= 0 and aside)
  flag("save_in", row.save_in ~= 0 and row.save_in)
  flag("save_out", row.save_out ~= 0 and row.save_out)
  local first = row.parsed.params[1]
  flag("inplace", (first and first.inplace or row.elementwise and not row.test) and "true")
  flag("edits", first and first.inplace and "true")
  field("param", parameters(row, out))
  flag("defaults", defaults(row, out))
  if row.elementwise then
    field("ew", "PTI_EW_" .. row.name)
    field("dtypes", types[row.dtypes.text])
    flag("test", row.test and "true")
    local grads = {}
    for i, grad in ipairs(row.grad) do grads[i] = gradient(grad, row, rows, out) end
    flag("grad", #grads > 0 and "{" .. table.concat(grads, ", ") .. "}")
  end
  return "  {" .. table.concat(fields, ", ") .. "},\n"
end

--- The functions that rows name, as { prototype, ... }; `kind` is "run", "vjp", "complex" or "shortcut".
function op_table.functions(rows)
  local list, seen, structs = {}, {}, {}
  local function add(name, text)
    if not seen[name] then list[#list + 1] = { name = name, text = text:format(name) } end
    seen[name] = true
  end
  for _, row in ipairs(rows) do
    if not row.elementwise then
      list[#list + 1] = { name = row.name .. "_args", text = arguments.struct(row, structs) }
      add(row.name .. "_run", "pt_tensor *%s(const " .. row.name .. "_args *args);\n")
    end
    if row.kind == "FUNC" then
      add(row.name .. "_vjp", "bool %s(pt_node *n, pt_tensor *const *g, pt_tensor **gx);\n")
    end
    local _, complex = complex_of(row)
    if complex then add(complex, "pt_tensor *%s(const pt_op *op, const pt_arg *arg);\n") end
    if row.shortcut then add(row.name .. "_shortcut", "bool %s(const pt_arg *arg, pt_tensor **out);\n") end
  end
  return list
end

--- The text of the table in C.
function op_table.text(rows)
  local out, entries = { known = {}, count = 0, constants = {}, constant_at = {} }, {}
  for i, row in ipairs(rows) do
    if not row.elementwise then out[#out + 1] = arguments.call(row) end
    entries[i] = entry(row, rows, out)
  end
  return table.concat {
    table.concat(out), "const double pti_constants[] = {", table.concat(out.constants, ", "), "};\n",
    "const pt_op pti_table[PTI_NOPS] = {\n", table.concat(entries), "};\n",
  }
end

return op_table
