-- What is installed beside the program: the manual page and bash's completion.
local tool = require "mphost.tool"

-- What bash offers for the words, the last of which is being typed.
local function offered(...)
  local words = { "mphost", ... }
  for i, word in ipairs(words) do words[i] = ("'%s'"):format(word) end
  local r = tool.shell(("bash -c 'source host/mphost.bash; COMP_WORDS=(%s) COMP_CWORD=%d; _mphost; " ..
    "printf \"%%s \" \"${COMPREPLY[@]}\"'"):format(table.concat(words, " "):gsub("'", '"'), #words - 1))
  assert.equal("", r.err)
  return (r.out:gsub("%s+$", ""))
end

describe("bash completion", function()
  it("offers each option that there is", function()
    local help = tool.shell("$M --help").out
    local known = " " .. offered("-") .. " "
    for option in help:gmatch "%f[%S](%-%-?%a+)" do
      assert.truthy(known:find(" " .. option .. " ", 1, true), option)
    end
    for option in known:gmatch "%S+" do assert.truthy(help:find(option, 1, true), option) end
  end)

  it("offers values, scripts, and files behind the script", function()
    assert.equal("debug info warn error", offered("--log", ""))
    assert.equal("info", offered("--log", "=", "i"))
    assert.equal("", offered("-e", "scripts/"))
    assert.truthy(offered("-i", "scripts/"):find("scripts/squares.lua", 1, true))
    assert.falsy(offered("-i", "scripts/"):find("scripts/run.sh", 1, true))
    assert.truthy(offered("x.lua", "scripts/"):find("scripts/run.sh", 1, true))
  end)
end)

describe("the manual page", function()
  it("knows each option that there is", function()
    local page = tool.read "host/mphost.1"
    for option in tool.shell("$M --help").out:gmatch "\n  (%-%S+)" do
      local name = option:match "^%-+(%a*)"
      assert.truthy(page:find("Fl %-?" .. name) or name == "", option)
    end
    for name in tool.shell("$M --help").out:gmatch "%-%-(%a+)" do
      assert.truthy(page:find("Fl -" .. name, 1, true), name)
    end
  end)
end)

describe("installing", function()
  it("puts all of it in its place", function()
    local build = os.getenv "MPHOST_BUILD" or "build"
    local r = tool.shell(("D=$(mktemp -d); DESTDIR=$D cmake --install %s --prefix /usr >/dev/null && " ..
      "(cd $D && find . -type f -o -type l | sort); rm -rf $D"):format(build))
    assert.equal(0, r.code)
    for _, file in ipairs { "/bin/mphost\n", "/share/man/man1/mphost.1\n",
                            "/share/bash-completion/completions/mphost\n", "/include/mphost.h\n" } do
      assert.truthy(r.out:find(file, 1, true), file .. r.out)
    end
  end)
end)
