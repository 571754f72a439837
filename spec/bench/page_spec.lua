-- The page that scripts/bench.sh --html draws.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local page = require "page"
local report = require "report"

local function rows_of(unit, better, targets, samples)
  return report.rows({ name = "w", figures = { { name = "f", label = "a <figure> & more", unit = unit, better = better,
    targets = targets } } }, samples, {})
end

local function html(...) return page.html(rows_of(...), "a machine\n", "scripts/bench.sh", false) end

describe("page", function()
  it("draws bars on a log scale: ten times as much is one decade further", function()
    local text = html("us", "less", {}, { mphost = { f = { 10 } }, python = { f = { 100 } }, limit = { f = { 1 } } })
    local widths = {}
    for width in text:gmatch 'class="bar" style="width:([%d.]+)%%' do widths[#widths + 1] = tonumber(width) end
    assert.equal(3, #widths)
    -- from 100 ns, the decade below the least, to 100 us: three decades
    assert.is_true(math.abs(widths[1] - 200 / 3) < 0.01 and widths[2] == 100 and math.abs(widths[3] - 100 / 3) < 0.01)
    for _, tick in ipairs { "100 ns", "1 µs", "10 µs", "100 µs" } do
      assert.truthy(text:find(">" .. tick .. "<", 1, true))
    end
  end)

  it("puts units of one kind on one scale", function()
    local rows = rows_of("ns", "less", {}, { mphost = { f = { 500 } } })
    table.move(rows_of("ms", "less", {}, { mphost = { f = { 0.0005 } } }), 1, 1, 2, rows)
    local text = page.html(rows, "", "", false)
    local first, second = text:match 'class="bar" style="width:([%d.]+)%%.-class="bar" style="width:([%d.]+)%%'
    assert.equal(first, second)
    assert.equal(1, select(2, text:gsub("<section", "")))
  end)

  it("shows spread, targets and verdicts, and what is not there", function()
    local text = html("M/s", "more", { { least = 4 } }, { mphost = { f = { 1, 2, 3 } } })
    assert.truthy(text:find 'class="spread"')
    assert.truthy(text:find 'class="target" style="left:')
    assert.truthy(text:find('class="missed">target &gt;= 4 ✗', 1, true))
    assert.truthy(text:find("a &lt;figure&gt; &amp; more", 1, true))
    text = html("M/s", "more", { { least = 2 } }, { mphost = { f = { 0 } } })
    assert.truthy(text:find('width:0.00%', 1, true))
    assert.is_nil(text:find "failed")
    local row = report.rows({ name = "w", figures = { { name = "f", label = "a", unit = "us", better = "less",
      targets = {} } } }, { mphost = { f = { 1 } } }, {}, { python = true, ["luv (lua5.3)"] = true })[1]
    text = page.html({ row }, "", "", false)
    assert.truthy(text:find('class="missed">luv (lua5.3) failed</div><div class="missed">Python failed<', 1, true))
    text = html("M/s", "more", {}, {})
    assert.truthy(text:find('class="missed">failed', 1, true))
  end)

  it("needs nothing from elsewhere, and says when figures mean nothing", function()
    local text = html("us", "less", {}, { mphost = { f = { 1 } } })
    assert.is_nil(text:find "https?:")
    assert.is_nil(text:find "<script")
    assert.is_nil(text:find "url%(")
    assert.truthy(text:find "prefers%-color%-scheme: dark")
    assert.is_nil(text:find "SHORT RUN")
    assert.truthy(page.html({}, "", "", true):find "SHORT RUN")
  end)
end)
