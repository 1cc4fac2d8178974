#include "base/hex.h"

#include <absl/strings/str_cat.h>

namespace cairn {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

// -1: no digit.
int ValueOf(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

std::string HexEncode(absl::Span<const std::byte> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text.push_back(kDigits[static_cast<size_t>(byte >> 4)]);
    text.push_back(kDigits[static_cast<size_t>(byte & std::byte{15})]);
  }
  return text;
}

absl::Status HexDecode(std::string_view text, absl::Span<std::byte> out) {
  if (text.size() != 2 * out.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected ", 2 * out.size(), " hexadecimal digits, got ", text.size(), " characters"));
  }
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = ValueOf(text[2 * i]);
    const int low = ValueOf(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("character ", 2 * i + (high < 0 ? 1 : 2), " is no hexadecimal digit"));
    }
    out[i] = static_cast<std::byte>(high << 4 | low);
  }
  return absl::OkStatus();
}

}  // namespace cairn
