#include "server/coordinator/watch_reply.h"

#include <absl/container/flat_hash_map.h>

namespace cairn {
namespace {

v1::WatchReply At(const ChangeFeeds::Position& position) {
  v1::WatchReply reply;
  reply.set_epoch(position.epoch);
  reply.set_sequence(position.sequence);
  return reply;
}

v1::WatchReply::Kind ToProto(IndexChange::Kind kind) {
  switch (kind) {
    case IndexChange::Kind::kStored:
      return v1::WatchReply::STORED;
    case IndexChange::Kind::kRemoved:
      return v1::WatchReply::REMOVED;
    case IndexChange::Kind::kNodeCleared:
      break;
  }
  return v1::WatchReply::NODE_CLEARED;
}

}  // namespace

v1::WatchReply MakeFirstWatchReply(const ChangeFeeds::Opened& opened) {
  v1::WatchReply reply = At(opened.position);
  reply.set_gap(opened.gap);
  return reply;
}

v1::WatchReply MakeWatchReply(const ChangeFeeds::Position& position,
                              absl::Span<const IndexChange> changes, const Membership& members) {
  v1::WatchReply reply = At(position);
  absl::flat_hash_map<NodeSlot, uint32_t> nodes;
  for (const IndexChange& change : changes) {
    const auto [known, inserted] =
        nodes.try_emplace(change.node, static_cast<uint32_t>(reply.node_ids_size()));
    if (inserted) {
      const NodeId& id = members.member(change.node).id;
      reply.add_node_ids(id.bytes.data(), id.bytes.size());
    }
    v1::WatchReply::Change& told = *reply.add_changes();
    told.set_kind(ToProto(change.kind));
    told.set_node(known->second);
    told.set_tier(change.tier == Tier::kDram ? v1::WatchReply::DRAM : v1::WatchReply::NVME);
    if (change.kind == IndexChange::Kind::kNodeCleared) continue;
    told.set_key(change.key.bytes.data(), change.key.bytes.size());
  }
  return reply;
}

}  // namespace cairn
