-- Files that are read whole.
local file = require "mphost.file"
local tool = require "mphost.tool"

describe("file.read", function()
  it("gives all there is, or nil", function()
    local path = tool.file "a\0b\n\nlast"
    assert.equal("a\0b\n\nlast", file.read(path))
    os.remove(path)
    assert.is_nil(file.read(path))
    assert.is_nil(file.read "/proc")
    assert.truthy(file.read "/proc/self/stat":find "^%d+ ")
  end)
end)
