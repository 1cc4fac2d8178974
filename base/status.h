// Status helpers. Every boundary returns absl::Status or absl::StatusOr; the code says what the
// caller does, the message names the field, the value and the remedy.
#ifndef CAIRN_BASE_STATUS_H_
#define CAIRN_BASE_STATUS_H_

#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

namespace cairn {

// Debian's Abseil keeps its own string_view (ABSL_OPTION_USE_STD_STRING_VIEW is 0), so the two do
// not convert by themselves.
inline absl::string_view Absl(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view Std(absl::string_view s) { return {s.data(), s.size()}; }

// errno_value as a status: ENOMEM, ENOSPC, EMFILE, EAGAIN are kResourceExhausted, ENOENT is
// kNotFound, EACCES and EPERM are kPermissionDenied, EEXIST is kAlreadyExists, the rest kInternal.
// what: the call and its arguments, as the operator should read them.
absl::Status FromErrno(int errno_value, std::string_view what);

}  // namespace cairn

#define CAIRN_STATUS_CONCAT_(a, b) a##b
#define CAIRN_STATUS_CONCAT(a, b) CAIRN_STATUS_CONCAT_(a, b)

#define CAIRN_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                     \
    if (absl::Status cairn_status = (expression); !cairn_status.ok()) return cairn_status; \
  } while (false)

#define CAIRN_ASSIGN_OR_RETURN(target, expression) \
  CAIRN_ASSIGN_OR_RETURN_(CAIRN_STATUS_CONCAT(status_or_, __LINE__), target, expression)

#define CAIRN_ASSIGN_OR_RETURN_(temporary, target, expression) \
  auto temporary = (expression);                               \
  if (!temporary.ok()) return std::move(temporary).status();   \
  target = *std::move(temporary)

#endif  // CAIRN_BASE_STATUS_H_
