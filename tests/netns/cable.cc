#include "tests/netns/cable.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace cairn::netns {
namespace {

constexpr size_t kBytesMax = 64 << 20;     // 160 ms of what the kernel could push through here
constexpr size_t kPacketBytesMax = 65536;  // an IP packet
constexpr int kBurst = 64;                 // packets of one direction before the other's turn
constexpr absl::Duration kQueueMax = absl::Milliseconds(50);

bool Chance(Random& random, double share) {
  return static_cast<double>(random.Below(1'000'000)) < share * 1e6;
}

absl::Duration TimeOnLink(size_t bytes, uint64_t bits_per_second) {
  return absl::Seconds(static_cast<double>(bytes) * 8 / static_cast<double>(bits_per_second));
}

}  // namespace

Cable::Cable(FileDescriptor first, FileDescriptor second, uint64_t seed)
    : first_(std::move(first)),
      second_(std::move(second)),
      wake_(*EventFd::Create()),
      to_second_{first_.get(), second_.get(), SeededRandom(seed)},
      to_first_{second_.get(), first_.get(), SeededRandom(seed + 1)},
      thread_([this] { Run(); }) {}

Cable::~Cable() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  wake_.Signal();
  thread_.join();
}

void Cable::Set(const Conditions& conditions) {
  {
    const MutexLock lock(mutex_);
    conditions_ = conditions;
  }
  wake_.Signal();
}

void Cable::Run() {
  for (;;) {
    Wait();
    Conditions now;
    {
      const MutexLock lock(mutex_);
      if (stopped_) return;
      now = conditions_;
    }
    Take(to_second_, now, now.cut_to_second);
    Take(to_first_, now, now.cut_to_first);
    Deliver(to_second_, now.cut_to_second);
    Deliver(to_first_, now.cut_to_first);
  }
}

void Cable::Wait() {
  Instant due = kNever;
  for (const Direction* direction : {&to_second_, &to_first_}) {
    if (!direction->packets.empty()) due = std::min(due, direction->packets.front().due);
  }
  const timespec left = absl::ToTimespec(std::max(due - RealClock().Now(), absl::ZeroDuration()));
  std::array<pollfd, 3> waiting{
      {{first_.get(), POLLIN, 0}, {second_.get(), POLLIN, 0}, {wake_.fd(), POLLIN, 0}}};
  ppoll(waiting.data(), waiting.size(), due == kNever ? nullptr : &left, nullptr);
  wake_.Drain();
}

void Cable::Take(Direction& direction, const Conditions& now, bool cut) {
  std::array<std::byte, kPacketBytesMax> buffer;
  for (int i = 0; i < kBurst; ++i) {
    const ssize_t count = read(direction.from, buffer.data(), buffer.size());
    if (count <= 0) return;
    const auto bytes = static_cast<size_t>(count);
    const bool lost = Chance(direction.random, now.loss);
    const double late = static_cast<double>(direction.random.Below(1'000'000)) / 1e6;
    if (lost || cut || direction.bytes + bytes > kBytesMax) continue;
    const Instant taken = RealClock().Now();
    Instant due = taken;
    if (now.bits_per_second > 0) {
      due = std::max(taken, direction.link_free);
      if (due - taken > kQueueMax) continue;
      due = due + TimeOnLink(bytes, now.bits_per_second);
      direction.link_free = due;
    }
    due = due + now.delay + now.jitter * late;
    if (!direction.packets.empty()) due = std::max(due, direction.packets.back().due);
    direction.packets.push_back({due, {buffer.begin(), buffer.begin() + count}});
    direction.bytes += bytes;
  }
}

void Cable::Deliver(Direction& direction, bool cut) {
  const Instant now = RealClock().Now();
  while (!direction.packets.empty() && (cut || direction.packets.front().due <= now)) {
    const Packet& packet = direction.packets.front();
    // A device that takes no more drops it, as a host does.
    if (!cut) (void)!write(direction.to, packet.bytes.data(), packet.bytes.size());
    direction.bytes -= packet.bytes.size();
    direction.packets.pop_front();
  }
}

}  // namespace cairn::netns
