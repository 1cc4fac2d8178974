#include "server/coordinator/known_namespaces.h"

namespace cairn {

void KnownNamespaces::Use(std::list<Known>::iterator known, Instant now) {
  known->used = now;
  by_use_.splice(by_use_.begin(), by_use_, known);
}

void KnownNamespaces::Opened(const v1::OpenSessionRequest& request,
                             const v1::OpenSessionReply& reply, Instant now) {
  const Id id{reply.tenant_id(), reply.namespace_id()};
  auto found = known_.find(id);
  if (found == known_.end()) {
    if (by_use_.size() == kMax) {
      known_.erase(by_use_.back().id);
      by_use_.pop_back();
    }
    by_use_.emplace_front(Known{id, {}, now});
    v1::KnownNamespace& fields = by_use_.front().fields;
    fields.set_tenant(request.tenant());
    fields.set_namespace_id(reply.namespace_id());
    *fields.mutable_ns() = request.ns();
    found = known_.emplace(id, by_use_.begin()).first;
  }
  v1::KnownNamespace& fields = found->second->fields;
  fields.set_sessions_opened(fields.sessions_opened() + 1);
  Use(found->second, now);
}

void KnownNamespaces::Located(TenantId tenant, const std::string& namespace_id, uint64_t asked,
                              uint64_t found, Instant now) {
  const auto known = known_.find(Id{tenant, namespace_id});
  if (known == known_.end()) return;
  v1::KnownNamespace& fields = known->second->fields;
  fields.set_blocks_asked(fields.blocks_asked() + asked);
  fields.set_blocks_found(fields.blocks_found() + found);
  Use(known->second, now);
}

uint32_t KnownNamespaces::tokens_per_block(TenantId tenant, const std::string& namespace_id) const {
  const auto known = known_.find(Id{tenant, namespace_id});
  return known == known_.end() ? 0 : known->second->fields.ns().tokens_per_block();
}

v1::ListNamespacesReply KnownNamespaces::List(Instant now) const {
  v1::ListNamespacesReply reply;
  for (const Known& known : by_use_) {
    v1::KnownNamespace& listed = *reply.add_namespaces();
    listed = known.fields;
    listed.set_last_use_age_ms((now.ns - known.used.ns) / 1'000'000);
  }
  return reply;
}

}  // namespace cairn
