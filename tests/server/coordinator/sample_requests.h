// Ids, keys and requests as nodes and clients would send them.
#ifndef CAIRN_TESTS_SERVER_COORDINATOR_SAMPLE_REQUESTS_H_
#define CAIRN_TESTS_SERVER_COORDINATOR_SAMPLE_REQUESTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/random.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/identity.h"
#include "proto/inventory.h"

namespace cairn::testing {

template <typename Id>
Id MakeId(uint64_t number) {
  Id id;
  SeededRandom(number).Fill(absl::MakeSpan(id.bytes));
  return id;
}
inline NodeId Node(uint64_t number) { return MakeId<NodeId>(1'000'000 + number); }
inline BlockKey Key(uint64_t number) { return MakeId<BlockKey>(number); }

template <typename Id>
std::string ToBytes(const Id& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

inline std::string ToBytes(const std::vector<BlockKey>& keys) {
  return {reinterpret_cast<const char*>(keys.data()), keys.size() * sizeof(BlockKey)};
}

inline v1::RegisterNodeRequest Registration(uint64_t node, uint64_t incarnation = 1,
                                            int reactors = 1, uint64_t capacity_bytes = 1u << 30) {
  v1::RegisterNodeRequest request;
  request.set_node_id(ToBytes(Node(node)));
  request.set_incarnation(incarnation);
  request.set_capacity_bytes(capacity_bytes);
  for (int i = 0; i < reactors; ++i) {
    request.add_reactor_addresses(absl::StrCat("10.0.2.", node, ":", 7500 + i));
  }
  return request;
}

inline v1::HeartbeatRequest Beat(uint64_t node, uint64_t incarnation = 1, bool ready = true) {
  v1::HeartbeatRequest request;
  request.set_node_id(ToBytes(Node(node)));
  request.set_incarnation(incarnation);
  request.set_ready(ready);
  return request;
}

inline std::string Changes(const std::vector<BlockKey>& keys, uint16_t change = kInventoryAdded,
                           TenantId tenant = 1, uint16_t reactor = 0) {
  std::string bytes;
  for (const BlockKey& key : keys) {
    InventoryChange one{};
    one.key = key;
    one.tenant = tenant;
    one.reactor = reactor;
    one.change = change;
    bytes.append(reinterpret_cast<const char*>(&one), sizeof(one));
  }
  return bytes;
}

inline v1::ReportRequest Report(uint64_t sequence, v1::ReportRequest::Kind kind,
                                std::string changes = "", uint64_t node = 1,
                                uint64_t incarnation = 1) {
  v1::ReportRequest request;
  request.set_node_id(ToBytes(Node(node)));
  request.set_incarnation(incarnation);
  request.set_sequence(sequence);
  request.set_kind(kind);
  request.set_changes(std::move(changes));
  return request;
}

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_SERVER_COORDINATOR_SAMPLE_REQUESTS_H_
