// The header of a bulk from node to client: what is accepted lands within its block. Input: the
// announced length, 8 bytes little endian, then the header.

#include <cstring>

#include "base/check.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz_target.h"

namespace cairn {

CAIRN_FUZZ_TARGET(fuzz_data_header) {
  U64Le bulk_bytes;
  if (input.size() < sizeof(bulk_bytes)) return;
  std::memcpy(&bulk_bytes, input.data(), sizeof(bulk_bytes));
  input.remove_prefix(sizeof(bulk_bytes));
  const auto decoded = wire::DecodeDataHeader(input, bulk_bytes);
  if (!decoded.ok()) return;
  CAIRN_CHECK(LiesWithin(input, *decoded, sizeof(wire::DataHeader)));
  const wire::DataHeader& data = **decoded;
  CAIRN_CHECK(data.block_index < wire::kFetchBlocksMax);
  CAIRN_CHECK(data.chunk_bytes >= 1 && data.chunk_bytes == bulk_bytes);
  CAIRN_CHECK(data.block_bytes <= kBlockBytesMax);
  CAIRN_CHECK(uint64_t{data.offset} + data.chunk_bytes <= data.block_bytes);
}

}  // namespace cairn
