// Assertions that stay on in release: a bug ends the process with its place and its condition, it
// never becomes wrong bytes. Errors of the world are absl::Status, not checks.
#ifndef CAIRN_BASE_CHECK_H_
#define CAIRN_BASE_CHECK_H_

namespace cairn {

// Prints "file:line: check failed: condition" to standard error and aborts. Async-signal-safe.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace cairn

#define CAIRN_CHECK(condition)                         \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::cairn::CheckFailed(__FILE__, __LINE__, #condition))

#endif  // CAIRN_BASE_CHECK_H_
