/* Hosts in processes that are no copies: see guest.h. */
#include "app/guest.h"

#include <errno.h>
#include <stdio.h>

#include <lua.h>

#include "app/define.h"
#include "bind/helper.h"
#include "bind/launch.h"
#include "mphost.h"
#include "shm/family.h"

_Static_assert(LAUNCH_VERSION == MPHOST_VERSION_NUMBER, "a helper is known by it");

static int (*prepare_host)(mph_host *host); /* mph_member's */
static int prepares;                        /* this program as its own helper has C functions */

static lua_State *guest_new(void) {
  mph_host *h;
  if (mph_open(&h, NULL) < 0) return NULL;
  int rc = prepare_host ? prepare_host(h) : 0;
  if (rc >= 0) rc = define_known(h);
  if (rc >= 0) return mph_lua(h);
  fprintf(stderr, "mphost: %s: %s\n", mph_errname(rc), mph_errmsg(h));
  return NULL;
}

static int needs_copy(void) {
  return define_any() && !(prepares && helper_is_self());
}

void guest_init(void) {
  launch_new_state = guest_new;
  launch_needs_copy = needs_copy;
}

int mph_zygote(void) {
  guest_init();
  int rc = family_open(); /* for as long as the zygote lives: until this process ends */
  if (rc == 0 && (rc = launch_zygote()) < 0) family_close();
  return rc == 0 ? MPH_OK : rc == -EPERM ? MPH_EFORK : rc == -ENOMEM ? MPH_ENOMEM : MPH_ESYSTEM;
}

int mph_member(int argc, char *const argv[], int (*prepare)(mph_host *host)) {
  if (argc < 0 || (argc > 0 && !argv)) return MPH_EINVAL;
  guest_init();
  prepare_host = prepare;
  int rc = launch_arrive(argc, argv);
  prepares = prepare != NULL;
  prepare_host = NULL;
  return rc;
}
