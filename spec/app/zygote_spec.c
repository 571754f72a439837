/* Starting workers beside busy threads (hammer.h), in short. */
#include "hammer.h"

HAMMER_CASES(400 / slower())
