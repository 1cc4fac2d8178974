// What may be written to a terminal, and what elsewhere.
#ifndef CAIRN_SERVER_CLI_TERMINAL_H_
#define CAIRN_SERVER_CLI_TERMINAL_H_

#include <string>

#include "server/cli/options.h"

namespace cairn {

// descriptor: 1 or 2. TERM=dumb counts as none: it knows no way back to the start of a line.
bool IsTerminal(int descriptor, const Environment& environment);

// Colours by what they mean. Off: texts stay as they are.
class Palette {
 public:
  // NO_COLOR (https://no-color.org), CLICOLOR=0 and anything but a terminal turn them off;
  // CLICOLOR_FORCE turns them on where NO_COLOR is not set.
  static Palette For(int descriptor, const Environment& environment);
  explicit Palette(bool on) : on_(on) {}

  std::string Good(const std::string& text) const { return Paint("32", text); }
  std::string Warning(const std::string& text) const { return Paint("33", text); }
  std::string Bad(const std::string& text) const { return Paint("1;31", text); }
  std::string Accent(const std::string& text) const { return Paint("36", text); }
  std::string Heading(const std::string& text) const { return Paint("1", text); }
  std::string Quiet(const std::string& text) const { return Paint("2", text); }

 private:
  std::string Paint(const char* code, const std::string& text) const;

  bool on_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_TERMINAL_H_
