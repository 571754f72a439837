-- Every mph_ call with a NULL host, a closed one, one that is open but given nothing, references to nothing or to the
-- wrong thing, from a second thread, and in a process that somebody else forked: an error code, never a crash.
-- The calls are generated from the header, so that a new one cannot be forgotten.
local lfs = require "lfs"
local tool = require "mphost.tool"
local helper = require "support.helper"

local BUILD = os.getenv "MPHOST_BUILD" or "build"
local SANITIZE = os.getenv "MPHOST_SANITIZE" or ""

-- What an open host takes although everything is zero: nothing is asked for, and that is fine.
local FINE = { mph_fd = true, mph_dispatch = true, mph_interrupt = true, mph_run_file = true,
  mph_repl = true, mph_stop = true,
  mph_set_args = true, mph_close = true }
local OTHER = { mph_errmsg = true, mph_lua = true } -- give back no code

local function prototypes()
  local text = tool.read("host/mphost.h"):gsub("/%*.-%*/", "")
  local found = {}
  for result, name, params in text:gmatch("MPH_API%s+([%w_ ]-[%s*]+)(mph_[%w_]+)%(([^;]*)%);") do
    if params:find("^mph_host %*host") then found[#found + 1] = { name = name, result = result, params = params } end
  end
  return found
end

-- A zero for each parameter after the host.
local function zeros(params)
  local list = {}
  for param in params:gsub("^mph_host %*host,?", ""):gmatch("[^,]+") do
    local zero = "0"
    if param:find("mph_value [%w_]+$") then zero = "mph_nil()" end
    list[#list + 1] = zero
  end
  return #list > 0 and ", " .. table.concat(list, ", ") or ""
end

-- Arguments that would do, but for the references, which are `ref`.
local FITTING = {
  { "^mph_ref %w+$", nil }, { "^mph_ref %*", "&r" }, { "^const mph_value %*", "&v" }, { "^mph_value %*", "&out" },
  { "^mph_value %w+$", "v" }, { "^const char %*", '"x"' }, { "^const void %*", '"x"' }, { "^double %w+$", "0" },
  { "^mph_function", "nothing" }, { "^mph_ready", "told" }, { "^void %*", "NULL" }, { "^char %w+$", "'i'" },
  { "^size_t %*", "&size" }, { "^const double %*", "&number" }, { "^double %*", "&number" },
  { "^int argc", "0" }, { "^char %*const argv", "NULL" }, { "^int nargs", "1" }, { "^int nresults", "1" },
  { "^int %w+$", "0" }, { "^size_t %w+$", "1" }, { "^struct lua_State", "NULL" },
}

local function fitting(params, ref)
  local list = {}
  for param in params:gsub("^mph_host %*host,?", ""):gmatch("[^,]+") do
    param = param:match("^%s*(.-)%s*$")
    local found
    for _, rule in ipairs(FITTING) do
      if param:find(rule[1]) then found = rule[2] or ref break end
    end
    list[#list + 1] = assert(found, "no argument for " .. param)
  end
  return #list > 0 and ", " .. table.concat(list, ", ") or ""
end

local function takes_refs(p) return p.params:find("mph_ref %w+") ~= nil end

local HEAD = [[
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <mphost.h>
#define WANT(what, call, good) { int rc = (int)(call); if (!(good)) printf("%s: %s is %d\n", what, #call, rc); }
static mph_ref r;
static mph_value v, out;
static size_t size;
static double number;
static int nothing(mph_host *h, void *user, const mph_value *args, int n, mph_value *result) {
  (void)h, (void)user, (void)args, (void)n, (void)result;
  return 0;
}
static void told(mph_host *h, void *user, mph_ref ref) { (void)h, (void)user, (void)ref; }
]]

-- The lines for each call, into a function.
local function each(lines, line)
  local count = 0
  for _, p in ipairs(prototypes()) do
    if not OTHER[p.name] then
      for _, text in ipairs { line(p) } do
        lines[#lines + 1] = "  " .. text
        count = count + 1
      end
    end
  end
  return count
end

local function nulls(lines)
  lines[#lines + 1] = "static void nulls(mph_host *open, mph_host *closed) {\n  mph_host *none = NULL;"
  local count = each(lines, function(p)
    local rest = zeros(p.params)
    return ('WANT("NULL", %s(none%s), rc == MPH_EINVAL)'):format(p.name, rest),
      ('WANT("closed", %s(closed%s), rc == MPH_ESTATE)'):format(p.name, rest),
      not FINE[p.name] and ('WANT("nothing", %s(open%s), rc < 0 && *mph_errmsg(open))'):format(p.name, rest) or nil
  end)
  lines[#lines + 1] = '  if (*mph_errmsg(none) || *mph_errmsg(closed)) printf("mph_errmsg\\n");'
  lines[#lines + 1] = '  if (mph_lua(none) || mph_lua(closed)) printf("mph_lua\\n");'
  lines[#lines + 1] = '  if (mph_open(NULL, NULL) != MPH_EINVAL) printf("mph_open\\n");\n}'
  return count
end

-- References to nothing any more, and to what the call is not for.
local ANY_KIND = { mph_release = true, mph_kind = true, mph_call = true } -- a table may have __call

local function references(lines)
  lines[#lines + 1] = "static void references(mph_host *open, mph_ref gone, mph_ref table) {"
  local count = each(lines, function(p)
    if not takes_refs(p) then return end
    return ('WANT("released", %s(open%s), rc == MPH_EREF)'):format(p.name, fitting(p.params, "gone")),
      not ANY_KIND[p.name]
        and ('WANT("a table", %s(open%s), rc == MPH_ETYPE)'):format(p.name, fitting(p.params, "table")) or nil
  end)
  lines[#lines + 1] = "}"
  return count
end

-- From a thread, while another is inside: nobody gets in.
local function busy(lines)
  lines[#lines + 1] = "static mph_host *shared;\nstatic void *intrude(void *unused) {\n  mph_host *open = shared;"
  local count = each(lines, function(p)
    if p.name == "mph_interrupt" then return end
    return ('WANT("busy", %s(open%s), rc == MPH_EBUSY)'):format(p.name, fitting(p.params, "1"))
  end)
  lines[#lines + 1] = [[  return unused;
}
static int inside(mph_host *h, void *user, const mph_value *args, int n, mph_value *result) {
  (void)args, (void)n, (void)result;
  pthread_t thread;
  shared = h;
  pthread_create(&thread, NULL, intrude, NULL);
  pthread_join(thread, NULL);
  *(int *)user = 1;
  WANT("inside", mph_close(h), rc == MPH_ESTATE)
  return 0;
}]]
  return count
end

-- In a process that the program has forked itself.
local SHARED = { "pool_open", "map", "submit", "pool_close", "pool_kill", "queue_open", "queue_put", "queue_put_bytes",
  "queue_get", "queue_length", "queue_close", "cell_open", "cell_load", "cell_store", "cell_add", "cell_cas",
  "array_open", "array_length", "array_read", "array_write", "watch", "dispatch" }

local function foreign(lines)
  local ref = { map = "pool", submit = "pool", pool_close = "pool", pool_kill = "pool", watch = "queue" }
  local by_name = {}
  for _, p in ipairs(prototypes()) do by_name[p.name] = p end
  lines[#lines + 1] = "static void foreign(mph_host *open, mph_ref pool, mph_ref queue, mph_ref cell, mph_ref array) {"
  for _, name in ipairs(SHARED) do
    local p = assert(by_name["mph_" .. name], name)
    local object = ref[name] or name:match "^(%a+)_"
    lines[#lines + 1] = ('  WANT("forked", %s(open%s), rc == MPH_EFORK)'):format(p.name, fitting(p.params, object))
  end
  lines[#lines + 1] = "}"
end

local MAIN = [[
static void fork_by_others(mph_host *h) {
  mph_ref pool, queue, cell, array;
  if (mph_pool_open(h, 2, &pool) < 0 || mph_queue_open(h, 0, &queue) < 0 || mph_cell_open(h, 'i', v, &cell) < 0 ||
      mph_array_open(h, 'i', 3, &array) < 0)
    printf("%s\n", mph_errmsg(h));
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    foreign(h, pool, queue, cell, array);
    WANT("forked", mph_zygote(), rc == MPH_EFORK)
    fflush(stdout);
    _exit(mph_close(h) < 0);
  }
  int status = 1;
  waitpid(pid, &status, 0);
  if (status) printf("the forked child: status %d\n", status);
}
int main(void) {
  mph_host *closed, *open;
  mph_ref gone, f;
  mph_value table;
  int was_inside = 0;
  v = mph_int(1);
  if (mph_open(&open, NULL) < 0 || mph_open(&closed, NULL) < 0 || mph_close(closed) < 0) return 1;
  nulls(open, closed);
  if (mph_eval(open, "return {}", NULL, NULL, 0, &table, 1) < 0 || mph_queue_open(open, 0, &gone) < 0 ||
      mph_release(open, gone) < 0)
    return 1;
  references(open, gone, table.ref);
  if (mph_define(open, "inside", inside, &was_inside, &f) < 0 || mph_call(open, f, NULL, 0, NULL, 0) < 0)
    return 1;
  if (!was_inside) printf("nobody was inside\n");
  fork_by_others(open);
  return mph_close(open) < 0;
}
]]

local function program()
  local lines = { HEAD }
  local count = nulls(lines) + references(lines) + busy(lines)
  foreign(lines)
  lines[#lines + 1] = MAIN
  return table.concat(lines, "\n"), count
end

it("refuses what makes no sense in every call of mphost.h", function()
  helper.deadline(60)
  local text, count = program()
  assert.is_true(count >= 150, count)
  local source = tool.file(text)
  local binary = source .. ".bin"
  local flags = SANITIZE ~= "" and "-fsanitize=" .. SANITIZE or ""
  local built = tool.shell(("gcc %s -pthread -x c -Ihost -o %s %s -L%s -lmphost"):format(flags, binary, source, BUILD))
  assert.equal("", built.err)
  local r = tool.shell(("LD_LIBRARY_PATH=%s %s"):format(BUILD, binary))
  os.remove(source)
  os.remove(binary)
  assert.same({ code = 0, out = "", err = "" }, r)
  assert.is_nil(lfs.attributes(binary))
end)
