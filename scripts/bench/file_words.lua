-- How often each word stands in a gigabyte of text, by two workers: a word is what stands between spaces.
local mp = require "mphost"
local work = require "work"

local file <close> = mp.map_file(arg[2])
local pool <close> = mp.Pool(2)
pool:map(type, { 1, 2 })

local function count(piece)
  local words = {}
  for word in file:sub(piece[1], piece[2]):gmatch "%S+" do words[word] = (words[word] or 0) + 1 end
  return words
end

local function merge(sum, words)
  for word, n in pairs(words) do sum[word] = (sum[word] or 0) + n end
  return sum
end

local start = mp.clock()
local words = pool:reduce(count, merge, file:chunks(64))
work.figure("rate", #file / (mp.clock() - start) / 1e6)
assert(words.the > 0)
local distinct, squares = 0, 0
for _, n in pairs(words) do distinct, squares = distinct + 1, squares + n * n end
work.check("distinct", distinct)
work.check("squares", squares)
