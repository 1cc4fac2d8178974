// Blocks from nodes: ask in groups, land where the caller wants them, verify, complete.
#include <algorithm>

#include "base/check.h"
#include "client/client_impl.h"
#include "client/extents.h"
#include "proto/checksum.h"

namespace cairn {
namespace {

// A receive's tag names its operation and how many bytes it brings.
uint64_t ReceiveTag(uint32_t operation, uint32_t bytes) {
  return uint64_t{operation} << 32 | bytes;
}

}  // namespace

absl::Status ClientImpl::Get(absl::Span<const Transfer> batch, LeaseId lease, Instant deadline) {
  if (absl::Status status = CheckBatch(batch); !status.ok()) return status;
  BeginCall();
  const uint32_t batch_index = TakeBatch(static_cast<uint64_t>(lease), deadline);
  unplaced_.clear();
  for (const Transfer& transfer : batch) {
    const uint32_t index = TakeOperation(Kind::kGet, transfer, batch_index);
    ++statistics_.gets;
    if (const std::optional<LinkIndex> link = locations_.Find(transfer.key)) {
      Enqueue(index, *link);
    } else {
      unplaced_.push_back(index);
    }
  }
  if (!unplaced_.empty()) LocateGets(batch_index, unplaced_);
  for (LinkIndex i = 0; i < links_.size(); ++i) Pump(i);
  return absl::OkStatus();
}

void ClientImpl::PumpGets(LinkIndex index) {
  while (SendFetch(index)) {
  }
}

// Asks for the leading queued blocks of one batch. False: nothing to ask for, or no allowance.
bool ClientImpl::SendFetch(LinkIndex index) {
  Link& link = *links_[index];
  if (link.gets.first == kNone || link.fetches >= link.fetches_max) return false;
  struct {
    wire::Fetch head;
    std::array<wire::FetchBlock, wire::kFetchBlocksMax> blocks;
  } message{};
  const Batch& batch = *batches_[operations_[link.gets.first].batch];
  fetching_.clear();
  uint64_t bytes = 0;
  for (uint32_t i = link.gets.first; i != kNone && fetching_.size() < wire::kFetchBlocksMax;) {
    Operation& operation = operations_[i];
    const bool full = inflight_bytes_ + bytes > 0 &&
                      inflight_bytes_ + bytes + operation.length > options_.inflight_bytes_max;
    if (batches_[operation.batch].get() != &batch || full || !PrepareLanding(operation, link))
      break;
    wire::FetchBlock& block = message.blocks[fetching_.size()];
    block.key = operation.key;
    block.length = operation.length;
    block.chunk_bytes = operation.chunk_bytes;
    bytes += operation.length;
    fetching_.push_back(i);
    i = operation.queue_next;
  }
  if (fetching_.empty()) return false;
  const size_t extra_bytes = fetching_.size() * sizeof(wire::FetchBlock);
  const uint32_t request = TakeRequest(index);
  wire::Seal(message.head, wire::MessageType::kFetch, extra_bytes);
  message.head.request = requests_[request]->id;
  message.head.incarnation = link.incarnation;
  message.head.lease = NodeLeaseAt(batch.lease, index);
  message.head.ns = ns_;
  message.head.budget_us = BudgetUntil(batch.deadline);
  message.head.urgency = static_cast<uint16_t>(options_.urgency);
  message.head.block_count = static_cast<uint32_t>(fetching_.size());
  const absl::Status status = worker_->SendMessage(
      link.control,
      {reinterpret_cast<const std::byte*>(&message), sizeof(wire::Fetch) + extra_bytes});
  if (!status.ok()) {
    requests_[request]->id = 0;
    free_requests_.push_back(request);
    return false;  // full: later; failed: OnFailed follows
  }
  MarkFetching(link, request);
  return true;
}

uint32_t ClientImpl::TakeRequest(LinkIndex link) {
  if (free_requests_.empty()) {
    free_requests_.push_back(static_cast<uint32_t>(requests_.size()));
    requests_.push_back(std::make_unique<Request>());
    requests_.back()->operations.reserve(wire::kFetchBlocksMax);
  }
  const uint32_t index = free_requests_.back();
  free_requests_.pop_back();
  Request& request = *requests_[index];
  request.id = MakeSerial(index);
  request.link = link;
  request.canceled = false;
  return index;
}

// What `fetching_` names is in the node's hands.
void ClientImpl::MarkFetching(Link& link, uint32_t request) {
  requests_[request]->operations.assign(fetching_.begin(), fetching_.end());
  requests_[request]->remaining = static_cast<uint32_t>(fetching_.size());
  ++link.fetches;
  for (size_t slot = 0; slot < fetching_.size(); ++slot) {
    Operation& operation = operations_[fetching_[slot]];
    Unlink(link.gets, fetching_[slot]);
    operation.stage = Stage::kSent;
    operation.request = request;
    operation.request_slot = static_cast<uint16_t>(slot);
    inflight_bytes_ += operation.length;
  }
}

// Decides how the block lands. False: no bounce buffer is free now.
bool ClientImpl::PrepareLanding(Operation& operation, const Link& link) {
  const Reach reach = ReachOf(operation.extents);
  operation.chunk_bytes = 0;
  if (reach == Reach::kWhole) return true;
  if (reach == Reach::kPieces && (link.features & wire::kFeatureChunkSize) != 0) {
    operation.chunk_bytes = operation.extents[0].size_bytes;
    return true;
  }
  return EnsureBounce(operation);
}

// nullopt: this chunk has no place in the block's extents.
std::optional<RegionSlice> ClientImpl::LandingOf(const Operation& operation, uint32_t offset,
                                                 uint32_t bytes) const {
  if (operation.bounce_offset != UINT64_MAX) {
    return RegionSlice{&bounce_->region(), operation.bounce_offset + offset, bytes};
  }
  const ClientRegion& region = RegionOf(*operation.region);
  const Extents& first = operation.extents[0];
  if (operation.chunk_bytes == 0) return region.SliceAt(first.base_bytes + offset, bytes);
  if (bytes != first.size_bytes || offset % first.size_bytes != 0) return std::nullopt;
  const uint64_t piece = offset / first.size_bytes;
  const Extents& list = operation.extents[piece / first.count];
  return region.SliceAt(list.base_bytes + piece % first.count * list.stride_bytes, bytes);
}

// Chunks of a block come in order; one that comes twice or out of order is refused, and its block
// then meets its deadline.
Landing ClientImpl::OnBulkArrival(EndpointId endpoint, absl::Span<const std::byte> header,
                                  uint64_t bulk_bytes) {
  const auto refuse = [this] {
    ++statistics_.late_arrivals_refused;
    return Landing::Refuse();
  };
  const LinkIndex index = LinkOf(endpoint);
  const auto data = wire::DecodeDataHeader(header, bulk_bytes);
  if (index == kNone || !data.ok() || links_[index]->state != LinkState::kOpen) return refuse();
  Link& link = *links_[index];
  link.pings_unanswered = 0;
  const uint32_t request_index = IndexOf((*data)->request);
  if (request_index >= requests_.size()) return refuse();
  const Request& request = *requests_[request_index];
  if (request.id != (*data)->request || request.link != index || link.bulk != endpoint ||
      (*data)->incarnation != link.incarnation ||
      (*data)->block_index >= request.operations.size()) {
    return refuse();
  }
  const uint32_t operation_index = request.operations[(*data)->block_index];
  if (operation_index == kNone) return refuse();
  Operation& operation = operations_[operation_index];
  const uint32_t offset = (*data)->offset;
  const bool first = operation.started_bytes == 0;
  if (operation.ending || (*data)->block_bytes != operation.length ||
      offset != operation.started_bytes || (!first && (*data)->checksum != operation.checksum)) {
    return refuse();
  }
  const auto bytes = static_cast<uint32_t>(bulk_bytes);
  const std::optional<RegionSlice> landing = LandingOf(operation, offset, bytes);
  if (!landing.has_value()) return refuse();
  operation.checksum = (*data)->checksum;
  operation.started_bytes += bytes;
  ++operation.transfers_in_flight;
  return {true, *landing, ReceiveTag(operation_index, bytes)};
}

void ClientImpl::OnBulkReceived(EndpointId, uint64_t tag, absl::StatusCode code) {
  const auto index = static_cast<uint32_t>(tag >> 32);
  Operation& operation = operations_[index];
  CAIRN_CHECK(operation.stage == Stage::kSent && operation.transfers_in_flight > 0);
  --operation.transfers_in_flight;
  if (code != absl::StatusCode::kOk) return EndWithLink(operation);
  operation.landed_bytes += static_cast<uint32_t>(tag);
  const bool whole = operation.landed_bytes == operation.length;
  if (whole && !operation.ending) FinishGet(index);
}

// A lane may still write until OnClosed.
void ClientImpl::EndWithLink(Operation& operation) {
  if (!operation.ending) operation.reason = wire::MissReason::kNodeDown;
  operation.ending = true;
  CloseLink(operation.link, wire::MissReason::kNodeDown);
}

// The block's bytes when they lie in one piece.
absl::Span<std::byte> ClientImpl::BytesOf(const Operation& operation) const {
  if (operation.bounce_offset != UINT64_MAX) {
    return {bounce_->region().base() + operation.bounce_offset, operation.length};
  }
  return {RegionOf(*operation.region).origin() + operation.extents[0].base_bytes, operation.length};
}

Checksum ClientImpl::LandedChecksum(const Operation& operation) const {
  if (operation.chunk_bytes == 0) return MakeChecksum(operation.key, ns_, BytesOf(operation));
  ChecksumStream stream(operation.key, ns_, operation.length);
  const std::byte* const origin = RegionOf(*operation.region).origin();
  for (const Extents& list : operation.extents) {
    for (uint32_t i = 0; i < list.count; ++i) {
      stream.Update({origin + list.base_bytes + i * list.stride_bytes, list.size_bytes});
    }
  }
  return stream.Finish();
}

void ClientImpl::FinishGet(uint32_t index) {
  Operation& operation = operations_[index];
  links_[operation.link]->failures = 0;
  const Instant landed = options_.telemetry ? clock_.Now() : now_;
#ifndef CAIRN_SABOTAGE_CHECKSUM
  if (LandedChecksum(operation) != operation.checksum) {
    ++statistics_.checksum_failures;
    locations_.Forget(operation.key);
    SendSuspect(operation);
    return Complete(index, wire::MissReason::kChecksum);
  }
#endif
  const Instant verified = clock_.Now();
  const bool bounced = operation.bounce_offset != UINT64_MAX;
  if (bounced) Scatter(BytesOf(operation), operation.extents, RegionOf(*operation.region).origin());
  const Instant done = bounced ? clock_.Now() : verified;
  ++statistics_.get_hits;
  statistics_.get_bytes += operation.length;
  get_latency_ns_.Record(static_cast<uint64_t>(done.ns - operation.begun.ns));
  if (options_.telemetry) {
    figures_.RecordGet(operation.length,
                       {operation.begun, operation.placed, landed, verified, done});
  }
  Complete(index, wire::MissReason::kNone);
}

void ClientImpl::TakeFetchReply(LinkIndex index, absl::Span<const std::byte> message) {
  const auto reply = wire::DecodeFetchReply(message);
  if (!reply.ok()) return FailLink(index, wire::MissReason::kVersion);
  const uint32_t request_index = IndexOf(reply->head->request);
  if (request_index >= requests_.size()) return;
  for (const wire::FetchFailure& failure : reply->items) {
    const Request& request = *requests_[request_index];  // free once its last block has ended
    if (request.id != reply->head->request || request.link != index) return;
    if (failure.block_index >= request.operations.size()) continue;
    const uint32_t operation_index = request.operations[failure.block_index];
    if (operation_index == kNone) continue;
    Operation& operation = operations_[operation_index];
    locations_.Forget(operation.key);
    const auto reason = static_cast<wire::MissReason>(uint16_t{failure.reason});
    if (operation.ending) continue;
    if (operation.transfers_in_flight == 0) {
      Complete(operation_index, reason);
    } else {
      // The node gave up half way, and chunks of it are still landing.
      operation.reason = reason;
      operation.ending = true;
      CloseLink(index, wire::MissReason::kNodeDown);
    }
  }
}

// Of an operation that ends: bulks for it are refused from now on.
void ClientImpl::LeaveRequest(uint32_t index) {
  const Operation& operation = operations_[index];
  Request& request = *requests_[operation.request];
  request.operations[operation.request_slot] = kNone;
  if (--request.remaining > 0) return;
  request.id = 0;
  --links_[request.link]->fetches;
  free_requests_.push_back(operation.request);
}

// The node need not begin what it has not begun. Once per request: its blocks have one deadline.
void ClientImpl::CancelRequest(const Operation& operation) {
  Request& request = *requests_[operation.request];
  const Link& link = *links_[request.link];
  if (request.canceled || link.state != LinkState::kOpen) return;
  request.canceled = true;
  wire::Cancel cancel{};
  wire::Seal(cancel, wire::MessageType::kCancel);
  cancel.request = request.id;
  (void)worker_->SendMessage(link.control, wire::AsBytes(cancel));
}

// A lost suspicion is told again by the next reader.
void ClientImpl::SendSuspect(const Operation& operation) {
  const Link& link = *links_[operation.link];
  if (link.state != LinkState::kOpen) return;
  wire::Suspect suspect{};
  wire::Seal(suspect, wire::MessageType::kSuspect);
  suspect.incarnation = link.incarnation;
  suspect.ns = ns_;
  suspect.key = operation.key;
  (void)worker_->SendMessage(link.control, wire::AsBytes(suspect));
}

uint64_t ClientImpl::NodeLeaseAt(uint64_t lease, LinkIndex link) const {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return 0;
  for (const NodeLease& part : found->second.parts) {
    if (part.link == link) return part.id;
  }
  return 0;
}

}  // namespace cairn
