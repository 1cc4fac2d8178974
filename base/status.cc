#include "base/status.h"

#include <cerrno>
#include <cstring>

#include <absl/strings/str_cat.h>

namespace cairn {
namespace {

absl::StatusCode CodeOf(int errno_value) {
  switch (errno_value) {
    case ENOMEM:
    case ENOSPC:
    case EMFILE:
    case EAGAIN:
      return absl::StatusCode::kResourceExhausted;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
      return absl::StatusCode::kPermissionDenied;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status FromErrno(int errno_value, std::string_view what) {
  char text[128];
  // The GNU variant: returns the text, which need not lie in the buffer.
  const char* reason = strerror_r(errno_value, text, sizeof(text));
  return absl::Status(CodeOf(errno_value), absl::StrCat(Absl(what), ": ", reason));
}

}  // namespace cairn
