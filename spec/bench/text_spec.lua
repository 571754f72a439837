-- The file of text that some works read.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local lfs = require "lfs"
local text = require "text"

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

  it("says when there is no room for it", function()
    local file, why = text.make(1 << 60)
    assert.is_nil(file)
    assert.truthy(why:find("^no room: %d+ MB needed in .-, %d+ MB free$"), why)
  end)
end)
