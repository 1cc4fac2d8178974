#include "server/registry/given_name.h"

#include <absl/strings/str_cat.h>

namespace cairn {
namespace {

constexpr size_t kNameBytesMax = 63;

}  // namespace

absl::Status CheckGivenName(const char* field, const std::string& name) {
  const bool fits =
      !name.empty() && name.size() <= kNameBytesMax &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": \"", name, "\" must be 1 to ",
                                                 kNameBytesMax, " of a-z, 0-9, _ and -"));
}

}  // namespace cairn
