// Control calls over the simulated network answer what gRPC would.
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct ControlPair {
  ControlPair() : client(world.AddHost("10.0.0.1")), server(world.AddHost("10.0.0.2")) {
    channel = *client.OpenControlChannel("10.0.0.2:50");
    client.Run([this] { return channel->Poll(); });
    Serve();
  }
  void Serve() {
    ASSERT_TRUE(server
                    .Serve("10.0.0.2:50",
                           [this](const std::string& method,
                                  const std::string& request) -> absl::StatusOr<std::string> {
                             ++served;
                             if (method == "/fail") return absl::NotFoundError("no");
                             return method + "(" + request + ")";
                           })
                    .ok());
  }
  void Call(const std::string& method, std::string request,
            absl::Duration timeout = absl::Seconds(1)) {
    channel->Call(method, std::move(request), timeout, [this](absl::StatusOr<std::string> reply) {
      codes.push_back(reply.status().code());
      if (reply.ok()) replies.push_back(*reply);
    });
  }
  void RunFor(absl::Duration duration) { world.scheduler().RunFor(duration); }

  SimWorld world{{}};
  SimHost& client;
  SimHost& server;
  std::unique_ptr<ControlChannel> channel;
  std::vector<absl::StatusCode> codes;
  std::vector<std::string> replies;
  int served = 0;
};

TEST(SimControlChannel, CarriesRequestsAndReplies) {
  ControlPair pair;
  pair.Call("/a", "1");
  pair.Call("/b", "2");
  EXPECT_THAT(pair.codes, IsEmpty());
  pair.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(pair.replies, ::testing::UnorderedElementsAre("/a(1)", "/b(2)"));
}

TEST(SimControlChannel, CarriesTheServicesError) {
  ControlPair pair;
  pair.Call("/fail", "");
  pair.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(pair.codes, ElementsAre(absl::StatusCode::kNotFound));
}

TEST(SimControlChannel, NobodyServingIsUnavailable) {
  ControlPair pair;
  pair.server.Crash(SimCrash::kProcess);
  pair.Call("/a", "1");
  pair.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(pair.codes, ElementsAre(absl::StatusCode::kUnavailable));
}

TEST(SimControlChannel, ACutEndsAtTheDeadline) {
  ControlPair pair;
  pair.world.SetCut("10.0.0.1", "10.0.0.2", true);
  pair.Call("/a", "1");
  pair.RunFor(absl::Milliseconds(990));
  EXPECT_THAT(pair.codes, IsEmpty());
  pair.RunFor(absl::Milliseconds(20));
  EXPECT_THAT(pair.codes, ElementsAre(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(pair.served, 0);
}

TEST(SimControlChannel, ACallRunsAlthoughItsReplyIsLost) {
  ControlPair pair;
  pair.world.link("10.0.0.2", "10.0.0.1").cut = true;
  pair.Call("/a", "1");
  pair.RunFor(absl::Seconds(2));
  EXPECT_THAT(pair.codes, ElementsAre(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(pair.served, 1);
}

TEST(SimControlChannel, LossIsRepairedBySendingAgain) {
  ControlPair pair;
  pair.world.link("10.0.0.1", "10.0.0.2").loss_ppm = 500'000;
  for (int i = 0; i < 50; ++i) pair.Call("/a", "1");
  pair.RunFor(absl::Seconds(2));
  EXPECT_EQ(pair.replies.size(), 50u);
}

TEST(SimControlChannel, AStoppedServiceAnswersWhenItContinues) {
  ControlPair pair;
  pair.server.Stop();
  pair.Call("/a", "1");
  pair.RunFor(absl::Milliseconds(500));
  EXPECT_EQ(pair.served, 0);
  pair.server.Continue();
  pair.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(pair.replies, ElementsAre("/a(1)"));
}

TEST(SimControlChannel, AServiceThatDiesWithTheCallIsUnavailable) {
  ControlPair pair;
  pair.server.Stop();
  pair.Call("/a", "1");
  pair.RunFor(absl::Milliseconds(10));
  pair.server.Crash(SimCrash::kProcess);
  pair.server.Boot();
  pair.Serve();
  pair.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(pair.codes, ElementsAre(absl::StatusCode::kUnavailable));
  EXPECT_EQ(pair.served, 0);
}

TEST(SimControlChannel, AFullChannelRefusesByDone) {
  ControlPair pair;
  pair.server.Stop();
  for (size_t i = 0; i <= kControlCallsInFlightMax; ++i) pair.Call("/a", "1");
  EXPECT_THAT(pair.codes, IsEmpty());
  pair.channel->Poll();
  EXPECT_THAT(pair.codes, ElementsAre(absl::StatusCode::kResourceExhausted));
  pair.Call("/a", std::string(kControlMessageBytesMax + 1, 'x'));
  pair.RunFor(absl::Milliseconds(1));
  EXPECT_EQ(pair.codes.size(), 2u);
}

TEST(SimControlChannel, PendingCallsEndSilentlyWithTheirChannel) {
  ControlPair pair;
  pair.Call("/a", "1");
  pair.client.Crash(SimCrash::kProcess);
  pair.channel.reset();
  pair.RunFor(absl::Seconds(2));
  EXPECT_THAT(pair.codes, IsEmpty());
}

}  // namespace
}  // namespace cairn
