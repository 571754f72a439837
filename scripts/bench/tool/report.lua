-- From samples to rows, from rows to the table.
local report = {}

---The middle of the values and how far they lie apart.
---@param values number[]?
---@return {median: number, min: number, max: number, values: number[]}? statistics  nil without values
function report.statistics(values)
  if not values or #values == 0 then return nil end
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) / 2
  local median = (sorted[math.floor(middle)] + sorted[math.ceil(middle)]) / 2
  return { median = median, min = sorted[1], max = sorted[#sorted], values = values }
end

-- How many times as good a is as b.
local function ratio(better, a, b)
  if not a or not b then return nil end
  local over, under = a.median, b.median
  if better == "less" then over, under = under, over end
  if under <= 0 or over < 0 then return nil end
  return over / under
end

local function is_peer(name) return name ~= "mphost" and name ~= "python" and name ~= "limit" end

local function best_peer(samples, figure)
  local best, best_name
  for name, figures in pairs(samples) do
    if is_peer(name) then
      local own = report.statistics(figures[figure.name])
      local over = own and best and ratio(figure.better, own, best)
      if own and (not best or over > 1) then best, best_name = own, name end
    end
  end
  return best, best_name
end

-- A peer is also found when only another Lua can load it: "cjson (lua5.3)".
local function figures_of(samples, name)
  if samples[name] then return samples[name] end
  for contestant, figures in pairs(samples) do
    if contestant:match "^(%w+) %(" == name then return figures end
  end
  return {}
end

-- Text: what the target is; met: whether, nil when what it is measured by is not there.
local function judge(target, row, samples)
  local bound = target.least or target.most
  local text = (target.least and ">= " or "<= ") .. ("%.3g"):format(bound)
  if target.of then
    local contestant = figures_of(samples, target.of)[row.figure]
    local other = row[target.of] or report.statistics(contestant or (samples.mphost or {})[target.of])
    text = ("%s %s"):format(text, target.of == "limit" and "C" or target.of)
    if not other then return { text = text, without = true } end
    bound = bound * other.median
    if contestant and not row[target.of] and target.of ~= row.peer_name then -- one that no column shows
      text = ("%s's %s"):format(text, report.number(other.median))
    end
  end
  if not row.mphost then return { text = text } end
  local met
  if target.least then met = row.mphost.median >= bound else met = row.mphost.median <= bound end
  return { text = text, met = met, bound = bound }
end

---One row for each figure of a work.
---@param work table  of works.lua
---@param samples table  of measure.work
---@param absent table<string, string>
---@param broken table<string, boolean>?
---@return table[]
function report.rows(work, samples, absent, broken)
  local rows, whole, failed = {}, {}, {}
  for name, figures in pairs(samples) do whole[name] = not (broken and broken[name]) and figures or nil end
  for name in pairs(broken or {}) do failed[#failed + 1] = name end
  table.sort(failed)
  samples = whole
  for _, figure in ipairs(work.figures) do
    local function of(contestant, name)
      return samples[contestant] and report.statistics(samples[contestant][name])
    end
    local row = {
      work = work.name, figure = figure.name, label = figure.label, unit = figure.unit, better = figure.better,
      grows = work.grows, failed = failed,
      mphost = of("mphost", figure.name), absent = absent.mphost, python = of("python", figure.name),
      limit = of("limit", figure.name), limit_from_lua = of("limit", figure.name .. ".lua"), targets = {},
    }
    row.peer, row.peer_name = best_peer(samples, figure)
    row.over_python = ratio(figure.better, row.mphost, row.python)
    row.over_peer = ratio(figure.better, row.mphost, row.peer)
    row.of_limit = ratio(figure.better, row.mphost, row.limit)
    row.of_limit_from_lua = ratio(figure.better, row.mphost, row.limit_from_lua)
    for k, target in ipairs(figure.targets) do row.targets[k] = judge(target, row, samples) end
    rows[#rows + 1] = row
  end
  return rows
end

---What the figures are.
---@param n integer  rounds
---@return string  a line
function report.rounds(n)
  if n == 1 then return "figures of 1 round\n" end
  return ("medians of %d rounds, ± half of what lies between the least and the most\n"):format(n)
end

---Three digits, or two of a small number.
---@param x number
---@return string
function report.number(x)
  local size = math.abs(x)
  if size >= 100 then return ("%.0f"):format(x) end
  if size >= 10 then return ("%.1f"):format(x) end
  if size >= 0.1 or size == 0 then return ("%.2f"):format(x) end
  return ("%.2g"):format(x)
end

local number = report.number

local function cell(statistics)
  if not statistics then return "" end
  if statistics.median == 0 then return "0" end
  local spread = (statistics.max - statistics.min) / 2 / math.abs(statistics.median) * 100
  return ("%s ±%.0f%%"):format(number(statistics.median), spread)
end

local function has_failed(row, name)
  for _, failed in ipairs(row.failed) do
    if failed == name then return true end
  end
  return false
end

-- Nothing: there is no such twin.
local function twin(row, field, name)
  return has_failed(row, name) and "failed" or cell(row[field])
end

local function peers(row)
  local texts = { row.peer and row.peer_name .. " " .. cell(row.peer) }
  for _, name in ipairs(row.failed) do
    if is_peer(name) then texts[#texts + 1] = name .. " failed" end
  end
  return table.concat(texts, ", ")
end

local function targets(row)
  local texts = {}
  for k, target in ipairs(row.targets) do
    local verdict = target.met and " ok" or target.met == false and " MISSED" or target.without and " (not here)" or ""
    texts[k] = target.text .. verdict
  end
  return table.concat(texts, ", ")
end

local COLUMNS = {
  { "work", function(row) return row.label end, left = true },
  { "unit", function(row) return row.unit end, left = true },
  { "mphost", function(row) return row.mphost and cell(row.mphost) or row.absent and "not there" or "failed" end },
  { "Python", function(row) return twin(row, "python", "python") end },
  { "best Lua peer", peers },
  { "C", function(row) return twin(row, "limit", "limit") end },
  { "C from Lua", function(row) return twin(row, "limit_from_lua", "limit") end },
  { "x Python", function(row) return row.over_python and number(row.over_python) or "" end },
  { "x peer", function(row) return row.over_peer and number(row.over_peer) or "" end },
  { "of C", function(row) return row.of_limit and number(row.of_limit) or "" end },
  { "from Lua", function(row) return row.of_limit_from_lua and number(row.of_limit_from_lua) or "" end },
  { "target", targets, left = true },
}

local function padded(text, width, left)
  local space = (" "):rep(width - utf8.len(text))
  return left and text .. space or space .. text
end

---The table as text.
---@param rows table[]
---@return string
function report.table(rows)
  local lines = {}
  for at = 0, #rows do lines[at] = {} end
  for c, column in ipairs(COLUMNS) do
    local texts, width = { [0] = column[1] }, utf8.len(column[1])
    for at, row in ipairs(rows) do
      texts[at] = column[2](row)
      width = math.max(width, utf8.len(texts[at]))
    end
    for at = 0, #rows do lines[at][c] = padded(texts[at], width, column.left) end
  end
  local text = {}
  for at = 0, #rows do text[#text + 1] = (table.concat(lines[at], "  "):gsub(" +$", "")) end
  return table.concat(text, "\n") .. "\n"
end

---The same table in Markdown.
---@param rows table[]
---@return string
function report.markdown(rows)
  local heads, rules, lines = {}, {}, {}
  for c, column in ipairs(COLUMNS) do heads[c], rules[c] = column[1], column.left and "---" or "---:" end
  lines[1], lines[2] = table.concat(heads, " | "), table.concat(rules, " | ")
  for _, row in ipairs(rows) do
    local cells = {}
    for c, column in ipairs(COLUMNS) do cells[c] = column[2](row):gsub("[|*_<>]", "\\%0") end
    lines[#lines + 1] = table.concat(cells, " | ")
  end
  return "| " .. table.concat(lines, " |\n| ") .. " |\n"
end

---What is not there and why, a line each.
---@param rows table[]
---@return string  empty if all is there
function report.missing(rows)
  local lines = {}
  for _, row in ipairs(rows) do
    if row.absent then lines[#lines + 1] = ("not there: %s: %s\n"):format(row.label, row.absent) end
  end
  return table.concat(lines)
end

return report
