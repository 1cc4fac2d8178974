#include "server/coordinator/change_feeds.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "base/check.h"

namespace cairn {

void ChangeFeeds::Append(Feed& feed, const IndexChange& change) {
  if (feed.changes.size() == limits_.changes_max) feed.changes.pop_front();
  feed.changes.push_back(change);
  ++feed.newest;
}

void ChangeFeeds::Append(TenantId tenant, const IndexChange& change) {
  const auto feed = feeds_.find(tenant);
  if (feed != feeds_.end()) Append(feed->second, change);
}

void ChangeFeeds::OnStored(TenantId tenant, const BlockKey& key, NodeSlot node, Tier tier) {
  Append(tenant, {key, node, tier, IndexChange::Kind::kStored});
}

void ChangeFeeds::OnRemoved(TenantId tenant, const BlockKey& key, NodeSlot node, Tier tier) {
  Append(tenant, {key, node, tier, IndexChange::Kind::kRemoved});
}

void ChangeFeeds::OnNodeCleared(NodeSlot node) {
  for (auto& [tenant, feed] : feeds_) {
    Append(feed, {{}, node, Tier::kDram, IndexChange::Kind::kNodeCleared});
  }
}

absl::StatusOr<ChangeFeeds::Opened> ChangeFeeds::Open(TenantId tenant, Position wanted) {
  if (!feeds_.contains(tenant) && feeds_.size() == limits_.feeds_max) {
    return absl::ResourceExhaustedError(
        "this coordinator serves no further watch; ask another one, or MatchPrefix");
  }
  Feed& feed = feeds_[tenant];
  if (feed.watchers == limits_.watchers_max) {
    return absl::ResourceExhaustedError(absl::StrCat(
        limits_.watchers_max,
        " watches of this tenant are open; let several routers share one, or ask MatchPrefix"));
  }
  while (feed.epoch == 0) feed.epoch = random_.Next();
  ++feed.watchers;
  ++watchers_;
  const uint64_t oldest = feed.newest - feed.changes.size();
  const bool known =
      wanted.epoch == feed.epoch && wanted.sequence >= oldest && wanted.sequence <= feed.newest;
  return Opened{{feed.epoch, known ? wanted.sequence : feed.newest}, !known};
}

void ChangeFeeds::Close(TenantId tenant) {
  Feed& feed = feeds_.at(tenant);
  CAIRN_CHECK(feed.watchers > 0);
  --feed.watchers;
  --watchers_;
  feed.left = clock_.Now();
}

absl::StatusOr<std::vector<IndexChange>> ChangeFeeds::Read(TenantId tenant, Position* position,
                                                           size_t max) const {
  const Feed& feed = feeds_.at(tenant);
  CAIRN_CHECK(position->epoch == feed.epoch && position->sequence <= feed.newest);
  const uint64_t oldest = feed.newest - feed.changes.size();
  if (position->sequence < oldest) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the watcher is ", feed.newest - position->sequence, " changes behind and ",
        feed.changes.size(), " are kept; read faster, watch again and ask MatchPrefix"));
  }
  const auto begin = feed.changes.begin() + static_cast<ptrdiff_t>(position->sequence - oldest);
  const size_t count = std::min<uint64_t>(max, feed.newest - position->sequence);
  position->sequence += count;
  return std::vector<IndexChange>(begin, begin + static_cast<ptrdiff_t>(count));
}

ChangeFeeds::Position ChangeFeeds::newest(TenantId tenant) const {
  const auto feed = feeds_.find(tenant);
  return feed == feeds_.end() ? Position{} : Position{feed->second.epoch, feed->second.newest};
}

void ChangeFeeds::Step() {
  const Instant now = clock_.Now();
  absl::erase_if(feeds_, [&](const auto& entry) {
    return entry.second.watchers == 0 && now - entry.second.left > limits_.keep_for;
  });
}

}  // namespace cairn
