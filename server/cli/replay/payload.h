// The oracle's payload: every byte follows from the block key, so a reader checks each byte of a
// hit without a second copy.
#ifndef CAIRN_SERVER_CLI_REPLAY_PAYLOAD_H_
#define CAIRN_SERVER_CLI_REPLAY_PAYLOAD_H_

#include <cstdint>

#include <absl/types/span.h>

#include "proto/identity.h"

namespace cairn {

// Several GB/s; any length.
void FillPayload(const BlockKey& key, absl::Span<std::byte> out);
// How many bytes differ from what FillPayload would write.
uint64_t CountWrongBytes(const BlockKey& key, absl::Span<const std::byte> bytes);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_PAYLOAD_H_
