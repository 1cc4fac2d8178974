// Progress of a long command on standard error: a line that redraws itself on a terminal, a line
// per tenth elsewhere. Obeys NO_COLOR.
#ifndef CAIRN_SERVER_CLI_PROGRESS_BAR_H_
#define CAIRN_SERVER_CLI_PROGRESS_BAR_H_

#include "server/cli/options.h"
#include "server/cli/replay/replay.h"

namespace cairn {

class ProgressBar {
 public:
  explicit ProgressBar(const Environment& environment);
  void Show(const ReplayProgress& progress);
  // Leaves the last state on the screen.
  void Finish();

 private:
  const bool terminal_;
  const bool color_;
  double next_show_s_ = 0;
  uint64_t next_tenth_ = 1;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_PROGRESS_BAR_H_
