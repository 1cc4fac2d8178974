#include "server/cli/progress_bar.h"

#include <unistd.h>

#include <cstdio>
#include <string>

#include <absl/strings/str_format.h>

namespace cairn {
namespace {

constexpr double kRedraw_s = 0.2;
constexpr int kBarCells = 24;

std::string Line(const ReplayProgress& progress) {
  const double rate =
      progress.seconds > 0 ? static_cast<double>(progress.done) / progress.seconds : 0;
  const double left_s = rate > 0 ? static_cast<double>(progress.total - progress.done) / rate : 0;
  return absl::StrFormat("%d/%d requests  %.0f/s  hits %.1f %%  %.0f s left", progress.done,
                         progress.total, rate, 100 * progress.block_hit_ratio, left_s);
}

}  // namespace

ProgressBar::ProgressBar(const Environment& environment)
    : terminal_(isatty(STDERR_FILENO) == 1),
      color_(terminal_ && environment.find("NO_COLOR") == environment.end()) {}

void ProgressBar::Show(const ReplayProgress& progress) {
  if (!terminal_) {
    if (progress.total == 0 || progress.done * 10 < next_tenth_ * progress.total) return;
    next_tenth_ = progress.done * 10 / progress.total + 1;
    std::fprintf(stderr, "replay: %s\n", Line(progress).c_str());
    return;
  }
  if (progress.seconds < next_show_s_ && progress.done != progress.total) return;
  next_show_s_ = progress.seconds + kRedraw_s;
  const int filled =
      progress.total == 0 ? 0 : static_cast<int>(kBarCells * progress.done / progress.total);
  const std::string bar = std::string(filled, '#') + std::string(kBarCells - filled, '.');
  std::fprintf(stderr, "\r%s[%s]%s %s\x1b[K", color_ ? "\x1b[36m" : "", bar.c_str(),
               color_ ? "\x1b[0m" : "", Line(progress).c_str());
}

void ProgressBar::Finish() {
  if (terminal_) std::fputc('\n', stderr);
}

}  // namespace cairn
