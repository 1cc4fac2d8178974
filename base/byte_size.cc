#include "base/byte_size.h"

#include <charconv>
#include <system_error>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {
namespace {

struct Suffix {
  std::string_view text;
  uint64_t bytes;
};

constexpr Suffix kBinary[] = {{"TiB", uint64_t{1} << 40},
                              {"GiB", uint64_t{1} << 30},
                              {"MiB", uint64_t{1} << 20},
                              {"KiB", uint64_t{1} << 10}};
constexpr Suffix kDecimal[] = {
    {"TB", 1'000'000'000'000}, {"GB", 1'000'000'000}, {"MB", 1'000'000}, {"KB", 1'000}, {"B", 1}};

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<uint64_t> UnitOf(std::string_view suffix) {
  if (suffix.empty()) return 1;
  for (const Suffix& known : kBinary) {
    if (suffix == known.text) return known.bytes;
  }
  for (const Suffix& known : kDecimal) {
    if (suffix == known.text) return known.bytes;
  }
  return std::nullopt;
}

// The fraction's digits as a part of unit_bytes; nullopt: more digits than a size can need.
std::optional<uint64_t> FractionOf(std::string_view digits, uint64_t unit_bytes) {
  constexpr size_t kDigitsMax = 12;  // Of a TB each byte; keeps the product below 2^128.
  if (digits.empty() || digits.size() > kDigitsMax) return std::nullopt;
  unsigned __int128 numerator = 0;
  unsigned __int128 denominator = 1;
  for (const char digit : digits) {
    numerator = numerator * 10 + static_cast<unsigned>(digit - '0');
    denominator *= 10;
  }
  return static_cast<uint64_t>(numerator * unit_bytes / denominator);
}

// Takes the leading digits off text.
std::string_view TakeDigits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && IsDigit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

}  // namespace

std::optional<uint64_t> ParseByteSize(std::string_view text) {
  const std::string_view whole_digits = TakeDigits(text);
  uint64_t whole = 0;
  const char* const end = whole_digits.data() + whole_digits.size();
  const auto [stopped, error] = std::from_chars(whole_digits.data(), end, whole);
  if (error != std::errc() || stopped != end) return std::nullopt;

  std::string_view fraction_digits;
  const bool has_fraction = text.starts_with('.');
  if (has_fraction) {
    text.remove_prefix(1);
    fraction_digits = TakeDigits(text);
  }
  if (text.size() > 1 && text.front() == ' ') text.remove_prefix(1);
  if (has_fraction && text.empty()) return std::nullopt;
  const std::optional<uint64_t> unit = UnitOf(text);
  if (!unit.has_value()) return std::nullopt;

  const std::optional<uint64_t> fraction =
      has_fraction ? FractionOf(fraction_digits, *unit) : std::optional<uint64_t>(0);
  uint64_t bytes;
  if (!fraction.has_value() || __builtin_mul_overflow(whole, *unit, &bytes) ||
      __builtin_add_overflow(bytes, *fraction, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

std::string FormatByteSize(uint64_t bytes) {
  for (const Suffix& unit : kBinary) {
    if (bytes >= unit.bytes && bytes % unit.bytes == 0) {
      return absl::StrCat(bytes / unit.bytes, Absl(unit.text));
    }
  }
  return absl::StrCat(bytes, "B");
}

}  // namespace cairn
