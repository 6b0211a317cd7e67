-- calls.lua: the public functions pt_<op> of C: a prototype and a body for each row.

local calls = {}

local ctype = {
  T = "pt_tensor *", A = "pt_tensor *", i = "int64_t ", p = "int64_t ", d = "int ", b = "bool ", f = "double ",
  n = "double ", y = "int ", v = "int ", s = "const char *",
}

-- How C passes one parameter, and how that becomes a pt_arg.
local function c_parameter(param)
  local name, type, value = param.name, param.type, nil
  local optional = param.optional and not param.default
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
  return ctype[type] .. name, value
end

---@return string prototype without a semicolon
---@return string body
function calls.of(row)
  local params, args, more = {}, {}, {}
  for i, param in ipairs(row.parsed.params) do params[i], args[i] = c_parameter(param) end
  for k, output in ipairs(row.parsed.outputs) do
    if k > 1 then
      params[#params + 1] = "pt_tensor **" .. output.name
      more[#more + 1] = ("  if (%s) *%s = out[%d];\n"):format(output.name, output.name, k - 1)
    end
  end
  local prototype = ("pt_tensor *pt_%s(%s)"):format(row.name, table.concat(params, ", "))
  return prototype, table.concat {
    prototype, " {\n  pt_arg arg[] = {", table.concat(args, ", "), "};\n  pt_tensor *out[PTI_MAX_OUT] = {0};\n",
    ("  if (!pti_call(&pti_table[PTI_OP_%s], arg, out)) return NULL;\n"):format(row.name), table.concat(more),
    "  return out[0];\n}\n",
  }
end

return calls
