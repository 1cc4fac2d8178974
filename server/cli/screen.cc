#include "server/cli/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "base/status.h"
#include "server/cli/table.h"
#include "server/cli/terminal.h"

namespace cairn {
namespace {

constexpr char kClearAll[] = "\x1b[2J";
constexpr char kHome[] = "\x1b[H";
constexpr char kClearToEnd[] = "\x1b[J";

}  // namespace

std::string FitToScreen(const std::string& text, size_t columns, size_t rows) {
  std::vector<std::string> lines = absl::StrSplit(Absl(text), '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.size() > rows && rows > 0) {
    const size_t hidden = lines.size() - rows + 1;
    lines.resize(rows - 1);
    lines.push_back(absl::StrCat("... ", hidden, " more lines"));
  }
  std::string fitting;
  for (const std::string& line : lines) absl::StrAppend(&fitting, CutToWidth(line, columns), "\n");
  return fitting;
}

Screen::Screen(const Environment& environment)
    : terminal_(IsTerminal(STDOUT_FILENO, environment)) {}

void Screen::Draw(const std::string& text) {
  if (!terminal_) {
    std::printf("%s%s", drawn_ ? "\n" : "", text.c_str());
  } else {
    winsize size{};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    // Without a size (a serial line) nothing is cut. The last row stays free for the cursor.
    const std::string fitting =
        size.ws_row < 2 ? text : FitToScreen(text, size.ws_col, size.ws_row - size_t{1});
    if (!drawn_) std::fputs(kClearAll, stdout);
    // Lines are overwritten, not erased first: nothing flickers.
    std::fputs(kHome, stdout);
    for (const char c : fitting) {
      if (c == '\n') std::fputs("\x1b[K", stdout);
      std::fputc(c, stdout);
    }
    std::fputs(kClearToEnd, stdout);
  }
  std::fflush(stdout);
  drawn_ = true;
}

}  // namespace cairn
