// A disk that does not answer until it is let go.
#ifndef CAIRN_TESTS_SERVER_REGISTRY_STUCK_DISK_H_
#define CAIRN_TESTS_SERVER_REGISTRY_STUCK_DISK_H_

#include <atomic>
#include <chrono>
#include <future>

namespace cairn::testing {

class StuckDisk {
 public:
  // Until LetGo, or a minute: then a test waits that should not.
  void Wait() {
    ++begun;
    if (freed_.wait_for(std::chrono::minutes(1)) != std::future_status::ready) waited_for = true;
  }
  void LetGo() { free_.set_value(); }

  std::atomic<int> begun = 0;
  std::atomic<bool> waited_for = false;

 private:
  std::promise<void> free_;
  std::shared_future<void> freed_ = free_.get_future().share();
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_SERVER_REGISTRY_STUCK_DISK_H_
