-- mp.map_file: files as arrays of bytes, text in them, and files that others change.
local mp = require "mphost"
local tool = require "mphost.tool"

local raises = tool.raises

local paths

local function new(text)
  local path = tool.file(text)
  paths[#paths + 1] = path
  return path
end

local function lines_of(m, from, to)
  local list = {}
  for line, at in m:lines(from, to) do
    assert.equal(line, m:sub(at, at + #line - 1))
    list[#list + 1] = line
  end
  return list
end

-- What io.lines would say.
local function expected_lines(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do list[#list + 1] = line end
  local rest = text:match "[^\n]*$"
  if rest ~= "" then list[#list + 1] = rest end
  return list
end

local TEXTS = {
  "", "\n", "\n\n", "a", "a\n", "\na", "one\ntwo\nthree\n", "one\n\ntwo", ("x"):rep(1000), ("x"):rep(1000) .. "\n",
  ("line\n"):rep(100), "short\n" .. ("long"):rep(500) .. "\nshort\n", "a\0b\nc\r\n\xff\n",
}

describe("map_file", function()
  before_each(function() paths = {} end)
  after_each(function()
    for _, path in ipairs(paths) do os.remove(path) end
  end)

  it("is the file's bytes", function()
    local path = new "hello\nworld\n"
    local m <close> = assert(mp.map_file(path))
    assert.equal(12, #m)
    assert.same({ 104, 10, nil }, { m[1], m[12], m[13] })
    assert.same({ 104, 101, 108 }, m:get(1, 3))
    assert.same({ 10, 119, 1104 }, { m:min(), m:max(), m:sum() })
    assert.equal(("map_file('%s', 12)"):format(path), tostring(m))
    local part <close> = assert(mp.map_file(path, 5))
    assert.equal("hello", part:sub())
    local named <close> = assert(mp.map_file(path, "0K"))
    assert.equal(0, #named)
  end)

  it("cuts strings as string.sub does", function()
    local text = "0123456789"
    local m <close> = mp.map_file(new(text))
    for _, i in ipairs { -100, -11, -10, -3, -1, 0, 1, 2, 9, 10, 11, 100, math.mininteger, math.maxinteger } do
      assert.equal(text:sub(i), m:sub(i))
      for _, j in ipairs { -100, -11, -10, -3, -1, 0, 1, 2, 9, 10, 11, 100, math.mininteger, math.maxinteger } do
        assert.equal(text:sub(i, j), m:sub(i, j))
      end
    end
  end)

  it("has lines, and those that begin in a range", function()
    for _, text in ipairs(TEXTS) do
      local m <close> = mp.map_file(new(text))
      local whole = expected_lines(text)
      assert.same(whole, lines_of(m))
      for cut = 0, math.min(#text, 60) do -- each line once, wherever it is cut
        local list = lines_of(m, 1, cut)
        for _, line in ipairs(lines_of(m, cut + 1)) do list[#list + 1] = line end
        assert.same(whole, list)
      end
    end
  end)

  it("has chunks that cover all and end on separators", function()
    for _, text in ipairs(TEXTS) do
      local m <close> = mp.map_file(new(text))
      for _, sep in ipairs { "\n", "e", "ne", "\n\n" } do
        for n = 1, 12 do
          local chunks, at = m:chunks(n, sep), 1
          for i, c in ipairs(chunks) do
            assert.equal(at, c[1])
            assert.is_true(c[2] >= c[1])
            if i < #chunks then assert.equal(sep, m:sub(c[2] - #sep + 1, c[2])) end
            at = c[2] + 1
          end
          assert.equal(#text + 1, at)
          assert.is_true(#chunks <= n)
        end
      end
      local list = {}
      for _, c in ipairs(m:chunks(4)) do
        for _, line in ipairs(lines_of(m, c[1], c[2])) do list[#list + 1] = line end
      end
      assert.same(expected_lines(text), list)
    end
    local m <close> = mp.map_file(new(("line\n"):rep(1000)))
    assert.equal(7, #m:chunks(7)) -- of about one size
    for _, c in ipairs(m:chunks(7)) do assert.is_true(math.abs(c[2] - c[1] - 5000 / 7) < 10) end
  end)

  it("finds as string.find does, plainly anywhere", function()
    for _, text in ipairs(TEXTS) do
      local m <close> = mp.map_file(new(text))
      for _, what in ipairs { "", "a", "o", "\n", "e\nt", "xx", "nothing", "\0b", "ine\nl" } do
        for _, init in ipairs { 1, 2, 5, -1, -3, -100, #text, #text + 1, #text + 2 } do
          assert.same({ text:find(what, init, true) }, { m:find(what, init, true) })
          assert.same({ text:find(what, init) }, { m:find(what, init) })
        end
      end
    end
    local m <close> = mp.map_file(new "a.b%c")
    assert.same({ 2, 2 }, { m:find(".", 1, true) })
    assert.same({ 4, 5 }, { m:find("%c", 1, true) })
  end)

  it("finds patterns line by line", function()
    local m <close> = mp.map_file(new "key = one\nother=2\n\nlast = three")
    assert.same({ 1, 9, "key", "one" }, { m:find "(%w+)%s*=%s*(%w+)" })
    assert.same({ 11, 17, "other", "2" }, { m:find("(%w+)%s*=%s*(%w+)", 10) })
    assert.same({ 20, 31, "last", "three" }, { m:find("^(%w+) = (%w+)$", 11) })
    assert.same({ 2, 9, "ey", "one" }, { m:find("^(%w+) = (%w+)", 2) }) -- ^ is at init, as in string.find
    assert.same({ 16, 17, 16, 18 }, { m:find("()=%d()", 1) })
    assert.same({ 19, 18 }, { m:find("^$", 11) })
    assert.same({ 31, 31 }, { m:find("e$", 20) })
    assert.same({ 32, 31 }, { m:find("$", 32) })
    assert.is_nil(m:find "%d%d")
    assert.same({ 1, 9 }, { m:find ".*" }) -- no further than the line
    raises("line by line and cannot contain a newline", function() m:find "a.\nb" end)
    raises("malformed pattern", function() m:find "%" end)
  end)

  it("writes", function()
    local path = new "0123456789"
    do
      local m <close> = assert(mp.map_file(path, nil, "r+"))
      m[1] = 65
      m:set(3, "xyz")
      m:slice(9):fill(33)
      assert.is_true(m:flush())
      assert.equal("A1xyz567!!", tool.read(path))
    end
    local m <close> = assert(mp.map_file(path))
    raises("mapped to be read only", function() m[1] = 1 end)
    raises("mapped to be read only", function() m:set(1, "x") end)
    raises("mapped to be read only", function() m:fill(1) end)
    raises("mapped to be read only", function() m:add(1, 1) end)
    raises("mapped to be read only", function() m:cas(1, 65, 1) end)
    raises("mapped to be read only", function() m:slice(2)[1] = 1 end)
    assert.is_true(m:flush())
    assert.equal("A1xyz567!!", tool.read(path))
  end)

  it("makes and resizes", function()
    local path = new "0123456789"
    do
      local m <close> = assert(mp.map_file(path, 12, "w+"))
      assert.equal("0123456789\0\0", m:sub())
      m:set(11, "ab")
    end
    assert(mp.map_file(path, 3, "w+")):close()
    assert.equal("012", tool.read(path))
    os.remove(path)
    local m <close> = assert(mp.map_file(path, "64K", "w+"))
    assert.equal(65536, #m)
    local list = {}
    for i = 1, 4 do list[i] = mp.spawn(function() m:slice(i * 10, i * 10 + 9):fill(64 + i) end) end
    for _, p in ipairs(list) do p:result() end
    assert.equal(("A"):rep(10) .. ("B"):rep(10) .. ("C"):rep(10) .. ("D"):rep(10), tool.read(path):sub(10, 49))
  end)

  it("answers what the world says", function()
    local folder = new ""
    local function answer(...)
      local m, why, name = mp.map_file(...)
      assert.is_nil(m)
      return why, name
    end
    assert.same({ "/no/such: No such file or directory", "gone" }, { answer "/no/such" })
    assert.same({ "/tmp: Is a directory", "invalid" }, { answer "/tmp" })
    assert.same({ "/dev/null: Not a regular file", "invalid" }, { answer "/dev/null" })
    assert.same({ folder .. ": The file is shorter than that", "invalid" }, { answer(folder, 1) })
    assert.same({ folder .. "/x: Not a directory", "gone" }, { answer(folder .. "/x", 1, "w+") })
    assert.equal("full", select(2, answer(folder, "4000000T", "w+")))
    if io.open("/proc/self/status"):read "a":find "Uid:%s+0" == nil then
      assert.equal("denied", select(2, answer "/etc/shadow"))
    end
    assert.equal("", tool.read(folder))
    local none = folder .. ".new"
    assert.equal("full", select(2, answer(none, 1 << 61, "w+")))
    assert.is_nil((io.open(none))) -- as if nothing had been tried
    mp.map_file(none, 3, "w+"):close()
    assert.equal("full", select(2, answer(none, 1 << 61, "w+")))
    assert.equal("\0\0\0", tool.read(none))
    os.remove(none)
    assert.same({ "/proc/self/status: Not a regular file", "invalid" }, { answer "/proc/self/status" })
    assert.equal(0, #mp.map_file(folder))
  end)

  it("raises misuse at the line of the call", function()
    local m <close> = mp.map_file(new "abc\n")
    raises("bad argument #1 to 'map_file' (string expected, got nil)", function() mp.map_file() end)
    raises("bad argument #1 to 'map_file' (a path without zero bytes", function() mp.map_file "a\0b" end)
    raises("size of 'map_file': bytes expected", function() mp.map_file("x", -1) end)
    raises("size of 'map_file': bytes expected", function() mp.map_file("x", "12Q") end)
    raises("bad argument #3 to 'map_file' (invalid option 'rw')", function() mp.map_file("x", 1, "rw") end)
    raises("bad argument #1 to 'lines' (index 0 is out of bounds", function() m:lines(0) end)
    raises("bad argument #2 to 'lines' (index 5 is out of bounds", function() m:lines(1, 5) end)
    raises("bad argument #1 to 'chunks' (at least one piece", function() m:chunks(0) end)
    raises("bad argument #2 to 'chunks' (a separator of at least", function() m:chunks(1, "") end)
    raises("bad argument #1 to 'find' (string expected, got no value)", function() m:find() end)
    local next_line = m:lines()
    m:close()
    raises("closed", function() next_line() end)
    raises("it is closed", function() m:sub(1) end)
  end)

  it("has empty files", function()
    local m <close> = mp.map_file(new "")
    assert.same({ 0, "", {}, {} }, { #m, m:sub(), m:chunks(4), lines_of(m) })
    assert.same({ m:find "x" }, { nil })
    assert.same({ 1, 0 }, { m:find "" })
    assert.equal(0, m:sum())
    assert.is_true(m:flush())
  end)

  it("is text also as an Array of bytes, or a slice", function()
    local a = mp.Array("B", 12)
    a:set(1, "one\ntwo\nsix\n")
    assert.same({ "one", "two", "six" }, lines_of(a))
    assert.same({ "wo", "six" }, lines_of(a:slice(6)))
    assert.same({ 5, 7 }, { a:find "t%a+" })
    local m <close> = mp.map_file(new "one\ntwo\nsix\n")
    local s <close> = m:slice(5, 8)
    assert.same({ "two\n", "two" }, { s:sub(), lines_of(s)[1] })
    assert.equal("map_file('" .. paths[1] .. "', 4, a slice)", tostring(s))
    m:close()
    assert.equal("two\n", s:sub())
  end)

  it("is the same mapping in processes that were there before", function()
    local q, back = mp.Queue(), mp.Queue()
    local p <close> = mp.spawn(function()
      for m in q:iter() do
        m[1] = m[1] + 1
        back:put { m, m:sub() }
      end
    end)
    local path = new "abc"
    local m <close> = mp.map_file(path, nil, "r+")
    local part <close> = m:slice(2)
    q:put(m)
    local r = back:get()
    assert.is_true(r[1] == m)
    assert.equal("bbc", r[2])
    os.remove(path) -- now only its descriptor leads there
    q:put(part)
    assert.equal("cc", back:get()[2])
    assert.equal("bcc", m:sub())
    q:close()
    p:join()
  end)

  it("is never another file of that name", function()
    local q, back, go = mp.Queue(), mp.Queue(), mp.Value "?"
    local p <close> = mp.spawn(function()
      go:wait(false)
      local m = q:get()
      back:put(tostring(tool.error_of(function() return m:sub() end)))
      back:put(m) -- it can be handed on all the same
      back:put(tostring(m))
    end)
    local path = new "abc"
    mp.spawn(function() q:put((mp.map_file(path))) end):join() -- who opened it is gone
    local file <close> = assert(io.open(path .. ".new", "w"))
    file:write "something else"
    file:close()
    assert(os.rename(path .. ".new", path))
    go.value = true
    assert.truthy(back:get():find(("cannot map '%s' in this process: it is another file by now"):format(path), 1, true))
    back:get()
    assert.equal(("map_file('%s', not mapped here)"):format(path), back:get())
    p:join()
  end)

  it("feeds a pool", function()
    local text = {}
    for i = 1, 2000 do text[i] = ("%d %s\n"):format(i, ("w"):rep(i % 37)) end
    local m <close> = mp.map_file(new(table.concat(text)))
    local pool <close> = mp.Pool(2)
    local sums = pool:map(function(c)
      local sum = 0
      for line in m:lines(c[1], c[2]) do sum = sum + tonumber(line:match "%d+") end
      return sum
    end, m:chunks(8))
    local total = 0
    for _, sum in ipairs(sums) do total = total + sum end
    assert.equal(2000 * 2001 // 2, total)
    assert.equal(8, #sums)
  end)

  it("raises when the file has become shorter", function()
    local path = new(("x"):rep(20000))
    local m <close> = mp.map_file(path)
    local s <close> = m:slice(1, 10)
    local next_line = m:lines()
    local file <close> = io.open(path, "w")
    file:write(("x"):rep(15))
    file:close()
    mp.sleep(0.02) -- the length is asked for once a tick of the system's clock
    for _, f in ipairs {
      function() m:sub(1, 2) end, function() m:sum() end, function() m:get() end, function() m:find "x" end,
      function() m:lines() end, function() m:chunks(2) end, next_line,
    } do
      local expected = ("'%s' has become shorter: 15 bytes, of 20000 that were mapped"):format(path)
      assert.truthy(tool.error_of(f):find(expected, 1, true))
    end
    assert.equal(("x"):rep(10), s:sub()) -- what is still there
  end)

  it("closes what nobody uses when descriptors run out", function()
    local r = tool.shell("ulimit -n 64; $M $S", ([[
      local mp = require "mphost"
      for i = 1, 1000 do assert(mp.map_file(%q)) end
      local list = {}
      for i = 1, 100 do
        local m, why, name = mp.map_file(%q)
        if not m then print(i > 30, name) break end
        list[i] = m
      end]]):format(new "abc", paths[1]))
    assert.same({ code = 0, out = "true\tfull\n", err = "" }, r)
  end)
end)
