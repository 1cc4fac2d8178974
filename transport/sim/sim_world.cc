#include "transport/sim/sim_world.h"

#include "base/check.h"

namespace cairn {

SimWorld::SimWorld(const SimWorldOptions& options) : fabric_(options) {}

SimHost& SimWorld::AddHost(const std::string& ip) {
  const uint64_t seed = fabric_.scheduler().random().Next();
  auto host = std::make_unique<SimHost>(fabric_, fabric_.AddHost(ip), seed);
  auto [found, added] = hosts_.emplace(ip, std::move(host));
  CAIRN_CHECK(added);
  return *found->second;
}

SimHost& SimWorld::host(const std::string& ip) { return *hosts_.at(ip); }

SimLink& SimWorld::link(const std::string& from, const std::string& to) {
  return fabric_.link(host(from).id(), host(to).id());
}

void SimWorld::SetCut(const std::string& a, const std::string& b, bool cut) {
  link(a, b).cut = cut;
  link(b, a).cut = cut;
}

void SimWorld::Isolate(const std::string& ip, bool cut) {
  for (const auto& [other, host] : hosts_) {
    if (other != ip) SetCut(ip, other, cut);
  }
}

}  // namespace cairn
