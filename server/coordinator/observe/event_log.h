// What happened of late, for people. Bounded; the oldest go. Not thread-safe.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_EVENT_LOG_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <string>

#include "cairn/v1/overview.pb.h"

namespace cairn {

class EventLog {
 public:
  static constexpr size_t kMax = 1000;

  void Add(int64_t unix_s, std::string kind, std::string subject, std::string text) {
    if (events_.size() == kMax) events_.pop_front();
    v1::Event& event = events_.emplace_back();
    event.set_sequence(next_++);
    event.set_unix_ms(unix_s * 1000);
    event.set_kind(std::move(kind));
    event.set_subject(std::move(subject));
    event.set_text(std::move(text));
  }

  // The newest first, at most `max`.
  void Fill(size_t max, google::protobuf::RepeatedPtrField<v1::Event>& out) const {
    for (auto event = events_.rbegin(); event != events_.rend() && max > 0; ++event, --max) {
      *out.Add() = *event;
    }
  }

 private:
  uint64_t next_ = 1;
  std::deque<v1::Event> events_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_EVENT_LOG_H_
