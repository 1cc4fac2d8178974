#include "base/mutex.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Mutex, IncrementsUnderTheLockAreNotLost) {
  constexpr int kThreads = 4;
  constexpr int kIncrements = 10'000;
  struct {
    Mutex mutex;
    int value ABSL_GUARDED_BY(mutex) = 0;
  } counter;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&counter] {
      for (int j = 0; j < kIncrements; ++j) {
        const MutexLock lock(counter.mutex);
        ++counter.value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const MutexLock lock(counter.mutex);
  EXPECT_EQ(counter.value, kThreads * kIncrements);
}

}  // namespace
}  // namespace cairn
