-- arguments.lua: what a structured op's run and vjp receive: a struct of its parameters by name, and the places
-- of its further outputs. Rows of one signature share one struct, so that their functions can share helpers.

local arguments = {}

local plain = {
  T = { "pt_tensor *", "t" }, A = { "pt_tensor *", "t" }, i = { "int64_t ", "i" }, p = { "int64_t ", "i" },
  d = { "int64_t ", "i" }, b = { "bool ", "i" }, y = { "int ", "i" }, v = { "int ", "i" }, f = { "double ", "f" },
  s = { "const char *", "s" },
}

-- Lists, and numbers that are optional or of two kinds, are more than a value: these stay a pt_arg.
local function is_whole(param)
  return param.type:find "[IDLn]" ~= nil or param.type:find "[idpyf]" ~= nil and param.optional and not param.default
end

local function fields_of(row)
  local fields, values = { "const pt_op *op" }, { ".op = op" }
  for i, param in ipairs(row.parsed.params) do
    local kind = plain[param.type]
    if is_whole(param) then
      fields[i + 1] = "const pt_arg *" .. param.name
      values[i + 1] = (".%s = &arg[%d]"):format(param.name, i - 1)
    else
      fields[i + 1] = kind[1] .. param.name
      values[i + 1] = (".%s = arg[%d].%s"):format(param.name, i - 1, kind[2])
    end
  end
  for k = 2, #row.parsed.outputs do
    local name = row.parsed.outputs[k].name
    fields[#fields + 1] = "pt_tensor **" .. name
    values[#values + 1] = (".%s = more ? &more[%d] : NULL"):format(name, k - 2)
  end
  return table.concat(fields, "; "), table.concat(values, ", ")
end

--- The struct <op>_args of a row and the function <op>_args_of that fills one from the arguments of a call (`more` is
--- where its further outputs go) or of a node (then NULL, and there are no tensors).
---@param row table
---@param seen table<string, string> by fields, the struct that has them
function arguments.struct(row, seen)
  local fields, values = fields_of(row)
  local text
  if seen[fields] then
    text = ("typedef %s %s_args;\n"):format(seen[fields], row.name)
  else
    seen[fields] = row.name .. "_args"
    text = ("typedef struct %s_args { %s; } %s_args;\n"):format(row.name, fields, row.name)
  end
  return text .. ("static inline %s_args %s_args_of(const pt_op *op, const pt_arg *arg, pt_tensor **more) {\n" ..
    "  (void)arg, (void)more;\n  return (%s_args){%s};\n}\n"):format(row.name, row.name, row.name, values)
end

--- The function that the table calls.
function arguments.call(row)
  return ([[
static pt_tensor *NAME_call(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  NAME_args args = NAME_args_of(op, arg, more);
  return NAME_run(&args);
}
]]):gsub("NAME", row.name)
end

return arguments
