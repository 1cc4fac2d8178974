#include "base/loopback.h"

namespace cairn {

bool IsLoopback(std::string_view address) {
  for (const std::string_view prefix : {"127.", "localhost:", "[::1]:", "unix:"}) {
    if (address.substr(0, prefix.size()) == prefix) return true;
  }
  return false;
}

}  // namespace cairn
