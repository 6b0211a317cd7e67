-- The manual and the reference as one self-contained HTML page, with style and search.

local markdown = dofile((arg[0]:match "^(.*/)" or "scripts/tools/") .. "docs/markdown.lua")

local style = [[
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: #0a58a8 }
@media (prefers-color-scheme: dark) { :root { --link: #7ab8ff } }
* { box-sizing: border-box }
body { margin: 0; overflow-wrap: anywhere; font: 16px/1.5 system-ui, sans-serif }
a { color: var(--link); text-decoration: none }
nav { position: fixed; top: 0; bottom: 0; width: 17rem; overflow-y: auto; padding: 1rem }
nav { border-right: 1px solid var(--line) }
nav a { display: block; padding: .1rem 0 }
main { margin-left: 17rem; padding: 1rem 2rem; max-width: 62rem }
input { width: 100%; font: inherit; padding: .4rem; margin-bottom: .6rem }
pre { background: var(--soft); padding: .6rem .8rem; overflow-x: auto; border-radius: 4px }
pre { font-size: 14px; overflow-wrap: normal }
code { font-family: ui-monospace, monospace; font-size: .92em }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top }
article { border-top: 1px solid var(--line); padding-top: .4rem }
article { content-visibility: auto; contain-intrinsic-size: auto 14rem }
article h3 { margin: .6rem 0 .2rem } article ul { margin: .3rem 0 }
.notes { opacity: .75; font-size: .9em }
.gone { display: none }
@media (max-width: 50rem) {
  nav { position: static; width: auto; border-right: 0; border-bottom: 1px solid var(--line); max-height: 45vh }
  main { margin-left: 0; padding: 1rem }
}
]]

-- Every word typed must occur; names that begin with it appear at once as links.
local script = [[
const box = document.querySelector('input'), hits = document.querySelector('#hits');
const all = [...document.querySelectorAll('article, section')];
const text = all.map(a => a.textContent.toLowerCase());
box.addEventListener('input', () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(w => w);
  hits.textContent = '';
  const found = [];
  all.forEach((a, i) => {
    const hit = words.every(w => text[i].includes(w));
    a.classList.toggle('gone', !hit);
    if (hit && words.length) found.push(a);
  });
  const rank = a => Math.min(...words.map(w => {
    const n = a.dataset.name.toLowerCase();
    return n === w || n.endsWith('.' + w) ? 0 : n.includes(w) ? 1 : 2;
  }));
  found.sort((a, b) => rank(a) - rank(b)).slice(0, 40).forEach(a => {
    const link = document.createElement('a');
    link.href = '#' + a.id; link.textContent = a.dataset.name; hits.append(link);
  });
  if (words.length && !found.length) hits.textContent = 'nothing has these words';
});
box.addEventListener('keydown', e => {
  if (e.key === 'Enter' && hits.firstChild.href) location = hits.firstChild.href;
});
]]

-- The chapters in reading order; others follow.
local order = {
  "first-steps", "tensors", "autograd", "modules", "training", "data", "threads", "devices", "distributed", "embedding",
  "performance", "errors", "pytorch", "torch7",
}

local function chapters()
  local place, list = {}, {}
  for i, name in ipairs(order) do place[name] = i end
  for i, name in ipairs(require "pt.page.names") do
    local text = require("pt.page." .. name)
    list[i] = { name = name, text = text, title = text:match "^# ([^\n]+)" or name, place = place[name] or 99 }
  end
  table.sort(list, function(a, b) return a.place < b.place end)
  return list
end

local escape = markdown.escape

local function article(about, example_of)
  local lines = {
    ('<article id="%s" data-name="%s"><h3>%s</h3><pre>%s</pre>'):format(escape(about.name), escape(about.name),
      escape(about.name), escape(about.call)),
    "<p>" .. escape(about.text) .. "</p>",
  }
  if #about.params > 0 then
    lines[#lines + 1] = "<ul>"
    for _, p in ipairs(about.params) do
      lines[#lines + 1] = ("<li><code>%s</code>: %s</li>"):format(escape(p.name), escape(p.kind))
    end
    lines[#lines + 1] = "</ul>"
  end
  local notes = about.notes and { about.notes } or {}
  if about.from then notes[#notes + 1] = "PyTorch: " .. about.from end
  if #notes > 0 then lines[#lines + 1] = ('<p class="notes">%s</p>'):format(escape(table.concat(notes, "; "))) end
  if about.code then lines[#lines + 1] = "<pre>" .. escape(example_of(about)) .. "</pre>" end
  lines[#lines + 1] = "</article>"
  return table.concat(lines, "\n")
end

---@param list pt.Help[]
---@param example_of fun(about: pt.Help): string
---@return string
return function(list, example_of)
  local nav, body = {}, {}
  for _, chapter in ipairs(chapters()) do
    nav[#nav + 1] = ('<a href="#%s">%s</a>'):format(chapter.name, escape(chapter.title))
    body[#body + 1] = ('<section id="%s" data-name="%s">%s</section>'):format(chapter.name, escape(chapter.title),
      markdown.html(chapter.text))
  end
  nav[#nav + 1] = '<a href="#reference">Reference</a>'
  body[#body + 1] = '<h1 id="reference">Reference</h1>'
  for _, about in ipairs(list) do body[#body + 1] = article(about, example_of) end
  return table.concat {
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>ptlua</title>\n<style>\n', style,
    '</style></head>\n<body><nav><input type="search" placeholder="search: conv2d, shuffle" aria-label="search">',
    '<div id="hits"></div>', table.concat(nav), "</nav>\n<main>\n", table.concat(body, "\n"),
    "\n</main>\n<script>\n", script, "</script></body></html>\n",
  }
end
