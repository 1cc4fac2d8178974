// What the scripts offer in the shells themselves: test_completion.py.
#include "server/cli/completion/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using testing::HasSubstr;
using testing::Not;

Command Example() {
  const CommandFlag help{{"--help", "-h"}, "", "Print it"};
  Command add{"cairn tenant add", "add", "Add a tenant's file", {help}, {}, {}};
  add.flags.push_back({{"--out"}, "FILE", "Where to"});
  add.flags.push_back({{"--shared"}, "true|false", "For all: no secret"});
  Command tenant{"cairn tenant", "tenant", "Tenants", {help}, {}, {add}};
  return {"cairn", "cairn", "Cairn", {help}, {}, {tenant}};
}

TEST(Completion, QuotesSurviveTheShell) { EXPECT_EQ(ShellQuote("a'b"), "'a'\\''b'"); }

TEST(Completion, BashKnowsEveryCommandFlagAndChoice) {
  const std::string script = BashCompletion(Example());
  EXPECT_THAT(script, HasSubstr("'cairn tenant add') command_path='cairn tenant add' ;;"));
  EXPECT_THAT(script,
              HasSubstr("'cairn tenant add') commands='' flags='--help -h --out --shared '"));
  EXPECT_THAT(script, HasSubstr("compgen -W 'true false'"));
  EXPECT_THAT(script, HasSubstr("complete -F _cairn cairn"));
}

TEST(Completion, ZshDescribesThemAndKeepsColonsApart) {
  const std::string script = ZshCompletion(Example());
  EXPECT_THAT(script, HasSubstr("'add:Add a tenant'\\''s file'"));
  EXPECT_THAT(script, HasSubstr("'--shared:For all: no secret'"));
  EXPECT_THAT(script, HasSubstr("compadd -- true false"));
  EXPECT_THAT(script, testing::StartsWith("#compdef cairn\n"));
}

TEST(Completion, FishHasALineAFlagAtItsCommand) {
  const std::string script = FishCompletion(Example());
  EXPECT_THAT(script, HasSubstr("-l out -r -F -d 'Where to'"));
  EXPECT_THAT(script, HasSubstr("-l help -s h -d 'Print it'"));
  EXPECT_THAT(script, HasSubstr("-l shared -x -a 'true false'"));
  EXPECT_THAT(script, HasSubstr("-a add -d 'Add a tenant\\'s file'"));
}

TEST(Completion, WhatHasNoValuesOffersNone) {
  Command command = Example();
  command.flags.push_back({{"--size"}, "SIZE", "How much"});
  EXPECT_THAT(BashCompletion(command), HasSubstr("    'cairn --size')\n      return ;;"));
  EXPECT_THAT(FishCompletion(command), HasSubstr("-l size -x -d 'How much'"));
}

}  // namespace
}  // namespace cairn
