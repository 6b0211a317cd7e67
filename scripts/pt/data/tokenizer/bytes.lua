--- Bytes as characters, as GPT-2 writes them: those that print as themselves, the others as the characters from U+0100.

local bytes = { char_of = {}, byte_of = {} }

local code = 256
for byte = 0, 255 do
  local prints = byte >= 33 and byte <= 126 or byte >= 161 and byte <= 172 or byte >= 174
  local c = utf8.char(prints and byte or code)
  if not prints then code = code + 1 end
  bytes.char_of[string.char(byte)], bytes.byte_of[c] = c, string.char(byte)
end

--- Every byte of a text as its character.
function bytes.encode(text) return (text:gsub(".", bytes.char_of)) end

--- The bytes of such characters; nil where one is none of them.
function bytes.decode(text)
  local out = {}
  for c in text:gmatch(utf8.charpattern) do
    local byte = bytes.byte_of[c]
    if not byte then return nil end
    out[#out + 1] = byte
  end
  return table.concat(out)
end

--- Text in which what is no UTF-8 is U+FFFD, one for each sequence that is cut off or cannot go on.
function bytes.lossy(text)
  if utf8.len(text) then return text end
  local out, at = {}, 1
  while at <= #text do
    local _, bad = utf8.len(text, at)
    if not bad then out[#out + 1] = text:sub(at) break end
    local lead = text:byte(bad)
    local low, high = 0x80, 0xbf -- what the second byte may be
    if lead == 0xe0 then low = 0xa0 elseif lead == 0xed then high = 0x9f
    elseif lead == 0xf0 then low = 0x90 elseif lead == 0xf4 then high = 0x8f end
    local wanted = lead >= 0xc2 and lead <= 0xdf and 1 or lead >= 0xe0 and lead <= 0xef and 2
      or lead >= 0xf0 and lead <= 0xf4 and 3 or 0
    local stop = bad
    while wanted > 0 and text:byte(stop + 1) and text:byte(stop + 1) >= low and text:byte(stop + 1) <= high do
      stop, wanted, low, high = stop + 1, wanted - 1, 0x80, 0xbf
    end
    out[#out + 1] = text:sub(at, bad - 1) .. "\u{fffd}"
    at = stop + 1
  end
  return table.concat(out)
end

return bytes
