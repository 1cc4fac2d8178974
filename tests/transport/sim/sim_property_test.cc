// Random use of the lane under random faults keeps the contract of transport.h: each callback once,
// messages in order, and memory untouched from the callback that returns it (P6).
#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "tests/transport/sim/sim_pair.h"

namespace cairn {
namespace {

constexpr size_t kSlotBytes = 4096;
constexpr size_t kSlots = 48;
constexpr int kSteps = 300;

// Sends, lands and closes as a seed says, and checks every callback.
class Actor final : public Handler {
 public:
  Actor(SimHost& host, uint64_t seed) : host_(host), random_(seed), bytes_(kSlots * kSlotBytes) {}

  void Start() {
    worker_ = *host_.CreateWorker();
    address_ = *worker_->Listen(host_.ip() + ":0");
    region_ = *worker_->Register(absl::MakeSpan(bytes_));
    host_.Run([this] { return worker_ == nullptr ? 0 : worker_->Poll(*this); });
  }
  void Die() {
    host_.Crash(SimCrash::kProcess);
    region_.reset();
    worker_.reset();
    endpoints_.clear();
    slots_.clear();
    std::fill(bytes_.begin(), bytes_.end(), std::byte{});
  }
  bool alive() const { return worker_ != nullptr; }
  const std::string& address() const { return address_; }

  void Act(const std::string& peer) {
    switch (random_.Below(8)) {
      case 0:
        return Connect(peer);
      case 1:
        return CloseOne();
      case 2:
      case 3:
      case 4:
        return SendText();
      default:
        return SendBulk();
    }
  }
  void CloseAll() {
    for (auto& [endpoint, state] : endpoints_) worker_->Close(endpoint);
  }

  bool idle() const { return endpoints_.empty() && slots_.empty(); }

  // What no transfer owns holds zeros.
  void CheckMemory() const {
    for (size_t slot = 0; slot < kSlots; ++slot) {
      if (slots_.count(slot) != 0) continue;
      const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(slot * kSlotBytes);
      ASSERT_TRUE(
          std::all_of(begin, begin + kSlotBytes, [](std::byte b) { return b == std::byte{}; }))
          << "slot " << slot;
    }
  }

  void OnAccepted(EndpointId endpoint, const std::string&) override { Add(endpoint); }
  void OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) override {
    uint64_t number;
    ASSERT_EQ(message.size(), sizeof(number));
    std::memcpy(&number, message.data(), sizeof(number));
    EXPECT_EQ(number, endpoints_.at(endpoint).received++) << "lost, repeated or out of order";
  }
  Landing OnBulkArrival(EndpointId endpoint, absl::Span<const std::byte>, uint64_t bytes) override {
    EXPECT_EQ(endpoints_.count(endpoint), 1u);
    const size_t slot = FreeSlot();
    if (slot == kSlots || random_.Below(8) == 0) return Landing::Refuse();
    slots_[slot] = {endpoint, /*receives=*/true};
    return {true, {region_.get(), slot * kSlotBytes, bytes}, slot};
  }
  void OnBulkReceived(EndpointId endpoint, uint64_t slot, absl::StatusCode code) override {
    Return(endpoint, slot, true, code);
  }
  void OnBulkSent(EndpointId endpoint, uint64_t slot, absl::StatusCode code) override {
    Return(endpoint, slot, false, code);
  }
  void OnFailed(EndpointId endpoint, const absl::Status& why) override {
    EXPECT_FALSE(why.ok());
    EXPECT_FALSE(std::exchange(endpoints_.at(endpoint).failed, true));
    worker_->Close(endpoint);
  }
  void OnClosed(EndpointId endpoint) override {
    EXPECT_EQ(endpoints_.erase(endpoint), 1u);
    for (auto it = slots_.begin(); it != slots_.end();) {
      EXPECT_TRUE(it->second.endpoint != endpoint || it->second.reported) << "no callback";
      it = it->second.endpoint == endpoint ? Reuse(it) : std::next(it);
    }
  }

 private:
  struct Endpoint {
    uint64_t sent = 0;
    uint64_t received = 0;
    bool failed = false;
  };
  struct Slot {
    EndpointId endpoint{};
    bool receives = false;
    bool reported = false;  // with a failure: the memory comes back with OnClosed
  };
  using SlotIterator = std::map<size_t, Slot>::iterator;

  void Add(EndpointId endpoint) { EXPECT_TRUE(endpoints_.emplace(endpoint, Endpoint{}).second); }
  size_t FreeSlot() const {
    size_t slot = 0;
    while (slot < kSlots && slots_.count(slot) != 0) ++slot;
    return slot;
  }
  SlotIterator Reuse(SlotIterator it) {
    std::memset(bytes_.data() + it->first * kSlotBytes, 0, kSlotBytes);
    return slots_.erase(it);
  }
  void Return(EndpointId endpoint, uint64_t slot, bool receives, absl::StatusCode code) {
    auto found = slots_.find(slot);
    ASSERT_NE(found, slots_.end());
    EXPECT_EQ(found->second.endpoint, endpoint);
    EXPECT_EQ(found->second.receives, receives);
    EXPECT_FALSE(std::exchange(found->second.reported, true)) << "two callbacks";
    if (code == absl::StatusCode::kOk) Reuse(found);
  }
  EndpointId AnyEndpoint() {
    auto it = endpoints_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(random_.Below(endpoints_.size())));
    return it->first;
  }
  void Connect(const std::string& peer) {
    if (endpoints_.size() < 6) Add(*worker_->Connect(peer));
  }
  void CloseOne() {
    if (!endpoints_.empty()) worker_->Close(AnyEndpoint());
  }
  void SendText() {
    if (endpoints_.empty()) return;
    const EndpointId endpoint = AnyEndpoint();
    uint64_t& number = endpoints_.at(endpoint).sent;
    const auto* bytes = reinterpret_cast<const std::byte*>(&number);
    if (worker_->SendMessage(endpoint, {bytes, sizeof(number)}).ok()) ++number;
  }
  void SendBulk() {
    const size_t slot = FreeSlot();
    if (endpoints_.empty() || slot == kSlots) return;
    const EndpointId endpoint = AnyEndpoint();
    std::memset(bytes_.data() + slot * kSlotBytes, static_cast<int>(1 + random_.Below(255)),
                kSlotBytes);
    slots_[slot] = {endpoint, /*receives=*/false};
    const Bulk bulk = {testing::AsBytes("h"),
                       {region_.get(), slot * kSlotBytes, 1 + random_.Below(kSlotBytes)},
                       slot};
    if (!worker_->SendBulks(endpoint, {&bulk, 1}).ok()) Reuse(slots_.find(slot));
  }

  SimHost& host_;
  SeededRandom random_;
  std::vector<std::byte> bytes_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Region> region_;
  std::string address_;
  std::map<EndpointId, Endpoint> endpoints_;
  std::map<size_t, Slot> slots_;
};

class Chaos {
 public:
  explicit Chaos(uint64_t seed)
      : random_(seed),
        world_({.seed = seed,
                .link = {.jitter = absl::Microseconds(300), .bytes_per_second = 20'000'000},
                .timings = {.stall_timeout = absl::Seconds(2)}}) {
    for (int i = 0; i < 3; ++i) {
      SimHost& host = world_.AddHost(absl::StrCat("10.0.0.", i));
      hosts_.push_back(&host);
      actors_.push_back(std::make_unique<Actor>(host, random_.Next()));
      actors_.back()->Start();
    }
  }

  void Run() {
    for (int step = 0; step < kSteps; ++step) {
      if (random_.Below(6) == 0) Fault();
      const size_t i = random_.Below(3);
      if (actors_[i]->alive()) actors_[i]->Act(actors_[random_.Below(3)]->address());
      world_.scheduler().RunFor(absl::Microseconds(static_cast<int64_t>(random_.Below(3000))));
      for (const auto& actor : actors_) actor->CheckMemory();
    }
    Mend();
    for (const auto& actor : actors_) {
      if (actor->alive()) actor->CloseAll();
    }
    world_.scheduler().RunFor(absl::Seconds(1));
    for (const auto& actor : actors_) EXPECT_TRUE(actor->idle());
  }

 private:
  void Fault() {
    const size_t a = random_.Below(3);
    SimLink& link = world_.link(hosts_[a]->ip(), hosts_[random_.Below(3)]->ip());
    switch (random_.Below(8)) {
      case 0:
        link.cut = true;
        break;
      case 1:
        link.loss_ppm = 200'000;
        break;
      case 2:
        link.reset_ppm = 20'000;
        break;
      case 3:
        if (hosts_[a]->alive()) hosts_[a]->Stop();
        break;
      case 4:
        if (hosts_[a]->alive()) actors_[a]->Die();
        break;
      default:
        Mend();
        break;
    }
  }
  void Mend() {
    for (size_t i = 0; i < 3; ++i) {
      for (SimHost* other : hosts_) {
        SimLink& link = world_.link(hosts_[i]->ip(), other->ip());
        link.cut = false;
        link.loss_ppm = link.reset_ppm = 0;
      }
      if (!hosts_[i]->alive()) {
        hosts_[i]->Boot();
        actors_[i]->Start();
      }
      hosts_[i]->Continue();
    }
  }

  SeededRandom random_;
  SimWorld world_;
  std::vector<SimHost*> hosts_;
  std::vector<std::unique_ptr<Actor>> actors_;
};

TEST(SimLaneProperty, RandomUseUnderRandomFaultsKeepsTheContract) {
  for (uint64_t seed = 0; seed < 40 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Chaos(seed).Run();
  }
}

}  // namespace
}  // namespace cairn
