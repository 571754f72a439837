-- The file of text that some works read.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local lfs = require "lfs"
local mp = require "mphost"
local text = require "text"
local tool = require "mphost.tool"

describe("text", function()
  it("makes a file of the size asked for, of real words, and removes it", function()
    local path
    do
      local file <close> = assert(text.make(1000000))
      path = file.path
      assert.equal(1000000, lfs.attributes(path, "size"))
      local handle <close> = assert(io.open(path))
      local whole = handle:read "a"
      assert.is_true(select(2, whole:gsub("%f[%a]the%f[%A]", "")) > 1000)
    end
    assert.is_nil(lfs.attributes(path))
  end)

  it("has no name: whoever writes it may be killed", function()
    local folder = tool.folder()
    local script = tool.file [[
      package.path = "scripts/bench/tool/?.lua;" .. package.path
      local file <close> = require "text".make(100000)
      for name in io.popen("ls " .. os.getenv "TMPDIR"):lines() do print(name) end
      for line in io.lines(file.path) do print(#line) break end
      io.stdout:flush()
      require "mphost".sleep(100)
    ]]
    local pipe = io.popen(("echo $$; TMPDIR=%s exec %s %s 2>/dev/null"):format(folder, tool.quote(tool.BIN), script))
    local pid = pipe:read("n", "l")
    assert.truthy(pipe:read("l"):find "^%d+$")
    os.execute("kill -KILL " .. pid)
    pipe:close()
    os.remove(script)
    assert(lfs.rmdir(folder))
  end)

  it("ends when it is interrupted, at any time, and leaves nothing", function()
    local folder = tool.folder()
    local script = tool.file [[
      package.path = "scripts/bench/tool/?.lua;" .. package.path
      local text = require "text"
      print "begun"
      io.stdout:flush()
      while true do local file <close> = assert(text.make(3000000)) end
    ]]
    for _ = 1, 8 do
      local pipe = io.popen(("echo $$; TMPDIR=%s exec %s %s 2>/dev/null"):format(folder, tool.quote(tool.BIN), script))
      local pid = pipe:read("n", "l")
      assert.equal("begun", pipe:read "l")
      mp.sleep(math.random() / 20)
      os.execute("kill -INT " .. pid)
      local _, how, code = pipe:close()
      assert.same({ "signal", 2 }, { how, code })
    end
    os.remove(script)
    assert(lfs.rmdir(folder))
  end)

  it("says when there is no room for it", function()
    local file, why = text.make(1 << 60)
    assert.is_nil(file)
    assert.truthy(why:find("^no room: %d+ MB needed in .-, %d+ MB free$"), why)
  end)
end)
