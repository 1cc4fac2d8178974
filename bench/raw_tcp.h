// The baseline of the data path: a process that answers requests with bytes, or takes bytes, over a
// plain socket. No checksum, no index, no session: what loopback TCP can do with two processes.
#ifndef CAIRN_BENCH_RAW_TCP_H_
#define CAIRN_BENCH_RAW_TCP_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

namespace cairn::bench {

class RawTcp {
 public:
  // Starts the serving process with `memory_bytes` to send from and receive into.
  static absl::StatusOr<std::unique_ptr<RawTcp>> Start(uint64_t memory_bytes);
  ~RawTcp();

  // `count` responses of `bytes` each, `depth` requests ahead. GB/s.
  absl::StatusOr<double> Get(uint64_t bytes, size_t depth, size_t count);
  // `count` uploads, each acknowledged, at most `depth` without. GB/s.
  absl::StatusOr<double> Put(uint64_t bytes, size_t depth, size_t count);

 private:
  RawTcp(pid_t server, int socket, uint64_t memory_bytes)
      : server_(server), socket_(socket), memory_(memory_bytes) {}

  const pid_t server_;
  const int socket_;
  std::vector<std::byte> memory_;
};

}  // namespace cairn::bench

#endif  // CAIRN_BENCH_RAW_TCP_H_
