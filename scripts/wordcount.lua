-- The ten most common words of the C headers under a folder, counted serially and by a pool.
local mp = require "mphost"

local folder = arg[1] or "/usr/include"
local files = {}
local quoted = "'" .. folder:gsub("'", "'\\''") .. "'"
for name in io.popen("find " .. quoted .. " -name '*.h' -type f | sort"):lines() do files[#files + 1] = name end
os.execute("find " .. quoted .. " -name '*.h' -type f -exec cat {} + >/dev/null") -- so that neither way reads a disk

local function count(name)
  local file <close> = assert(io.open(name, "rb"))
  local text, words = file:read("a"), {}
  for word in text:gmatch("%a+") do words[word] = (words[word] or 0) + 1 end
  return { bytes = #text, words = words }
end

local function merged(parts)
  local sum = { bytes = 0, words = {} }
  for _, part in ipairs(parts) do
    sum.bytes = sum.bytes + part.bytes
    for word, n in pairs(part.words) do sum.words[word] = (sum.words[word] or 0) + n end
  end
  return sum
end

local start, parts = mp.clock(), {}
for i, name in ipairs(files) do parts[i] = count(name) end
merged(parts)
local serial = mp.clock() - start
start = mp.clock()
local pool <close> = mp.Pool()
local sum = merged(pool:map(count, files))
local parallel = mp.clock() - start

local top = {}
for word in pairs(sum.words) do top[#top + 1] = word end
local words = sum.words
table.sort(top, function(a, b) return words[a] > words[b] or words[a] == words[b] and a < b end)
for i = 1, math.min(10, #top) do print(("%8d  %s"):format(sum.words[top[i]], top[i])) end
print(("%d files, %d bytes"):format(#files, sum.bytes))
print(("serial %.2f s, parallel %.2f s on %d workers, speed-up %.2f"):format(
  serial, parallel, pool.workers, serial / parallel))
