#include "server/coordinator/waiting_calls.h"

#include <utility>

namespace cairn {

WaitingCalls::WaitingCalls() : thread_([this] { RunUntilStopped(); }) {}

WaitingCalls::~WaitingCalls() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

bool WaitingCalls::Run(std::function<void()> call) {
  {
    const MutexLock lock(mutex_);
    if (calls_.size() == kCallsMax) return false;
    calls_.push_back(std::move(call));
  }
  wake_.NotifyAll();
  return true;
}

std::function<void()> WaitingCalls::Next() {
  const MutexLock lock(mutex_);
  while (calls_.empty() && !stopping_) wake_.Wait(mutex_);
  if (calls_.empty()) return nullptr;
  std::function<void()> next = std::move(calls_.front());
  calls_.pop_front();
  return next;
}

void WaitingCalls::RunUntilStopped() {
  while (const std::function<void()> call = Next()) call();
}

}  // namespace cairn
