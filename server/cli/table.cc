#include "server/cli/table.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

namespace cairn {
namespace {

constexpr char kEscape = '\x1b';

// Where the escape sequence or the letter at `i` ends; only the latter has a width.
size_t EndOf(const std::string& text, size_t i, size_t& width) {
  if (text[i] == kEscape) {
    const size_t end = text.find('m', i);
    return end == std::string::npos ? text.size() : end + 1;
  }
  ++width;
  ++i;
  while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) ++i;  // UTF-8
  return i;
}

}  // namespace

size_t WidthOf(const std::string& text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) i = EndOf(text, i, width);
  return width;
}

std::string CutToWidth(const std::string& text, size_t columns) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t end = EndOf(text, i, width);
    if (width > columns) {
      const bool colored = text.find(kEscape) < i;
      return absl::StrCat(text.substr(0, i), colored ? "\x1b[0m" : "");
    }
    i = end;
  }
  return text;
}

std::string Table::ToText() const {
  std::vector<size_t> widths(alignment_.size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - WidthOf(row[i]), ' ');
      absl::StrAppend(&line, i == 0 ? "" : "  ", alignment_[i] == 'r' ? padding : "", row[i],
                      alignment_[i] == 'r' ? "" : padding);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace cairn
