#include "server/cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "server/cli/figures.h"

namespace cairn {
namespace {

constexpr double kRedraw_s = 0.2;
constexpr int kBarCells = 24;
constexpr double kGuess_s = 1;  // before that nobody knows how long it takes

std::string Left(double done, double seconds) {
  if (done >= 1) return "done";
  if (done <= 0 || seconds < kGuess_s) return "";
  return FormatAge(absl::Seconds(seconds / done * (1 - done) + 0.5)) + " left";
}

}  // namespace

std::string ProgressLine(double done, double seconds, const std::string& figures,
                         const Palette& palette) {
  const auto filled = static_cast<size_t>(kBarCells * std::clamp(done, 0.0, 1.0));
  const std::string bar = std::string(filled, '#') + std::string(kBarCells - filled, '.');
  return absl::StrFormat("[%s] %3.0f %%  %s  %s", palette.Accent(bar), 100 * done, figures,
                         Left(done, seconds));
}

ProgressBar::ProgressBar(std::string name, const Environment& environment)
    : name_(std::move(name)),
      terminal_(IsTerminal(STDERR_FILENO, environment)),
      palette_(Palette::For(STDERR_FILENO, environment)) {}

void ProgressBar::Show(double done, double seconds, const std::string& figures) {
  const std::string line = ProgressLine(done, seconds, figures, palette_);
  if (terminal_) {
    if (seconds < next_show_s_ && done < 1) return;
    next_show_s_ = seconds + kRedraw_s;
    shown_ = true;
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  } else if (done * 10 >= next_tenth_) {
    next_tenth_ = static_cast<int>(done * 10) + 1;
    std::fprintf(stderr, "%s: %s\n", name_.c_str(), line.c_str());
  }
}

void ProgressBar::Finish() {
  if (shown_) std::fputc('\n', stderr);
}

}  // namespace cairn
