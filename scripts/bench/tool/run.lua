-- The runner behind scripts/bench.sh: mphost run.lua --build DIR [options] [work…].
--   --python PATH  the Python to compare with     --rounds N    5, or 1 with --quick; 5 or more to be shown
--   --json FILE    writes all of it               --quick       a twentieth of the work: does it run?
--   --html FILE    draws it                       --readme FILE writes the table into FILE, between two lines
local dir = arg[0]:match "^(.*)/tool/[^/]*$"
package.path = dir .. "/tool/?.lua;" .. package.path

local json = require "dkjson"
local machine = require "machine"
local measure = require "measure"
local output = require "output"
local page = require "page"
local readme = require "readme"
local report = require "report"
local works = require "works"

local function die(...)
  io.stderr:write("bench: ", string.format(...), "\n")
  os.exit(2)
end

local VALUES = { ["--build"] = true, ["--python"] = true, ["--json"] = true, ["--html"] = true, ["--readme"] = true }

local function rounds(text)
  local n = text:find "^%d+$" and math.tointeger(text)
  if not n or n < 1 then die("--rounds needs a whole number from 1 on, not '%s'", text) end
  return n
end

local function parse(args)
  local options, names, at = { scale = 1 }, {}, 1
  local function value(name)
    at = at + 1
    if not args[at] or args[at]:find "^%-" then die("option '%s' needs a value", name) end
    return args[at]
  end
  while args[at] do
    local a = args[at]
    if a == "--quick" then options.scale = 0.05
    elseif a == "--rounds" then options.rounds = rounds(value(a))
    elseif VALUES[a] then options[a:sub(3)] = value(a)
    elseif a:sub(1, 1) == "-" then die("unknown option '%s'", a)
    elseif not names[a] then names[a], names[#names + 1] = true, a end -- twice is once
    at = at + 1
  end
  options.rounds = options.rounds or options.scale < 1 and 1 or 5
  if not options.build then die "--build DIR is missing" end
  if options.readme and (options.scale < 1 or #names > 0) then die "--readme wants all works, whole" end
  return options, names
end

local function choose(names)
  if #names == 0 then return works end
  local by_name, chosen = {}, {}
  for _, work in ipairs(works) do by_name[work.name] = work end
  for k, name in ipairs(names) do chosen[k] = by_name[name] or die("no work '%s' in tool/works.lua", name) end
  return chosen
end

-- Refuses what could not be written at the end.
local function check_files(options)
  for name, check in pairs { json = output.check, html = output.check, readme = readme.check } do
    local ok, why = true, nil
    if options[name] then ok, why = check(options[name]) end
    if not ok then die("%s", why) end
  end
end

local function samples_of_all(chosen, contestants, options)
  local rows, failed = {}, false
  for _, work in ipairs(chosen) do
    io.stderr:write("==> ", work.name)
    local start = os.time()
    local samples, absent, failures, broken = measure.work(work, contestants, options.scale, options.rounds)
    io.stderr:write((": %d s\n"):format(os.time() - start))
    for _, why in ipairs(failures) do io.stderr:write("failed: ", why, "\n") end
    failed = failed or #failures > 0
    for _, row in ipairs(report.rows(work, samples, absent, broken)) do
      rows[#rows + 1] = row
      failed = failed or not row.mphost and not row.absent -- it ran, and printed no such figure
    end
  end
  return rows, failed
end

-- All keys in a table and the tables in it, sorted: what is written twice is the same twice.
local function keys_of(all)
  local list, seen = {}, {}
  local function visit(t)
    for key, value in pairs(t) do
      if type(key) == "string" and not seen[key] then seen[key], list[#list + 1] = true, key end
      if type(value) == "table" then visit(value) end
    end
  end
  visit(all)
  table.sort(list)
  return list
end

local function main()
  local options, names = parse(arg)
  local chosen = choose(names)
  check_files(options)
  local who = { mphost = arg[-1], build = options.build, python = options.python, dir = dir }
  local contestants, missing = measure.contestants(who)
  if #missing > 0 then io.stderr:write("not here: ", table.concat(missing, ", "), "\n") end
  local about = machine.describe(who)
  about.before = measure.machine(options.build, options.scale)
  local rows, failed = samples_of_all(chosen, contestants, options)
  about.after = measure.machine(options.build, options.scale)
  local text = machine.text(about) .. report.rounds(options.rounds)
  local short = options.scale < 1
  local function done(ok, why)
    if ok then return end
    io.stderr:write("bench: ", why, "\n")
    failed = true
  end
  done(io.write(text, short and "\nSHORT RUN: the figures mean nothing\n" or "", "\n", report.table(rows),
    report.missing(rows), machine.ran(about)))
  text = text .. machine.ran(about)
  done(io.stdout:flush())
  local command = table.concat({ "scripts/bench.sh", (short and "--quick " or "") .. "--rounds " .. options.rounds,
    table.unpack(names) }, " ")
  if options.json then
    local all = { machine = about, rounds = options.rounds, scale = options.scale, rows = rows }
    done(output.write(options.json, json.encode(all, { indent = true, keyorder = keys_of(all) }) .. "\n"))
  end
  if options.html then done(output.write(options.html, page.html(rows, text, command, short))) end
  if options.readme then done(readme.write(options.readme, readme.text(rows, text, command))) end
  os.exit(failed and 1 or 0, true)
end

main()
