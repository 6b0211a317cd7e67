--- `ptlua info FILE...`: lists the contents of a file of weights, in any format that pt.load reads.

local pt = require "pt"

local info = {}

local function grouped(n)
  return (tostring(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function describe(path)
  local state, metadata = pt.load(path)
  local rows, widest, elements, bytes = {}, 0, 0, 0
  for name, tensor in pairs(state) do
    rows[#rows + 1] = { name, tostring(tensor.dtype), tostring(tensor.shape) }
    widest, elements, bytes = math.max(widest, #name), elements + tensor:numel(), bytes + tensor:nbytes()
  end
  print(("%s: %s tensors, %s elements, %s bytes"):format(path, grouped(#rows), grouped(elements), grouped(bytes)))
  for _, row in ipairs(rows) do
    print(("  %-" .. math.min(widest, 60) .. "s  %-8s %s"):format(row[1], row[2], row[3]))
  end
  local keys = {}
  for key in pairs(metadata or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do print(("  (%s = %s)"):format(key, tostring(metadata[key]))) end
end

---@param arg string[]
function info.main(arg)
  if #arg == 0 then error("usage: ptlua info FILE...", 0) end
  for _, path in ipairs(arg) do
    local ok, problem = pcall(describe, path)
    if not ok then error("info: " .. tostring(problem), 0) end
  end
end

return info
