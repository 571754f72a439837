-- Medians, ratios, targets and the table of scripts/bench.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local report = require "report"

local function row_of(better, target, samples)
  local work = { name = "w", figures = {
    { name = "f", label = "a figure", unit = "M/s", better = better, targets = { target } },
  } }
  return report.rows(work, samples, {})[1]
end

describe("report", function()
  it("takes the middle value, or between the middle two", function()
    local odd, even = report.statistics { 9, 1, 5 }, report.statistics { 4, 1, 2, 100 }
    assert.same({ 5, 1, 9 }, { odd.median, odd.min, odd.max })
    assert.same({ 3, 1, 100 }, { even.median, even.min, even.max })
    assert.is_nil(report.statistics {})
    assert.is_nil(report.statistics(nil))
  end)

  it("says what the figures are", function()
    assert.equal("figures of 1 round\n", report.rounds(1))
    assert.truthy(report.rounds(2):find "^medians of 2 rounds, ± ")
  end)

  it("says how many times as good as Python, and what part of the limit", function()
    local samples = { mphost = { f = { 10 } }, python = { f = { 2 } }, limit = { f = { 40 }, ["f.lua"] = { 20 } } }
    local more = row_of("more", nil, samples)
    assert.same({ 5, 0.25, 0.5 }, { more.over_python, more.of_limit, more.of_limit_from_lua })
    assert.is_nil(more.over_peer)
    local less = row_of("less", nil, samples)
    assert.same({ 0.2, 4, 2 }, { less.over_python, less.of_limit, less.of_limit_from_lua })
    samples.python.f = { -1 } -- memory that grew less than none
    assert.is_nil(row_of("less", nil, samples).over_python)
  end)

  it("names the best peer, whichever way is better", function()
    local samples = { mphost = { f = { 1 } }, luv = { f = { 3 } }, posix = { f = { 7 } }, cqueues = { other = { 9 } } }
    assert.equal("posix", row_of("more", nil, samples).peer_name)
    assert.equal("luv", row_of("less", nil, samples).peer_name)
    assert.equal(3, row_of("less", nil, samples).over_peer)
  end)

  it("judges targets: of their own, of another contestant, of another figure", function()
    local samples = { mphost = { f = { 10 }, g = { 30 } }, python = { f = { 2 } }, limit = { f = { 8 } } }
    local function met(target) return row_of("more", target, samples).targets[1].met end
    assert.is_true(met { least = 10 })
    assert.is_false(met { least = 10.1 })
    assert.is_true(met { most = 10 })
    assert.is_false(met { most = 1.2, of = "limit" })
    assert.is_true(met { most = 1.3, of = "limit" })
    assert.is_true(met { least = 5, of = "python" })
    assert.is_false(met { least = 0.5, of = "g" })
    assert.is_nil(met { least = 1, of = "nobody" })
    samples.luv, samples.posix = { f = { 40 } }, { f = { 5 } }
    assert.is_false(met { least = 0.5, of = "peer" })
    assert.is_true(met { least = 2, of = "posix" })
    samples["cjson (lua5.3)"] = { f = { 20 } }
    assert.is_true(met { least = 0.5, of = "cjson" })
    assert.is_false(met { least = 0.6, of = "cjson" })
    samples["cjson (lua5.3)"].f[1] = 2.5
    assert.equal(">= 0.6 cjson's 2.50", row_of("more", { least = 0.6, of = "cjson" }, samples).targets[1].text)
    assert.equal(">= 0.6 luv", row_of("more", { least = 0.6, of = "luv" }, samples).targets[1].text)
    local nobody = row_of("more", { least = 1, of = "nobody" }, samples)
    assert.truthy(report.table({ nobody }):find(">= 1 nobody (not here)", 1, true))
    assert.equal("<= 1.3 C", row_of("more", { most = 1.3, of = "limit" }, samples).targets[1].text)
  end)

  it("has a line for each row, its columns under each other", function()
    local there = row_of("more", { least = 4 }, { mphost = { f = { 1, 2, 3 } }, python = { f = { 0.5 } } })
    local missing = report.rows({ name = "w", figures = {
      { name = "f", label = "another one", unit = "us", better = "less", targets = { { most = 8 } } },
    } }, {}, { mphost = "mp.Nothing" })[1]
    local text = report.table { there, missing }
    local head, first, second = text:match "^([^\n]+)\n([^\n]+)\n([^\n]+)\n$"
    assert.truthy(first:find("^a figure +M/s +2.00 ±50%% +0.50 ±0%% +4.00 +>= 4 MISSED$"), first)
    assert.truthy(second:find("^another one +us +not there +<= 8$"), second)
    assert.equal(utf8.len(first:match "^(.-)>= 4"), utf8.len(second:match "^(.-)<= 8"))
    assert.equal(utf8.len(head:match "^(.-)target"), utf8.len(first:match "^(.-)>= 4"))
    assert.equal("not there: another one: mp.Nothing\n", report.missing { there, missing })
  end)

  it("tells a twin that failed from one that is not there", function()
    local samples = { mphost = { f = { 1 } }, python = { f = { 2 } }, limit = { f = { 3 }, ["f.lua"] = { 4 } },
      luv = { f = { 5 } }, posix = { f = { 6 } } }
    local work = { name = "w", figures = {
      { name = "f", label = "a figure", unit = "M/s", better = "more", targets = {} } } }
    local function cells(broken)
      local row = report.rows(work, samples, {}, broken)[1]
      return report.markdown({ row }):match "\n| (a figure [^\n]*) |\n$", row
    end
    assert.truthy(cells {}:find("1.00 ±0% | 2.00 ±0% | posix 6.00 ±0% | 3.00 ±0% | 4.00 ±0% |", 1, true), (cells {}))
    local text, row = cells { python = true, limit = true, posix = true }
    assert.truthy(text:find("1.00 ±0% | failed | luv 5.00 ±0%, posix failed | failed | failed |", 1, true), text)
    assert.same({ "limit", "posix", "python" }, row.failed)
    assert.is_nil(row.python or row.over_python or row.limit or row.of_limit)
    assert.truthy(cells { luv = true, posix = true }:find("| luv failed, posix failed |", 1, true))
    assert.truthy(cells { mphost = true }:find("| failed | 2.00", 1, true))
  end)

  it("has the same cells in Markdown", function()
    local row = row_of("more", { least = 4 }, { mphost = { f = { 1, 2, 3 } }, python = { f = { 0.5 } } })
    row.label = "a|b *c*"
    local lines = {}
    for line in report.markdown({ row }):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(3, #lines)
    assert.truthy(lines[1]:find("^| work | unit | mphost | Python |"), lines[1])
    assert.truthy(lines[2]:find("^| %-%-%- | %-%-%- | %-%-%-: |"), lines[2])
    assert.truthy(lines[3]:find("| a\\|b \\*c\\* | M/s | 2.00 ±50% | 0.50 ±0% | ", 1, true), lines[3])
  end)
end)
