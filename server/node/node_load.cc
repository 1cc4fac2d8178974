// Blocks that are only on NVMe: sends wait for them, loads are started once.
#include "base/check.h"
#include "server/node/reactor.h"

namespace cairn {
namespace {

wire::MissReason Translate(LoadEnd end) {
  switch (end) {
    case LoadEnd::kLoaded:
      return wire::MissReason::kNone;
    case LoadEnd::kChecksum:
      return wire::MissReason::kChecksum;
    case LoadEnd::kDrive:
      return wire::MissReason::kDrive;
    case LoadEnd::kGone:
      return wire::MissReason::kAbsent;
  }
  return wire::MissReason::kDrive;
}

}  // namespace

wire::MissReason Reactor::StartLoad(BlockRef block, Instant deadline) {
  switch (flash_->Load(block, deadline)) {
    case LoadStart::kStarted:
      return wire::MissReason::kNone;
    case LoadStart::kCapacity:
    case LoadStart::kOverload:
      return wire::MissReason::kOverload;
    case LoadStart::kDrive:
      return wire::MissReason::kDrive;
    case LoadStart::kDeadline:
      return wire::MissReason::kDeadline;
  }
  return wire::MissReason::kOverload;
}

void Reactor::Await(uint32_t send_index) {
  Send& send = sends_[send_index];
  send.waiting = true;
  ++send.session->waiting_sends;
  const auto [first, alone] = awaited_.try_emplace(send.block, send_index);
  if (alone) return;
  send.next_waiting = first->second;
  first->second = send_index;
}

// Its block is not wanted any more by this send; the load goes on.
void Reactor::StopAwaiting(uint32_t send_index) {
  Send& send = sends_[send_index];
  CAIRN_CHECK(send.waiting);
  const auto first = awaited_.find(send.block);
  uint32_t* link = &first->second;
  while (*link != send_index) link = &sends_[*link].next_waiting;
  *link = send.next_waiting;
  if (first->second == kNoSend) awaited_.erase(first);
  send.waiting = false;
  send.stopped = true;
  --send.session->waiting_sends;
  FreeSendIfDone(send_index);
}

void Reactor::OnLoaded(BlockRef block, LoadEnd end) {
  const auto first = awaited_.find(block);
  if (first == awaited_.end()) return;
  uint32_t send_index = first->second;
  awaited_.erase(first);
  while (send_index != kNoSend) {
    Send& send = sends_[send_index];
    const uint32_t next = std::exchange(send.next_waiting, kNoSend);
    send.waiting = false;
    --send.session->waiting_sends;
    if (end == LoadEnd::kLoaded) {
      send.info = shard_->Info(block);
      Enqueue(send_index);
    } else {
      ReplyFailure(*send.session, send.request, send.block_index, Translate(end));
      send.stopped = true;
      FreeSendIfDone(send_index);
    }
    send_index = next;
  }
}

// Once: what the superblocks say, or that one of them forbids to serve.
void Reactor::TellDrives() {
  const bool refused = !flash_->failure().ok();
  if (drives_told_ || (!refused && !flash_->opened())) return;
  drives_told_ = true;
  channel_.SetDriveFailure(flash_->failure());
  unreported_.push_back({ReportItem::Kind::kDrives, {}, flash_->cluster()});
}

}  // namespace cairn
