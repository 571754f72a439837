-- The table as one page that needs nothing else: bars on log scales, a scale for each kind of quantity.
local report = require "report"

local page = {}

-- What is measured, in the page's order; `units`: of the base unit, which the ticks are labelled with.
local KINDS = {
  { title = "Operations a second", note = "longer is better", units = { ["M/s"] = 1e6 }, base = "/s" },
  { title = "Bytes a second", note = "longer is better", units = { ["MB/s"] = 1e6, ["GB/s"] = 1e9 }, base = "B/s" },
  { title = "Time", note = "shorter is better", units = { ns = 1e-9, us = 1e-6, ms = 1e-3 }, base = "s" },
  { title = "Speed-up over one plain loop", note = "longer is better", units = { x = 1 }, base = "×" },
  { title = "Memory", note = "shorter is better", units = { MB = 1e6 }, base = "B" },
}

-- Who has bars, in their order: the row's field, the style's class.
local BARS = {
  { "mphost", "mphost" }, { "python", "Python" }, { "peer", "best Lua peer" }, { "limit", "C" },
  { "limit_from_lua", "C from Lua" },
}

local NAMES = { python = "Python", limit = "C" }

local STYLE = [[
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1c2430; --quiet: #5c6675; --grid: #e3e7ee; --rule: #cdd4de;
  --mphost: #1f5fd0; --python: #c98a12; --peer: #7a4fb5; --limit: #8b95a5; --limit_from_lua: #b9c1cd;
  --good: #15803d; --bad: #c02626;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161c; --ink: #e6eaf0; --quiet: #9aa5b4; --grid: #242c37; --rule: #384352;
    --mphost: #6ba3ff; --python: #e0ab48; --peer: #b591ea; --limit: #79859a; --limit_from_lua: #525d70;
    --good: #4ade80; --bad: #ff7b7b;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0; }
h2 small { font-weight: normal; color: var(--quiet); }
p { margin: .3rem 0; color: var(--quiet); }
code { white-space: nowrap; font-family: ui-monospace, "DejaVu Sans Mono", monospace; color: var(--ink); }
.warning { color: var(--bad); font-weight: 600; }
.legend { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .3rem 1.3rem;
  margin-top: .8rem; padding: .5rem 0; background: var(--paper); border-bottom: 1px solid var(--rule); }
.legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; border-radius: 2px;
  vertical-align: -.05rem; }
.legend i.target { width: 0; border-left: 2px solid var(--ink); border-radius: 0; }
.row { display: grid; grid-template-columns: 21rem 1fr; border-top: 1px solid var(--grid); break-inside: avoid; }
.axis { border: 0; color: var(--quiet); font-size: .8rem; height: 1.5rem; }
.name { padding: .45rem 1rem .45rem 0; }
.name div { color: var(--quiet); font-size: .82rem; }
.name .met { color: var(--good); }
.name .missed { color: var(--bad); }
.chart { padding: .5rem 9rem .5rem 0; }
.axis .chart { padding-top: 0; padding-bottom: 0; }
.plot { position: relative; height: 100%; }
.row:not(.axis) .plot::before { content: ""; position: absolute; inset: -.5rem 0; border-right: 1px solid var(--grid);
  background: linear-gradient(to right, var(--grid) 1px, transparent 1px) 0 0 / calc(100% / var(--decades)) 100%; }
.axis span { position: absolute; bottom: 0; transform: translateX(-50%); white-space: nowrap; }
.line { position: relative; height: .95rem; display: flex; align-items: center; }
.bar { height: .62rem; min-width: 2px; border-radius: 0 2px 2px 0; }
.mphost .bar { height: .85rem; }
.mphost .value { font-weight: 600; color: var(--ink); }
.value { position: absolute; padding-left: .45rem; font-size: .78rem; white-space: nowrap; color: var(--quiet); }
.spread { position: absolute; height: 1px; background: var(--ink); opacity: .55; }
.target { position: absolute; top: -1px; bottom: -1px; border-left: 2px solid var(--ink); }
@media (max-width: 46rem) {
  .row { grid-template-columns: 1fr; } .name { padding-bottom: 0; } .axis .name { display: none; }
}
]]

local function escaped(s)
  return (tostring(s):gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

-- 1e-6 s is "1 µs".
local function tick(exponent, base)
  local prefixes = { [-9] = "n", [-6] = "µ", [-3] = "m", [0] = "", [3] = "k", [6] = "M", [9] = "G", [12] = "T" }
  local group = exponent // 3 * 3
  local prefix = prefixes[group]
  if not prefix or base == "×" then return ("%.6g%s"):format(10.0 ^ exponent, base) end
  return ("%d %s%s"):format(10 ^ (exponent - group) // 1 | 0, prefix, base)
end

-- The least and the greatest power of ten that hold all bars of the rows, nil if there is none.
local function axis(rows, units)
  local least, most = math.huge, 0
  for _, row in ipairs(rows) do
    for _, bar in ipairs(BARS) do
      local statistics = row[bar[1]]
      if statistics and statistics.median > 0 then
        least = math.min(least, statistics.median * units[row.unit])
        most = math.max(most, statistics.median * units[row.unit])
      end
    end
  end
  if most == 0 then return nil end
  local low = math.floor(math.log(least, 10) - 0.1)
  return low, math.max(low + 1, math.ceil(math.log(most, 10)))
end

-- How far along the axis a value is, in percent.
local function along(value, low, high)
  if value <= 0 then return 0 end
  return math.max(0, math.min(100, (math.log(value, 10) - low) / (high - low) * 100))
end

-- Where the number of a bar stands: behind it and its spread, and behind a target's mark that it would hide.
local function behind(width, marks)
  for _, mark in ipairs(marks) do
    if mark > width - 0.5 and mark < width + 15 then width = mark end
  end
  return width
end

local function line(row, bar, factor, low, high)
  local field, name = bar[1], bar[2]
  local statistics = row[field]
  if not statistics then return "" end
  if field == "peer" then name = row.peer_name end
  local function at(value) return along(value * factor, low, high) end
  local width, from, to, marks = at(statistics.median), at(statistics.min), at(statistics.max), {}
  for _, target in ipairs(field == "mphost" and row.targets or {}) do
    if target.bound then marks[#marks + 1] = at(target.bound) end
  end
  table.sort(marks)
  local parts = {
    ('<div class="line %s" title="%s: %s %s, %s to %s">'):format(field, escaped(name),
      report.number(statistics.median), row.unit, report.number(statistics.min), report.number(statistics.max)),
    ('<div class="bar" style="width:%.2f%%;background:var(--%s)"></div>'):format(width, field),
    ('<span class="value" style="left:%.2f%%">%s %s</span>'):format(behind(math.max(width, to), marks),
      report.number(statistics.median), escaped(field == "mphost" and row.unit or name)),
  }
  if to > from then
    parts[#parts + 1] = ('<div class="spread" style="left:%.2f%%;width:%.2f%%"></div>'):format(from, to - from)
  end
  for _, mark in ipairs(marks) do
    parts[#parts + 1] = ('<div class="target" style="left:%.2f%%"></div>'):format(mark)
  end
  parts[#parts + 1] = "</div>"
  return table.concat(parts)
end

local function name(row)
  local ratios = {}
  local function add(ratio, text)
    if ratio then ratios[#ratios + 1] = text:format(report.number(ratio)) end
  end
  add(row.over_python, "%s × Python")
  add(row.over_peer, "%s × " .. escaped(row.peer_name or ""):gsub("%%", "%%%%"))
  add(row.of_limit, "%s of C")
  add(row.of_limit_from_lua, "%s of C from Lua")
  local parts = { '<div class="name">', escaped(row.label) }
  if #ratios > 0 then parts[#parts + 1] = ("<div>%s</div>"):format(table.concat(ratios, " · ")) end
  for _, target in ipairs(row.targets) do
    local class = target.met and "met" or target.met == false and "missed" or ""
    local verdict = target.met and " ✓" or target.met == false and " ✗" or ""
    parts[#parts + 1] = ('<div class="%s">target %s%s</div>'):format(class, escaped(target.text), verdict)
  end
  if not row.mphost then
    parts[#parts + 1] = ('<div class="missed">%s</div>'):format(escaped(row.absent or "failed"))
  end
  for _, failed in ipairs(row.failed) do
    if failed ~= "mphost" then
      parts[#parts + 1] = ('<div class="missed">%s failed</div>'):format(escaped(NAMES[failed] or failed))
    end
  end
  parts[#parts + 1] = "</div>"
  return table.concat(parts)
end

local function section(kind, rows)
  local low, high = axis(rows, kind.units)
  if not low then low, high = 0, 1 end
  local out = { ('<h2>%s <small>%s</small></h2>\n<section style="--decades:%d">'):format(kind.title, kind.note,
    high - low), '<div class="row axis"><div class="name"></div><div class="chart"><div class="plot">' }
  for exponent = low, high do
    out[#out + 1] = ('<span style="left:%.2f%%">%s</span>'):format((exponent - low) / (high - low) * 100,
      tick(exponent, kind.base))
  end
  out[#out + 1] = "</div></div></div>\n"
  for _, row in ipairs(rows) do
    out[#out + 1] = ('<div class="row">%s<div class="chart"><div class="plot">'):format(name(row))
    for _, bar in ipairs(BARS) do out[#out + 1] = line(row, bar, kind.units[row.unit], low, high) end
    out[#out + 1] = "</div></div></div>\n"
  end
  out[#out + 1] = "</section>\n"
  return table.concat(out)
end

---The page.
---@param rows table[]  of report.rows
---@param about string  lines on the machine and the run
---@param command string  what repeats it
---@param short boolean  the figures mean nothing
---@return string html
function page.html(rows, about, command, short)
  local out = { '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n',
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>mphost: bench</title>\n<style>\n',
    STYLE, "</style>\n<h1>mphost beside Python, Lua libraries and plain C</h1>\n" }
  if short then out[#out + 1] = '<p class="warning">SHORT RUN: the figures mean nothing</p>\n' end
  for text in about:gmatch "[^\n]+" do out[#out + 1] = ("<p>%s</p>\n"):format(escaped(text)) end
  out[#out + 1] = ("<p>Log scales. Thin lines go from the least to the most. To repeat it: <code>%s</code></p>\n")
    :format(escaped(command))
  out[#out + 1] = '<div class="legend">'
  for _, bar in ipairs(BARS) do
    out[#out + 1] = ('<span><i style="background:var(--%s)"></i>%s</span>'):format(bar[1], bar[2])
  end
  out[#out + 1] = '<span><i class="target" style="position:static;height:.9rem"></i>target</span></div>\n'
  for _, kind in ipairs(KINDS) do
    local own = {}
    for _, row in ipairs(rows) do
      if kind.units[row.unit] then own[#own + 1] = row end
    end
    if #own > 0 then out[#out + 1] = section(kind, own) end
  end
  out[#out + 1] = "</html>\n"
  return table.concat(out)
end

return page
