-- Everything at once, killed at random, for some seconds.
local helper = require "support.helper"
local fuzz = require "mphost.kill_fuzz"

describe("A family whose members die at random", function()
  it("loses at most what was in their hands, and leaves nothing", function()
    helper.deadline(60)
    local sanitized = (os.getenv "MPHOST_SANITIZE" or "") ~= ""
    local figures = fuzz.run(sanitized and 8 or 20) -- seconds
    assert.is_true(figures.lives > 20 and figures.messages > 100 and figures.workers > 0, figures.lives)
  end)
end)
