// A namespace from any protobuf bytes: its id depends on what it says, not on how that is encoded,
// and what is accepted is in range.

#include <string>

#include <google/protobuf/stubs/logging.h>

#include "base/check.h"
#include "cairn/v1/namespace.pb.h"
#include "proto/block_key.h"
#include "tests/fuzz/fuzz_target.h"

namespace cairn {
namespace {

void CheckInRange(const v1::Namespace& ns) {
  CAIRN_CHECK(ns.block_bytes() >= kBlockBytesMin && ns.block_bytes() <= kBlockBytesMax);
  CAIRN_CHECK(ns.model_digest().size() == 32);
  CAIRN_CHECK(ns.adapter_digest().empty() || ns.adapter_digest().size() == 32);
  CAIRN_CHECK(ns.tensor_parallel_rank() == 0 ||
              ns.tensor_parallel_rank() < ns.tensor_parallel_size());
  CAIRN_CHECK(ns.pipeline_rank() == 0 || ns.pipeline_rank() < ns.pipeline_size());
  for (const std::string* text : {&ns.model(), &ns.kv_dtype(), &ns.layout(), &ns.hash_scheme()}) {
    CAIRN_CHECK(!text->empty() && text->find('\n') == std::string::npos);
  }
}

}  // namespace

CAIRN_FUZZ_TARGET(fuzz_namespace) {
  // Protobuf writes a line to standard error for each text that is no UTF-8.
  static const google::protobuf::LogSilencer silencer;
  v1::Namespace ns;
  if (!ns.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  const absl::StatusOr<NamespaceId> id = MakeNamespaceId(ns);
  if (!id.ok()) return;
  CheckInRange(ns);
  v1::Namespace encoded_anew;
  CAIRN_CHECK(encoded_anew.ParseFromString(ns.SerializeAsString()));
  CAIRN_CHECK(MakeNamespaceId(encoded_anew).value() == *id);
  encoded_anew.set_cache_group(ns.cache_group() + 1);
  CAIRN_CHECK(MakeNamespaceId(encoded_anew).value() != *id);
}

}  // namespace cairn
