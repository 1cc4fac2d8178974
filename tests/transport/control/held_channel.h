// A control channel that keeps its calls until the test answers them.
#ifndef CAIRN_TESTS_TRANSPORT_CONTROL_HELD_CHANNEL_H_
#define CAIRN_TESTS_TRANSPORT_CONTROL_HELD_CHANNEL_H_

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "transport/control/control_channel.h"

namespace cairn::testing {

class HeldChannel final : public ControlChannel {
 public:
  explicit HeldChannel(std::string address) : address_(std::move(address)) {}

  void Call(const std::string& method, std::string request, absl::Duration timeout,
            Done done) override {
    CAIRN_CHECK(timeout > absl::ZeroDuration());
    calls_.push_back(
        {method.substr(method.rfind('/') + 1), std::move(request), timeout, std::move(done)});
  }
  size_t Poll() override {
    const size_t count = answered_.size();
    for (auto& [done, reply] : std::exchange(answered_, {})) done(reply);
    return count;
  }
  int event_fd() const override { return -1; }
  const std::string& address() const override { return address_; }

  size_t waiting() const { return calls_.size(); }
  // Whether a call of this method, without its service's name, waits for an answer.
  bool Called(const std::string& method) const {
    return std::any_of(calls_.begin(), calls_.end(),
                       [&](const Pending& call) { return call.method == method; });
  }
  absl::Duration timeout() const { return calls_.front().timeout; }
  // Answers the oldest call of the method at the next Poll; it must be there.
  template <typename Request>
  Request Answer(const std::string& method, absl::StatusOr<std::string> reply) {
    const auto call = std::find_if(calls_.begin(), calls_.end(),
                                   [&](const Pending& one) { return one.method == method; });
    CAIRN_CHECK(call != calls_.end());
    Request request;
    CAIRN_CHECK(request.ParseFromString(call->request));
    answered_.emplace_back(std::move(call->done), std::move(reply));
    calls_.erase(call);
    return request;
  }

 private:
  struct Pending {
    std::string method;
    std::string request;
    absl::Duration timeout;
    Done done;
  };

  const std::string address_;
  std::deque<Pending> calls_;
  std::vector<std::pair<Done, absl::StatusOr<std::string>>> answered_;
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_TRANSPORT_CONTROL_HELD_CHANNEL_H_
