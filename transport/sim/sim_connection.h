// One reliable connection between two workers, with its faults. Internal to transport/sim.
//
// Each direction is two ordered streams, messages and announcements of bulks, and the bulks that
// the receiver accepted. A bulk's bytes are copied piece by piece, each at its own simulated time,
// from the sender's memory into the receiver's: whoever changes the one or reuses the other too
// early sees it in the bytes.
#ifndef CAIRN_TRANSPORT_SIM_SIM_CONNECTION_H_
#define CAIRN_TRANSPORT_SIM_SIM_CONNECTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/types/span.h>

#include "transport/sim/sim_fabric.h"
#include "transport/transport.h"

namespace cairn {

class SimWorker;

// 0: the one that called Connect. 1: the one that listened.
using SimSide = size_t;
constexpr SimSide OtherSide(SimSide side) { return 1 - side; }

inline constexpr size_t kSimControlFrameBytes = 64;  // of handshakes, acknowledgements, resets

// A callback that Close() still owes: OnBulkReceived or OnBulkSent with kCancelled.
struct SimCancelled {
  bool received = false;
  uint64_t tag = 0;
};

class SimConnection {
 public:
  SimConnection(SimFabric& fabric, uint64_t id, SimHostId initiator, SimWorker& worker,
                uint64_t endpoint, SimHostId target, const std::string& address);
  SimConnection(const SimConnection&) = delete;
  SimConnection& operator=(const SimConnection&) = delete;

  uint64_t id() const { return id_; }
  bool IsOpen(SimSide side) const { return ends_[side].stage == Stage::kOpen; }

  absl::Status SendMessage(SimSide side, absl::Span<const std::byte> message);
  absl::Status SendBulks(SimSide side, absl::Span<const Bulk> bulks);
  // The handler has seen one message that arrived at `side`.
  void MessageConsumed(SimSide side);
  // The header and length of an announced bulk; null when its sender is gone.
  const std::string* ArrivedHeader(uint64_t transfer, uint64_t* bulk_bytes) const;
  // The handler's decision about it.
  void AnswerBulk(SimSide side, uint64_t transfer, const Landing& landing);
  // The handler is about to hear of success: the lane lets the destination, the source go.
  void FinishReceive(uint64_t transfer);
  void FinishSend(uint64_t transfer);

  // Nothing new is accepted; bytes may go on landing. The worker's closed event follows by itself.
  void BeginClose(SimSide side);
  // No byte of this side's memory is touched any more. Returns the callbacks that are still owed.
  std::vector<SimCancelled> EndClose(SimSide side);
  // The process of `host` died. silent: the peer is not told, and finds out when it sends.
  void DropEndsOf(SimHostId host, bool silent);

 private:
  enum class Stage { kAbsent, kOpen, kFailed, kClosing, kGone };
  struct End {
    SimHostId host{};
    SimWorker* worker = nullptr;
    uint64_t endpoint = 0;
    Stage stage = Stage::kAbsent;
  };
  struct Frame {
    std::string bytes;      // of a message
    uint64_t transfer = 0;  // of an announcement
    Instant arrives_at{};
  };
  // What a sender has not got through: since when, and how long until the next attempt.
  struct Stall {
    Instant since = kNever;
    absl::Duration retry{};
  };
  struct Stream {
    std::deque<Frame> frames;
    Stall stall;
    bool pumping = false;  // an event is scheduled
  };
  enum StreamKind : size_t { kMessages, kAnnouncements };
  struct Direction {
    std::array<Stream, 2> streams;
    size_t messages_in_flight = 0;  // sent and not yet seen by the peer's handler
    size_t bulks_in_flight = 0;
  };
  struct Transfer {
    SimSide from = 0;
    std::string header;
    const std::byte* source = nullptr;
    std::string copy;  // of a duplicate: it outlives the sender's claim to the source
    uint64_t bytes = 0;
    uint64_t source_fingerprint = 0;
    RegionSlice source_slice;
    RegionSlice destination;
    uint64_t sender_tag = 0;
    uint64_t receiver_tag = 0;
    uint64_t piece_bytes = 0;
    uint64_t landed_bytes = 0;
    bool backwards = false;  // the last piece lands first
    bool holds_source = false;
    bool holds_destination = false;
    bool send_reported = false;
    bool receive_reported = false;
    Stall stall;
  };

  void AttemptConnect(Instant deadline, Stall stall);
  // False: nobody listens, or the listener is full.
  bool Accept();
  // Schedules the stream's next step, unless one is scheduled.
  void Pump(SimSide from, StreamKind kind, Instant at);
  void Step(SimSide from, StreamKind kind);
  void Deliver(SimSide from, StreamKind kind, const Frame& frame);
  void DeliverMessage(SimSide from, const Frame& frame);
  void DeliverAnnouncement(SimSide from, uint64_t transfer);
  void Announce(SimSide to, uint64_t transfer);
  std::string Damage(SimSide from, std::string bytes);
  void Append(SimSide from, StreamKind kind, Frame frame, size_t bytes);
  uint64_t AddTransfer(SimSide from, const Bulk& bulk);
  uint64_t AddDuplicate(const Transfer& original);

  // Returns when to try again; fails the sending end once the stall is too long.
  Instant Stalled(SimSide from, Stall& stall);
  void ContinueTransfer(uint64_t id);
  void LandPiece(Transfer& transfer);
  void AcknowledgeSend(uint64_t id, Stall stall);
  void CompleteSend(uint64_t id, Stall stall);
  void ReportFailure(SimSide side, uint64_t id, Transfer& transfer);
  void Scribble(Transfer& transfer);
  void ReleaseSource(Transfer& transfer);
  void ReleaseDestination(Transfer& transfer);
  void ForgetIfFinished(uint64_t id);
  std::vector<SimCancelled> ReleaseTransfers(SimSide side);

  void FailEnd(SimSide side, absl::Status why);
  void SendReset(SimSide from);
  void MarkGone(SimSide side);
  SimLink& link(SimSide from) {
    return fabric_.link(ends_[from].host, ends_[OtherSide(from)].host);
  }
  bool Arrives(SimSide from) {
    return fabric_.Arrives(ends_[from].host, ends_[OtherSide(from)].host);
  }
  Instant ArrivalTime(SimSide from, size_t bytes) {
    return fabric_.ArrivalTime(ends_[from].host, ends_[OtherSide(from)].host, bytes);
  }
  // Calls a method of this connection later, if it still exists.
  template <typename Call>
  void Later(Instant at, Call call) {
    scheduler_.At(at, [&fabric = fabric_, id = id_, call = std::move(call)]() mutable {
      if (SimConnection* connection = fabric.FindConnection(id)) call(*connection);
    });
  }

  SimFabric& fabric_;
  SimScheduler& scheduler_;
  const uint64_t id_;
  const std::string address_;
  std::array<End, 2> ends_;
  std::array<Direction, 2> directions_;
  std::map<uint64_t, Transfer> transfers_;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_CONNECTION_H_
