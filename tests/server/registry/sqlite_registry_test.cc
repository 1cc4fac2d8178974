#include "server/registry/sqlite_registry.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

// Root may write everywhere: while it lives, the process may as little as nobody.
class Unprivileged {
 public:
  Unprivileged() : root_(geteuid() == 0) {
    if (root_) CAIRN_CHECK(seteuid(kNobody) == 0);
  }
  ~Unprivileged() {
    if (root_) CAIRN_CHECK(seteuid(0) == 0);
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  const bool root_;
};

struct SqliteRegistryTest : ::testing::Test {
  SqliteRegistryTest() {
    std::string name = ::testing::TempDir() + "registry_XXXXXX";
    CAIRN_CHECK(mkdtemp(name.data()) != nullptr);
    CAIRN_CHECK(chmod(name.c_str(), 0755) == 0);
    folder = name;
    path = name + "/registry.db";
  }
  ~SqliteRegistryTest() override { std::filesystem::remove_all(folder); }

  absl::StatusOr<std::unique_ptr<Registry>> Open() { return OpenSqliteRegistry(path, random); }
  void Write(const std::string& content) const { std::ofstream(path) << content; }
  // As another program would.
  void Execute(const char* sql) const {
    sqlite3* database = nullptr;
    CAIRN_CHECK(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    sqlite3_close(database);
  }
  // The error's code, after a look at its message: it names the file and what to do.
  static absl::StatusCode CodeOf(const absl::Status& status, const std::string& named,
                                 const char* remedy) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(named));
    EXPECT_THAT(std::string(status.message()), HasSubstr(remedy));
    return status.code();
  }

  SeededRandom random{1};
  std::string folder;
  std::string path;
};

TEST_F(SqliteRegistryTest, WhatWasAddedIsThereAfterAReopen) {
  ClusterId cluster;
  TenantRecord added;
  {
    const auto registry = Open().value();
    cluster = registry->cluster_id().value();
    added = registry->AddTenant({.name = "a-1_b", .inflight_bytes_max = 77, .weight = 3}).value();
  }
  const auto registry = Open().value();
  EXPECT_EQ(registry->cluster_id().value(), cluster);
  const TenantRecord found = registry->FindTenant("a-1_b").value();
  EXPECT_EQ(found.id, added.id);
  EXPECT_EQ(found.secret, added.secret);
  EXPECT_EQ(found.inflight_bytes_max, 77u);
  EXPECT_EQ(found.weight, 3u);
  EXPECT_EQ(registry->ListTenants().value().size(), 1u);
}

TEST_F(SqliteRegistryTest, TheClusterIdIsMadeOnceAndDiffersBetweenClusters) {
  const auto registry = Open().value();
  const ClusterId id = registry->cluster_id().value();
  EXPECT_NE(id, ClusterId{});
  EXPECT_EQ(registry->cluster_id().value(), id);
  const auto other = OpenSqliteRegistry(":memory:", random).value();
  EXPECT_NE(other->cluster_id().value(), id);
}

TEST_F(SqliteRegistryTest, MissingFiguresGetTheirDefaults) {
  const auto registry = Open().value();
  const TenantRecord tenant = registry->AddTenant({.name = "a"}).value();
  EXPECT_NE(tenant.id, 0u);
  EXPECT_NE(tenant.secret, TenantSecret{});
  EXPECT_EQ(tenant.weight, 100u);
  EXPECT_EQ(tenant.inflight_bytes_max, 256u << 20);
}

TEST_F(SqliteRegistryTest, AGivenSecretIsKeptAndAMadeOneIsItsOwn) {
  const auto registry = Open().value();
  TenantRecord mine{.name = "a"};
  mine.secret.fill(std::byte{7});
  EXPECT_EQ(registry->AddTenant(mine).value().secret, mine.secret);
  EXPECT_EQ(registry->FindTenant("a").value().secret, mine.secret);
  const TenantSecret b = registry->AddTenant({.name = "b"}).value().secret;
  EXPECT_NE(registry->AddTenant({.name = "c"}).value().secret, b);
}

TEST_F(SqliteRegistryTest, ASecondTenantOfANameIsRefusedAndTheFirstStays) {
  const auto registry = Open().value();
  const TenantRecord first = registry->AddTenant({.name = "a"}).value();
  const absl::Status status = registry->AddTenant({.name = "a", .weight = 5}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tenant.name: \"a\""));
  EXPECT_EQ(registry->FindTenant("a").value().secret, first.secret);
  EXPECT_EQ(registry->FindTenant("a").value().weight, 100u);
}

TEST_F(SqliteRegistryTest, RemovedTenantsAreGoneAndTheirIdsAreNeverReused) {
  std::set<TenantId> ids;
  for (int life = 0; life < 3; ++life) {
    const auto registry = Open().value();
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(ids.insert(registry->AddTenant({.name = "a"}).value().id).second);
      ASSERT_TRUE(registry->RemoveTenant("a").ok());
      EXPECT_TRUE(absl::IsNotFound(registry->FindTenant("a").status()));
      EXPECT_TRUE(absl::IsNotFound(registry->RemoveTenant("a")));
    }
    EXPECT_TRUE(registry->ListTenants().value().empty());
  }
}

TEST_F(SqliteRegistryTest, TenantsAreListedInTheOrderOfTheirIds) {
  const auto registry = Open().value();
  for (const char* name : {"c", "a", "b"}) ASSERT_TRUE(registry->AddTenant({.name = name}).ok());
  std::vector<std::string> names;
  const std::vector<TenantRecord> tenants = registry->ListTenants().value();
  for (const TenantRecord& tenant : tenants) names.push_back(tenant.name);
  EXPECT_THAT(names, ::testing::ElementsAre("c", "a", "b"));
}

TEST_F(SqliteRegistryTest, BadFieldsAreNamed) {
  const auto registry = Open().value();
  for (const std::string& name :
       {std::string(), std::string("A"), std::string("a b"), std::string("a'; DROP TABLE tenant"),
        std::string("\xc3\xa9"), std::string("a\0b", 3), std::string(64, 'a')}) {
    const absl::Status status = registry->AddTenant({.name = name}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("tenant.name"));
  }
  const absl::Status status = registry->AddTenant({.name = "a", .weight = 1001}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tenant.weight"));
  EXPECT_TRUE(registry->AddTenant({.name = std::string(63, 'a'), .weight = 1000}).ok());
}

TEST_F(SqliteRegistryTest, NamesAreDataAndNotSql) {
  const auto registry = Open().value();
  ASSERT_TRUE(registry->AddTenant({.name = "a"}).ok());
  EXPECT_TRUE(absl::IsNotFound(registry->FindTenant("' OR '1'='1").status()));
  EXPECT_TRUE(absl::IsNotFound(registry->RemoveTenant("' OR '1'='1")));
  EXPECT_TRUE(registry->FindTenant("a").ok());
}

TEST_F(SqliteRegistryTest, SecretsAreReadableByNobodyElse) {
  const mode_t mask = umask(0);
  const auto registry = Open().value();
  ASSERT_TRUE(registry->AddTenant({.name = "a"}).ok());
  umask(mask);
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    struct stat status{};
    ASSERT_EQ(stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << file.path();
  }
}

TEST_F(SqliteRegistryTest, AFileThatIsNoDatabaseIsDataLossWithARemedy) {
  Write(
      "this is certainly not a database, but long enough to have a header of one hundred bytes, "
      "and then some more of the same kind of text");
  EXPECT_EQ(CodeOf(Open().status(), path, "restore the file from a copy"),
            absl::StatusCode::kDataLoss);
}

TEST_F(SqliteRegistryTest, ADamagedPageIsDataLossWithARemedy) {
  {
    const auto registry = Open().value();
    ASSERT_TRUE(registry->AddTenant({.name = "a"}).ok());
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);  // behind the header of the file: the schema's page
  file << std::string(3996, '\xff');
  file.close();
  EXPECT_EQ(CodeOf(Open().status(), path, "restore the file from a copy"),
            absl::StatusCode::kDataLoss);
}

TEST_F(SqliteRegistryTest, ASecretOfOddLengthIsDataLossWithARemedy) {
  const auto registry = Open().value();
  ASSERT_TRUE(registry->AddTenant({.name = "a"}).ok());
  Execute("UPDATE tenant SET secret = x'0102'");
  EXPECT_EQ(CodeOf(registry->FindTenant("a").status(), path, "restore the file from a copy"),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(registry->ListTenants().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SqliteRegistryTest, ANewerSchemaIsLeftAlone) {
  {
    ASSERT_TRUE(Open().value()->AddTenant({.name = "a"}).ok());
  }
  Execute("PRAGMA user_version = 3");
  EXPECT_EQ(CodeOf(Open().status(), path, "start the newer program"),
            absl::StatusCode::kFailedPrecondition);
  Execute("PRAGMA user_version = 1");
  EXPECT_TRUE(Open().value()->FindTenant("a").ok());
}

TEST_F(SqliteRegistryTest, AMissingFolderIsNamed) {
  const std::string missing = folder + "/missing/registry.db";
  EXPECT_EQ(CodeOf(OpenSqliteRegistry(missing, random).status(), missing, "folder"),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(SqliteRegistryTest, AnUnwritableFolderIsNamed) {
  ASSERT_EQ(chmod(folder.c_str(), 0555), 0);
  const Unprivileged unprivileged;
  EXPECT_EQ(CodeOf(Open().status(), path, "folder"), absl::StatusCode::kPermissionDenied);
}

TEST_F(SqliteRegistryTest, AReadOnlyFileIsNamed) {
  {
    ASSERT_TRUE(Open().ok());
  }
  ASSERT_EQ(chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder.c_str(), 0555), 0);
  const Unprivileged unprivileged;
  EXPECT_EQ(CodeOf(Open().status(), path, "folder"), absl::StatusCode::kPermissionDenied);
}

TEST_F(SqliteRegistryTest, ManyOpenOneNewFileAtOnceAndAgree) {
  constexpr int kOpeners = 8;
  std::vector<ClusterId> ids(kOpeners);
  std::vector<absl::Status> statuses(kOpeners);
  std::vector<std::thread> threads;
  threads.reserve(kOpeners);
  for (int i = 0; i < kOpeners; ++i) {
    threads.emplace_back([this, i, &ids, &statuses] {
      SeededRandom own(100 + static_cast<uint64_t>(i));
      auto registry = OpenSqliteRegistry(path, own);
      statuses[i] = registry.status();
      if (!registry.ok()) return;
      ids[i] = (*registry)->cluster_id().value();
      statuses[i] = (*registry)->AddTenant({.name = absl::StrCat("t", i)}).status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kOpeners; ++i) {
    EXPECT_TRUE(statuses[i].ok()) << statuses[i];
    EXPECT_EQ(ids[i], ids[0]);
  }
  EXPECT_EQ(Open().value()->ListTenants().value().size(), size_t{kOpeners});
}

TEST_F(SqliteRegistryTest, OneConnectionSeesWhatAnotherWrote) {
  const auto daemon = Open().value();
  const auto command_line = Open().value();
  ASSERT_TRUE(command_line->AddTenant({.name = "a"}).ok());
  EXPECT_TRUE(daemon->FindTenant("a").ok());
  EXPECT_EQ(daemon->AddTenant({.name = "a"}).status().code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(daemon->RemoveTenant("a").ok());
  EXPECT_TRUE(absl::IsNotFound(command_line->FindTenant("a").status()));
}

TEST_F(SqliteRegistryTest, ThreadsShareOneRegistry) {
  const auto registry = Open().value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&registry, i] {
      for (int j = 0; j < 10; ++j) {
        const std::string name = absl::StrCat("t", i, "-", j);
        EXPECT_TRUE(registry->AddTenant({.name = name}).ok());
        EXPECT_TRUE(registry->FindTenant(name).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<TenantId> ids;
  const std::vector<TenantRecord> tenants = registry->ListTenants().value();
  for (const TenantRecord& tenant : tenants) ids.insert(tenant.id);
  EXPECT_EQ(ids.size(), 40u);
}

}  // namespace
}  // namespace cairn
