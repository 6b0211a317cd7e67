--- Tables whose fields come from several files, which are loaded when a field is first asked for: a program that uses
--- three layers does not wait for a hundred.

---@param made table what is there from the start
---@param parts string[] files that return tables of fields, loaded one after the other until the name is there
---@param files table<string, string> fields that are what one file returns
---@param finish? fun(value: any) called with every field of a file
---@param space? string what messages call the table
---@return table made
local function lazy(made, parts, files, finish, space)
  local at = 0 -- of the last file that was run or is being run, which may ask for fields of later ones
  -- A file that an interrupt ends, or memory that runs out, is run again.
  local function run_next()
    local next_one, done = at + 1, false
    local _ <close> = setmetatable({}, { __close = function() if not done then at = next_one - 1 end end })
    at = next_one
    for key, value in pairs(require(parts[next_one])) do
      if finish then finish(value) end
      made[key] = value
    end
    done = true
  end
  local function load(name)
    if files[name] then
      made[name] = require(files[name])
      return made[name]
    end
    while at < #parts and rawget(made, name) == nil do run_next() end
    return rawget(made, name)
  end
  -- All names, for completion: loads what is left.
  local function names()
    local list = {}
    load "" -- no field has this name
    for name in pairs(files) do list[#list + 1] = name end
    for name in pairs(made) do list[#list + 1] = name end
    return list
  end
  local unknown = space and require "pt.unknown"(space, names)
  local function index(_, name)
    local value = load(name)
    if value == nil and unknown then return unknown(made, name) end
    return value
  end
  return setmetatable(made, { __index = index, __names = names })
end

return lazy
