// The production client, a coordinator that says what it is told to, and a fake node.
#ifndef CAIRN_TESTS_CLIENT_CLIENT_FIXTURE_H_
#define CAIRN_TESTS_CLIENT_CLIENT_FIXTURE_H_

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/random.h"
#include "cairn/v1/coordinator.pb.h"
#include "client/client.h"
#include "tests/client/fake_node.h"
#include "tests/proto/sample_namespace.h"
#include "transport/sim/sim_world.h"

namespace cairn::testing {

inline constexpr uint32_t kBlock = 64 << 10;
inline constexpr size_t kSlots = 64;

inline BlockKey NumberedKey(uint64_t number) {
  BlockKey key;
  SeededRandom(number).Fill(absl::MakeSpan(key.bytes));
  return key;
}

struct ClientFixture : ::testing::Test {
  static constexpr char kCoordinator[] = "10.0.1.1:7400";
  static constexpr char kNode[] = "10.0.2.1:7500";

  explicit ClientFixture(uint64_t seed = 1) : world({.seed = seed}) {
    options.coordinators = {kCoordinator};
    options.breaker_failures = 1000;
    SimHost& host = world.AddHost("10.0.1.1");
    CAIRN_CHECK(host.Serve(kCoordinator,
                           [this](const std::string& method, const std::string& bytes) {
                             return Answer(method.substr(method.rfind('/') + 1), bytes);
                           })
                    .ok());
  }
  ~ClientFixture() override {
    region.reset();
    client.reset();
  }

  // With the options as they stand. The session is open afterwards unless no coordinator answers.
  void Start() {
    Runtime runtime = client_host.runtime();
    client = Client::Start(options, SampleNamespace(kBlock), runtime).value();
    region = client->Register(absl::MakeSpan(memory)).value();
    client_host.Run([this] { return client == nullptr ? 0 : Poll(); });
    if (!coordinator_answers) return;
    ASSERT_TRUE(Until([this] { return client->ready(); }));
  }

  Transfer MakeTransfer(uint64_t tag, const BlockKey& key, size_t slot) {
    extents[slot] = {.base_bytes = slot * kBlock, .size_bytes = kBlock};
    return {.key = key,
            .region = region.get(),
            .extents = {&extents[slot], 1},
            .tag = tag,
            .run_key = key};
  }
  Instant In(absl::Duration timeout) { return client_host.clock().Now() + timeout; }
  // tag, key and slot of the same number.
  absl::Status Get(uint64_t number, absl::Duration timeout = absl::Seconds(5)) {
    const Transfer transfer = MakeTransfer(number, NumberedKey(number), number % kSlots);
    return client->Get({&transfer, 1}, LeaseId::kNone, In(timeout));
  }
  absl::Status Put(uint64_t number, absl::Duration timeout = absl::Seconds(5)) {
    Fill(number);
    const Transfer transfer = MakeTransfer(number, NumberedKey(number), number % kSlots);
    return client->Put({&transfer, 1}, {}, In(timeout));
  }
  void Fill(uint64_t number) {
    const std::vector<std::byte> bytes = PayloadOf(NumberedKey(number), kBlock);
    std::copy(bytes.begin(), bytes.end(), Slot(number).begin());
  }
  bool Holds(uint64_t number) {
    const std::vector<std::byte> bytes = PayloadOf(NumberedKey(number), kBlock);
    return std::equal(bytes.begin(), bytes.end(), Slot(number).begin());
  }
  absl::Span<std::byte> Slot(uint64_t number) {
    return absl::MakeSpan(memory).subspan(number % kSlots * kBlock, kBlock);
  }

  // What nobody may write into any more.
  static void FillPattern(absl::Span<std::byte> bytes) {
    std::fill(bytes.begin(), bytes.end(), std::byte{0x5a});
  }
  static bool IsFilled(absl::Span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(),
                       [](std::byte byte) { return byte == std::byte{0x5a}; });
  }

  size_t Poll() {
    std::array<Completion, 16> completions;
    const size_t count = client->Poll(absl::MakeSpan(completions));
    for (size_t i = 0; i < count; ++i) {
      EXPECT_TRUE(done.emplace(completions[i].tag, completions[i]).second)
          << "tag " << completions[i].tag << " completed twice";
    }
    return count;
  }
  void RunFor(absl::Duration duration) { world.scheduler().RunFor(duration); }
  bool Until(const std::function<bool()>& condition, absl::Duration limit = absl::Seconds(30)) {
    return world.scheduler().RunUntilTrue(condition, limit);
  }
  wire::MissReason ReasonOf(uint64_t tag) {
    EXPECT_TRUE(Until([&] { return done.contains(tag); })) << "tag " << tag;
    return done.contains(tag) ? done.at(tag).reason : wire::MissReason::kMax;
  }
  wire::MissReason GetReason(uint64_t number, absl::Duration timeout = absl::Seconds(5)) {
    EXPECT_TRUE(Get(number, timeout).ok());
    return ReasonOf(number);
  }
  // Until the node has a whole fetch or put in its hands.
  bool UntilFetched(size_t count = 1) {
    return Until([&] { return node.fetches.size() >= count; });
  }

  absl::StatusOr<std::string> TakeReport(const std::string& bytes) {
    CAIRN_CHECK(reports.emplace_back().ParseFromString(bytes));
    if (!takes_reports) return absl::UnimplementedError("an older coordinator");
    v1::ReportClientReply reply;
    reply.set_interval_ms(report_interval_ms);
    return reply.SerializeAsString();
  }
  // Everything is at the node: there already, or to be placed.
  absl::StatusOr<std::string> Answer(const std::string& method, const std::string& bytes) {
    if (!coordinator_answers) return absl::UnavailableError("told to be away");
    if (method == "OpenSession") {
      ++sessions_opened;
      v1::OpenSessionReply reply;
      reply.set_token(std::string(kTokenBytes, 't'));
      reply.set_expires_in_ms(600'000);
      return reply.SerializeAsString();
    }
    if (method == "ReportClient") return TakeReport(bytes);
    ++located;
    v1::LocateRequest request;
    CAIRN_CHECK(request.ParseFromString(bytes));
    v1::LocateReply reply;
    v1::LocateReply::Node& where = *reply.add_nodes();
    where.set_node_id(std::string(16, 'n'));
    where.set_incarnation(node.incarnation);
    where.add_reactor_addresses(kNode);
    v1::LocateReply::Run& run = *(available ? reply.add_available() : reply.add_placement());
    run.set_count(static_cast<uint32_t>(request.keys().size() / sizeof(BlockKey)));
    return reply.SerializeAsString();
  }

  SimWorld world;
  SimHost& node_host = world.AddHost("10.0.2.1");
  SimHost& client_host = world.AddHost("10.0.3.1");
  FakeNode node{node_host, kNode};
  bool coordinator_answers = true;
  bool available = true;
  bool takes_reports = true;
  uint32_t report_interval_ms = 0;
  std::vector<v1::ReportClientRequest> reports;
  int sessions_opened = 0;
  int located = 0;
  ClientOptions options;
  std::vector<std::byte> memory = std::vector<std::byte>(kSlots * kBlock);
  std::array<Extents, kSlots> extents;
  std::unique_ptr<Client> client;
  std::unique_ptr<MemoryRegion> region;
  std::map<uint64_t, Completion> done;
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_CLIENT_CLIENT_FIXTURE_H_
