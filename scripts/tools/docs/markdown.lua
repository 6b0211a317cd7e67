-- Converts the part of Markdown that docs/ uses to HTML: headings, paragraphs, lists, tables, fenced code; code, bold,
-- links.

local markdown = {}

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

---@param text string
---@return string
function markdown.escape(text) return (text:gsub('[&<>"]', entities)) end

local escape = markdown.escape

-- Code first: no markup applies within it.
local function inline(text)
  local codes = {}
  text = text:gsub("`([^`]+)`", function(code)
    codes[#codes + 1] = "<code>" .. escape(code) .. "</code>"
    return "\1" .. #codes .. "\1"
  end)
  text = escape(text):gsub("%*%*(.-)%*%*", "<strong>%1</strong>"):gsub("%f[%*]%*([^%*\n]+)%*", "<em>%1</em>")
  text = text:gsub("%[([^%]]+)%]%(([^)]+)%)", '<a href="%2">%1</a>')
  return (text:gsub("\1(%d+)\1", function(i) return codes[tonumber(i)] end))
end

-- The cells of a row; a `|` within code is written `\|`.
local function cells(line, tag)
  local out = {}
  line = line:gsub("\\|", "\2"):gsub("^|", ""):gsub("|%s*$", "")
  for cell in (line .. "|"):gmatch "(.-)|" do
    local text = cell:match "^%s*(.-)%s*$":gsub("\2", "|")
    out[#out + 1] = ("<%s>%s</%s>"):format(tag, inline(text), tag)
  end
  return "<tr>" .. table.concat(out) .. "</tr>"
end

---@param text string
---@return string
function markdown.html(text)
  local lines, out, i = {}, {}, 1
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end

  -- The lines from i on while they match, joined.
  local function take(wanted)
    local list = {}
    while lines[i] and wanted(lines[i]) do
      list[#list + 1] = lines[i]
      i = i + 1
    end
    return list
  end

  while i <= #lines do
    local line = lines[i]
    local level, title = line:match "^(#+) (.*)$"
    if level then
      out[#out + 1] = ("<h%d>%s</h%d>"):format(#level, inline(title), #level)
      i = i + 1
    elseif line:find "^```" then
      i = i + 1
      local code = take(function(l) return not l:find "^```" end)
      out[#out + 1] = "<pre>" .. escape(table.concat(code, "\n")) .. "</pre>"
      i = i + 1
    elseif line:find "^|" then
      local rows = take(function(l) return l:find "^|" ~= nil end)
      out[#out + 1] = "<table>"
      for k, row in ipairs(rows) do
        if k ~= 2 then out[#out + 1] = cells(row, k == 1 and "th" or "td") end
      end
      out[#out + 1] = "</table>"
    elseif line:find "^%- " then
      local items = {}
      for _, l in ipairs(take(function(l) return l:find "^%- " ~= nil or l:find "^  %S" ~= nil end)) do
        if l:find "^%- " then items[#items + 1] = l:sub(3) else items[#items] = items[#items] .. "\n" .. l:sub(3) end
      end
      for k, item in ipairs(items) do items[k] = "<li>" .. inline(item) .. "</li>" end
      out[#out + 1] = "<ul>" .. table.concat(items) .. "</ul>"
    elseif line ~= "" then
      local words = take(function(l)
        return l ~= "" and not l:find "^[#|]" and not l:find "^```" and not l:find "^%- "
      end)
      out[#out + 1] = "<p>" .. inline(table.concat(words, "\n")) .. "</p>"
    else
      i = i + 1
    end
  end
  return table.concat(out, "\n")
end

return markdown
