// Request traces in the format of Mooncake's published ones: one JSON object a line with timestamp
// (ms), input_length and output_length (tokens) and hash_ids (one per block of the prompt, equal
// ids meaning equal prefixes).
#ifndef CAIRN_SERVER_CLI_REPLAY_TRACE_H_
#define CAIRN_SERVER_CLI_REPLAY_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace cairn {

inline constexpr uint32_t kTraceTokensPerBlock = 512;
inline constexpr size_t kTraceBlocksMax = 4096;  // of one request

struct TraceRequest {
  int64_t timestamp_ms = 0;
  uint64_t input_tokens = 0;
  std::vector<uint64_t> block_ids;
};

// kInvalidArgument: no such file, or one that is no trace; names file, line and field.
absl::StatusOr<std::vector<TraceRequest>> ReadTrace(const std::string& path);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_TRACE_H_
