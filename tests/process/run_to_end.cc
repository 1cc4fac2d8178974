#include "tests/process/run_to_end.h"

#include "base/check.h"
#include "base/disk.h"
#include "server/cli/child_process.h"
#include "server/cli/scratch_folder.h"
#include "tests/process/engine.h"

namespace cairn::process {

Ending RunToEnd(const std::vector<std::string>& arguments) {
  const ScratchFolder folder = *ScratchFolder::Create();
  const std::string log = folder.File("output");
  auto child = ChildProcess::Start({.arguments = arguments, .log_path = log});
  CAIRN_CHECK(child.ok());
  Eventually(absl::Minutes(1), [&child] { return !child->running(); });
  const int code = child->Stop();
  return {code, RealDisk().ReadFile(log).value_or("")};
}

}  // namespace cairn::process
