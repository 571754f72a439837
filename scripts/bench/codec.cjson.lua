-- lua-cjson: JSON, floats with 14 digits.
local cjson = require "cjson"
require("values").run(cjson.encode, cjson.decode)
