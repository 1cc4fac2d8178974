// A registry whose disk does not answer.
#ifndef CAIRN_TESTS_SERVER_REGISTRY_STUCK_REGISTRY_H_
#define CAIRN_TESTS_SERVER_REGISTRY_STUCK_REGISTRY_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "server/registry/registry.h"
#include "tests/server/registry/stuck_disk.h"

namespace cairn::testing {

class StuckRegistry final : public Registry {
 public:
  absl::StatusOr<ClusterId> cluster_id() override { return Real().cluster_id(); }
  absl::StatusOr<TenantRecord> AddTenant(const TenantRecord& record) override {
    return Real().AddTenant(record);
  }
  absl::StatusOr<TenantRecord> FindTenant(const std::string& name) override {
    return Real().FindTenant(name);
  }
  absl::Status RemoveTenant(const std::string& name) override { return Real().RemoveTenant(name); }
  absl::StatusOr<std::vector<TenantRecord>> ListTenants() override { return Real().ListTenants(); }
  absl::Status SetObjective(const ObjectiveRecord& record) override {
    return Real().SetObjective(record);
  }
  absl::Status RemoveObjective(const std::string& name) override {
    return Real().RemoveObjective(name);
  }
  absl::StatusOr<std::vector<ObjectiveRecord>> ListObjectives() override {
    return Real().ListObjectives();
  }

  std::unique_ptr<Registry> real;
  std::atomic<StuckDisk*> disk = nullptr;  // nullptr: it answers

 private:
  Registry& Real() {
    if (StuckDisk* const stuck = disk) stuck->Wait();
    return *real;
  }
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_SERVER_REGISTRY_STUCK_REGISTRY_H_
