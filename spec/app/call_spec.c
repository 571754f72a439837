/* Values between C and Lua, and calls both ways. */
#include "support.h"

static void passes_values_in_and_out(void **state) {
  mph_host *h = *state;
  mph_value args[] = {mph_nil(),    mph_bool(1),     mph_int(-7),
                      mph_num(0.5), mph_str("text"), mph_bytes("a\0b", 3)};
  mph_value out[7];
  assert_int_equal(mph_eval(h, "return ...", "=e", args, 6, out, 7), 6);
  assert_int_equal(out[0].type, MPH_NIL);
  assert_true(out[1].type == MPH_BOOL && out[1].boolean == 1);
  assert_true(out[2].type == MPH_INT && out[2].integer == -7);
  assert_true(out[3].type == MPH_NUMBER && out[3].number == 0.5);
  assert_string_equal(out[4].data, "text");
  assert_int_equal(out[5].size, 3);
  assert_memory_equal(out[5].data, "a\0b", 4);
  assert_int_equal(out[6].type, MPH_NIL);
  assert_int_equal(mph_eval(h, "return 1, 2, 3", NULL, NULL, 0, out, 1), 3);
  assert_int_equal(out[0].integer, 1);
  assert_int_equal(lua_gettop(mph_lua(h)), 0);
}

static void refers_to_what_c_cannot_hold(void **state) {
  mph_host *h = *state;
  mph_value t = lua(h, "return {size = 3}"), out;
  assert_int_equal(t.type, MPH_REF);
  assert_int_equal(mph_kind(h, t.ref), MPH_KIND_TABLE);
  assert_int_equal(mph_eval(h, "return (...).size", NULL, &t, 1, &out, 1), 1);
  assert_int_equal(out.integer, 3);
  assert_int_equal(mph_release(h, t.ref), MPH_OK);
  assert_int_equal(mph_release(h, t.ref), MPH_EREF);
  assert_int_equal(mph_eval(h, "return ...", NULL, &t, 1, &out, 1), MPH_EREF);
  mph_ref next = lua(h, "return {}").ref;
  assert_true(next != t.ref);
}

static void calls_functions_by_reference(void **state) {
  mph_host *h = *state;
  mph_value rep, args[] = {mph_str("ab"), mph_int(3)}, out;
  OK(h, mph_get(h, "string.rep", &rep));
  assert_int_equal(mph_kind(h, rep.ref), MPH_KIND_FUNCTION);
  assert_int_equal(mph_call(h, rep.ref, args, 2, &out, 1), 1);
  assert_string_equal(out.data, "ababab");
  assert_int_equal(mph_call(h, 999, NULL, 0, NULL, 0), MPH_EREF);
  assert_int_equal(mph_call(h, rep.ref, NULL, 0, NULL, 0), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "bad argument #1"));
  assert_int_equal(mph_call(h, lua(h, "return {}").ref, NULL, 0, NULL, 0), MPH_ERUN);
}

static void reads_and_sets_names(void **state) {
  mph_host *h = *state;
  mph_value v;
  OK(h, mph_set(h, "size", mph_int(4)));
  OK(h, mph_get(h, "size", &v));
  assert_int_equal(v.integer, 4);
  OK(h, mph_get(h, "no.such.thing", &v));
  assert_int_equal(v.type, MPH_NIL);
  OK(h, mph_require(h, "mphost", NULL));
  OK(h, mph_get(h, "mphost.Pool", &v)); /* of a loaded module */
  assert_int_equal(mph_kind(h, v.ref), MPH_KIND_FUNCTION);
  OK(h, mph_get(h, "mphost.process.spawn", &v));
  assert_int_equal(mph_kind(h, v.ref), MPH_KIND_FUNCTION);
  assert_int_equal(mph_get(h, "size.x", &v), MPH_ERUN);
}

static void keeps_strings_until_the_next_call(void **state) {
  mph_host *h = *state;
  mph_value a[200];
  OK(h, mph_eval(h,
                 "local t = {} for i = 1, 200 do t[i] = 'n' .. i end collectgarbage() "
                 "return table.unpack(t)",
                 NULL, NULL, 0, a, 200));
  for (int i = 0; i < 200; i++) {
    char want[8];
    snprintf(want, sizeof want, "n%d", i + 1);
    assert_string_equal(a[i].data, want);
  }
}

static int add(mph_host *h, void *user, const mph_value *args, int n, mph_value *result) {
  (void)h;
  long long sum = *(int *)user;
  for (int i = 0; i < n; i++) {
    if (args[i].type == MPH_STRING) {
      *result = mph_str("numbers only");
      return MPH_ETYPE;
    }
    sum += args[i].integer;
  }
  *result = mph_int(sum);
  return 0;
}

static void defines_functions(void **state) {
  mph_host *h = *state;
  static int base = 100;
  mph_ref f;
  OK(h, mph_define(h, "add", add, &base, &f));
  assert_int_equal(lua(h, "return require 'mphost.c'.add(1, 2)").integer, 103);
  mph_value args[] = {mph_int(5)}, out;
  OK(h, mph_call(h, f, args, 1, &out, 1));
  assert_int_equal(out.integer, 105);
  args[0] = mph_str("x");
  assert_int_equal(mph_call(h, f, args, 1, &out, 1), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "numbers only"));
  assert_int_equal(out.type, MPH_NIL);
}

static void reports_errors(void **state) {
  mph_host *h = *state;
  mph_value out = mph_int(9);
  assert_int_equal(mph_eval(h, "x =", "=bad", NULL, 0, &out, 1), MPH_ESYNTAX);
  assert_string_equal(mph_errmsg(h), "bad:1: unexpected symbol near <eof>");
  assert_int_equal(out.type, MPH_NIL);
  assert_int_equal(mph_eval(h, "error 'no'", "=bad", NULL, 0, &out, 1), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "bad:1: no\nstack traceback:"));
  mph_value wrong = {.type = 77};
  assert_int_equal(mph_eval(h, "", NULL, &wrong, 1, NULL, 0), MPH_EINVAL);
  assert_int_equal(mph_eval(h, "", NULL, NULL, 1, NULL, 0), MPH_EINVAL);
  assert_int_equal(lua_gettop(mph_lua(h)), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(passes_values_in_and_out),
      CASE(refers_to_what_c_cannot_hold),
      CASE(calls_functions_by_reference),
      CASE(reads_and_sets_names),
      CASE(keeps_strings_until_the_next_call),
      CASE(defines_functions),
      CASE(reports_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
