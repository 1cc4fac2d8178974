#include "client/coordinator_session.h"

#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/version.h"
#include "proto/credential.h"
#include "proto/wire.h"
#include "tests/transport/control/held_channel.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::HeldChannel;

constexpr absl::Duration kLife = absl::Minutes(10);

struct CoordinatorSessionTest : ::testing::Test {
  // Of two coordinators.
  CoordinatorSessionTest() {
    options.tenant = "a";
    options.secret.fill(std::byte{5});
    client.bytes.fill(std::byte{6});
    std::vector<std::unique_ptr<ControlChannel>> held;
    for (int i = 0; i < 2; ++i) {
      auto channel = std::make_unique<HeldChannel>(absl::StrCat("coordinator", i));
      channels.push_back(channel.get());
      held.push_back(std::move(channel));
    }
    session = std::make_unique<CoordinatorSession>(options, v1::Namespace(), client,
                                                   std::move(held), clock);
  }
  void RunFor(absl::Duration duration) {
    clock.RunFor(duration);
    session->Poll();
  }
  v1::OpenSessionRequest Open(size_t coordinator, char token = 't') {
    RunFor(absl::Milliseconds(100));
    v1::OpenSessionReply reply;
    reply.set_token(std::string(kTokenBytes, token));
    reply.set_server_version("1.2.3");
    reply.set_expires_in_ms(absl::ToInt64Milliseconds(kLife));
    const auto request = channels[coordinator]->Answer<v1::OpenSessionRequest>(
        "OpenSession", reply.SerializeAsString());
    session->Poll();
    return request;
  }
  void Refuse(size_t coordinator, const absl::Status& status) {
    RunFor(absl::Milliseconds(100));
    channels[coordinator]->Answer<v1::OpenSessionRequest>("OpenSession", status);
    session->Poll();
  }
  void Locate() {
    session->Locate({}, absl::Seconds(1), [this](const absl::StatusOr<v1::LocateReply>& reply) {
      located.push_back(reply.status().code());
    });
  }

  SimScheduler clock{1};
  ClientOptions options;
  ClientId client;
  std::vector<HeldChannel*> channels;
  std::unique_ptr<CoordinatorSession> session;
  std::vector<absl::StatusCode> located;
};

TEST_F(CoordinatorSessionTest, ShowsACredentialAndNeverTheSecret) {
  const v1::OpenSessionRequest request = Open(0);
  EXPECT_TRUE(session->open());
  EXPECT_EQ(request.tenant(), "a");
  EXPECT_TRUE(CredentialFits(options.secret, request.credential()));
  EXPECT_EQ(request.rights(), kRightRead | kRightWrite);
  EXPECT_EQ(request.client_id(), std::string(16, 6));
  EXPECT_EQ(request.SerializeAsString().find(std::string(32, 5)), std::string::npos);
  EXPECT_EQ(session->token()[0], std::byte{'t'});
}

TEST_F(CoordinatorSessionTest, RenewsAtHalfOfItsLifeAndStaysOpenMeanwhile) {
  Open(0);
  RunFor(kLife / 2 - absl::Seconds(1));
  EXPECT_FALSE(channels[0]->Called("OpenSession"));
  RunFor(absl::Seconds(2));
  EXPECT_TRUE(channels[0]->Called("OpenSession"));
  EXPECT_TRUE(session->open());
  Open(0, 'u');
  EXPECT_EQ(session->token()[0], std::byte{'u'});
}

TEST_F(CoordinatorSessionTest, AnOutageLeavesTheTokenGoodUntilItExpires) {
  Open(0);
  for (int i = 0; i < 4; ++i) {
    RunFor(kLife / 8);
    EXPECT_TRUE(session->open());
  }
  Refuse(0, absl::UnavailableError("down"));
  Refuse(1, absl::UnavailableError("down"));
  EXPECT_TRUE(session->open());
  EXPECT_FALSE(session->failing());
  RunFor(kLife / 2);
  EXPECT_FALSE(session->open());
  EXPECT_TRUE(session->failing());
}

TEST_F(CoordinatorSessionTest, GoesRoundTheCoordinatorsUntilOneAnswers) {
  EXPECT_FALSE(session->failing());
  Refuse(0, absl::UnavailableError("no route"));
  EXPECT_FALSE(session->failing()) << "the other one was not asked yet";
  Refuse(1, absl::DeadlineExceededError("slow"));
  EXPECT_TRUE(session->failing());
  EXPECT_THAT(session->Errors(), HasSubstr("coordinator0: no route"));
  EXPECT_THAT(session->Errors(), HasSubstr("coordinator1: slow"));
  Open(0);
  EXPECT_TRUE(session->open());
  EXPECT_FALSE(session->failing());
}

TEST_F(CoordinatorSessionTest, OneQuestionAtATime) {
  RunFor(absl::Minutes(1));
  RunFor(absl::Minutes(1));
  EXPECT_EQ(channels[0]->waiting() + channels[1]->waiting(), 1u);
}

TEST_F(CoordinatorSessionTest, WaitsBetweenAttempts) {
  RunFor(absl::Milliseconds(1));
  channels[0]->Answer<v1::OpenSessionRequest>("OpenSession", absl::UnavailableError("down"));
  session->Poll();
  RunFor(options.backoff_min / 2);
  EXPECT_FALSE(channels[1]->Called("OpenSession"));
  RunFor(options.backoff_min);
  EXPECT_TRUE(channels[1]->Called("OpenSession"));
}

TEST_F(CoordinatorSessionTest, ARefusalForGoodIsFinal) {
  Refuse(0, absl::UnauthenticatedError("unknown tenant or wrong credential"));
  EXPECT_EQ(session->refusal().code(), absl::StatusCode::kUnauthenticated);
  RunFor(absl::Minutes(1));
  EXPECT_EQ(channels[0]->waiting() + channels[1]->waiting(), 0u);
}

TEST_F(CoordinatorSessionTest, ARefusedVersionIsFinal) {
  Refuse(0, absl::FailedPreconditionError("version: too old"));
  EXPECT_EQ(session->refusal().code(), absl::StatusCode::kFailedPrecondition);
  RunFor(absl::Minutes(1));
  EXPECT_EQ(channels[0]->waiting() + channels[1]->waiting(), 0u);
}

TEST_F(CoordinatorSessionTest, BothSidesTellTheirVersions) {
  EXPECT_EQ(session->server_version(), "");
  const v1::OpenSessionRequest request = Open(0);
  EXPECT_EQ(request.client_version(), Version());
  EXPECT_EQ(request.wire_version_min(), wire::kWireVersionMin);
  EXPECT_EQ(request.wire_version_max(), wire::kWireVersion);
  EXPECT_EQ(session->server_version(), "1.2.3");
}

TEST_F(CoordinatorSessionTest, ARefusedRenewalIsTriedAgain) {
  Open(0);
  RunFor(kLife / 2);
  Refuse(0, absl::UnauthenticatedError("unknown tenant or wrong credential"));
  EXPECT_TRUE(session->refusal().ok());
  Open(1, 'u');
  EXPECT_EQ(session->token()[0], std::byte{'u'});
}

TEST_F(CoordinatorSessionTest, AnOddTokenIsAFailure) {
  RunFor(absl::Milliseconds(1));
  v1::OpenSessionReply reply;
  reply.set_token("short");
  channels[0]->Answer<v1::OpenSessionRequest>("OpenSession", reply.SerializeAsString());
  session->Poll();
  EXPECT_FALSE(session->open());
  EXPECT_THAT(session->Errors(), HasSubstr("token"));
  Open(1);
}

TEST_F(CoordinatorSessionTest, LocateCarriesTheToken) {
  Open(0);
  Locate();
  const auto request =
      channels[0]->Answer<v1::LocateRequest>("Locate", v1::LocateReply().SerializeAsString());
  session->Poll();
  EXPECT_EQ(request.token(), std::string(kTokenBytes, 't'));
  EXPECT_THAT(located, ::testing::ElementsAre(absl::StatusCode::kOk));
}

TEST_F(CoordinatorSessionTest, AFailedLocateTurnsToTheNextCoordinatorWithANewSession) {
  Open(0);
  Locate();
  channels[0]->Answer<v1::LocateRequest>("Locate", absl::UnavailableError("down"));
  session->Poll();
  EXPECT_THAT(located, ::testing::ElementsAre(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(channels[1]->Called("OpenSession"));
  Open(1, 'u');
  Locate();
  EXPECT_TRUE(channels[1]->Called("Locate"));
}

TEST_F(CoordinatorSessionTest, SeveralFailedLocatesOfOneCoordinatorTurnOnce) {
  Open(0);
  Locate();
  Locate();
  for (int i = 0; i < 2; ++i) {
    channels[0]->Answer<v1::LocateRequest>("Locate", absl::UnavailableError("down"));
  }
  session->Poll();
  Locate();
  EXPECT_TRUE(channels[1]->Called("Locate"));
}

TEST_F(CoordinatorSessionTest, AReportCarriesTokenAndNameAndTheNextIsDueWhenItsAnswerSays) {
  EXPECT_EQ(session->next_report(), kNever);
  Open(0);
  EXPECT_EQ(session->next_report(), clock.Now() + absl::Seconds(10));
  session->Report({});
  EXPECT_EQ(session->next_report(), kNever) << "one at a time";
  session->Report({});
  EXPECT_EQ(channels[0]->waiting(), 1u);
  v1::ReportClientReply reply;
  reply.set_interval_ms(3000);
  const auto request =
      channels[0]->Answer<v1::ReportClientRequest>("ReportClient", reply.SerializeAsString());
  session->Poll();
  EXPECT_EQ(request.token(), std::string(kTokenBytes, 't'));
  EXPECT_EQ(request.client_id(), std::string(16, 6));
  EXPECT_EQ(session->next_report(), clock.Now() + absl::Seconds(3));
}

TEST_F(CoordinatorSessionTest, AnOddIntervalIsBroughtWithinBounds) {
  Open(0);
  for (const auto& [told_ms, interval] :
       {std::pair{0u, absl::Seconds(10)}, std::pair{1u, absl::Seconds(1)},
        std::pair{UINT32_MAX, absl::Minutes(10)}}) {
    session->Report({});
    v1::ReportClientReply reply;
    reply.set_interval_ms(told_ms);
    channels[0]->Answer<v1::ReportClientRequest>("ReportClient", reply.SerializeAsString());
    session->Poll();
    EXPECT_EQ(session->next_report(), clock.Now() + interval);
  }
}

TEST_F(CoordinatorSessionTest, AFailedReportIsNoReasonToTurnToAnotherCoordinator) {
  Open(0);
  session->Report({});
  channels[0]->Answer<v1::ReportClientRequest>("ReportClient", absl::UnavailableError("down"));
  session->Poll();
  EXPECT_EQ(session->next_report(), clock.Now() + absl::Seconds(10));
  Locate();
  EXPECT_TRUE(channels[0]->Called("Locate"));
}

TEST_F(CoordinatorSessionTest, ACoordinatorThatTakesNoReportsIsAskedAgainWithTheNextToken) {
  Open(0);
  session->Report({});
  channels[0]->Answer<v1::ReportClientRequest>("ReportClient", absl::UnimplementedError("old"));
  session->Poll();
  EXPECT_EQ(session->next_report(), kNever);
  RunFor(kLife / 2);
  Open(0, 'u');
  EXPECT_EQ(session->next_report(), clock.Now() + absl::Seconds(10));
}

TEST_F(CoordinatorSessionTest, RenewalsThatNodesAskForAreNotHurried) {
  Open(0);
  session->Renew();
  RunFor(options.backoff_max / 2);
  EXPECT_FALSE(channels[0]->Called("OpenSession"));
  RunFor(options.backoff_max);
  EXPECT_TRUE(channels[0]->Called("OpenSession"));
}

}  // namespace
}  // namespace cairn
