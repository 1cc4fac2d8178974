#include "tests/sim/nemesis.h"

#include <cerrno>
#include <iterator>
#include <utility>

namespace cairn::sim {
namespace {

// Long enough for heartbeats (3 s) to be missed, short enough for several a run.
constexpr absl::Duration kLong = absl::Seconds(5);
constexpr absl::Duration kShort = absl::Seconds(1);
constexpr absl::Duration kReviveAgain = absl::Milliseconds(100);  // after a start that failed

}  // namespace

Nemesis::Nemesis(Cluster& cluster, const NemesisOptions& options)
    : cluster_(cluster), options_(options), random_(options.seed) {}

absl::Duration Nemesis::UpTo(absl::Duration most) {
  const auto most_us = static_cast<uint64_t>(absl::ToInt64Microseconds(most));
  return absl::Microseconds(static_cast<int64_t>(random_.Below(most_us + 1)));
}

void Nemesis::Begin() {
  active_ = true;
  cluster_.scheduler().After(UpTo(options_.pause_max), [this] { Next(); });
}

void Nemesis::Next() {
  using Fault = void (Nemesis::*)();
  static constexpr Fault kFaults[] = {
      &Nemesis::CutPair,     &Nemesis::CutPair,          &Nemesis::CutOneWay,
      &Nemesis::IsolateHost, &Nemesis::DamageLink,       &Nemesis::DamageLink,
      &Nemesis::DamageLink,  &Nemesis::SlowHost,         &Nemesis::StopHost,
      &Nemesis::StopHost,    &Nemesis::CrashNode,        &Nemesis::CrashNode,
      &Nemesis::CrashEngine, &Nemesis::CrashCoordinator, &Nemesis::RestartEngine,
      &Nemesis::JumpClock,   &Nemesis::RotArena,         &Nemesis::RotArena,
      &Nemesis::FailDisk,    &Nemesis::FailDrive,        &Nemesis::FailDrive};
  if (!active_) return;
  (this->*kFaults[random_.Below(std::size(kFaults))])();
  ++cluster_.verdict().tally.faults;
  cluster_.scheduler().After(UpTo(options_.pause_max), [this] { Next(); });
}

void Nemesis::Inflict(Mend mend, absl::Duration most) {
  const uint64_t fault = ++last_fault_;
  open_[fault] = std::move(mend);
  cluster_.scheduler().After(UpTo(most), [this, fault] { MendNow(fault); });
}

void Nemesis::MendNow(uint64_t fault) {
  auto found = open_.find(fault);
  if (found == open_.end()) return;
  const Mend mend = std::move(found->second);
  open_.erase(found);
  mend();
}

void Nemesis::EndAndMend() {
  active_ = false;
  while (!open_.empty()) MendNow(open_.begin()->first);
}

SimHost& Nemesis::AnyServer() {
  const size_t nodes = cluster_.nodes().size();
  const size_t i = random_.Below(nodes + cluster_.coordinators().size());
  return i < nodes ? cluster_.nodes()[i].host : cluster_.coordinators()[i - nodes].host;
}

SimHost& Nemesis::AnyHost() {
  if (random_.Below(2) == 0) return AnyServer();
  return cluster_.engines()[random_.Below(cluster_.engines().size())]->host();
}

void Nemesis::CutPair() {
  const std::string a = AnyHost().ip();
  const std::string b = AnyServer().ip();
  cluster_.world().SetCut(a, b, true);
  Inflict([this, a, b] { cluster_.world().SetCut(a, b, false); }, kLong);
}

void Nemesis::CutOneWay() {
  const std::string a = AnyHost().ip();
  const std::string b = AnyServer().ip();
  SimLink& link = random_.Below(2) == 0 ? cluster_.world().link(a, b) : cluster_.world().link(b, a);
  link.cut = true;
  Inflict([&link] { link.cut = false; }, kLong);
}

void Nemesis::IsolateHost() {
  const std::string ip = AnyHost().ip();
  cluster_.world().Isolate(ip, true);
  Inflict([this, ip] { cluster_.world().Isolate(ip, false); }, kLong);
}

void Nemesis::DamageLink() {
  const std::string a = AnyHost().ip();
  const std::string b = AnyServer().ip();
  SimLink& link = random_.Below(2) == 0 ? cluster_.world().link(a, b) : cluster_.world().link(b, a);
  const SimLink whole = link;
  const auto rate = static_cast<uint32_t>(random_.Below(200'000));
  switch (random_.Below(options_.dishonest_network ? 7 : 4)) {
    case 0:
      link.loss_ppm = rate;
      break;
    case 1:
      link.corrupt_ppm = rate;
      break;
    case 2:
      link.reset_ppm = rate / 10;
      break;
    case 3:
      link.delay = UpTo(absl::Milliseconds(100));
      break;
    case 4:
      link.duplicate_ppm = rate;
      break;
    case 5:
      link.reorder_ppm = rate;
      break;
    case 6:
      link.corrupt_header_ppm = rate;
      break;
  }
  Inflict(
      [&link, whole] {
        const bool cut = link.cut;
        link = whole;
        link.cut = cut;
      },
      kLong);
}

void Nemesis::SlowHost() {
  SimHost& host = AnyHost();
  host.LimitBandwidth(200'000 + random_.Below(50'000'000));
  Inflict([&host] { host.LimitBandwidth(0); }, kLong);
}

void Nemesis::StopHost() {
  SimHost& host = AnyHost();
  if (!host.alive() || host.stopped()) return;
  host.Stop();
  Inflict(
      [&host] {
        if (host.alive()) host.Continue();
      },
      random_.Below(3) == 0 ? kLong : kShort);
}

void Nemesis::CrashNode() {
  const size_t i = random_.Below(cluster_.nodes().size());
  if (cluster_.nodes()[i].component == nullptr) return;
  cluster_.CrashNode(i, AnyCrash());
  Inflict([this, i] { ReviveNode(i); }, kShort);
}

void Nemesis::ReviveNode(size_t i) {
  SimHost& host = cluster_.nodes()[i].host;
  if (!host.alive()) host.Boot();
  ++cluster_.verdict().tally.restarts;
  if (!cluster_.StartNode(i)) Inflict([this, i] { ReviveNode(i); }, kReviveAgain);
}

void Nemesis::CrashCoordinator() {
  const size_t i = random_.Below(cluster_.coordinators().size());
  if (cluster_.coordinators()[i].component == nullptr) return;
  cluster_.CrashCoordinator(i, AnyCrash());
  Inflict([this, i] { ReviveCoordinator(i); }, kShort);
}

void Nemesis::ReviveCoordinator(size_t i) {
  SimHost& host = cluster_.coordinators()[i].host;
  if (!host.alive()) host.Boot();
  ++cluster_.verdict().tally.restarts;
  if (!cluster_.StartCoordinator(i)) Inflict([this, i] { ReviveCoordinator(i); }, kReviveAgain);
}

void Nemesis::CrashEngine() {
  const size_t i = random_.Below(cluster_.engines().size());
  if (!cluster_.engines()[i]->running()) return;
  cluster_.engines()[i]->Crash(AnyCrash());
  Inflict([this, i] { ReviveEngine(i); }, kShort);
}

void Nemesis::ReviveEngine(size_t i) {
  Engine& engine = *cluster_.engines()[i];
  if (!engine.host().alive()) engine.host().Boot();
  ++cluster_.verdict().tally.restarts;
  engine.Start();
}

void Nemesis::RestartEngine() {
  const size_t i = random_.Below(cluster_.engines().size());
  Engine& engine = *cluster_.engines()[i];
  if (!engine.running() || engine.host().stopped()) return;
  engine.Shutdown();
  Inflict([this, i] { ReviveEngine(i); }, kShort);
}

void Nemesis::JumpClock() {
  SimHost& host = AnyHost();
  const absl::Duration by = random_.Below(2) == 0 ? UpTo(absl::Hours(1)) : -UpTo(absl::Hours(1));
  host.clock().JumpWallClock(by);
  Inflict([&host, by] { host.clock().JumpWallClock(-by); }, kLong);
}

void Nemesis::RotArena() {
  if (!options_.arena_rots) return;
  Process<Node>& process = cluster_.nodes()[random_.Below(cluster_.nodes().size())];
  if (process.component == nullptr) return;
  Shard& shard = process.component->shard(random_.Below(process.component->reactor_count()));
  // Blocks fill the arena from its beginning, so a bit there is likely to be somebody's.
  const absl::Span<std::byte> arena = shard.arena();
  for (int i = 0; i < 64; ++i) {
    const uint64_t bit = random_.Below(arena.size() * 8 >> random_.Below(6));
    arena[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
}

void Nemesis::FailDisk() {
  SimHost& host = AnyServer();
  const bool reads = random_.Below(2) == 0;
  reads ? host.disk().FailReads(EIO) : host.disk().FailWrites(ENOSPC);
  Inflict(
      [&host] {
        host.disk().FailReads(0);
        host.disk().FailWrites(0);
      },
      kLong);
}

// One way at a time in which drives are known to fail (docs/faults.md).
void Nemesis::FailDrive() {
  if (!options_.drives_fail) return;
  const size_t node = random_.Below(cluster_.nodes().size());
  SimDeviceFaults& faults = cluster_.drive(node, random_.Below(cluster_.reactors())).faults();
  switch (random_.Below(10)) {
    case 0:
      faults.read_error_ppm = 100'000;
      break;
    case 1:
      faults.write_error_ppm = faults.flush_error_ppm = 100'000;
      break;
    case 2:
      faults.write_errno = ENOSPC;
      break;
    case 3:
      faults.write_errno = EROFS;
      break;
    case 4:
      faults.read_errno = faults.write_errno = ENODEV;
      break;
    case 5:
      faults.short_read_ppm = 200'000;
      break;
    case 6:
      faults.lost_write_ppm = faults.misdirected_write_ppm = 50'000;
      break;
    case 7:
      faults.rot_ppm = 200'000;
      break;
    case 8:
      faults.repeated_end_ppm = 500'000;
      break;
    case 9:
      faults.latency = absl::Milliseconds(8);  // a hundred times slower
      break;
  }
  Inflict([&faults] { faults = {}; }, kLong);
}

}  // namespace cairn::sim
