// The header of a bulk from client to node: what is accepted is a block that a shard can hold.
// Input: the announced length, 8 bytes little endian, then the header.

#include <cstring>

#include "base/check.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz_target.h"

namespace cairn {

CAIRN_FUZZ_TARGET(fuzz_put_header) {
  U64Le bulk_bytes;
  if (input.size() < sizeof(bulk_bytes)) return;
  std::memcpy(&bulk_bytes, input.data(), sizeof(bulk_bytes));
  input.remove_prefix(sizeof(bulk_bytes));
  const auto decoded = wire::DecodePutHeader(input, bulk_bytes);
  if (!decoded.ok()) return;
  CAIRN_CHECK(LiesWithin(input, *decoded, sizeof(wire::PutHeader)));
  const wire::PutHeader& put = **decoded;
  CAIRN_CHECK(put.length >= 1 && put.length <= kBlockBytesMax && put.length == bulk_bytes);
  CAIRN_CHECK(put.position <= kChainPositionMax);
  CAIRN_CHECK((put.position == 0) == (put.parent == BlockKey{}));
  CAIRN_CHECK(put.budget_us <= wire::kBudgetMax_us);
}

}  // namespace cairn
