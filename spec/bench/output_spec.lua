-- The files that scripts/bench.sh writes.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local lfs = require "lfs"
local output = require "output"
local tool = require "mphost.tool"

describe("output", function()
  it("knows before whether a file can be written, and changes nothing", function()
    local path = tool.file "old"
    assert.is_true(output.check(path))
    assert.equal("old", tool.take(path))
    assert.is_true(output.check(path))
    assert.is_nil(lfs.attributes(path))
    assert.same({ nil, "/dev/null/file: Not a directory" }, { output.check "/dev/null/file" })
    assert.same({ nil, "/tmp: Is a directory" }, { output.check "/tmp" })
  end)

  it("says when not all could be written", function()
    local path = tool.file "old"
    assert.is_true(output.write(path, "new"))
    assert.equal("new", tool.take(path))
    for _, text in ipairs { "x", ("x"):rep(1000000) } do
      assert.same({ nil, "/dev/full: No space left on device" }, { output.write("/dev/full", text) })
    end
  end)

  it("replaces a file by a new one, or leaves it", function()
    local folder = tool.folder()
    local path = folder .. "/file"
    assert.is_true(output.write(path, "old"))
    local reader <close> = io.open(path)
    local before = lfs.attributes(path, "ino")
    assert.is_true(output.check_replace(path))
    assert.is_true(output.replace(path, "new"))
    assert.equal("old", reader:read "a") -- who reads the old one goes on
    assert.not_equal(before, lfs.attributes(path, "ino"))
    assert.equal("new", tool.read(path))
    assert(os.execute(("ln -s /dev/full '%s.new'"):format(path)))
    assert.is_nil((output.replace(path, "newer")))
    assert.equal("new", tool.take(path))
    for name in lfs.dir(folder) do assert.truthy(name:find "^%.", name) end
    assert(lfs.rmdir(folder))
    assert.is_nil((output.check_replace(path)))
  end)
end)
