#include "server/node/reactor.h"

#include <poll.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr absl::Duration kHousekeepingInterval = absl::Milliseconds(50);
constexpr size_t kReportBatch = 256;  // changes moved to the agent's ring in one step

// The drives of reactor `index`: a file in each folder, and every so manieth device of its own.
FlashTierOptions FlashOf(const NodeOptions& options, uint16_t index, const NodeIdentity& identity) {
  FlashTierOptions flash;
  uint32_t devices = 0;
  for (const std::string& path : options.nvme_paths) {
    if (absl::StartsWith(path, "/dev/")) {
      if (devices++ % options.reactors != index) continue;
      flash.drives.push_back({path, 0, options.nvme_daily_write_bytes, options.nvme_dwpd});
    } else {
      flash.drives.push_back(
          {absl::StrCat(path, "/cairn-", index, ".log"), options.nvme_bytes / options.reactors,
           options.nvme_daily_write_bytes / options.reactors, options.nvme_dwpd});
    }
  }
  flash.segment_bytes = options.nvme_segment_bytes;
  flash.preallocate = options.nvme_preallocate;
  flash.node = identity.id;
  flash.incarnation = identity.incarnation;
  flash.partition = index;
  flash.partitions = static_cast<uint16_t>(options.reactors);
  flash.key = options.nvme_key;
  return flash;
}

}  // namespace

Reactor::Reactor(const NodeOptions& options, uint16_t index, uint64_t incarnation,
                 ReactorChannel& channel, Runtime& runtime)
    : options_(options),
      index_(index),
      incarnation_(incarnation),
      channel_(channel),
      clock_(runtime.clock),
      sends_(kSendsMax),
      puts_(kPutsMax),
      now_(runtime.clock.Now()),
      next_housekeeping_(now_),
      next_report_(now_) {
  for (uint32_t i = kSendsMax; i > 0; --i) free_sends_.push_back(i - 1);
  for (uint32_t i = kPutsMax; i > 0; --i) free_puts_.push_back(i - 1);
}

absl::StatusOr<std::unique_ptr<Reactor>> Reactor::Create(const NodeOptions& options, uint16_t index,
                                                         const std::string& address,
                                                         const NodeIdentity& identity,
                                                         WarmShard* warm, ReactorChannel& channel,
                                                         Runtime& runtime) {
  auto reactor =
      std::unique_ptr<Reactor>(new Reactor(options, index, identity.incarnation, channel, runtime));
  ShardOptions shard;
  shard.capacity_bytes = options.capacity_bytes / options.reactors;
  shard.reactor = index;
  shard.huge_pages = options.huge_pages;
  shard.policy = options.policy;
  FlashTierOptions flash = FlashOf(options, index, identity);
  flash.chains = channel.chains;
  for (const FlashTierOptions::Drive& drive : flash.drives) {
    shard.flash_bytes += drive.size_bytes > 0 ? drive.size_bytes : kDriveBytesExpected;
  }
  shard.warm = warm;
  auto made = Shard::Create(shard, runtime.clock);
  if (!made.ok() && warm != nullptr) {
    Log(LogLevel::kWarning, "warm_memory_refused",
        {{"reactor", index}, {"why", made.status().message()}});
    shard.warm = nullptr;
    made = Shard::Create(shard, runtime.clock);
  }
  CAIRN_RETURN_IF_ERROR(made.status());
  reactor->shard_ = *std::move(made);
  if (!flash.drives.empty()) {
    CAIRN_ASSIGN_OR_RETURN(reactor->flash_, FlashTier::Create(flash, *reactor->shard_, runtime));
    reactor->awaited_.reserve(kLoadsMax);
    channel.has_drives = true;
  }
  CAIRN_ASSIGN_OR_RETURN(reactor->worker_, runtime.network.CreateWorker());
  CAIRN_ASSIGN_OR_RETURN(reactor->arena_, reactor->worker_->Register(reactor->shard_->arena()));
  CAIRN_ASSIGN_OR_RETURN(reactor->address_, reactor->worker_->Listen(address));
  return reactor;
}

Reactor::~Reactor() {
  if (worker_ == nullptr) return;
  // Connections are still being accepted meanwhile.
  while (!endpoints_.empty()) {
    for (auto& [id, endpoint] : endpoints_) {
      if (!std::exchange(endpoint.closing, true)) worker_->Close(id);
    }
    worker_->Poll(*this);
  }
  arena_.reset();
}

size_t Reactor::Poll() {
  now_ = clock_.Now();
  channel_.last_turn.store(now_, std::memory_order_relaxed);
  ObeyCommands();
  size_t events = worker_->Poll(*this);
  if (flash_ != nullptr) events += flash_->Poll(*this);
  events += PumpSends();
  if (now_ >= next_housekeeping_) {
    next_housekeeping_ = now_ + kHousekeepingInterval;
    KeepHouse();
  }
  if (now_ >= next_report_ || snapshot_running_) {
    next_report_ = now_ + options_.report_interval;
    Report();
  }
  return events;
}

void Reactor::Sleep(absl::Duration limit) {
  if (!ring_.empty() || snapshot_running_ || !worker_->Arm() || worker_->Poll(*this) > 0) return;
  if (flash_ != nullptr && !flash_->Arm()) return;
  pollfd waiting[] = {{worker_->event_fd(), POLLIN, 0},
                      {flash_ == nullptr ? -1 : flash_->event_fd(), POLLIN, 0}};
  poll(waiting, std::size(waiting), static_cast<int>(absl::ToInt64Milliseconds(limit)));
}

Reactor::Endpoint* Reactor::Find(EndpointId id) {
  const auto found = endpoints_.find(id);
  return found == endpoints_.end() ? nullptr : &found->second;
}

void Reactor::OnAccepted(EndpointId id, const std::string&) {
  Endpoint endpoint;
  endpoint.opened = now_;
  endpoint.last_heard = now_;
  endpoints_.emplace(id, endpoint);
  channel_.counters.endpoints.Set(endpoints_.size());
}

void Reactor::OnMessage(EndpointId id, absl::Span<const std::byte> message) {
  Endpoint* endpoint = Find(id);
  if (endpoint == nullptr || endpoint->closing || endpoint->close_at != kNever) return;
  endpoint->last_heard = now_;
  const auto type = wire::DecodeType(message);
  if (type.ok() && *type == wire::MessageType::kHello) return TakeHello(id, *endpoint, message);
  // Before a valid Hello nothing else is heard.
  if (!type.ok() || endpoint->session == nullptr || endpoint->lane != wire::Lane::kControl) {
    channel_.counters.bad_messages.Add(1);
    if (endpoint->session == nullptr || ++endpoint->bad_messages >= kBadMessagesMax)
      CloseEndpoint(id);
    return;
  }
  Session& session = *endpoint->session;
  switch (*type) {
    case wire::MessageType::kPing:
      return TakePing(id, message);
    case wire::MessageType::kPin:
      return TakePin(session, message);
    case wire::MessageType::kFetch:
      return TakeFetch(session, message);
    case wire::MessageType::kRelease:
      return TakeRelease(session, message);
    case wire::MessageType::kCancel:
      return TakeCancel(session, message);
    case wire::MessageType::kSuspect:
      return TakeSuspect(session, message);
    default:
      channel_.counters.bad_messages.Add(1);
      if (++endpoint->bad_messages >= kBadMessagesMax) CloseEndpoint(id);
  }
}

void Reactor::OnFailed(EndpointId id, const absl::Status&) { CloseEndpoint(id); }

void Reactor::CloseEndpoint(EndpointId id) {
  Endpoint* endpoint = Find(id);
  if (endpoint == nullptr || endpoint->closing) return;
  endpoint->closing = true;
  worker_->Close(id);
}

// The lane is gone: nothing touches its buffers any more, so pins and reservations can go.
void Reactor::OnClosed(EndpointId id) {
  Endpoint* endpoint = Find(id);
  CAIRN_CHECK(endpoint != nullptr);
  Session* session = endpoint->session;
  endpoints_.erase(id);
  channel_.counters.endpoints.Set(endpoints_.size());
  if (session != nullptr) DropLane(*session, id);
}

void Reactor::DropLane(Session& session, EndpointId id) {
  for (uint32_t i = 0; i < kSendsMax; ++i) {
    if (sends_[i].session != &session || sends_[i].endpoint != id) continue;
    if (sends_[i].waiting) {
      StopAwaiting(i);
      continue;
    }
    sends_[i].stopped = true;
    std::erase(session.queue, i);
    FreeSendIfDone(i);
  }
  DropPuts(session, id);
  if (session.bulk == id) session.bulk = EndpointId::kNone;
  if (session.control == id) {
    session.control = EndpointId::kNone;
    for (auto& [name, lease] : session.leases) EndLease(session, lease);
    session.leases.clear();
    if (session.bulk != EndpointId::kNone) CloseEndpoint(session.bulk);
  }
  EndSessionIfUnused(session);
}

void Reactor::EndSessionIfUnused(Session& session) {
  if (session.control != EndpointId::kNone || session.bulk != EndpointId::kNone) return;
  if (session.sends > 0 || session.puts > 0) return;
  // An older endpoint of a replaced lane may still be on its way out.
  for (const auto& [id, endpoint] : endpoints_) {
    if (endpoint.session == &session) return;
  }
  if (session.in_ring) ring_.erase(std::find(ring_.begin(), ring_.end(), &session));
  sessions_.erase({session.tenant, session.client});
  channel_.counters.sessions.Set(sessions_.size());
}

void Reactor::ObeyCommands() {
  while (const std::optional<ReactorCommand> command = channel_.commands.TryPop()) {
    switch (command->kind) {
      case ReactorCommand::Kind::kTokenKeys:
        token_keys_.assign(command->keys.begin(), command->keys.begin() + command->key_count);
        break;
      case ReactorCommand::Kind::kSnapshot:
        BeginSnapshot();
        break;
      case ReactorCommand::Kind::kCluster:
        if (flash_ != nullptr) flash_->SetCluster(command->cluster);
        break;
    }
  }
}

void Reactor::KeepHouse() {
  CheckEndpoints();
  CheckSends();
  for (auto& [name, session] : sessions_) {
    for (auto lease = session->leases.begin(); lease != session->leases.end();) {
      const auto candidate = lease++;
      if (candidate->second.expiry > now_) continue;
      EndLease(*session, candidate->second);
      session->leases.erase(candidate);
    }
  }
  if (channel_.draining.load(std::memory_order_relaxed) && !goodbye_said_) {
    goodbye_said_ = true;
    wire::Goodbye goodbye{};
    wire::Seal(goodbye, wire::MessageType::kGoodbye);
    for (const auto& [name, session] : sessions_) Reply(session->control, goodbye);
  }
  if (flash_ != nullptr) TellDrives();
  bool busy = channel_.counters.sends.value() > 0 || free_puts_.size() < kPutsMax;
  if (flash_ != nullptr && !busy && channel_.draining.load(std::memory_order_relaxed)) {
    flash_->Finish();
    busy = !flash_->sealed();
  }
  channel_.idle.store(!busy, std::memory_order_relaxed);
}

void Reactor::CheckEndpoints() {
  std::vector<EndpointId> due;
  for (const auto& [id, endpoint] : endpoints_) {
    const bool unopened = endpoint.session == nullptr;
    const bool silent = endpoint.lane == wire::Lane::kControl &&
                        now_ - endpoint.last_heard > options_.heartbeat_timeout;
    const bool never_opened = unopened && now_ - endpoint.opened > options_.hello_timeout;
    if (endpoint.close_at <= now_ || (!unopened && silent) || never_opened) due.push_back(id);
  }
  for (const EndpointId id : due) CloseEndpoint(id);
}

// A transfer past its deadline plus grace: its peer is stuck, so its endpoint goes.
void Reactor::CheckSends() {
  if (channel_.counters.sends.value() == 0) return;
  for (uint32_t i = 0; i < kSendsMax; ++i) {
    const Send& send = sends_[i];
    if (send.session == nullptr) continue;
    if (send.waiting && now_ >= send.deadline) {
      ReplyFailure(*send.session, send.request, send.block_index, wire::MissReason::kDeadline);
      StopAwaiting(i);
      continue;
    }
    if (send.chunks_in_flight == 0) continue;
    if (now_ < send.deadline + options_.watchdog_grace) continue;
    Endpoint* endpoint = Find(send.endpoint);
    if (endpoint == nullptr || endpoint->closing) continue;
    channel_.counters.watchdog_closes.Add(1);
    CloseEndpoint(send.endpoint);
  }
}

// Moves inventory changes, and a snapshot that was asked for, to the agent. A full ring keeps them
// here; when the shard's own ring overflows too, a new snapshot makes good.
void Reactor::Report() {
  while (true) {
    while (reported_ < unreported_.size()) {
      if (!channel_.reports.TryPush(unreported_[reported_])) return;
      ++reported_;
    }
    unreported_.clear();
    reported_ = 0;
    CollectReports();
    if (unreported_.empty()) return;
  }
}

void Reactor::CollectReports() {
  InventoryChange changes[kReportBatch];
  bool lost = false;
  size_t count = shard_->TakeChanges(absl::MakeSpan(changes), &lost);
  if (lost) {
    BeginSnapshot();
    return;
  }
  if (count == 0 && snapshot_running_) {
    count = shard_->Snapshot(&snapshot_cursor_, absl::MakeSpan(changes));
    if (count == 0) {
      snapshot_running_ = false;
      unreported_.push_back({ReportItem::Kind::kSnapshotEnd, {}});
    }
  }
  for (size_t i = 0; i < count; ++i) {
    unreported_.push_back({ReportItem::Kind::kChange, changes[i]});
  }
}

void Reactor::BeginSnapshot() {
  snapshot_running_ = true;
  snapshot_cursor_ = 0;
  unreported_.push_back({ReportItem::Kind::kSnapshotBegin, {}});
}

}  // namespace cairn
