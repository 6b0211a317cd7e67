--- Functions and methods made of ops of the table, a few lines each: pt.var, x:split(...), pt.meshgrid.

local made = { functions = {}, methods = {} }

for _, part in ipairs {
  "convert", "shape", "elementwise", "reduce", "order", "select", "scatter", "products", "algebra",
} do
  local add = require("pt.functions." .. part)
  for name, fn in pairs(add.functions) do made.functions[name] = fn end
  for name, fn in pairs(add.methods) do made.methods[name] = fn end
end

return made
