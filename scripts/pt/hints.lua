--- Hints after messages of Lua itself that scripts with tensors run into: what the value was, and what to write.

-- A pattern of the message, and the hint.
local hints = {
  { "attempt to index a nil value %(field 'grad'%)",
    "grad is nil until loss:backward() has reached a leaf that requires grad" },
  { "number expected, got Tensor%)", "x:item() is the number in a tensor of one element" },
  { "string expected, got Tensor%)", "tostring(x) is the text of a tensor, x:item() the number in one of one element" },
  { "'for' %a+ value must be a number", "x:item() is the number in a tensor of one element" },
  { "'for' limit must be a number", "x:item() is the number in a tensor of one element, #x the size of its first dim" },
  { "attempt to call a Tensor value", "a tensor is indexed with brackets: x[1], x[{ 1, 2 }]" },
}

---@param text string a message
---@return string
return function(text)
  for _, hint in ipairs(hints) do
    if text:find(hint[1]) then return text .. "; " .. hint[2] end
  end
  return text
end
