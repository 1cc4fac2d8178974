// A client of a running cluster with memory for blocks, as `cairn replay` and `cairn bench` load
// it. Blocks are opaque bytes in slots of equal size.
#ifndef CAIRN_SERVER_CLI_BLOCK_CLIENT_H_
#define CAIRN_SERVER_CLI_BLOCK_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include "base/runtime.h"
#include "client/client.h"
#include "server/cli/defaults.h"
#include "transport/real_network.h"

namespace cairn {

struct BlockClientOptions {
  std::vector<std::string> coordinators = {kDefaultCoordinator};
  std::string tenant_file = kDefaultTenantFile;
  uint64_t block_bytes = 16 << 10;            // 4 KiB to 64 MiB
  absl::Duration timeout = absl::Seconds(2);  // deadline of each operation
  std::string urgency = "standard";           // of all gets; interactive, standard or batch
  RealNetworkOptions network;

  // kInvalidArgument: an unknown urgency, no coordinator, no tenant file, or one that is none;
  // names the remedy.
  absl::Status Validate() const;
};

// One thread.
class BlockClient {
 public:
  // model: the namespace's, so that different loads never meet. slots: blocks of memory.
  static absl::StatusOr<std::unique_ptr<BlockClient>> Connect(const BlockClientOptions& options,
                                                              const std::string& model,
                                                              size_t slots);

  Client& client() { return *client_; }
  uint64_t block_bytes() const { return block_bytes_; }
  Instant DeadlineFromNow() const { return RealClock().Now() + timeout_; }
  absl::Span<std::byte> Slot(size_t i) const;
  // The block at `position` of `chain`, from or into slot `slot`; the tag is `slot`.
  Transfer MakeTransfer(absl::Span<const BlockKey> chain, size_t position, size_t slot) const;

  // Polls; when nothing came, sleeps until something does, at most 50 ms. Returns how many
  // completions it wrote.
  size_t Collect(absl::Span<Completion> out);
  // Whether an operation that Collect just brought came after its deadline. We had to be looking or
  // asleep past the deadline without seeing it: what we were late to look at is not late.
  bool WasLate(Instant deadline) const { return nothing_until_ > deadline + kAllowance; }

 private:
  // P2's bound includes the fence; this is for it and for the wake-up.
  static constexpr absl::Duration kAllowance = absl::Milliseconds(20);

  struct Unmap {
    size_t bytes;
    void operator()(std::byte* memory) const;
  };

  explicit BlockClient(const BlockClientOptions& options)
      : block_bytes_(options.block_bytes), timeout_(options.timeout) {}

  const uint64_t block_bytes_;
  const absl::Duration timeout_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<std::byte, Unmap> memory_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<MemoryRegion> region_;
  std::vector<Extents> extents_;  // one a slot
  Instant nothing_until_;         // the end of the last look or sleep that brought nothing
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_BLOCK_CLIENT_H_
