-- The table in README.md, between two lines that stay.
local output = require "output"
local report = require "report"

local readme = {}

readme.FIRST, readme.LAST = "<!-- bench: what scripts/bench.sh --readme wrote -->", "<!-- bench: end -->"

---The lines between the two: the table, and that of how cost grows folded.
---@param rows table[]  of report.rows
---@param about string  lines on the machine and the run
---@param command string  what repeats it
---@return string markdown
function readme.text(rows, about, command)
  local main, grows = {}, {}
  for _, row in ipairs(rows) do table.insert(row.grows and grows or main, row) end
  local parts = { ("`%s` printed this. "):format(command), about:gsub("\n", ".\n"), "\n", report.markdown(main) }
  if #grows > 0 then
    parts[#parts + 1] = "\n<details><summary>How cost grows</summary>\n\n"
    parts[#parts + 1] = report.markdown(grows)
    parts[#parts + 1] = "\n</details>\n"
  end
  local missing = report.missing(rows)
  if missing ~= "" then parts[#parts + 1] = "\n" .. missing end
  return table.concat(parts)
end

-- What stands before and after; nil and why.
local function around(path)
  local file <close>, why = io.open(path)
  if not file then return nil, why end
  local whole = file:read "a"
  local _, first = whole:find(readme.FIRST .. "\n", 1, true)
  local last = first and whole:find(readme.LAST, first, true)
  if not last then return nil, ("%s has no lines '%s' and '%s'"):format(path, readme.FIRST, readme.LAST) end
  return whole:sub(1, first), whole:sub(last)
end

---Whether readme.write will do.
---@param path string
---@return true?
---@return string? why
function readme.check(path)
  local before, why = around(path)
  if not before then return nil, why end
  return output.check_replace(path)
end

---Puts text between the two lines of a file, as one step.
---@param path string
---@param text string
---@return true?
---@return string? why  the lines are not there, or the file cannot be written
function readme.write(path, text)
  local before, after = around(path)
  if not before then return nil, after end
  return output.replace(path, before .. text .. after)
end

return readme
