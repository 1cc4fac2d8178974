// A view that is drawn again and again: over itself on a terminal, one below the other elsewhere.
#ifndef CAIRN_SERVER_CLI_SCREEN_H_
#define CAIRN_SERVER_CLI_SCREEN_H_

#include <cstddef>
#include <string>

#include "server/cli/options.h"

namespace cairn {

class Screen {
 public:
  // On standard output.
  explicit Screen(const Environment& environment);
  void Draw(const std::string& text);
  bool is_terminal() const { return terminal_; }

 private:
  const bool terminal_;
  bool drawn_ = false;
};

// The text as it fits: lines cut at `columns`, the last ones left out with a word that says so.
// Colours take no room and end with their line.
std::string FitToScreen(const std::string& text, size_t columns, size_t rows);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_SCREEN_H_
