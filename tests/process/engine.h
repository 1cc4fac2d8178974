// An engine of the tests: a real client whose every byte follows from its key.
#ifndef CAIRN_TESTS_PROCESS_ENGINE_H_
#define CAIRN_TESTS_PROCESS_ENGINE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cairn/v1/namespace.pb.h"
#include "client/client.h"
#include "client/tenant_file.h"
#include "transport/real_network.h"

namespace cairn::process {

// What its keys and blocks belong to.
v1::Namespace EngineNamespace(uint32_t block_bytes);

struct EngineOptions {
  std::string coordinator;
  TlsOptions tls;
  TenantFile tenant;
  uint32_t block_bytes = 65536;
  uint32_t blocks = 64;  // slots
};

// What became of a batch.
struct Outcome {
  size_t ok = 0;
  size_t wrong_bytes = 0;  // in blocks that completed kOk
  size_t late = 0;
  size_t data_loss = 0;                   // kDataLoss
  std::map<std::string, size_t> reasons;  // of the others
  std::vector<BlockKey> held;             // those that completed kOk
};

class Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Connect(const EngineOptions& options);

  Client& client() { return *client_; }
  absl::Span<std::byte> slot(size_t i);
  // Blocks that each begin a chain; salt tells one test's blocks from another's.
  std::vector<BlockKey> Keys(uint64_t salt, size_t count) const;

  // Submits, then waits for all. `meanwhile` is called once, after the submission.
  Outcome Put(const std::vector<BlockKey>& keys, absl::Duration timeout,
              const std::function<void()>& meanwhile = {});
  Outcome Get(const std::vector<BlockKey>& keys, absl::Duration timeout,
              const std::function<void()>& meanwhile = {});
  Completion Match(const std::vector<BlockKey>& keys, absl::Duration timeout);

 private:
  explicit Engine(const EngineOptions& options) : options_(options) {}
  absl::Status Build();
  Outcome Run(bool put, const std::vector<BlockKey>& keys, absl::Duration timeout,
              const std::function<void()>& meanwhile);

  const EngineOptions options_;
  std::unique_ptr<Network> network_;
  std::vector<std::byte> memory_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<MemoryRegion> region_;
};

// The sum of a metric's samples in the Prometheus text of http://address/metrics; NaN: no answer.
double Metric(const std::string& address, const std::string& name);
// Looks again and again, at most this long.
bool Eventually(absl::Duration timeout, const std::function<bool()>& holds);

}  // namespace cairn::process

#endif  // CAIRN_TESTS_PROCESS_ENGINE_H_
