#include "server/cli/doctor.h"

#include <hwloc.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <absl/strings/str_cat.h>

#include "server/cli/figures.h"

namespace cairn {
namespace {

constexpr uint64_t kFilesWanted = 65536;  // three descriptors per client and lane, with room

// The first number behind "name:" of /proc/meminfo, in its unit; 0 when there is none.
uint64_t MemInfo(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  std::string word;
  while (file >> word) {
    uint64_t value = 0;
    if (word == name + ":" && file >> value) return value;
  }
  return 0;
}

std::string LimitText(rlim_t limit) {
  return limit == RLIM_INFINITY ? "unlimited" : FormatMemory(limit);
}

// Memlock's limit does not bind who has this capability; root in a container often has not.
bool MayLockAnything() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[0].effective & (1u << CAP_IPC_LOCK)) != 0;
}

Finding ExamineMemlock() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  const bool good = limit.rlim_cur == RLIM_INFINITY || MayLockAnything();
  return {"memlock", good ? Health::kGood : Health::kWarning, LimitText(limit.rlim_cur),
          good ? ""
               : "RDMA registers the whole arena: set LimitMEMLOCK=infinity (systemd) or ulimit -l "
                 "unlimited"};
}

Finding ExamineFiles() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const bool good = limit.rlim_cur >= kFilesWanted;
  return {
      "open_files", good ? Health::kGood : Health::kWarning, absl::StrCat(limit.rlim_cur),
      good ? "" : absl::StrCat("thousands of clients need more: set LimitNOFILE=", kFilesWanted)};
}

Finding ExamineHugePages() {
  const uint64_t free_pages = MemInfo("HugePages_Free");
  const uint64_t page_kib = MemInfo("Hugepagesize");
  const bool good = free_pages > 0;
  return {"huge_pages", good ? Health::kGood : Health::kWarning,
          absl::StrCat(free_pages, " free of ", page_kib, " KiB"),
          good ? ""
               : "sysctl vm.nr_hugepages=N (N x 2 MiB = DRAM of the node); 4 KiB pages are used "
                 "until then"};
}

Finding ExamineMemory() {
  const uint64_t available = MemInfo("MemAvailable") * 1024;
  const bool good = available >= (uint64_t{1} << 30);
  return {"memory", good ? Health::kGood : Health::kBad, FormatMemory(available) + " available",
          good ? "" : "a node wants at least 1 GiB; free some, or give it less with --dram-bytes"};
}

Finding ExamineNuma() {
  hwloc_topology_t topology;
  if (hwloc_topology_init(&topology) != 0 || hwloc_topology_load(topology) != 0) {
    return {"numa", Health::kWarning, "unknown",
            "hwloc cannot read the topology; is /sys mounted?"};
  }
  const int nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
  const int cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
  hwloc_topology_destroy(topology);
  const std::string observed = absl::StrCat(nodes, " node(s), ", cores, " core(s)");
  if (nodes <= 1) return {"numa", Health::kGood, observed, ""};
  return {"numa", Health::kWarning, observed,
          "run one `cairn node` per NUMA node: numactl --cpunodebind=N --membind=N cairn node ..."};
}

Finding ExamineHca() {
  size_t devices = 0;
  std::error_code none;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/sys/class/infiniband", none)) {
    ++devices;
  }
  if (devices > 0) return {"hca", Health::kGood, absl::StrCat(devices, " RDMA device(s)"), ""};
  return {"hca", Health::kWarning, "no RDMA device",
          "transfers use TCP; with an adapter in place, load its driver and rdma-core"};
}

Finding ExaminePorts() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  int low = 0;
  int high = 0;
  file >> low >> high;
  const bool good = high - low >= 10000;
  return {"ports", good ? Health::kGood : Health::kWarning, absl::StrCat(low, " to ", high),
          good ? "" : "few local ports: sysctl net.ipv4.ip_local_port_range=\"20000 60999\""};
}

Finding ExamineIoUring() {
  io_uring_params parameters{};
  const auto ring = static_cast<int>(syscall(SYS_io_uring_setup, 1, &parameters));
  if (ring >= 0) {
    close(ring);
    return {"io_uring", Health::kGood, "usable", ""};
  }
  return {"io_uring", Health::kWarning, std::strerror(errno),
          "a node with --nvme needs it: sysctl kernel.io_uring_disabled=0, and in a container a "
          "seccomp profile that allows it"};
}

Finding ExamineNvme() {
  size_t drives = 0;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", none)) {
    if (entry.path().filename().string().rfind("nvme", 0) == 0) ++drives;
  }
  if (drives > 0) return {"nvme", Health::kGood, absl::StrCat(drives, " drive(s)"), ""};
  return {"nvme", Health::kWarning, "no NVMe drive",
          "the second tier can lie in a folder of any file system (--nvme FOLDER --nvme-bytes "
          "SIZE); slower drives bring fewer blocks back in time"};
}

}  // namespace

std::vector<Finding> ExamineMachine() {
  return {ExamineMemory(), ExamineMemlock(), ExamineHugePages(), ExamineFiles(),  ExamineNuma(),
          ExamineHca(),    ExaminePorts(),   ExamineNvme(),      ExamineIoUring()};
}

}  // namespace cairn
