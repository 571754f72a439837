/* The two parts of the wire that are not worth inlining. */
#include "codec/wire.h"

int wire_more(wire_out *out, size_t need) {
  size_t length = wire_length(out);
  int rc = out->sink->more(out->sink, need);
  out->written = length;
  out->since = out->sink->at;
  return rc;
}

uint64_t wire_hash(const char *bytes, size_t size) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ size;
  while (size > 0) {
    uint64_t word = 0;
    size_t step = size < sizeof word ? size : sizeof word;
    memcpy(&word, bytes, step);
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
    bytes += step;
    size -= step;
  }
  return hash;
}
