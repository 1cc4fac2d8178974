#include "server/cli/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/status.h"

namespace cairn {
namespace {

constexpr int kInheritedDescriptor = 3;
constexpr int kCannotExecute = 127;  // as the shell

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void BecomeChild(char* const* arguments, const char* log_path, int descriptor,
                              pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotExecute);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // A group of its own: Ctrl-C in the terminal reaches us, and we stop the children in order.
  setpgid(0, 0);
  if (*log_path != '\0') {
    const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (log >= 0) {
      dup2(log, STDERR_FILENO);
      dup2(log, STDOUT_FILENO);
    }
  }
  if (descriptor == kInheritedDescriptor) {
    fcntl(descriptor, F_SETFD, 0);
  } else if (descriptor >= 0) {
    dup2(descriptor, kInheritedDescriptor);
  }
  execv(arguments[0], arguments);
  _exit(kCannotExecute);
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const Options& options) {
  std::vector<char*> arguments;
  arguments.reserve(options.arguments.size() + 1);
  for (const std::string& argument : options.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return FromErrno(errno, "fork");
  if (pid == 0) {
    BecomeChild(arguments.data(), options.log_path.c_str(), options.inherited_descriptor, parent);
  }
  return ChildProcess(pid, options.stop_timeout);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      stop_timeout_(other.stop_timeout_),
      exit_code_(other.exit_code_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    Stop();
    pid_ = std::exchange(other.pid_, -1);
    stop_timeout_ = other.stop_timeout_;
    exit_code_ = other.exit_code_;
  }
  return *this;
}

ChildProcess::~ChildProcess() { Stop(); }

bool ChildProcess::Reap(int wait_flags) {
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, wait_flags);
  if (ended != pid_) return false;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = -1;
  return true;
}

bool ChildProcess::running() { return pid_ > 0 && !Reap(WNOHANG); }

void ChildProcess::Signal(int signal_number) const {
  if (pid_ > 0) kill(pid_, signal_number);
}

int ChildProcess::Stop() {
  if (pid_ <= 0) return exit_code_;
  Signal(SIGCONT);  // a stopped child cannot end
  Signal(SIGTERM);
  const FileDescriptor ended(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd waiting{ended.get(), POLLIN, 0};
  const auto timeout_ms = static_cast<int>(absl::ToInt64Milliseconds(stop_timeout_));
  if (!ended || poll(&waiting, 1, timeout_ms) != 1) Signal(SIGKILL);
  Reap(0);
  return exit_code_;
}

std::string OwnProgramPath() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace cairn
