-- The runner behind scripts/bench.sh: mphost run.lua --build DIR [options] [work…].
--   --python PATH  the Python to compare with     --rounds N    at least 5 for figures that are shown
--   --json FILE    writes all of it               --quick       a hundredth of the work, once: does it run?
local dir = arg[0]:match "^(.*)/tool/[^/]*$"
package.path = dir .. "/tool/?.lua;" .. package.path

local json = require "dkjson"
local machine = require "machine"
local measure = require "measure"
local report = require "report"
local works = require "works"

local function die(...)
  io.stderr:write("bench: ", string.format(...), "\n")
  os.exit(2)
end

local function parse(args)
  local options, names, at = { rounds = 5, scale = 1 }, {}, 1
  local function value(name)
    at = at + 1
    return args[at] or die("option '%s' needs a value", name)
  end
  while args[at] do
    local a = args[at]
    if a == "--quick" then options.rounds, options.scale = 1, 0.01
    elseif a == "--rounds" then options.rounds = math.tointeger(value(a)) or die("--rounds needs a number")
    elseif a == "--build" or a == "--python" or a == "--json" then options[a:sub(3)] = value(a)
    elseif a:sub(1, 1) == "-" then die("unknown option '%s'", a)
    else names[#names + 1] = a end
    at = at + 1
  end
  if not options.build then die "--build DIR is missing" end
  return options, names
end

local function choose(names)
  if #names == 0 then return works end
  local by_name, chosen = {}, {}
  for _, work in ipairs(works) do by_name[work.name] = work end
  for k, name in ipairs(names) do chosen[k] = by_name[name] or die("no work '%s' in tool/works.lua", name) end
  return chosen
end

local function main()
  local options, names = parse(arg)
  local chosen = choose(names)
  local contestants, missing = measure.contestants {
    mphost = arg[-1], build = options.build, python = options.python, dir = dir,
  }
  if #missing > 0 then io.stderr:write("not here: ", table.concat(missing, ", "), "\n") end
  local about = machine.describe()
  local before = measure.machine(options.build, options.scale)
  local rows, failed = {}, false
  for _, work in ipairs(chosen) do
    io.stderr:write("==> ", work.name, "\n")
    local samples, absent, failures = measure.work(work, contestants, options.scale, options.rounds)
    for _, why in ipairs(failures) do io.stderr:write("failed: ", why, "\n") end
    failed = failed or #failures > 0
    table.move(report.rows(work, samples, absent), 1, #work.figures, #rows + 1, rows)
  end
  local after = measure.machine(options.build, options.scale)
  io.write(machine.text(about, before, after))
  io.write(("medians of %d rounds, ± half of what lies between the least and the most\n\n"):format(options.rounds))
  if options.scale < 1 then io.write "SHORT RUN: the figures mean nothing\n\n" end
  io.write(report.table(rows))
  if options.json then
    local file <close> = assert(io.open(options.json, "w"))
    about.before, about.after = before, after
    file:write(json.encode({ machine = about, rounds = options.rounds, scale = options.scale, rows = rows },
      { indent = true }), "\n")
  end
  os.exit(failed and 1 or 0, true)
end

main()
