// Progress of a long command on standard error: a line that redraws itself on a terminal, a line
// per tenth elsewhere.
#ifndef CAIRN_SERVER_CLI_PROGRESS_BAR_H_
#define CAIRN_SERVER_CLI_PROGRESS_BAR_H_

#include <string>

#include "server/cli/terminal.h"

namespace cairn {

class ProgressBar {
 public:
  // name: what a line of a log begins with.
  ProgressBar(std::string name, const Environment& environment);

  // done: 0 to 1. seconds: since the beginning. figures: what there is to say beside.
  void Show(double done, double seconds, const std::string& figures);
  // Leaves the last state on the screen.
  void Finish();

 private:
  const std::string name_;
  const bool terminal_;
  const Palette palette_;
  bool shown_ = false;  // on a terminal
  double next_show_s_ = 0;
  int next_tenth_ = 1;
};

// The bar and what is behind it, without colour: "[####....] 33 %  figures  12 s left".
std::string ProgressLine(double done, double seconds, const std::string& figures,
                         const Palette& palette);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_PROGRESS_BAR_H_
