// What must be durable and agreed: cluster identity, tenants and objectives (leases and quotas
// later). Never a block. Implementations: sqlite_registry.h (embedded, one machine).
#ifndef CAIRN_SERVER_REGISTRY_REGISTRY_H_
#define CAIRN_SERVER_REGISTRY_REGISTRY_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "proto/identity.h"

namespace cairn {

struct TenantRecord {
  std::string name;  // as of given_name.h
  TenantId id = 0;   // never reused
  TenantSecret secret{};
  uint64_t inflight_bytes_max = 0;
  uint32_t weight = 0;  // 1 to 1000
};

struct ObjectiveRecord {
  std::string name;
  std::string body;  // a serialized v1::Objective
};

// Thread-safe. Every call may block on a disk: control plane only.
class Registry {
 public:
  virtual ~Registry() = default;
  // Made at the first call, the same ever after.
  virtual absl::StatusOr<ClusterId> cluster_id() = 0;
  // record.id is ignored and assigned. kAlreadyExists, kInvalidArgument: names the field.
  virtual absl::StatusOr<TenantRecord> AddTenant(const TenantRecord& record) = 0;
  // kNotFound.
  virtual absl::StatusOr<TenantRecord> FindTenant(const std::string& name) = 0;
  virtual absl::Status RemoveTenant(const std::string& name) = 0;
  virtual absl::StatusOr<std::vector<TenantRecord>> ListTenants() = 0;

  // In place of one of that name.
  virtual absl::Status SetObjective(const ObjectiveRecord& record) = 0;
  // kNotFound.
  virtual absl::Status RemoveObjective(const std::string& name) = 0;
  virtual absl::StatusOr<std::vector<ObjectiveRecord>> ListObjectives() = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_REGISTRY_REGISTRY_H_
