// Blocks to nodes: checksum of the caller's bytes, one bulk per block, done when the lane has let
// go and the node has answered.
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "client/client_impl.h"
#include "client/extents.h"
#include "proto/checksum.h"

namespace cairn {
namespace {

absl::Status CheckChain(const Transfer& transfer) {
  if (transfer.position > kChainPositionMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("position: ", transfer.position, "; at most ", kChainPositionMax));
  }
  const bool has_parent = transfer.parent != BlockKey{};
  if (has_parent != (transfer.position > 0)) {
    return absl::InvalidArgumentError(
        "parent: the key of the block before it, zero at position 0 only");
  }
  if (RunStart(transfer.position) == transfer.position && transfer.run_key != transfer.key) {
    return absl::InvalidArgumentError("run_key: a run starts at this position; give its own key");
  }
  return absl::OkStatus();
}

uint16_t HintBits(const PutHints& hints) {
  uint32_t bits = 0;
  if (hints.will_return) bits |= wire::kHintWillReturn;
  if (hints.one_off) bits |= wire::kHintOneOff;
  if (hints.priority == PutPriority::kLow) bits |= wire::kHintLowPriority;
  if (hints.priority == PutPriority::kHigh) bits |= wire::kHintHighPriority;
  return static_cast<uint16_t>(bits);
}

}  // namespace

absl::Status ClientImpl::CheckPuts(absl::Span<const Transfer> batch) const {
  CAIRN_RETURN_IF_ERROR(CheckBatch(batch));
  for (size_t i = 0; i < batch.size(); ++i) {
    if (const absl::Status status = CheckChain(batch[i]); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("batch[", i, "].", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status ClientImpl::Put(absl::Span<const Transfer> batch, const PutHints& hints,
                             Instant deadline) {
  CAIRN_RETURN_IF_ERROR(CheckPuts(batch));
  SubmitPuts(batch, {}, hints, deadline);
  return absl::OkStatus();
}

// staged: where in the bounce pool each block's bytes are already, or empty.
void ClientImpl::SubmitPuts(absl::Span<const Transfer> batch, absl::Span<const uint64_t> staged,
                            const PutHints& hints, Instant deadline) {
  BeginCall();
  const uint32_t batch_index = TakeBatch(0, deadline);
  for (size_t i = 0; i < batch.size(); ++i) {
    const uint32_t index = TakeOperation(Kind::kPut, batch[i], batch_index);
    Operation& operation = operations_[index];
    ++statistics_.puts;
    operation.hints = HintBits(hints);
    if (!staged.empty()) {
      operation.bounce_offset = staged[i];
      operation.region = nullptr;
    }
    if (JoinPlacing(index)) continue;
    if (const std::optional<LinkIndex> link = locations_.Find(batch[i].run_key)) {
      Enqueue(index, *link);
    } else {
      AskForRun(index);
    }
  }
  for (LinkIndex i = 0; i < links_.size(); ++i) Pump(i);
}

void ClientImpl::PumpPuts(LinkIndex index) {
  Link& link = *links_[index];
  while (link.puts_queued.first != kNone && link.puts < link.puts_max) {
    const uint32_t operation = link.puts_queued.first;
    if (link.draining) {
      locations_.Forget(operations_[operation].run_key);
      Complete(operation, wire::MissReason::kDraining);
      continue;
    }
    if (!SendPut(index, operation)) return;
  }
}

// False: no room now, or the endpoint is failing.
bool ClientImpl::SendPut(LinkIndex index, uint32_t operation_index) {
  Link& link = *links_[index];
  Operation& operation = operations_[operation_index];
  if (inflight_bytes_ > 0 && inflight_bytes_ + operation.length > options_.inflight_bytes_max) {
    return false;
  }
  const bool in_place =
      operation.bounce_offset == UINT64_MAX && ReachOf(operation.extents) == Reach::kWhole;
  if (!in_place && operation.bounce_offset == UINT64_MAX) {
    if (!EnsureBounce(operation)) return false;
    Gather(operation.extents, RegionOf(*operation.region).origin(), BytesOf(operation));
  }
  wire::PutHeader header{};
  header.magic = wire::kPutMagic;
  header.version = wire::kWireVersion;
  header.hints = operation.hints;
  header.request = operation.serial;
  header.incarnation = link.incarnation;
  header.key = operation.key;
  header.parent = operation.parent;
  header.ns = ns_;
  header.checksum = MakeChecksum(operation.key, ns_, BytesOf(operation));
  header.position = operation.position;
  header.length = operation.length;
  header.budget_us = BudgetUntil(batches_[operation.batch]->deadline);
  Bulk bulk;
  bulk.header = wire::AsBytes(header);
  bulk.tag = operation_index;
  bulk.source =
      in_place
          ? RegionOf(*operation.region).SliceAt(operation.extents[0].base_bytes, operation.length)
          : RegionSlice{&bounce_->region(), operation.bounce_offset, operation.length};
  if (!worker_->SendBulks(link.bulk, {&bulk, 1}).ok()) return false;
  Unlink(link.puts_queued, operation_index);
  operation.stage = Stage::kSent;
  operation.transfers_in_flight = 1;
  inflight_bytes_ += operation.length;
  ++link.puts;
  return true;
}

void ClientImpl::OnBulkSent(EndpointId, uint64_t tag, absl::StatusCode code) {
  const auto index = static_cast<uint32_t>(tag);
  Operation& operation = operations_[index];
  CAIRN_CHECK(operation.stage == Stage::kSent && operation.transfers_in_flight == 1);
  operation.transfers_in_flight = 0;
  if (code != absl::StatusCode::kOk) return EndWithLink(operation);
  if (operation.replied && !operation.ending) FinishPut(index);
}

void ClientImpl::TakePutReply(LinkIndex index, absl::Span<const std::byte> message) {
  const auto reply = wire::DecodePutReply(message);
  if (!reply.ok()) return FailLink(index, wire::MissReason::kVersion);
  const uint32_t operation_index = IndexOf((*reply)->request);
  if (operation_index >= operations_.size()) return;
  Operation& operation = operations_[operation_index];
  if (operation.serial != (*reply)->request || operation.stage != Stage::kSent ||
      operation.link != index || operation.ending || operation.replied) {
    return;
  }
  operation.replied = true;
  operation.reason = static_cast<wire::MissReason>(uint16_t{(*reply)->status});
  if (operation.transfers_in_flight == 0) FinishPut(operation_index);
}

void ClientImpl::FinishPut(uint32_t index) {
  const Operation& operation = operations_[index];
  links_[operation.link]->failures = 0;
  if (operation.reason == wire::MissReason::kNone) {
    ++statistics_.put_stored;
    statistics_.put_bytes += operation.length;
    locations_.Learn(operation.key, operation.link);
  } else {
    locations_.Forget(operation.run_key);  // the next one asks where the run belongs
  }
  Complete(index, operation.reason);
}

}  // namespace cairn
