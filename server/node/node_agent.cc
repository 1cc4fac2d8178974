#include "server/node/node_agent.h"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/status.h"
#include "transport/network.h"

namespace cairn {
namespace {

constexpr size_t kReportsPerPoll = 4096;  // of one reactor, so that heartbeats are never late

}  // namespace

NodeAgent::NodeAgent(const NodeOptions& options, const NodeIdentity& identity,
                     std::vector<std::string> reactor_addresses,
                     std::vector<std::unique_ptr<ReactorChannel>>& channels,
                     std::function<void(v1::HeartbeatRequest&)> fill_heartbeat,
                     std::function<bool()> serves, Runtime&)
    : identity_(identity),
      channels_(channels),
      addresses_(options.coordinators),
      trusted_keys_(options.trusted_keys) {
  facts_.identity = identity;
  facts_.reactor_addresses = std::move(reactor_addresses);
  facts_.capacity_bytes = options.capacity_bytes;
  facts_.report_interval = options.report_interval;
  facts_.fill_heartbeat = std::move(fill_heartbeat);
  facts_.serves = std::move(serves);
  for (const auto& channel : channels) drives_awaited_ += channel->has_drives ? 1 : 0;
}

absl::Status NodeAgent::Connect(Runtime& runtime) {
  for (const std::string& address : addresses_) {
    CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<ControlChannel> channel,
                           runtime.network.OpenControlChannel(address));
    links_.push_back(std::make_unique<CoordinatorLink>(std::move(channel), facts_, runtime.clock));
  }
  return absl::OkStatus();
}

size_t NodeAgent::Poll() {
  size_t events = TakeReports();
  // No coordinator hears of us before our drives have said whose they are.
  if (drives_awaited_ > 0) return events;
  bool known = false;
  bool reported = true;
  for (const std::unique_ptr<CoordinatorLink>& link : links_) {
    events += link->Poll();
    known = known || link->known();
    // One that does not answer will take a snapshot when it does.
    reported = reported && (!link->known() || link->reported());
  }
  TakeRefusals();
  HandOutTokenKeys();
  HandOutCluster();
  AskForSnapshots();
  known_.store(known, std::memory_order_relaxed);
  reported_.store(reported, std::memory_order_relaxed);
  return events;
}

void NodeAgent::Sleep(absl::Duration limit) {
  std::vector<pollfd> waiting;
  waiting.reserve(links_.size());
  for (const std::unique_ptr<CoordinatorLink>& link : links_) {
    waiting.push_back({link->event_fd(), POLLIN, 0});
  }
  poll(waiting.data(), waiting.size(), static_cast<int>(absl::ToInt64Milliseconds(limit)));
}

// A snapshot of the node is those of all its reactors: it begins for the links when it is asked
// for and ends when the last reactor ends. A reactor that lost changes begins one by itself; then
// the others are asked too.
size_t NodeAgent::TakeReports() {
  size_t taken = 0;
  for (const std::unique_ptr<ReactorChannel>& channel : channels_) {
    for (size_t i = 0; i < kReportsPerPoll; ++i) {
      const std::optional<ReportItem> item = channel->reports.TryPop();
      if (!item.has_value()) break;
      ++taken;
      switch (item->kind) {
        case ReportItem::Kind::kChange:
          for (const auto& link : links_) link->Add(item->change);
          break;
        case ReportItem::Kind::kSnapshotBegin:
          if (!snapshot_asked_) {
            snapshot_asked_ = true;
            for (const auto& link : links_) link->BeginSnapshot();
            for (const auto& other : channels_) {
              if (other != channel) static_cast<void>(other->commands.TryPush(ReactorCommand{}));
            }
          }
          break;
        case ReportItem::Kind::kSnapshotEnd:
          if (++snapshots_ended_ < channels_.size()) break;
          snapshots_ended_ = 0;
          snapshot_asked_ = false;
          for (const auto& link : links_) link->EndSnapshot();
          break;
        case ReportItem::Kind::kDrives:
          TakeDrives(item->cluster);
          break;
      }
    }
  }
  return taken;
}

void NodeAgent::TakeDrives(const ClusterId& cluster) {
  --drives_awaited_;
  if (cluster == ClusterId{}) return;
  facts_.cluster_id.assign(reinterpret_cast<const char*>(cluster.bytes.data()),
                           cluster.bytes.size());
}

void NodeAgent::TakeRefusals() {
  for (const std::unique_ptr<CoordinatorLink>& link : links_) {
    if (link->refusal().ok()) continue;
    MutexLock lock(mutex_);
    refusal_ = link->refusal();
  }
}

// The drives remember the cluster that they were first used in.
void NodeAgent::HandOutCluster() {
  for (const std::unique_ptr<CoordinatorLink>& link : links_) {
    const std::string& id = link->cluster_id();
    ReactorCommand command{ReactorCommand::Kind::kCluster, {}, 0, {}};
    if (id == cluster_told_ || id.size() != command.cluster.bytes.size()) continue;
    std::memcpy(command.cluster.bytes.data(), id.data(), id.size());
    for (const std::unique_ptr<ReactorChannel>& channel : channels_) {
      if (channel->has_drives && !channel->commands.TryPush(command)) return;
    }
    cluster_told_ = id;
  }
}

void NodeAgent::HandOutTokenKeys() {
  std::vector<PublicKey> keys = trusted_keys_;
  for (const std::unique_ptr<CoordinatorLink>& link : links_) {
    for (const PublicKey& key : link->token_keys()) {
      const bool known = std::find(keys.begin(), keys.end(), key) != keys.end();
      if (!known && keys.size() < kTokenKeysMax) keys.push_back(key);
    }
  }
  if (keys.empty() || keys == token_keys_) return;
  ReactorCommand command{ReactorCommand::Kind::kTokenKeys, {}, keys.size(), {}};
  std::copy(keys.begin(), keys.end(), command.keys.begin());
  for (const std::unique_ptr<ReactorChannel>& channel : channels_) {
    if (!channel->commands.TryPush(command)) return;  // tried again: token_keys_ stays as it was
  }
  token_keys_ = std::move(keys);
}

void NodeAgent::AskForSnapshots() {
  if (snapshot_asked_) return;
  const bool wanted = std::any_of(links_.begin(), links_.end(),
                                  [](const auto& link) { return link->snapshot_wanted(); });
  if (!wanted) return;
  snapshot_asked_ = true;
  for (const auto& link : links_) link->BeginSnapshot();
  for (const auto& channel : channels_) {
    static_cast<void>(channel->commands.TryPush(ReactorCommand{}));
  }
}

}  // namespace cairn
