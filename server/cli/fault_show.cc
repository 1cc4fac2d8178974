#include "server/cli/fault_show.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/handle.h"
#include "base/status.h"
#include "cairn/v1/overview.pb.h"
#include "server/cli/control_call.h"

namespace cairn {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(200);
constexpr absl::Duration kNamedWithin = absl::Seconds(60);
constexpr absl::Duration kOverWithin = absl::Seconds(120);  // errors are told for a minute
constexpr uint64_t kDramBytes = 64u << 20;
constexpr uint64_t kDriveBytes = 1u << 30;
constexpr char kSmallDrive[] = "size=192m";
constexpr char kLargeDrive[] = "size=1200m";
constexpr size_t kPageBytes = 4096;

// Mounts a small file system where the node's drive will be, in a namespace that ends with it.
constexpr char kMountDrives[] =
    "for word in \"$@\"; do\n"
    "  if [ \"$previous\" = --nvme ]; then mount -t tmpfs -o %s cairn-demo \"$word\" || exit 1; "
    "fi\n"
    "  previous=$word\n"
    "done\n"
    "exec \"$@\"";

std::vector<std::string> Unshare() {
  std::vector<std::string> words = {"/usr/bin/unshare", "--mount"};
  if (geteuid() != 0) words.emplace_back("--map-root-user");
  return words;
}

absl::Status RunTool(std::vector<std::string> words) {
  const std::string name = words.front();
  CAIRN_ASSIGN_OR_RETURN(ChildProcess tool, ChildProcess::Start({.arguments = std::move(words),
                                                                 .log_path = "/dev/null"}));
  const Instant limit = RealClock().Now() + absl::Seconds(10);
  while (tool.running() && RealClock().Now() < limit) absl::SleepFor(absl::Milliseconds(10));
  if (tool.Stop() == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(name, " failed"));
}

bool MayMount() {
  std::vector<std::string> words = Unshare();
  words.emplace_back("/bin/true");
  return RunTool(std::move(words)).ok();
}

// One bit in each page of the node's memory that is not empty: no block of it stays whole.
absl::Status TurnBits(pid_t pid) {
  const FileDescriptor memory(
      open(absl::StrCat("/proc/", pid, "/mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!memory) return FromErrno(errno, "open the node's memory");
  std::ifstream maps(absl::StrCat("/proc/", pid, "/maps"));
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:cairn-arena") == std::string::npos) continue;
    std::istringstream words(line);
    uint64_t begin = 0, end = 0;
    char dash = 0;
    words >> std::hex >> begin >> dash >> end;
    std::array<char, kPageBytes> page{};
    for (uint64_t at = begin; at < end; at += page.size()) {
      if (pread(memory.get(), page.data(), page.size(), static_cast<off_t>(at)) !=
          static_cast<ssize_t>(page.size())) {
        continue;
      }
      if (page == std::array<char, kPageBytes>{}) continue;
      const char turned = static_cast<char>(page[kPageBytes / 2] ^ 4);
      if (pwrite(memory.get(), &turned, 1, static_cast<off_t>(at + kPageBytes / 2)) != 1) {
        return FromErrno(errno, "write to the node's memory");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Remount(pid_t pid, const std::string& drive, const char* size) {
  std::vector<std::string> words = {"/usr/bin/nsenter", absl::StrCat("--target=", pid), "--mount"};
  if (geteuid() != 0) {
    words.emplace_back("--user");
    words.emplace_back("--preserve-credentials");
  }
  for (const std::string& word :
       {std::string("/bin/mount"), std::string("-o"), absl::StrCat("remount,", size), drive}) {
    words.push_back(word);
  }
  return RunTool(std::move(words));
}

class Show {
 public:
  Show(LocalCluster& cluster, Network& network, absl::Duration hold, Termination& termination)
      : cluster_(cluster), network_(network), hold_(hold), termination_(termination) {}

  absl::StatusOr<std::vector<ShownFault>> Run() {
    CAIRN_ASSIGN_OR_RETURN(ChildProcess readers, Load("1", "64MiB"));
    CAIRN_RETURN_IF_ERROR(AwaitBlocks());
    CAIRN_RETURN_IF_ERROR(FreezeANode());
    CAIRN_RETURN_IF_ERROR(TurnBitsOfANode());
    CAIRN_RETURN_IF_ERROR(FillADisk());
    if (!readers.running()) {
      return absl::InternalError("the readers ended early: a byte was wrong, or nobody answered");
    }
    readers.Signal(SIGINT);
    if (readers.Stop() != 0) return absl::InternalError("a reader was given a wrong byte");
    return std::move(faults_);
  }

 private:
  absl::StatusOr<ChildProcess> Load(const char* get_share, const char* working_set) {
    return ChildProcess::Start(
        {.arguments = {OwnProgramPath(), "bench", "--coordinator", cluster_.coordinator(),
                       "--tenant-file", cluster_.tenant_file(), "--seconds", "3600", "--get-share",
                       get_share, "--working-set", working_set, "--depth", "4"},
         .log_path = cluster_.state_folder("load.log")});
  }

  absl::Status FreezeANode() {
    const ChildProcess& node = cluster_.processes()[1];
    Begin("a node is frozen (SIGSTOP)", "node_lost");
    node.Signal(SIGSTOP);
    const absl::Status named = AwaitNamed();
    node.Signal(SIGCONT);
    CAIRN_RETURN_IF_ERROR(named);
    return AwaitOver();
  }

  absl::Status TurnBitsOfANode() {
    Begin("bits turn in a node's memory", "wrong_bytes");
    ShownFault& fault = faults_.back();
    fault.stands = true;  // it tells of the last hour
    CAIRN_RETURN_IF_ERROR(TurnBits(cluster_.processes()[2].pid()));
    return AwaitNamed();
  }

  absl::Status FillADisk() {
    Begin("a disk is full", "drive_errors");
    if (!MayMount()) {
      faults_.back().skipped =
          "it needs a small file system of its own: run as root, or allow user namespaces";
      Tell(absl::StrCat("  skipped: ", faults_.back().skipped));
      return absl::OkStatus();
    }
    CAIRN_ASSIGN_OR_RETURN(ChildProcess writers, Load("0.1", "16MiB"));
    CAIRN_RETURN_IF_ERROR(AwaitNamed());
    for (size_t node = 0; node + 1 < cluster_.processes().size(); ++node) {
      CAIRN_RETURN_IF_ERROR(Remount(cluster_.processes()[node + 1].pid(),
                                    cluster_.state_folder(absl::StrCat("drive", node)),
                                    kLargeDrive));
    }
    return AwaitOver();
  }

  void Begin(std::string fault, std::string finding) {
    faults_.push_back({.fault = std::move(fault), .finding = std::move(finding)});
    begun_ = RealClock().Now();
    Tell(absl::StrCat("\n", faults_.back().fault));
  }

  absl::Status AwaitNamed() {
    ShownFault& fault = faults_.back();
    CAIRN_ASSIGN_OR_RETURN(
        const std::optional<v1::Finding> found,
        Await(kNamedWithin, [](const auto& finding) { return finding.has_value(); }));
    if (!found.has_value()) return absl::OkStatus();
    fault.named_s = absl::ToDoubleSeconds(RealClock().Now() - begun_);
    fault.title = found->title();
    fault.evidence = found->evidence();
    fault.remedy = found->remedy();
    Tell(absl::StrFormat("  named after %.1f s (%s, %s): %s\n    %s\n    remedy: %s", fault.named_s,
                         fault.finding, found->severity(), fault.title, fault.evidence,
                         fault.remedy));
    if (termination_.Wait(hold_)) return absl::CancelledError("ended by a signal");
    begun_ = RealClock().Now();
    return absl::OkStatus();
  }

  absl::Status AwaitOver() {
    ShownFault& fault = faults_.back();
    bool over = false;
    CAIRN_RETURN_IF_ERROR(Await(kOverWithin, [&over](const auto& finding) {
                            return over = !finding.has_value();
                          }).status());
    if (!over) return absl::OkStatus();
    fault.over_s = absl::ToDoubleSeconds(RealClock().Now() - begun_);
    Tell(absl::StrFormat("  over: forgotten %.1f s after its end", fault.over_s));
    return absl::OkStatus();
  }

  // Looks at the verdict until `enough` says so or time is up.
  absl::StatusOr<std::optional<v1::Finding>> Await(
      absl::Duration limit, const std::function<bool(const std::optional<v1::Finding>&)>& enough) {
    const Instant end = RealClock().Now() + limit;
    while (true) {
      CAIRN_ASSIGN_OR_RETURN(const v1::GetOverviewReply overview, Look());
      std::optional<v1::Finding> found;
      for (const v1::Finding& finding : overview.findings()) {
        if (finding.id() == faults_.back().finding) found = finding;
      }
      if (enough(found) || RealClock().Now() >= end) return found;
      if (termination_.Wait(kLook)) return absl::CancelledError("ended by a signal");
    }
  }

  // Until each node has something to lose.
  absl::Status AwaitBlocks() {
    const Instant end = RealClock().Now() + kNamedWithin;
    while (RealClock().Now() < end) {
      CAIRN_ASSIGN_OR_RETURN(const v1::GetOverviewReply overview, Look());
      const auto& nodes = overview.status().nodes();
      const bool all = std::all_of(nodes.begin(), nodes.end(),
                                   [](const auto& node) { return node.block_count() > 0; });
      if (all) return absl::OkStatus();
      if (termination_.Wait(kLook)) return absl::CancelledError("ended by a signal");
    }
    return absl::DeadlineExceededError("the load did not reach each node within a minute");
  }

  absl::StatusOr<v1::GetOverviewReply> Look() {
    v1::GetOverviewRequest request;
    request.set_admin_credential(cluster_.admin_credential());
    return ControlCall<v1::GetOverviewReply>(network_, cluster_.coordinator(),
                                             "/cairn.v1.Observer/GetOverview", request);
  }

  static void Tell(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

  LocalCluster& cluster_;
  Network& network_;
  const absl::Duration hold_;
  Termination& termination_;
  std::vector<ShownFault> faults_;
  Instant begun_;
};

}  // namespace

LocalClusterOptions FaultClusterOptions(LocalClusterOptions options) {
  options.dram_bytes_per_node = kDramBytes;
  options.nvme_bytes_per_node = kDriveBytes;
  options.node_arguments = {"--nvme-preallocate", "false"};
  if (!MayMount()) return options;
  options.launcher = Unshare();
  for (const std::string& word : {std::string("/bin/sh"), std::string("-c"),
                                  absl::StrFormat(kMountDrives, kSmallDrive), std::string("sh")}) {
    options.launcher.push_back(word);
  }
  return options;
}

absl::StatusOr<std::vector<ShownFault>> ShowFaults(LocalCluster& cluster, Network& network,
                                                   absl::Duration hold, Termination& termination) {
  return Show(cluster, network, hold, termination).Run();
}

std::string FaultsText(const std::vector<ShownFault>& faults) {
  std::string text;
  for (const ShownFault& fault : faults) {
    absl::StrAppend(&text, absl::StrFormat("%-32s ", fault.fault));
    if (!fault.skipped.empty()) {
      absl::StrAppend(&text, "skipped: ", fault.skipped);
    } else if (fault.named_s < 0) {
      absl::StrAppend(&text, "was never named");
    } else {
      absl::StrAppend(&text,
                      absl::StrFormat("named %s after %.1f s", fault.finding, fault.named_s));
      absl::StrAppend(&text, fault.stands ? ", stands for an hour"
                             : fault.over_s >= 0
                                 ? absl::StrFormat(", forgotten %.1f s after its end", fault.over_s)
                                 : ", was never forgotten");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string FaultsJson(const std::vector<ShownFault>& faults) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ShownFault& fault : faults) {
    list.push_back({{"fault", fault.fault},
                    {"finding", fault.finding},
                    {"skipped", fault.skipped},
                    {"named_s", fault.named_s},
                    {"over_s", fault.over_s},
                    {"stands", fault.stands},
                    {"title", fault.title},
                    {"evidence", fault.evidence},
                    {"remedy", fault.remedy},
                    {"good", fault.good()}});
  }
  return list.dump();
}

}  // namespace cairn
