// Small files in memory: they survive a crash of the host's process, as files do.
#ifndef CAIRN_TRANSPORT_SIM_SIM_DISK_H_
#define CAIRN_TRANSPORT_SIM_SIM_DISK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/disk.h"
#include "transport/sim/sim_storage.h"

namespace cairn {

// One thread.
class SimDisk final : public Disk {
 public:
  // storage: for block queues; outlives the disk. None: there are no drives.
  explicit SimDisk(SimStorage* storage = nullptr) : storage_(storage) {}
  absl::StatusOr<std::string> ReadFile(const std::string& path) override;
  absl::Status WriteFileAtomically(const std::string& path, std::string_view content,
                                   uint32_t mode) override;
  absl::StatusOr<std::unique_ptr<BlockQueue>> CreateBlockQueue() override;

  // From now on every read or write fails with this errno; 0: works again.
  void FailReads(int errno_value) { read_errno_ = errno_value; }
  void FailWrites(int errno_value) { write_errno_ = errno_value; }
  // The mode of an existing file, 0 of one that does not exist.
  uint32_t ModeOf(const std::string& path) const;

 private:
  struct File {
    std::string content;
    uint32_t mode = 0;
  };

  SimStorage* const storage_;
  std::map<std::string, File> files_;
  int read_errno_ = 0;
  int write_errno_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_DISK_H_
