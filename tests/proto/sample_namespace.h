// A namespace as an engine declares it.
#ifndef CAIRN_TESTS_PROTO_SAMPLE_NAMESPACE_H_
#define CAIRN_TESTS_PROTO_SAMPLE_NAMESPACE_H_

#include <cstdint>
#include <string>

#include "cairn/v1/namespace.pb.h"

namespace cairn::testing {

inline v1::Namespace SampleNamespace(uint32_t block_bytes = 64 << 10) {
  v1::Namespace ns;
  ns.set_model("sample");
  ns.set_model_digest(std::string(32, 'm'));
  ns.set_kv_dtype("bf16");
  ns.set_layout("L2NHD");
  ns.set_layers(4);
  ns.set_kv_heads(8);
  ns.set_head_size(128);
  ns.set_tokens_per_block(16);
  ns.set_hash_scheme("vllm.sha256_cbor");
  ns.set_block_bytes(block_bytes);
  return ns;
}

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_PROTO_SAMPLE_NAMESPACE_H_
