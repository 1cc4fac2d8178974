#include "server/coordinator/match_prefix.h"

#include <array>

#include <absl/container/flat_hash_map.h>
#include <absl/types/span.h>

#include "base/status.h"
#include "server/coordinator/chain_keys.h"

namespace cairn {
namespace {

// Counts a chain block by block, from its start on.
class Tally {
 public:
  explicit Tally(const Membership& members) : members_(members) {}

  // The copies of the block behind the ones added before. False: no node that serves has one, and
  // nothing was counted.
  bool Add(absl::Span<const Copy> copies) {
    bool held = false;
    bool in_dram = false;
    for (const Copy& copy : copies) {
      if (!CanServe(copy.place, members_)) continue;
      held = true;
      in_dram = in_dram || copy.tier == Tier::kDram;
      Count(copy);
    }
    if (!held) return false;
    if (in_dram && reply_.dram_blocks() == reply_.blocks()) {
      reply_.set_dram_blocks(reply_.blocks() + 1);
    }
    reply_.set_blocks(reply_.blocks() + 1);
    return true;
  }
  v1::MatchPrefixReply Take() { return std::move(reply_); }

 private:
  void Count(const Copy& copy) {
    v1::MatchPrefixReply::Node& node = NodeOf(copy.place.node);
    if (node.leading_blocks() == reply_.blocks()) node.set_leading_blocks(reply_.blocks() + 1);
    if (copy.tier == Tier::kDram) {
      node.set_dram_blocks(node.dram_blocks() + 1);
    } else {
      node.set_nvme_blocks(node.nvme_blocks() + 1);
    }
  }

  v1::MatchPrefixReply::Node& NodeOf(NodeSlot slot) {
    const auto [known, inserted] = nodes_.try_emplace(slot, reply_.nodes_size());
    if (inserted) {
      const NodeId& id = members_.member(slot).id;
      reply_.add_nodes()->set_node_id(id.bytes.data(), id.bytes.size());
    }
    return *reply_.mutable_nodes(known->second);
  }

  const Membership& members_;
  v1::MatchPrefixReply reply_;
  absl::flat_hash_map<NodeSlot, int> nodes_;
};

}  // namespace

absl::StatusOr<v1::MatchPrefixReply> MatchPrefix(const v1::MatchPrefixRequest& request,
                                                 TenantId tenant, const PrefixIndex& index,
                                                 const Membership& members) {
  CAIRN_ASSIGN_OR_RETURN(const absl::Span<const BlockKey> keys, ParseChainKeys(request.keys()));
  Tally tally(members);
  for (const BlockKey& key : keys) {
    std::array<Copy, PrefixIndex::kCopiesMax> copies;
    const size_t count = index.Find(tenant, key, copies);
    if (!tally.Add(absl::MakeConstSpan(copies).first(count))) break;
  }
  return tally.Take();
}

}  // namespace cairn
