#include "server/cli/table.h"

#include <gtest/gtest.h>

#include "server/cli/terminal.h"

namespace cairn {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table("lrl");
  table.Add({"NODE", "BLOCKS", "STATE"});
  table.Add({"a07079828bfe", "7", "ready"});
  EXPECT_EQ(table.ToText(),
            "NODE          BLOCKS  STATE\n"
            "a07079828bfe       7  ready\n");
}

TEST(Table, NoLineEndsInSpaces) {
  Table table("ll");
  table.Add({"long enough", "x"});
  table.Add({"short", ""});
  table.Add({"short"});
  EXPECT_EQ(table.ToText(), "long enough  x\nshort\nshort\n");
}

TEST(Table, ColoursTakeNoRoom) {
  const Palette palette(true);
  Table table("ll");
  table.Add({palette.Good("ready"), "1"});
  table.Add({"draining", "2"});
  EXPECT_EQ(table.ToText(), palette.Good("ready") + "     1\ndraining  2\n");
}

TEST(Table, ALetterBeyondAsciiTakesOneCell) {
  Table table("ll");
  table.Add({"é", "1"});
  table.Add({"ee", "2"});
  EXPECT_EQ(table.ToText(), "é   1\nee  2\n");
}

}  // namespace
}  // namespace cairn
