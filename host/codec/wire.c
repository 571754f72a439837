/* The two parts of the wire that are not worth inlining. */
#include "codec/wire.h"

int wire_more(wire_out *out, size_t need) {
  size_t length = wire_length(out);
  int rc = out->sink->more(out->sink, need);
  out->written = length;
  out->since = out->sink->at;
  return rc;
}

static uint64_t mixed(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0xff51afd7ed558ccdu;
  return hash ^ hash >> 32;
}

uint64_t wire_hash(const char *bytes, size_t size) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ size, word;
  for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    hash = mixed(hash, word);
  }
  if (size == 0) return hash;
  word = 0;
  memcpy(&word, bytes, size);
  return mixed(hash, word);
}
