// A node that does to a client what no honest node does, when it is told to.
#ifndef CAIRN_TESTS_CLIENT_FAKE_NODE_H_
#define CAIRN_TESTS_CLIENT_FAKE_NODE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "proto/identity.h"
#include "proto/wire.h"
#include "transport/sim/sim_world.h"

namespace cairn::testing {

// What a client stores and reads under a key.
std::vector<std::byte> PayloadOf(const BlockKey& key, uint32_t length);

class FakeNode final : private Handler {
 public:
  struct FetchSeen {
    uint64_t request = 0;
    NamespaceId ns;
    uint64_t budget_us = 0;
    wire::Urgency urgency = wire::Urgency::kStandard;
    std::vector<wire::FetchBlock> blocks;
  };
  struct PutSeen {
    wire::PutHeader header;
    std::vector<std::byte> bytes;
  };

  FakeNode(SimHost& host, const std::string& address);
  ~FakeNode() override;
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;

  // How it behaves from now on.
  bool hangs_up = false;  // closes each connection as soon as it is there
  bool answers_hello = true;
  bool answers_pings = true;
  bool delivers = true;      // each fetched block, whole and right
  bool answers_puts = true;  // with put_status
  wire::MissReason hello_status = wire::MissReason::kNone;
  wire::MissReason put_status = wire::MissReason::kNone;
  uint64_t incarnation = 7;
  uint64_t features = wire::kFeaturesSupported;

  // What it saw.
  std::vector<Instant> connected;  // one per connection; a client opens two at a time
  std::vector<FetchSeen> fetches;
  std::vector<PutSeen> puts;        // landed
  std::vector<uint32_t> announced;  // positions of puts, in the order of their headers
  std::vector<uint64_t> canceled;   // requests
  std::vector<BlockKey> suspected;
  size_t pings = 0;
  size_t hellos = 0;

  // Words of its own.
  void HangUp();                                        // on everybody
  void SendToAll(absl::Span<const std::byte> message);  // on every control lane
  void FailBlock(uint64_t request, uint16_t block_index, wire::MissReason reason);
  void AnswerPut(uint64_t request, wire::MissReason reason);
  struct Chunk {
    uint32_t offset = 0;
    uint32_t bytes = 0;  // 0: the rest
    bool wrong_checksum = false;
    bool wrong_bytes = false;
    uint64_t incarnation = 0;  // 0: the node's
  };
  void SendBlock(const FetchSeen& fetch, uint16_t block_index, const Chunk& chunk);
  // Of all bytes that were asked for and neither sent nor refused.
  uint64_t owed_bytes() const { return owed_bytes_; }

 private:
  void OnAccepted(EndpointId endpoint, const std::string& peer) override;
  void OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) override;
  Landing OnBulkArrival(EndpointId endpoint, absl::Span<const std::byte> header,
                        uint64_t bulk_bytes) override;
  void OnBulkReceived(EndpointId endpoint, uint64_t tag, absl::StatusCode code) override;
  void OnBulkSent(EndpointId, uint64_t tag, absl::StatusCode code) override {
    if (code == absl::StatusCode::kOk) sending_.erase(tag);  // else it is the lane's still
  }
  void OnFailed(EndpointId endpoint, const absl::Status&) override { worker_->Close(endpoint); }
  void OnClosed(EndpointId endpoint) override { lanes_.erase(endpoint); }
  void TakeHello(EndpointId endpoint, absl::Span<const std::byte> message);
  void TakeFetch(absl::Span<const std::byte> message);
  void SendPong(EndpointId endpoint);

  // Bytes on their way in or out, with the region that covers them.
  struct Buffer {
    std::vector<std::byte> bytes;
    std::unique_ptr<Region> region;
  };
  Buffer MakeBuffer(std::vector<std::byte> bytes);

  SimHost& host_;
  std::unique_ptr<Worker> worker_;
  std::map<EndpointId, wire::Lane> lanes_;
  std::map<uint64_t, Buffer> sending_;
  std::map<uint64_t, Buffer> receiving_;
  std::map<uint64_t, wire::PutHeader> headers_;  // of what is being received
  uint64_t next_tag_ = 1;
  uint64_t owed_bytes_ = 0;
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_CLIENT_FAKE_NODE_H_
