-- formula.lua: reads the expressions of ops.def. They are compiled as C and as CUDA; here the same text is checked, and
-- a gradient becomes steps that engine/formula.c runs as calls of ops, so that it can itself be differentiated.
--
--   choice := or [ "?" choice ":" choice ]
--   or     := xor { "|" xor }      xor := and { "^" and }      and := compared { "&" compared }
--   compared := sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
--   sum    := product { ("+" | "-") product }      product := unary { ("*" | "/") unary }
--   unary  := "-" unary | number | name | WORD "(" choice { "," choice } ")" | "(" choice ")"
--
-- A fault is raised as { at = position in the text, text = message }.

local formula = {}

local function fault(at, text, ...) error({ at = at, text = text:format(...) }, 0) end

local symbols = { "<=", ">=", "==", "!=", "<", ">", "?", ":", "+", "-", "*", "/", "&", "|", "^", "(", ")", "," }

-- A list of { kind = "number" | "name" | symbol, text, at }, ended by { kind = "end" }.
local function tokens(text)
  local list, at = {}, text:match "^%s*()"
  while at <= #text do
    local number, name = text:match("^%d+%.?%d*[eE]?", at), text:match("^[%a_][%w_]*", at)
    local found = number or name
    if number then found = number:find "[eE]$" and text:match("^%d+%.?%d*[eE][+-]?%d+", at) or number end
    for _, symbol in ipairs(found and {} or symbols) do
      if text:sub(at, at + #symbol - 1) == symbol then
        found = symbol
        break
      end
    end
    if text:sub(at, at) == "." then fault(at, "a number begins with a digit: write 0.5, not .5") end
    if not found then fault(at, "expressions have no '%s'", text:sub(at, at)) end
    list[#list + 1] = { kind = number and "number" or name and "name" or found, text = found, at = at }
    at = text:match("^%s*()", at + #found)
  end
  list[#list + 1] = { kind = "end", text = "the end", at = #text + 1 }
  return list
end

-- Binary operators, from the loosest to the tightest, and the op that each becomes for tensors.
local levels = {
  { ["|"] = "logical_or" },
  { ["^"] = "logical_xor" },
  { ["&"] = "logical_and" },
  { ["<"] = "lt", ["<="] = "le", [">"] = "gt", [">="] = "ge", ["=="] = "eq", ["!="] = "ne", once = true },
  { ["+"] = "add", ["-"] = "sub" },
  { ["*"] = "mul", ["/"] = "div" },
}

--- The tree of an expression. A node has `at` and is { number = value }, { name = text }, { word = text, ... } or
--- { op = name of an op, ... }, the operands in order.
---@param text string
function formula.parse(text)
  local list, here = tokens(text), 1
  local choice

  local function next_is(kind)
    if list[here].kind ~= kind then return nil end
    here = here + 1
    return list[here - 1]
  end
  local function expect(kind)
    return next_is(kind) or fault(list[here].at, "expected '%s' before %s", kind, list[here].text)
  end

  local function call(word)
    local node = { word = word.text, at = word.at }
    repeat node[#node + 1] = choice() until not next_is ","
    expect ")"
    return node
  end

  local function unary()
    local token = list[here]
    if next_is "-" then
      local operand = unary()
      if not operand.number then return { op = "neg", at = token.at, operand } end
      return { number = -operand.number, at = token.at, text = "-" .. operand.text }
    end
    if next_is "number" then return { number = tonumber(token.text), at = token.at, text = token.text } end
    if next_is "(" then
      local inner = choice()
      expect ")"
      return inner
    end
    if not next_is "name" then fault(token.at, "expected a value before %s", token.text) end
    return next_is "(" and call(token) or { name = token.text, at = token.at }
  end

  local function binary(level)
    local ops = levels[level]
    if not ops then return unary() end
    local left = binary(level + 1)
    while ops[list[here].kind] do
      local token = list[here]
      here = here + 1
      left = { op = ops[token.kind], symbol = token.kind, at = token.at, left, binary(level + 1) }
      if ops.once then break end
    end
    return left
  end

  function choice()
    local condition = binary(1)
    local token = next_is "?"
    if not token then return condition end
    local yes = choice()
    expect ":"
    return { op = "where", at = token.at, condition, yes, choice() }
  end

  local tree = choice()
  if list[here].kind ~= "end" then fault(list[here].at, "'%s' is not expected here", list[here].text) end
  return tree
end

-- Calls visit(node, parent) for a node and all its descendants.
local function each(node, visit, parent)
  visit(node, parent)
  for _, operand in ipairs(node) do each(operand, visit, node) end
end

--- Rejects unknown names and words, and constants that would not keep the type T.
---@param tree table
---@param names table<string, any> what may be mentioned
---@param words table<string, integer> functions of scalar.h and how many operands they take
function formula.check(tree, names, words)
  each(tree, function(node, parent)
    if node.name and not names[node.name] then fault(node.at, "'%s' is not in scope", node.name) end
    if node.number and node.text:find "[.eE]" and not (parent and parent.word == "K") then
      fault(node.at, "write K(%s), so that float stays float", node.text)
    end
    if not node.word then return end
    local count = words[node.word]
    if not count then fault(node.at, "kernels/scalar.h has no word '%s'", node.word) end
    if count ~= #node then fault(node.at, "%s takes %d operands, not %d", node.word, count, #node) end
  end)
end

-- Words whose op has another name than the word in small letters.
local op_of = { FLOORDIV = "floor_divide", MAX2 = "maximum", MIN2 = "minimum" }

--- The steps of a gradient, in the order of a stack machine: { variable = name }, { constant = value } or
--- { op = name }.
---@param tree table
---@param ops table<string, any> the names of all ops
---@param room integer the depth of the stack
function formula.steps(tree, ops, room)
  local steps = {}
  local function emit(node, depth)
    if depth > room then fault(node.at, "nested deeper than %d values", room) end
    if node.word == "K" then return emit(node[1], depth) end -- it only keeps C in type T
    if node.number then steps[#steps + 1] = { constant = node.number }
    elseif node.name then steps[#steps + 1] = { variable = node.name }
    else
      for i, operand in ipairs(node) do emit(operand, depth + i - 1) end
      local name = node.op or op_of[node.word] or node.word:lower()
      if node.symbol == "^" then fault(node.at, "gradients have no '^'") end
      if not ops[name] then fault(node.at, "a gradient uses %s, but no op is named '%s'", node.word, name) end
      steps[#steps + 1] = { op = name }
    end
  end
  emit(tree, 1)
  return steps
end

return formula
