-- kill_fuzz_spec.lua for five minutes.
local helper = require "support.helper"
local fuzz = require "mphost.kill_fuzz"

describe("A family whose members die at random for long", function()
  for round = 1, 5 do
    it("loses at most what was in their hands, and leaves nothing: round " .. round, function()
      helper.deadline(240)
      local words = {}
      for name, n in pairs(fuzz.run(60)) do words[#words + 1] = ("%s %d"):format(name, n) end
      table.sort(words)
      print(table.concat(words, ", "))
    end)
  end
end)
