// The interface of every lane: endpoints, registered memory, eager messages and bulk transfers.
//
// A Worker belongs to one thread (a reactor or a client) and is polled; nothing happens outside
// Poll() and the calls below. The receiver of a bulk decides, when it arrives, where the bytes
// land: no address of ours ever crosses the wire, and a bulk that matches nothing is refused. Who
// may touch which bytes from when until when: OWNERSHIP.md.
//
// Implementations check arguments once, here, and do the work in Do...(): the same checks for all.
#ifndef CAIRN_TRANSPORT_TRANSPORT_H_
#define CAIRN_TRANSPORT_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

namespace cairn {

inline constexpr size_t kTransportMessageBytesMax = 8192;  // one eager segment of every lane
inline constexpr size_t kTransportHeaderBytesMax =
    128;  // of a bulk; fits every lane's inline header
inline constexpr size_t kTransportBulkBytesMax = 64u << 20;
inline constexpr size_t kEndpointsMax = 4096;  // per worker; a full one refuses connections
inline constexpr size_t kBulksInFlightMax =
    1024;  // per endpoint and direction; then kResourceExhausted
inline constexpr size_t kMessagesInFlightMax =
    4096;  // per endpoint, sent and not yet accepted by the lane

// Names one endpoint of one worker; never reused within the worker's life.
enum class EndpointId : uint64_t { kNone = 0 };

// Registered memory. Made by Worker::Register, dies before the worker. Move-only through
// unique_ptr. Deregistering while an endpoint may still touch it is a bug of the caller (CHECK
// where the lane can tell).
class Region {
 public:
  virtual ~Region() = default;
  std::byte* base() const { return base_; }
  size_t size_bytes() const { return size_bytes_; }

 protected:
  Region(std::byte* base, size_t size_bytes) : base_(base), size_bytes_(size_bytes) {}

 private:
  std::byte* base_;
  size_t size_bytes_;
};

// A piece of registered memory.
struct RegionSlice {
  const Region* region = nullptr;
  uint64_t offset_bytes = 0;
  uint64_t size_bytes = 0;
};

// A bulk to send. The bytes and the region stay as they are until OnBulkSent with this tag; the
// header is copied by the call.
struct Bulk {
  absl::Span<const std::byte> header;  // 1 to kTransportHeaderBytesMax
  RegionSlice source;                  // 1 to kTransportBulkBytesMax
  uint64_t tag = 0;                    // the sender's own
};

// The receiver's answer to an arriving bulk.
struct Landing {
  bool accepted = false;
  RegionSlice destination;  // size_bytes equals the bulk's
  uint64_t tag = 0;         // the receiver's own

  static Landing Refuse() { return {}; }
};

// What happens on a worker's endpoints. Called only from within Worker::Poll(), on its thread. The
// handler may call every method of the worker but Poll() and the destructor.
class Handler {
 public:
  virtual ~Handler() = default;
  // A peer connected to our listener. peer: for logs.
  virtual void OnAccepted(EndpointId endpoint, const std::string& peer) = 0;
  // One message, valid during the call.
  virtual void OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) = 0;
  // A bulk of bulk_bytes is announced; header valid during the call. An accepted destination is
  // the lane's until OnBulkReceived with its tag or OnClosed of the endpoint, whichever is first.
  virtual Landing OnBulkArrival(EndpointId endpoint, absl::Span<const std::byte> header,
                                uint64_t bulk_bytes) = 0;
  // The destination is ours again unless the code is not kOk: then bytes may still land until
  // OnClosed, and the endpoint is failing (OnFailed follows or came).
  virtual void OnBulkReceived(EndpointId endpoint, uint64_t tag, absl::StatusCode code) = 0;
  // kOk: the source may change. Otherwise only after OnClosed. Also ends a bulk the peer refused
  // (kOk: the lane does not tell the sender).
  virtual void OnBulkSent(EndpointId endpoint, uint64_t tag, absl::StatusCode code) = 0;
  // The endpoint is broken (peer died, link lost). Once per endpoint. Nothing new is accepted; call
  // Close() to get the buffers back.
  virtual void OnFailed(EndpointId endpoint, const absl::Status& why) = 0;
  // Close() is complete: every OnBulkReceived and OnBulkSent of this endpoint has been called (with
  // kCancelled where it had not ended), and no lane touches any of its buffers any more (P6).
  virtual void OnClosed(EndpointId endpoint) = 0;
};

// One thread's door to the network. Construct by Network::CreateWorker. Not thread-safe, except
// Wake(). The destructor closes all endpoints and returns when no lane touches any buffer.
class Worker {
 public:
  virtual ~Worker() = default;

  // Starts to accept connections at "ip:port"; port 0 takes a free one. Returns the real address.
  // kInvalidArgument: not an address. kResourceExhausted, kAlreadyExists (port in use): the message
  // names the remedy.
  virtual absl::StatusOr<std::string> Listen(const std::string& address) = 0;
  // Begins to connect; messages may be sent at once and are delivered when the peer accepts, else
  // OnFailed. kInvalidArgument: not an address. kResourceExhausted: kEndpointsMax.
  virtual absl::StatusOr<EndpointId> Connect(const std::string& address) = 0;

  // Registers memory that the caller owns and keeps mapped longer than the region. Milliseconds per
  // GiB; never on the hot path. kResourceExhausted: memlock; the message names the limit and
  // remedy.
  virtual absl::StatusOr<std::unique_ptr<Region>> Register(absl::Span<std::byte> memory) = 0;

  // Copies the message (1 to kTransportMessageBytesMax) and sends it in order with other messages
  // of this endpoint. kResourceExhausted: kMessagesInFlightMax reached, Poll and retry.
  // kUnavailable: the endpoint is failed, closing or unknown.
  absl::Status SendMessage(EndpointId endpoint, absl::Span<const std::byte> message);
  // Starts the bulks in order, all or none. Not OK: nothing was started. kResourceExhausted:
  // kBulksInFlightMax. kUnavailable: failed, closing, unknown. Not ordered against messages.
  absl::Status SendBulks(EndpointId endpoint, absl::Span<const Bulk> bulks);
  // Forced: does not wait for the peer. OnClosed follows from a later Poll, in bounded time.
  // Closing twice or closing an unknown endpoint does nothing.
  virtual void Close(EndpointId endpoint) = 0;

  // Progresses the network and calls `handler`. Returns the number of events handled; 0: idle.
  virtual size_t Poll(Handler& handler) = 0;
  // Readable when Poll has work, after Arm() returned true and one more Poll found nothing:
  // UCX 1.13 loses wake-ups without that Poll (docs/transports.md). -1 in the simulation.
  virtual int event_fd() const = 0;
  // Prepares event_fd for poll(2)/epoll. false: work is pending, call Poll first.
  virtual bool Arm() = 0;
  // Makes event_fd readable. Thread-safe.
  virtual void Wake() = 0;
  // What the lane really uses, for logs and doctor, e.g. "ucx tcp (lo)".
  virtual std::string Describe() const = 0;
  // Its kind, for figures: "tcp", "rdma" (which may fall back to TCP), "sim".
  virtual std::string_view transport() const = 0;

 private:
  virtual absl::Status DoSendMessage(EndpointId endpoint, absl::Span<const std::byte> message) = 0;
  virtual absl::Status DoSendBulks(EndpointId endpoint, absl::Span<const Bulk> bulks) = 0;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_TRANSPORT_H_
