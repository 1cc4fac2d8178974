#include "server/node/node.h"

#include <algorithm>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "cairn/v1/node_admin.pb.h"
#include "server/node/identity.h"
#include "server/node/node_agent.h"
#include "server/node/node_metrics.h"
#include "server/node/reactor.h"

namespace cairn {
namespace {

constexpr uint64_t kCapacityPerReactorMin = 16u << 20;
constexpr absl::Duration kSleepMax = absl::Milliseconds(20);  // housekeeping is due by then

template <typename T>
absl::Status CheckRange(const char* field, T value, T low, T high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("node.", field, ": ", value, " must be ", low, " to ", high));
}

// "ip:port" of reactor i: consecutive ports, or a free one each for port 0.
absl::StatusOr<std::string> ReactorAddress(const std::string& listen, uint32_t i) {
  const size_t colon = listen.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(listen.substr(colon + 1), &port) || port + i > 65535) {
    return absl::InvalidArgumentError(absl::StrCat(
        "node.data_listen: \"", listen, "\" must be ip:port with room for ", i + 1, " ports"));
  }
  return absl::StrCat(listen.substr(0, colon), ":", port == 0 ? 0 : port + i);
}

absl::Status CheckWriteBudget(const NodeOptions& options) {
  if (options.nvme_dwpd > 0 && options.nvme_daily_write_bytes > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("node.nvme_dwpd: ", options.nvme_dwpd, " and nvme_daily_write_bytes: ",
                     options.nvme_daily_write_bytes, " are two limits; give one of them"));
  }
  if ((options.nvme_dwpd > 0 || options.nvme_daily_write_bytes > 0) && options.nvme_paths.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("node.", options.nvme_dwpd > 0 ? "nvme_dwpd" : "nvme_daily_write_bytes",
                     ": there is no NVMe tier to write to; give nvme, too, or leave it out"));
  }
  const uint64_t least = options.nvme_segment_bytes * options.reactors;
  if (options.nvme_daily_write_bytes > 0 && options.nvme_daily_write_bytes < least) {
    return absl::InvalidArgumentError(
        absl::StrCat("node.nvme_daily_write_bytes: ", options.nvme_daily_write_bytes,
                     " is less than a segment a day for each reactor; give at least ", least,
                     ", or 0: no limit"));
  }
  return absl::OkStatus();
}

absl::Status CheckNvme(const NodeOptions& options) {
  const auto is_folder = [](const std::string& path) { return !absl::StartsWith(path, "/dev/"); };
  const size_t devices = options.nvme_paths.size() -
                         static_cast<size_t>(std::count_if(options.nvme_paths.begin(),
                                                           options.nvme_paths.end(), is_folder));
  if (options.nvme_paths.size() > kDevicesMax) {
    return absl::InvalidArgumentError(absl::StrCat("node.nvme_paths: ", options.nvme_paths.size(),
                                                   " given; at most ", kDevicesMax));
  }
  if (devices < options.nvme_paths.size() && options.nvme_bytes == 0) {
    return absl::InvalidArgumentError(
        "node.nvme_bytes: 0; give the size of the NVMe tier in each folder, e.g. 512GiB");
  }
  return CheckWriteBudget(options);
}

// The table that its reactors share, or nullptr without drives.
absl::StatusOr<std::unique_ptr<ChainTable>> MakeChains(const NodeOptions& options) {
  if (options.nvme_paths.empty()) return nullptr;
  uint64_t bytes = 0;
  for (const std::string& path : options.nvme_paths) {
    bytes += absl::StartsWith(path, "/dev/") ? kDriveBytesExpected : options.nvme_bytes;
  }
  return ChainTable::Create(bytes / kBytesPerRememberedBlock);
}

class NodeImpl final : public Node {
 public:
  NodeImpl(const NodeOptions& options, NodeIdentity identity, Clock& clock)
      : options_(options), identity_(identity), clock_(clock) {}

  absl::Status Build(Runtime& runtime) {
    std::vector<std::string> addresses;
    const bool warm = options_.warm != nullptr && IsOfLastLife(*options_.warm);
    CAIRN_ASSIGN_OR_RETURN(chains_, MakeChains(options_));
    for (uint32_t i = 0; i < options_.reactors; ++i) {
      channels_.push_back(std::make_unique<ReactorChannel>());
      channels_.back()->chains = chains_.get();
      CAIRN_ASSIGN_OR_RETURN(const std::string address, ReactorAddress(options_.listen_address, i));
      CAIRN_ASSIGN_OR_RETURN(
          std::unique_ptr<Reactor> reactor,
          Reactor::Create(options_, static_cast<uint16_t>(i), address, identity_,
                          warm ? &(*options_.warm)[i] : nullptr, *channels_.back(), runtime));
      addresses.push_back(reactor->address());
      reactors_.push_back(std::move(reactor));
    }
    agent_ = std::make_unique<NodeAgent>(
        options_, identity_, std::move(addresses), channels_,
        [this](v1::HeartbeatRequest& request) {
          FillHeartbeat(request);
          AddLatencySeries(Latencies(), transport(), *request.mutable_latency());
        },
        [this] { return Serves(); }, runtime);
    return agent_->Connect(runtime);
  }

  void SetHttpAddress(const std::string& address) override { agent_->SetHttpAddress(address); }
  size_t reactor_count() const override { return reactors_.size(); }
  size_t PollReactor(size_t i) override { return reactors_[i]->Poll(); }
  void SleepReactor(size_t i, absl::Duration limit) override {
    reactors_[i]->Sleep(std::min(limit, kSleepMax));
  }
  size_t PollAgent() override { return agent_->Poll(); }
  void SleepAgent(absl::Duration limit) override { agent_->Sleep(limit); }

  void BeginDrain() override {
    draining_.store(true);
    for (const auto& channel : channels_) {
      channel->idle.store(false);  // what it said before may be out of date
      channel->draining.store(true);
    }
  }
  bool drained() const override {
    for (const auto& channel : channels_) {
      if (!channel->idle.load()) return false;
    }
    return draining_.load() && agent_->reported();
  }
  bool ready() const override { return agent_->known() && Serves(); }
  absl::Status health() const override {
    for (size_t i = 0; i < channels_.size(); ++i) {
      const absl::Duration still = clock_.Now() - channels_[i]->last_turn.load();
      if (still <= kReactorStallMax) continue;
      return absl::UnavailableError(absl::StrCat("reactor ", i, " has not turned its loop for ",
                                                 absl::ToInt64Seconds(still), " s"));
    }
    return absl::OkStatus();
  }
  absl::Status refusal() const override {
    if (absl::Status why = DriveRefusal(); !why.ok()) return why;
    return agent_->refusal();
  }
  void SetSelfGetWorks(bool works) override { self_get_works_.store(works); }

  void FillStatus(v1::GetNodeStatusReply& status) const override {
    v1::HeartbeatRequest figures;
    FillHeartbeat(figures);
    status.set_node_id(identity_.id.bytes.data(), identity_.id.bytes.size());
    status.set_incarnation(identity_.incarnation);
    status.set_ready(ready());
    status.set_draining(draining_.load());
    status.set_capacity_bytes(figures.capacity_bytes());
    status.set_used_bytes(figures.used_bytes());
    status.set_block_count(figures.block_count());
    status.set_pinned_blocks(figures.pinned_blocks());
    *status.mutable_counters() = figures.counters();
    if (figures.has_nvme()) *status.mutable_nvme() = figures.nvme();
  }

  const NodeId& id() const override { return identity_.id; }
  uint64_t incarnation() const override { return identity_.incarnation; }
  std::vector<std::string> reactor_addresses() const override {
    std::vector<std::string> addresses;
    addresses.reserve(reactors_.size());
    for (const auto& reactor : reactors_) addresses.push_back(reactor->address());
    return addresses;
  }
  std::string MetricsText() const override {
    std::vector<ShardFigures> shards;
    shards.reserve(reactors_.size());
    for (const auto& reactor : reactors_) {
      shards.push_back({&reactor->shard().counters(), &reactor->shard().reuse()});
    }
    std::vector<const FlashCounters*> drives;
    for (const auto& reactor : reactors_) {
      if (reactor->flash() != nullptr) drives.push_back(&reactor->flash()->counters());
    }
    return NodeMetricsText(shards, drives, channels_, transport(), ready());
  }
  absl::StatusOr<std::vector<WarmShard>> HandOver() const override {
    std::vector<WarmShard> shards;
    for (size_t i = 0; i < reactors_.size(); ++i) {
      WarmHeader header;
      header.reactor = static_cast<uint16_t>(i);
      header.reactors = static_cast<uint16_t>(reactors_.size());
      header.node = identity_.id;
      header.incarnation = identity_.incarnation;
      CAIRN_ASSIGN_OR_RETURN(WarmShard shard, reactors_[i]->shard().HandOver(header));
      shards.push_back(std::move(shard));
    }
    return shards;
  }
  Shard& shard(size_t i) override { return reactors_[i]->shard(); }

 private:
  // A life between would have stored and dropped blocks that this memory does not know of.
  bool IsOfLastLife(const std::vector<WarmShard>& warm) const {
    if (warm.size() != options_.reactors) return false;
    for (size_t i = 0; i < warm.size(); ++i) {
      const auto image = DecodeWarmImage(
          {reinterpret_cast<const std::byte*>(warm[i].image.data()), warm[i].image.size()});
      const bool fits = image.ok() && image->header.node == identity_.id &&
                        image->header.incarnation + 1 == identity_.incarnation &&
                        image->header.reactor == i && image->header.reactors == warm.size();
      if (fits) continue;
      const std::string why(image.ok() ? "of another node, life or number of reactors"
                                       : image.status().message());
      Log(LogLevel::kWarning, "warm_memory_refused", {{"reactor", i}, {"why", why}});
      return false;
    }
    return true;
  }

  LatencyTable Latencies() const {
    LatencyTable table;
    for (const auto& channel : channels_) channel->latencies.AddTo(table);
    return table;
  }
  std::string transport() const { return std::string(reactors_.front()->transport()); }

  // Set before any coordinator hears of the node, or it would be ready for a moment.
  absl::Status DriveRefusal() const {
    for (const auto& channel : channels_) {
      if (absl::Status why = channel->drive_failure(); !why.ok()) return why;
    }
    return absl::OkStatus();
  }
  bool Serves() const { return self_get_works_.load() && !draining_.load() && DriveRefusal().ok(); }

  void FillHeartbeat(v1::HeartbeatRequest& request) const {
    request.set_ready(Serves());
    request.set_transport(transport());
    v1::NodeCounters& counters = *request.mutable_counters();
    for (size_t i = 0; i < reactors_.size(); ++i) {
      const ShardCounters& shard = reactors_[i]->shard().counters();
      const ReactorCounters& reactor = channels_[i]->counters;
      const FlashTier* flash = reactors_[i]->flash();
      if (flash != nullptr) AddNvme(shard, flash->counters(), *request.mutable_nvme());
      request.set_capacity_bytes(request.capacity_bytes() + shard.capacity_bytes.value());
      request.set_used_bytes(request.used_bytes() + shard.used_bytes.value() +
                             shard.flash_bytes.value());
      request.set_block_count(request.block_count() + shard.blocks.value());
      request.set_pinned_blocks(request.pinned_blocks() + shard.pins.value());
      request.set_queued_blocks(request.queued_blocks() + reactor.sends.value());
      counters.set_gets(counters.gets() + reactor.gets.value());
      counters.set_get_hits(counters.get_hits() + reactor.get_hits.value());
      counters.set_get_bytes(counters.get_bytes() + reactor.get_bytes.value());
      counters.set_puts(counters.puts() + reactor.puts.value());
      counters.set_put_bytes(counters.put_bytes() + reactor.put_bytes.value());
      counters.set_evicted_blocks(counters.evicted_blocks() + shard.evicted_blocks_total.value());
      counters.set_checksum_failures(counters.checksum_failures() +
                                     reactor.checksum_failures.value() +
                                     shard.quarantined_total.value());
      counters.set_conflicts(counters.conflicts() + shard.conflicts_total.value());
      counters.set_sessions(counters.sessions() + reactor.sessions.value());
    }
    request.set_capacity_bytes(request.capacity_bytes() + request.nvme().capacity_bytes());
  }

  static void AddNvme(const ShardCounters& shard, const FlashCounters& drives,
                      v1::NvmeFigures& nvme) {
    nvme.set_capacity_bytes(nvme.capacity_bytes() + drives.capacity_bytes.value());
    nvme.set_used_bytes(nvme.used_bytes() + shard.flash_bytes.value());
    nvme.set_blocks(nvme.blocks() + shard.flash_blocks.value());
    nvme.set_hits(nvme.hits() + shard.flash_hits.value());
    nvme.set_read_bytes(nvme.read_bytes() + drives.read_bytes.value());
    nvme.set_written_bytes(nvme.written_bytes() + drives.written_bytes.value());
    nvme.set_errors(nvme.errors() + drives.drive_errors.value());
    nvme.set_drives_failed(nvme.drives_failed() +
                           static_cast<uint32_t>(drives.drives_failed.value()));
    nvme.set_write_budget_bytes(nvme.write_budget_bytes() + drives.write_budget_bytes.value());
    nvme.set_write_budget_left_bytes(nvme.write_budget_left_bytes() +
                                     drives.write_budget_left_bytes.value());
  }

  const NodeOptions options_;
  const NodeIdentity identity_;
  Clock& clock_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> self_get_works_{true};
  std::unique_ptr<ChainTable> chains_;  // dies after the reactors
  std::vector<std::unique_ptr<ReactorChannel>> channels_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::unique_ptr<NodeAgent> agent_;
};

}  // namespace

absl::Status NodeOptions::Validate() const {
  if (coordinators.empty()) {
    return absl::InvalidArgumentError(
        "node.coordinators: none given; add --coordinators 127.0.0.1:7400");
  }
  if (state_folder.empty()) {
    return absl::InvalidArgumentError("node.state_folder: empty; give a folder for the identity");
  }
  CAIRN_RETURN_IF_ERROR(CheckRange<uint32_t>("reactors", reactors, 1, 256));
  CAIRN_RETURN_IF_ERROR(ReactorAddress(listen_address, reactors - 1).status());
  CAIRN_RETURN_IF_ERROR(CheckRange<uint64_t>("dram_bytes per reactor", capacity_bytes / reactors,
                                             kCapacityPerReactorMin, uint64_t{64} << 30));
  CAIRN_RETURN_IF_ERROR(CheckNvme(*this));
  CAIRN_RETURN_IF_ERROR(CheckRange<uint32_t>("sessions_max", sessions_max, 1, 2000));
  CAIRN_RETURN_IF_ERROR(CheckRange<uint32_t>("chunk_bytes", chunk_bytes, 64 << 10, 4 << 20));
  CAIRN_RETURN_IF_ERROR(
      CheckRange<uint32_t>("fetches_per_session_max", fetches_per_session_max, 1, 256));
  return CheckRange<uint32_t>("puts_per_session_max", puts_per_session_max, 1, kPutsMax);
}

absl::StatusOr<std::unique_ptr<Node>> Node::Create(const NodeOptions& options, Runtime& runtime) {
  CAIRN_RETURN_IF_ERROR(options.Validate());
  CAIRN_ASSIGN_OR_RETURN(const NodeIdentity identity,
                         BeginIncarnation(options.state_folder, runtime.disk, runtime.random));
  auto node = std::make_unique<NodeImpl>(options, identity, runtime.clock);
  CAIRN_RETURN_IF_ERROR(node->Build(runtime));
  return node;
}

}  // namespace cairn
