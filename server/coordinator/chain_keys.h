// The chain of keys that a client or a router asks about.
#ifndef CAIRN_SERVER_COORDINATOR_CHAIN_KEYS_H_
#define CAIRN_SERVER_COORDINATOR_CHAIN_KEYS_H_

#include <cstddef>
#include <string>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "proto/identity.h"

namespace cairn {

inline constexpr size_t kLocateKeysMax = 65536;

// The keys in the bytes of a request, which outlive the result. kInvalidArgument: none, too many,
// or half a key; names the field.
absl::StatusOr<absl::Span<const BlockKey>> ParseChainKeys(const std::string& bytes);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_CHAIN_KEYS_H_
