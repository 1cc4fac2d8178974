#include "client/client_impl.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "cairn/v1/namespace.pb.h"
#include "client/extents.h"
#include "proto/urgency.h"

namespace cairn {
namespace {

absl::StatusCode CodeFor(wire::MissReason reason) {
  switch (reason) {
    case wire::MissReason::kNone:
      return absl::StatusCode::kOk;
    case wire::MissReason::kChecksum:
      return absl::StatusCode::kDataLoss;
    case wire::MissReason::kDeadline:
      return absl::StatusCode::kDeadlineExceeded;
    case wire::MissReason::kOverload:
    case wire::MissReason::kCapacity:
      return absl::StatusCode::kResourceExhausted;
    case wire::MissReason::kNodeDown:
    case wire::MissReason::kNoCoordinator:
    case wire::MissReason::kNoNode:
    case wire::MissReason::kDraining:
    case wire::MissReason::kCircuitOpen:
      return absl::StatusCode::kUnavailable;
    case wire::MissReason::kIncarnation:
    case wire::MissReason::kVersion:
    case wire::MissReason::kConflict:
    case wire::MissReason::kParentAbsent:
      return absl::StatusCode::kFailedPrecondition;
    case wire::MissReason::kSession:
      return absl::StatusCode::kUnauthenticated;
    case wire::MissReason::kCanceled:
      return absl::StatusCode::kCancelled;
    default:
      return absl::StatusCode::kNotFound;
  }
}

}  // namespace

ClientImpl::ClientImpl(const ClientOptions& options, Runtime& runtime)
    : options_(options),
      clock_(runtime.clock),
      random_(runtime.random),
      network_(runtime.network),
      now_(runtime.clock.Now()),
      locations_(options.location_cache_entries),
      operations_(options.operations_max) {
  random_.Fill(absl::MakeSpan(client_.bytes));
  free_operations_.reserve(options.operations_max);
  for (uint32_t i = options.operations_max; i > 0; --i) free_operations_.push_back(i - 1);
}

absl::Status ClientImpl::Build(const v1::Namespace& ns) {
  CAIRN_ASSIGN_OR_RETURN(ns_, MakeNamespaceId(ns));
  key_maker_ = std::make_unique<BlockKeyMaker>(options_.secret, ns_);
  CAIRN_ASSIGN_OR_RETURN(worker_, network_.CreateWorker());
  bounce_ = std::make_unique<BouncePool>(*worker_, kBouncePoolBytes);
  std::vector<std::unique_ptr<ControlChannel>> channels;
  std::vector<int> descriptors{worker_->event_fd()};
  for (const std::string& address : options_.coordinators) {
    CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<ControlChannel> channel,
                           network_.OpenControlChannel(address));
    if (channel->event_fd() >= 0) descriptors.push_back(channel->event_fd());
    channels.push_back(std::move(channel));
  }
  if (worker_->event_fd() >= 0) {
    CAIRN_ASSIGN_OR_RETURN(sleeper_, Sleeper::Create(descriptors));
  }
  session_ =
      std::make_unique<CoordinatorSession>(options_, ns, client_, std::move(channels), clock_);
  return absl::OkStatus();
}

ClientImpl::~ClientImpl() {
  if (worker_ == nullptr) return;
  if (figures_.ended() != ended_told_ && session_->open())
    Report();  // lost if nobody takes it at once
  // The worker's end closes every endpoint and waits: afterwards nothing touches any memory.
  for (LinkIndex i = 0; i < links_.size(); ++i) CloseLink(i, wire::MissReason::kCanceled);
  while (!link_of_endpoint_.empty()) worker_->Poll(*this);
  session_.reset();
  for (ClientRegion* region : regions_) region->Invalidate();
}

absl::StatusOr<std::unique_ptr<MemoryRegion>> ClientImpl::RegisterPieces(
    absl::Span<const absl::Span<std::byte>> pieces) {
  CAIRN_RETURN_IF_ERROR(CheckPieces(pieces));
  std::vector<std::unique_ptr<Region>> regions(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    CAIRN_ASSIGN_OR_RETURN(regions[i], worker_->Register(pieces[i]));
  }
  auto registered = std::make_unique<ClientRegion>(*this, std::move(regions));
  regions_.insert(registered.get());
  return registered;
}

void ClientImpl::Forget(ClientRegion& region) {
  now_ = clock_.Now();
  const auto named = [&region](const Operation& operation) {
    return operation.stage != Stage::kFree && operation.region == &region;
  };
  std::vector<uint32_t> ending;
  for (uint32_t i = 0; i < operations_.size(); ++i) {
    if (named(operations_[i])) ending.push_back(i);
  }
  End(ending, wire::MissReason::kCanceled);
  while (std::any_of(operations_.begin(), operations_.end(), named)) worker_->Poll(*this);
  regions_.erase(&region);
}

// After a pause in polling what happened meanwhile is heard first: a fetch into a connection that
// its node has given up would be lost.
void ClientImpl::BeginCall() {
  const bool paused = clock_.Now() - now_ > options_.heartbeat_interval;
  now_ = clock_.Now();
  if (!paused) return;
  while (worker_->Poll(*this) > 0) now_ = clock_.Now();
}

absl::Status ClientImpl::CheckBatch(absl::Span<const Transfer> batch) const {
  if (batch.empty()) return absl::InvalidArgumentError("batch: empty; give at least one transfer");
  if (batch.size() > free_operations_.size()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("batch: ", batch.size(), " transfers, room for ", free_operations_.size(),
                     "; Poll and retry, or raise operations_max"));
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].region == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("batch[", i, "].region: null"));
    }
    const auto length = RegionOf(*batch[i].region).Check(batch[i].extents);
    if (!length.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("batch[", i, "].", length.status().message()));
    }
  }
  return absl::OkStatus();
}

uint32_t ClientImpl::TakeBatch(uint64_t lease, Instant deadline) {
  if (free_batches_.empty()) {
    free_batches_.push_back(static_cast<uint32_t>(batches_.size()));
    batches_.push_back(std::make_unique<Batch>());
  }
  const uint32_t index = free_batches_.back();
  free_batches_.pop_back();
  active_batches_.push_back(index);
  Batch& batch = *batches_[index];
  batch.operations.clear();
  batch.remaining = 0;
  batch.lease = lease;
  batch.deadline = deadline;
  batch.late_after = LateAfter(deadline);
  batch.expired = false;
  return index;
}

uint32_t ClientImpl::TakeOperation(Kind kind, const Transfer& transfer, uint32_t batch) {
  const uint32_t index = free_operations_.back();
  free_operations_.pop_back();
  Operation& operation = operations_[index];
  std::vector<Extents> extents = std::move(operation.extents);
  extents.assign(transfer.extents.begin(), transfer.extents.end());
  RegionOf(*transfer.region).Rebase(absl::MakeSpan(extents));
  operation = Operation{};
  operation.extents = std::move(extents);
  operation.kind = kind;
  operation.stage = Stage::kLocating;
  operation.batch = batch;
  operation.tag = transfer.tag;
  operation.serial = MakeSerial(index);
  operation.key = transfer.key;
  operation.parent = transfer.parent;
  operation.run_key = transfer.run_key;
  operation.position = transfer.position;
  operation.region = transfer.region;
  operation.begun = now_;
  operation.length = LengthOf(operation.extents);
  batches_[batch]->operations.push_back(index);
  ++batches_[batch]->remaining;
  return index;
}

void ClientImpl::Enqueue(uint32_t index, LinkIndex link) {
  Operation& operation = operations_[index];
  if (!Usable(*links_[link])) return Complete(index, wire::MissReason::kCircuitOpen);
  operation.link = link;
  operation.placed = now_;
  operation.stage = Stage::kQueued;
  Push(QueueOf(operation), index);
}

ClientImpl::Queue& ClientImpl::QueueOf(const Operation& operation) {
  Link& link = *links_[operation.link];
  return operation.kind == Kind::kGet ? link.gets : link.puts_queued;
}

void ClientImpl::Push(Queue& queue, uint32_t index) {
  operations_[index].queue_previous = queue.last;
  operations_[index].queue_next = kNone;
  (queue.last == kNone ? queue.first : operations_[queue.last].queue_next) = index;
  queue.last = index;
}

void ClientImpl::Unlink(Queue& queue, uint32_t index) {
  const Operation& operation = operations_[index];
  const uint32_t previous = operation.queue_previous;
  const uint32_t next = operation.queue_next;
  (previous == kNone ? queue.first : operations_[previous].queue_next) = next;
  (next == kNone ? queue.last : operations_[next].queue_previous) = previous;
}

// False: no room in the pool now.
bool ClientImpl::EnsureBounce(Operation& operation) {
  if (operation.bounce_offset != UINT64_MAX) return true;
  const std::optional<uint64_t> offset = bounce_->Allocate(operation.length);
  if (offset.has_value()) operation.bounce_offset = *offset;
  return offset.has_value();
}

// The one place where an operation ends.
void ClientImpl::Complete(uint32_t index, wire::MissReason reason) {
  Operation& operation = operations_[index];
  CAIRN_CHECK(operation.stage != Stage::kFree && operation.transfers_in_flight == 0);
  if (operation.stage == Stage::kQueued) Unlink(QueueOf(operation), index);
  if (operation.stage == Stage::kSent) {
    inflight_bytes_ -= operation.length;
    if (operation.kind == Kind::kGet) {
      LeaveRequest(index);
    } else {
      --links_[operation.link]->puts;
    }
  }
  if (operation.bounce_offset != UINT64_MAX) {
    bounce_->Free(operation.bounce_offset, operation.length);
  }
  if (operation.region == nullptr) staged_bytes_ -= operation.length;
  Completion completion;
  completion.tag = operation.tag;
  completion.code = CodeFor(reason);
  completion.reason = reason;
  if (reason != wire::MissReason::kNone) {
    ++statistics_.misses_by_reason[static_cast<size_t>(reason)];
  }
  if (options_.telemetry) Count(operation, reason);
  const bool ends_batch = --batches_[operation.batch]->remaining == 0;
  operation.stage = Stage::kFree;
  free_operations_.push_back(index);
  AddCompletion(completion, ends_batch);
}

// What was submitted after its deadline has the time that a fence may take.
Instant ClientImpl::LateAfter(Instant deadline) const {
  return std::max(deadline, now_) + options_.fence_margin;
}

void ClientImpl::Count(const Operation& operation, wire::MissReason reason) {
  const Batch& batch = *batches_[operation.batch];
  figures_.CountEnd(now_ > batch.late_after);
  if (operation.kind == Kind::kGet) figures_.CountGet(batch.lease != 0, reason);
}

void ClientImpl::ReportIfDue() {
  const bool news = figures_.ended() != ended_told_;
  if (news && now_ >= session_->next_report() && session_->open()) Report();
}

void ClientImpl::Report() {
  v1::ReportClientRequest report;
  report.set_namespace_id(ns_.bytes.data(), ns_.bytes.size());
  figures_.Fill(worker_->transport(), UrgencyOf(options_.urgency), report);
  ended_told_ = figures_.ended();
  session_->Report(std::move(report));
}

void ClientImpl::AddCompletion(const Completion& completion, bool ends) {
  // The vector begins anew when all are taken, and moves up when most are.
  if (completions_taken_ > 0 && completions_taken_ * 2 >= completions_.size()) {
    completions_.erase(completions_.begin(),
                       completions_.begin() + static_cast<ptrdiff_t>(completions_taken_));
    ended_before_ -= std::min(ended_before_, completions_taken_);
    completions_taken_ = 0;
  }
  completions_.push_back(completion);
  if (ends) ended_before_ = completions_.size();
}

void ClientImpl::ExpireBatches() {
  for (size_t i = 0; i < active_batches_.size();) {
    Batch& batch = *batches_[active_batches_[i]];
#ifdef CAIRN_SABOTAGE_DEADLINE
    const bool due = false;
#else
    const bool due = now_ >= batch.deadline - options_.fence_margin;
#endif
    if (batch.remaining > 0 && due && !batch.expired) {
      batch.expired = true;
      std::vector<uint32_t> ending;
      for (const uint32_t operation : batch.operations) {
        if (operations_[operation].stage != Stage::kFree &&
            operations_[operation].batch == active_batches_[i]) {
          ending.push_back(operation);
        }
      }
      End(ending, wire::MissReason::kDeadline);
    }
    if (batch.remaining == 0) {
      free_batches_.push_back(active_batches_[i]);
      active_batches_[i] = active_batches_.back();
      active_batches_.pop_back();
    } else {
      ++i;
    }
  }
}

// What no lane holds ends at once, and what comes later of it is refused. Otherwise the link is
// torn down and the operation ends with OnClosed (P6). All are told why before a link goes, which
// would end them for its own reason.
void ClientImpl::End(absl::Span<const uint32_t> operations, wire::MissReason reason) {
  std::vector<LinkIndex> fenced;
  for (const uint32_t index : operations) {
    Operation& operation = operations_[index];
    const auto ended = [&operation] { return operation.stage == Stage::kFree || operation.ending; };
    if (ended()) continue;
    if (operation.stage == Stage::kSent && operation.kind == Kind::kGet) CancelRequest(operation);
    // A link that breaks on the way has ended what it carried.
    if (ended()) continue;
    if (operation.transfers_in_flight == 0) {
      Complete(index, reason);
      continue;
    }
    operation.reason = reason;
    operation.ending = true;
    fenced.push_back(operation.link);
  }
  for (const LinkIndex link : fenced) {
    if (links_[link]->state == LinkState::kClosing) continue;
    ++statistics_.fences;
    CloseLink(link, wire::MissReason::kNodeDown);
  }
}

uint64_t ClientImpl::BudgetUntil(Instant deadline) const {
  const int64_t left_us = absl::ToInt64Microseconds(deadline - options_.fence_margin - now_);
  return std::min(static_cast<uint64_t>(std::max<int64_t>(left_us, 0)), wire::kBudgetMax_us);
}

size_t ClientImpl::Poll(absl::Span<Completion> out) {
  now_ = clock_.Now();
  session_->Poll();
  worker_->Poll(*this);
  AskPending();
  BeginMatches();
  TendLinks();
  ExpireBatches();
  ExpireMatches();
  ExpireLeases();
  ReportIfDue();
  size_t count = 0;
  while (count < out.size() && completions_taken_ < completions_.size()) {
    out[count++] = completions_[completions_taken_++];
  }
  return count;
}

Instant ClientImpl::NextEvent() const {
  Instant next = session_->next_event();
  if (figures_.ended() != ended_told_ && session_->open()) {
    next = std::min(next, session_->next_report());
  }
  for (const uint32_t batch : active_batches_) {
    if (batches_[batch]->expired) continue;
    next = std::min(next, batches_[batch]->deadline - options_.fence_margin);
  }
  for (const auto& [id, match] : matches_) {
    next = std::min(next, match.deadline - options_.fence_margin);
  }
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->state == LinkState::kOpening) next = std::min(next, link->opening_until);
    if (link->state == LinkState::kOpen) next = std::min(next, link->next_ping);
    const bool wants =
        link->gets.first != kNone || link->puts_queued.first != kNone || !link->queued_pins.empty();
    if (link->state == LinkState::kIdle && wants) next = std::min(next, link->retry_at);
  }
  return next;
}

bool ClientImpl::PrepareToSleep() {
  if (sleeper_ == nullptr || completions_taken_ < completions_.size() || !worker_->Arm()) {
    return false;
  }
  // UCX loses wake-ups without a look after arming.
  now_ = clock_.Now();
  if (worker_->Poll(*this) > 0 || completions_taken_ < completions_.size()) return false;
  sleeper_->WakeAt(NextEvent());
  return true;
}

absl::StatusOr<std::unique_ptr<Client>> Client::Start(const ClientOptions& options,
                                                      const v1::Namespace& ns, Runtime& runtime) {
  CAIRN_RETURN_IF_ERROR(options.Validate());
  auto client = std::make_unique<ClientImpl>(options, runtime);
  CAIRN_RETURN_IF_ERROR(client->Build(ns));
  return client;
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options,
                                                        const v1::Namespace& ns, Runtime& runtime) {
  CAIRN_RETURN_IF_ERROR(options.Validate());
  auto client = std::make_unique<ClientImpl>(options, runtime);
  CAIRN_RETURN_IF_ERROR(client->Build(ns));
  const Instant deadline = runtime.clock.Now() + options.connect_timeout;
  while (!client->ready()) {
    client->Poll({});
    if (!client->session().refusal().ok()) return client->session().refusal();
    if (runtime.clock.Now() > deadline) {
      return absl::UnavailableError(absl::StrCat("no coordinator opened a session within ",
                                                 absl::FormatDuration(options.connect_timeout),
                                                 ": ", client->session().Errors()));
    }
    if (client->PrepareToSleep()) {
      pollfd waiting{client->event_fd(), POLLIN, 0};
      poll(&waiting, 1, 20);
    }
  }
  return client;
}

}  // namespace cairn
