-- What was typed, kept in a file.
local history = require "mphost.history"
local tool = require "mphost.tool"

-- The part of mphost.terminal that it uses, with files of the test.
local function files(refuse)
  return {
    append = function(path, text, fresh)
      if refuse then return nil, "No space left on device" end
      local file = assert(io.open(path, fresh and "w" or "a"))
      file:write(text)
      file:close()
      return true
    end,
    mkdir = function() return true end,
    slurp = function(path, most)
      local file <close> = io.open(path)
      return file and file:read(most)
    end,
  }
end

describe("history", function()
  it("gives back what it was given, lines and backslashes too", function()
    local path = os.tmpname()
    local entries = { "x = 1", "for i = 1, 2 do\n  print 'a\\n\\\\b'\nend", "ä = [[\\]]", "\\n" }
    for _, entry in ipairs(entries) do assert.is_true(history.add(path, entry, files())) end
    assert.same(entries, history.load(path, files()))
    os.remove(path)
  end)

  it("keeps the newest thousand and shortens a file that grew", function()
    local lines = {}
    for i = 1, 2500 do lines[i] = "x = " .. i end
    local path = tool.file(table.concat(lines, "\n") .. "\n")
    local entries = history.load(path, files())
    assert.same({ 1000, "x = 1501", "x = 2500" }, { #entries, entries[1], entries[1000] })
    local left = 0
    for _ in io.lines(path) do left = left + 1 end
    assert.equal(1000, left)
    os.remove(path)
  end)

  it("makes do with any file and with none", function()
    local path = tool.file "good\n\xff\xfe\0\nhalf"
    assert.same({ "good" }, history.load(path, files()))
    os.remove(path)
    assert.same({}, history.load(path, files()))
    assert.same({}, history.load("/", files()))
    assert.same({ nil, "No space left on device" }, { history.add(path, "x", files(true)) })
  end)

  it("stands where the variables say", function()
    local function path(variables)
      return tool.shell(variables .. [[ $M -e 'print(require "mphost.history".path())']]).out
    end
    assert.equal("/s/mphost/history\n", path "unset MPHOST_HISTORY; XDG_STATE_HOME=/s")
    assert.equal("/h/.local/state/mphost/history\n", path "unset MPHOST_HISTORY; XDG_STATE_HOME= HOME=/h")
    assert.equal("/mine\n", path "MPHOST_HISTORY=/mine")
    assert.equal("nil\n", path "MPHOST_HISTORY=")
  end)
end)
