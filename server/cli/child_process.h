// A child process of ours: started from an argument list, ended with us.
#ifndef CAIRN_SERVER_CLI_CHILD_PROCESS_H_
#define CAIRN_SERVER_CLI_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/handle.h"

namespace cairn {

// Move-only. The destructor sends SIGTERM, waits stop_timeout, then SIGKILL. If this process dies,
// the kernel ends the child (PR_SET_PDEATHSIG).
class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;  // [0] is the program's path
    std::string log_path;                // its standard error, appended; empty: ours
    int inherited_descriptor = -1;       // becomes descriptor 3 of the child
    absl::Duration stop_timeout = absl::Seconds(10);
  };
  // kInternal: fork failed. A program that cannot be executed ends with code 127.
  static absl::StatusOr<ChildProcess> Start(const Options& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // False once it ended by itself.
  bool running();
  void Signal(int signal_number) const;
  // SIGTERM, wait, SIGKILL. Returns its exit code, or 128 + signal. Idempotent.
  int Stop();

 private:
  ChildProcess(pid_t pid, absl::Duration stop_timeout) : pid_(pid), stop_timeout_(stop_timeout) {}
  bool Reap(int wait_flags);

  pid_t pid_ = -1;
  absl::Duration stop_timeout_;
  int exit_code_ = -1;
};

// The path of the running program.
std::string OwnProgramPath();

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_CHILD_PROCESS_H_
