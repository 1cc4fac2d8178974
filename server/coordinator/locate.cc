#include "server/coordinator/locate.h"

#include <optional>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {
namespace {

absl::StatusOr<absl::Span<const BlockKey>> ParseKeys(const v1::LocateRequest& request) {
  CAIRN_ASSIGN_OR_RETURN(const absl::Span<const BlockKey> keys, ParseChainKeys(request.keys()));
  const uint64_t first = request.first_position();
  if (first + keys.size() - 1 > kChainPositionMax || RunStart(request.first_position()) != first) {
    return absl::InvalidArgumentError(
        absl::StrCat("first_position: ", first,
                     "; it must be the start of a run, and the chain at "
                     "most ",
                     kChainPositionMax + 1, " blocks"));
  }
  return keys;
}

// Fills one reply: runs name nodes by their index in reply.nodes.
class Answer {
 public:
  explicit Answer(const Membership& members) : members_(members) {}

  void AddAvailable(uint32_t index, Place place) {
    Extend(*reply_.mutable_available(), index, place);
  }
  void AddPlacement(uint32_t index, Place place) {
    Extend(*reply_.mutable_placement(), index, place);
  }
  v1::LocateReply Take() { return std::move(reply_); }

 private:
  using Runs = google::protobuf::RepeatedPtrField<v1::LocateReply::Run>;

  void Extend(Runs& runs, uint32_t index, Place place) {
    const uint32_t node = NodeIndex(place.node);
    if (!runs.empty()) {
      v1::LocateReply::Run& last = *runs.rbegin();
      if (last.node() == node && last.reactor() == place.reactor &&
          last.first_index() + last.count() == index) {
        last.set_count(last.count() + 1);
        return;
      }
    }
    v1::LocateReply::Run& run = *runs.Add();
    run.set_first_index(index);
    run.set_count(1);
    run.set_node(node);
    run.set_reactor(place.reactor);
  }

  uint32_t NodeIndex(NodeSlot slot) {
    const auto [known, inserted] =
        nodes_.try_emplace(slot, static_cast<uint32_t>(reply_.nodes_size()));
    if (inserted) {
      const Member& member = members_.member(slot);
      v1::LocateReply::Node& node = *reply_.add_nodes();
      node.set_node_id(member.id.bytes.data(), member.id.bytes.size());
      node.set_incarnation(member.incarnation);
      for (const std::string& address : member.reactor_addresses) {
        node.add_reactor_addresses(address);
      }
    }
    return known->second;
  }

  const Membership& members_;
  v1::LocateReply reply_;
  absl::flat_hash_map<NodeSlot, uint32_t> nodes_;
};

// Where `key` is, staying with the place of the block before it when that is one of several.
std::optional<Place> FindReady(TenantId tenant, const BlockKey& key, std::optional<Place> before,
                               const PrefixIndex& index, const Membership& members) {
  std::array<Copy, PrefixIndex::kCopiesMax> copies;
  const size_t count = index.Find(tenant, key, copies);
  std::optional<Place> found;
  for (size_t i = 0; i < count; ++i) {
    if (!CanServe(copies[i].place, members)) continue;
    if (!found.has_value() || copies[i].place == before) found = copies[i].place;
  }
  return found;
}

}  // namespace

absl::StatusOr<v1::LocateReply> Locate(const v1::LocateRequest& request, TenantId tenant,
                                       const PrefixIndex& index, const Membership& members) {
  CAIRN_ASSIGN_OR_RETURN(const absl::Span<const BlockKey> keys, ParseKeys(request));
  Answer answer(members);
  std::optional<Place> place;
  uint32_t i = 0;
  for (; i < keys.size(); ++i) {
    const std::optional<Place> found = FindReady(tenant, keys[i], place, index, members);
    if (!found.has_value()) break;
    place = found;
    answer.AddAvailable(i, *place);
  }
  // A run that is there in part goes on where its head is.
  for (; i < keys.size(); ++i) {
    const uint32_t position = request.first_position() + i;
    if (RunStart(position) == position) place = PlaceRun(keys[i], members);
    if (!place.has_value()) break;
    answer.AddPlacement(i, *place);
  }
  return answer.Take();
}

}  // namespace cairn
