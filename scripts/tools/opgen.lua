-- opgen.lua: derives C headers from the op table, so that nothing about an op is said twice.
-- usage: lua5.4 scripts/tools/opgen.lua engine/ops.def OUTDIR
--   ptlua_ops.h     prototypes of the public functions pt_<op>
--   ptlua_ops.inc.c their bodies (included by engine/op.c)
--   ptlua_run.h     prototypes of <op>_run and <op>_vjp, which live in engine/ops/
--   ptlua_ids.h     PTI_OP_<op>, a row's place in the table
--   ptlua_ew.h      PTI_EW_<op>, the number of an element-wise kernel; a hash of the table

local elementwise = { UNARY = 1, UNARYP = 1, BINARY = 2, COMPARE = 2, TEST = 1, TERNARY = 3 }
local structured = { FUNC = true, PLAIN = true, COMP = true }

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
  file:write(text)
  file:close()
end

-- The arguments of KIND(...), split at top-level commas.
local function split(text)
  local parts, depth, quoted, from = {}, 0, false, 1
  for i = 1, #text do
    local c = text:sub(i, i)
    if c == '"' then quoted = not quoted
    elseif not quoted then
      if c == "(" then depth = depth + 1
      elseif c == ")" then depth = depth - 1
      elseif c == "," and depth == 0 then
        parts[#parts + 1] = text:sub(from, i - 1)
        from = i + 1
      end
    end
  end
  parts[#parts + 1] = text:sub(from)
  for i, part in ipairs(parts) do parts[i] = part:match "^%s*(.-)%s*$" end
  return parts
end

local function rows(text)
  local list, seen = {}, {}
  for line in text:gmatch "[^\n]+" do
    local kind, body = line:match "^(%u+)%s*(%b())%s*$"
    if kind and (elementwise[kind] or structured[kind]) then
      local parts = split(body:sub(2, -2))
      local row = { kind = kind, name = parts[1] }
      assert(not seen[row.name], "ops.def: two rows named " .. row.name)
      seen[row.name] = true
      if structured[kind] then row.sig = parts[2]:match '^"(.*)"$'
      elseif kind == "UNARYP" then row.params = parts[3]:match '^"(.*)"$' end
      list[#list + 1] = row
    end
  end
  return list
end

-- The signature of an element-wise row follows from its kind.
local function signature(row)
  if row.sig then return row.sig end
  local n = elementwise[row.kind]
  if row.kind == "UNARYP" then return "x:T " .. row.params end
  return ({ "x:T", "a:A b:A", "a:A b:A c:A" })[n]
end

local ctype = {
  T = "pt_tensor *", A = "pt_tensor *", i = "int64_t ", p = "int64_t ", d = "int ", b = "bool ", f = "double ",
  n = "double ", y = "int ", v = "int ", s = "const char *",
}

-- How C passes one parameter, and how that becomes a pt_arg.
local function c_parameter(name, type, optional)
  local value
  if type == "L" then
    return ("pt_tensor *const *%s, int n%s"):format(name, name),
      ("{.list = %s, .n = n%s, .given = true}"):format(name, name)
  elseif type == "I" or type == "D" then
    return ("const int64_t *%s, int n%s"):format(name, name),
      ("{.ints = %s, .n = n%s, .given = n%s >= 0}"):format(name, name, name)
  elseif type == "T" or type == "A" then value = ("{.t = %s, .given = %s != NULL}"):format(name, name)
  elseif type == "d" or type == "i" or type == "p" then
    value = ("{.i = %s, .given = %s}"):format(name, optional and name .. " != INT_MIN" or "true")
  elseif type == "b" or type == "v" then value = ("{.i = %s, .given = true}"):format(name)
  elseif type == "y" then value = ("{.i = %s, .given = %s >= 0}"):format(name, name)
  elseif type == "f" or type == "n" then
    value = ("{.f = %s, .given = %s}"):format(name, optional and ("!isnan(%s)"):format(name) or "true")
  elseif type == "s" then value = ("{.s = %s, .given = %s != NULL}"):format(name, name)
  end
  return assert(ctype[type], "ops.def: no type " .. type) .. name, value
end

local function c_function(row)
  local sig = signature(row)
  local ins, outs = sig:match "^(.-)%s*%->%s*(.*)$"
  local params, args, more = {}, {}, {}
  for name, type, rest in (ins or sig):gmatch "([%w_]+):(%a)(%S*)" do
    local optional = rest:find "^!?%?" ~= nil
    params[#params + 1], args[#args + 1] = c_parameter(name, type, optional)
  end
  local first = true
  for name in (outs or ""):gmatch "([%w_]+):T" do
    if not first then
      params[#params + 1] = "pt_tensor **" .. name
      more[#more + 1] = name
    end
    first = false
  end
  local proto = ("pt_tensor *pt_%s(%s)"):format(row.name, table.concat(params, ", "))
  local body = {
    proto, " {\n  pt_arg arg[] = {", table.concat(args, ", "), "};\n  pt_tensor *out[PTI_MAX_OUT] = {0};\n",
    ("  if (!pti_call(pti_op_at(PTI_OP_%s), arg, out)) return NULL;\n"):format(row.name),
  }
  for i, name in ipairs(more) do body[#body + 1] = ("  if (%s) *%s = out[%d];\n"):format(name, name, i) end
  body[#body + 1] = "  return out[0];\n}\n"
  return proto, table.concat(body)
end

-- FNV-1a, in 64 bits: enough to tell one table from another.
local function hash(text)
  local h = 0xcbf29ce484222325
  for i = 1, #text do h = (h ~ text:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(h)
end

local path, out = arg[1], arg[2]
local text = read(path)
local note = "/* Made from engine/ops.def by scripts/tools/opgen.lua. */\n"
local ops, inc, run, ids, ew = { note }, { note }, { note, '#include "op.h"\n' }, { note, "enum {\n" }, { note }
local kernels = { "enum {\n" }
for _, row in ipairs(rows(text)) do
  local proto, body = c_function(row)
  ops[#ops + 1] = "PT_API " .. proto .. ";\n"
  inc[#inc + 1] = body
  ids[#ids + 1] = ("  PTI_OP_%s,\n"):format(row.name)
  if elementwise[row.kind] then kernels[#kernels + 1] = ("  PTI_EW_%s,\n"):format(row.name)
  else
    run[#run + 1] = ("pt_tensor *%s_run(const pt_op *op, const pt_arg *arg, pt_tensor **more);\n"):format(row.name)
  end
  if row.kind == "FUNC" then
    run[#run + 1] = ("bool %s_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx);\n"):format(row.name)
  end
end
ids[#ids + 1] = "  PTI_NOPS\n};\n"
kernels[#kernels + 1] = "  PTI_NEW\n};\n"
ew[#ew + 1] = table.concat(kernels) .. ('#define PTI_TABLE_HASH "%s"\n'):format(hash(text))
write(out .. "/ptlua_ops.h", table.concat(ops))
write(out .. "/ptlua_ops.inc.c", table.concat(inc))
write(out .. "/ptlua_run.h", table.concat(run))
write(out .. "/ptlua_ids.h", table.concat(ids))
write(out .. "/ptlua_ew.h", table.concat(ew))
