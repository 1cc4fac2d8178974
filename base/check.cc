#include "base/check.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace cairn {
namespace {

void WriteError(const char* text, size_t size) {
  // A failed write to standard error has nowhere to be reported.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, size);
}

void WriteError(const char* text) { WriteError(text, std::strlen(text)); }

}  // namespace

void CheckFailed(const char* file, int line, const char* condition) {
  char digits[16];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), line);
  WriteError(file);
  WriteError(":");
  WriteError(digits, static_cast<size_t>(end.ptr - digits));
  WriteError(": check failed: ");
  WriteError(condition);
  WriteError("\n");
  std::abort();
}

}  // namespace cairn
