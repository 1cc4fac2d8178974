// The order in which a trace's requests may run side by side.
#ifndef CAIRN_SERVER_CLI_REPLAY_ORDER_H_
#define CAIRN_SERVER_CLI_REPLAY_ORDER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "server/cli/replay/trace.h"

namespace cairn {

// A request waits for the earlier ones that are the first to compute one of its blocks; otherwise
// it goes as early as the trace has it. Looks at most kWindow requests ahead of the oldest
// unstarted.
class ReplayOrderer {
 public:
  // trace outlives the orderer. count: only the first `count` requests.
  ReplayOrderer(const std::vector<TraceRequest>& trace, size_t count);

  // The next request that may start at `elapsed_ms` of trace time, or nullopt: all that are due
  // wait.
  std::optional<uint32_t> TakeReady(double elapsed_ms);
  void Finish(uint32_t request) { done_[request] = true; }
  bool empty() const { return waiting_.empty() && next_ == count_; }

 private:
  static constexpr size_t kWindow = 64;
  bool Ready(uint32_t request) const;

  const std::vector<TraceRequest>& trace_;
  const size_t count_;
  std::vector<std::vector<uint32_t>> producers_;
  std::vector<bool> done_;
  std::deque<uint32_t> waiting_;  // at most kWindow
  size_t next_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_ORDER_H_
