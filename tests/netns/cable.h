// A network cable in user space between two TUN devices: not every kernel has netem.
#ifndef CAIRN_TESTS_NETNS_CABLE_H_
#define CAIRN_TESTS_NETNS_CABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "base/event_fd.h"
#include "base/handle.h"
#include "base/mutex.h"
#include "base/random.h"

namespace cairn::netns {

// What a cable does to the packets in it. Both ways, where it does not say otherwise.
struct Conditions {
  absl::Duration delay;
  absl::Duration jitter;         // up to this much more, at random; packets keep their order
  double loss = 0;               // share of the packets
  uint64_t bits_per_second = 0;  // behind a queue of 50 ms; 0: as fast as this machine
  bool cut_to_first = false;     // silently: peers see timeouts, not resets
  bool cut_to_second = false;
};

// Carries packets on a thread of its own until it is destroyed.
class Cable {
 public:
  // first, second: TUN devices, not blocking. The same seed loses and delays the same packets of a
  // direction, counted from its first.
  Cable(FileDescriptor first, FileDescriptor second, uint64_t seed);
  ~Cable();
  Cable(const Cable&) = delete;
  Cable& operator=(const Cable&) = delete;

  // Thread-safe. A cut loses what is under way; packets under way keep their delay.
  void Set(const Conditions& conditions);

 private:
  struct Packet {
    Instant due;
    std::vector<std::byte> bytes;
  };
  struct Direction {
    int from;
    int to;
    SeededRandom random;
    std::deque<Packet> packets = {};  // in order of due; at most kBytesMax
    size_t bytes = 0;
    Instant link_free = {};  // when the link has sent what it took
  };

  void Run();
  // Until a device has packets, one is due, or another thread wants something.
  void Wait();
  static void Take(Direction& direction, const Conditions& now, bool cut);
  static void Deliver(Direction& direction, bool cut);

  const FileDescriptor first_;
  const FileDescriptor second_;
  EventFd wake_;
  Mutex mutex_;
  Conditions conditions_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  Direction to_second_;  // these two: the thread's
  Direction to_first_;
  std::thread thread_;
};

}  // namespace cairn::netns

#endif  // CAIRN_TESTS_NETNS_CABLE_H_
