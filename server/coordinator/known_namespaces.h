// Which namespaces engines have declared and what they asked for: enough to say why two engines do
// not share. Not thread-safe: the coordinator's mutex covers it.
#ifndef CAIRN_SERVER_COORDINATOR_KNOWN_NAMESPACES_H_
#define CAIRN_SERVER_COORDINATOR_KNOWN_NAMESPACES_H_

#include <cstdint>
#include <list>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "base/clock.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/identity.h"

namespace cairn {

class KnownNamespaces {
 public:
  static constexpr size_t kMax = 1024;  // the one that was used longest ago goes first

  // A session was opened.
  void Opened(const v1::OpenSessionRequest& request, const v1::OpenSessionReply& reply,
              Instant now);
  // A chain of `asked` blocks was looked up; `found` of them are somewhere. Of a namespace that
  // was forgotten, or never opened, nothing is kept.
  void Located(TenantId tenant, const std::string& namespace_id, uint64_t asked, uint64_t found,
               Instant now);

  // 0: unknown.
  uint32_t tokens_per_block(TenantId tenant, const std::string& namespace_id) const;

  // The one that was used last comes first.
  v1::ListNamespacesReply List(Instant now) const;

 private:
  using Id = std::pair<TenantId, std::string>;
  struct Known {
    Id id;
    v1::KnownNamespace fields;
    Instant used;
  };
  void Use(std::list<Known>::iterator known, Instant now);

  std::list<Known> by_use_;
  absl::flat_hash_map<Id, std::list<Known>::iterator> known_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_KNOWN_NAMESPACES_H_
