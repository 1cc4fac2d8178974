#include "server/cli/hangup.h"

#include <csignal>

namespace cairn {
namespace {

bool ignored = false;

void Look(int, char**, char**) {
  struct sigaction action{};
  ignored = sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// The loader calls these before the constructors of shared libraries.
__attribute__((section(".preinit_array"), used)) void (*const look)(int, char**, char**) = Look;

}  // namespace

bool HangupWasIgnored() { return ignored; }

}  // namespace cairn
