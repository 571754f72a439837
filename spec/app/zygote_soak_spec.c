/* The same with 10 000 workers. */
#include "hammer.h"

HAMMER_CASES(10000)
