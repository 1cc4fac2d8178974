#include "server/coordinator/chain_keys.h"

#include <absl/strings/str_cat.h>

namespace cairn {

absl::StatusOr<absl::Span<const BlockKey>> ParseChainKeys(const std::string& bytes) {
  const size_t count = bytes.size() / sizeof(BlockKey);
  if (bytes.size() % sizeof(BlockKey) != 0 || count == 0 || count > kLocateKeysMax) {
    return absl::InvalidArgumentError(absl::StrCat("keys: ", bytes.size(), " bytes; 1 to ",
                                                   kLocateKeysMax, " keys of ", sizeof(BlockKey),
                                                   " bytes"));
  }
  return absl::Span<const BlockKey>(reinterpret_cast<const BlockKey*>(bytes.data()), count);
}

}  // namespace cairn
